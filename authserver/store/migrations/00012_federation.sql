-- +goose Up
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT '';
CREATE INDEX users_email ON users (LOWER(email));

CREATE TABLE upstream (
    name     TEXT {{BINARY}} PRIMARY KEY,
    settings TEXT NOT NULL, -- JSON, without the secret
    secret   {{BLOB}} NOT NULL, -- sealed
    revision BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- Whose an upstream's subject is.
CREATE TABLE federated_identity (
    issuer     TEXT {{BINARY}} NOT NULL,
    subject    TEXT {{BINARY}} NOT NULL,
    user_id    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
) {{WITHOUT ROWID}};
CREATE INDEX federated_identity_user ON federated_identity (user_id);

-- Browsers on their way to an upstream and back.
CREATE TABLE federation_attempt (
    id         TEXT PRIMARY KEY, -- hash of the state parameter
    sign_in    TEXT NOT NULL,
    upstream   TEXT NOT NULL,
    secret     {{BLOB}} NOT NULL, -- nonce and code verifier, sealed
    fresh      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX federation_attempt_expires_at ON federation_attempt (expires_at);

-- +goose Down
DROP TABLE federation_attempt;
DROP TABLE federated_identity;
DROP TABLE upstream;
DROP INDEX users_email;
ALTER TABLE users DROP COLUMN source;
