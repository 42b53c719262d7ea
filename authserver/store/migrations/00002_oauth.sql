-- +goose Up

-- One row per authorization: what every code and token of the family shares.
-- Its id is the sign-in's, so a sign-in is answered with one code at most.
CREATE TABLE oauth_grant (
    id          TEXT PRIMARY KEY,
    client_id   TEXT NOT NULL,
    user_id     TEXT NOT NULL, -- '' for client_credentials
    decision_id TEXT NOT NULL CHECK (decision_id <> ''),
    scopes      TEXT NOT NULL, -- space-separated
    session_id  TEXT NOT NULL,
    auth_time   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL, -- nothing of the family outlives it
    revoked_at  BIGINT NOT NULL DEFAULT 0
) {{WITHOUT ROWID}};
CREATE INDEX oauth_grant_expires_at ON oauth_grant (expires_at);
CREATE INDEX oauth_grant_user_id ON oauth_grant (user_id, client_id);

-- Code, PKCE challenge and OpenID Connect request in one row. A used code is
-- kept for a while, so that a replay is recognised.
CREATE TABLE oauth_code (
    hash         {{BLOB}} PRIMARY KEY, -- SHA-256 of the code
    grant_id     TEXT NOT NULL REFERENCES oauth_grant (id) ON DELETE CASCADE,
    decision_id  TEXT NOT NULL CHECK (decision_id <> ''),
    redirect_uri TEXT NOT NULL, -- as requested; '' if it was left out
    nonce        TEXT NOT NULL,
    challenge    TEXT NOT NULL CHECK (challenge <> ''), -- S256
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL DEFAULT 0,
    keep_until   BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX oauth_code_keep_until ON oauth_code (keep_until);
CREATE INDEX oauth_code_grant_id ON oauth_code (grant_id);

CREATE TABLE oauth_access (
    hash        {{BLOB}} PRIMARY KEY,
    grant_id    TEXT NOT NULL REFERENCES oauth_grant (id) ON DELETE CASCADE,
    decision_id TEXT NOT NULL CHECK (decision_id <> ''),
    scopes      TEXT NOT NULL, -- perhaps fewer than the grant's
    expires_at  BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX oauth_access_expires_at ON oauth_access (expires_at);
CREATE INDEX oauth_access_grant_id ON oauth_access (grant_id);

-- generation and parent tell a retry of the newest token from the reuse of an
-- old one.
CREATE TABLE oauth_refresh (
    hash        {{BLOB}} PRIMARY KEY,
    grant_id    TEXT NOT NULL REFERENCES oauth_grant (id) ON DELETE CASCADE,
    decision_id TEXT NOT NULL CHECK (decision_id <> ''),
    generation  BIGINT NOT NULL,
    parent      {{BLOB}}, -- the hash it replaced; NULL for the first
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT NOT NULL DEFAULT 0,
    keep_until  BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX oauth_refresh_keep_until ON oauth_refresh (keep_until);
CREATE INDEX oauth_refresh_grant_id ON oauth_refresh (grant_id);

CREATE TABLE signing_key (
    kid        TEXT PRIMARY KEY, -- RFC 7638 thumbprint
    alg        TEXT NOT NULL,
    generation BIGINT NOT NULL,
    sealed     {{BLOB}} NOT NULL, -- the private JWK
    public     {{BLOB}} NOT NULL, -- the public JWK
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retire_at  BIGINT NOT NULL DEFAULT 0,
    UNIQUE (alg, generation)
);

CREATE TABLE secret (
    name       TEXT PRIMARY KEY,
    sealed     {{BLOB}} NOT NULL,
    created_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE secret;
DROP TABLE signing_key;
DROP TABLE oauth_refresh;
DROP TABLE oauth_access;
DROP TABLE oauth_code;
DROP TABLE oauth_grant;
