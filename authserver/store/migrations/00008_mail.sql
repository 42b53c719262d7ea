-- +goose Up

-- What links that were mailed carry.
CREATE TABLE mail_token (
    hash       {{BLOB}} PRIMARY KEY, -- SHA-256
    user_id    TEXT NOT NULL REFERENCES users (id),
    purpose    TEXT NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    email      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX mail_token_user_id ON mail_token (user_id, purpose);
CREATE INDEX mail_token_expires_at ON mail_token (expires_at);

-- Who shall get mail, until somebody looked. Sealed: people type anything as login.
CREATE TABLE mail_request (
    id         TEXT PRIMARY KEY,
    sealed     {{BLOB}} NOT NULL,
    due_at     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX mail_request_due_at ON mail_request (due_at);

-- +goose Down
DROP TABLE mail_request;
DROP TABLE mail_token;
