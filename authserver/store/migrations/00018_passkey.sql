-- +goose Up
CREATE TABLE passkey (
    id           {{BLOB}} PRIMARY KEY, -- the authenticator's
    user_id      TEXT NOT NULL REFERENCES users (id),
    name         TEXT NOT NULL,
    public_key   {{BLOB}} NOT NULL, -- COSE
    transports   TEXT NOT NULL,     -- JSON
    sign_count   BIGINT NOT NULL,
    synced       BIGINT NOT NULL,
    backed_up    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL,
    suspect_at   BIGINT NOT NULL    -- when its counter did not grow
) {{WITHOUT ROWID}};
CREATE INDEX passkey_user ON passkey (user_id);

-- What browsers were asked to sign, one for each sign-in or session.
CREATE TABLE passkey_challenge (
    bound      TEXT PRIMARY KEY, -- the one it was made for
    hash       {{BLOB}} NOT NULL, -- SHA-256
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX passkey_challenge_expires_at ON passkey_challenge (expires_at);

-- +goose Down
DROP TABLE passkey_challenge;
DROP TABLE passkey;
