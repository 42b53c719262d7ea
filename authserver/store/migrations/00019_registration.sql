-- +goose Up
-- Applications that registered themselves (RFC 7591): what is kept of one beside the
-- application.
ALTER TABLE applications ADD COLUMN self_registered BIGINT NOT NULL DEFAULT 0;
CREATE TABLE registration (
    client_id     TEXT PRIMARY KEY REFERENCES applications (client_id) ON DELETE CASCADE,
    token_hash    {{BLOB}} NOT NULL UNIQUE, -- SHA-256 of the registration access token
    initial_token TEXT NOT NULL, -- id of the token it registered with; '' for none
    created_at    BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- Initial access tokens: whoever has one may register so many applications.
CREATE TABLE registration_token (
    id         TEXT PRIMARY KEY,
    hash       {{BLOB}} NOT NULL UNIQUE, -- SHA-256 of the token
    note       TEXT NOT NULL,
    max_uses   BIGINT NOT NULL,
    uses       BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
) {{WITHOUT ROWID}};

-- +goose Down
DROP TABLE registration_token;
DROP TABLE registration;
ALTER TABLE applications DROP COLUMN self_registered;
