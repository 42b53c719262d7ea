-- +goose Up

-- Authenticator apps (TOTP).
CREATE TABLE second_factor (
    user_id      TEXT PRIMARY KEY REFERENCES users (id),
    sealed       {{BLOB}} NOT NULL, -- the secret
    last_step    BIGINT NOT NULL,   -- no code is accepted twice
    confirmed_at BIGINT NOT NULL    -- 0 while it does not count yet
) {{WITHOUT ROWID}};

CREATE TABLE recovery_code (
    user_id TEXT NOT NULL REFERENCES users (id),
    hash    {{BLOB}} NOT NULL, -- SHA-256
    PRIMARY KEY (user_id, hash)
) {{WITHOUT ROWID}};

-- Who gave the right password within a sign-in and has to give a code yet.
ALTER TABLE sign_ins ADD COLUMN proven_user TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN proven_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sign_ins DROP COLUMN proven_at;
ALTER TABLE sign_ins DROP COLUMN proven_user;
DROP TABLE recovery_code;
DROP TABLE second_factor;
