-- +goose Up

-- Times are microseconds since 1970 UTC, 0 for none. Lists and maps are JSON.

CREATE TABLE users (
    id             TEXT PRIMARY KEY,
    login          TEXT NOT NULL,
    -- NULL for a tombstone, whose login is free again
    login_norm     TEXT UNIQUE,
    email          TEXT NOT NULL,
    email_verified BIGINT NOT NULL,
    given_name     TEXT NOT NULL,
    family_name    TEXT NOT NULL,
    name           TEXT NOT NULL,
    locale         TEXT NOT NULL,
    phone_number   TEXT NOT NULL,
    group_names    TEXT NOT NULL,
    claims         TEXT NOT NULL,
    -- what a search looks at: login, e-mail and name, folded
    search         TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'deleted')),
    home           TEXT NOT NULL,
    revision       BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- Apart from users, so that no query for a user ever carries a hash.
CREATE TABLE passwords (
    user_id    TEXT PRIMARY KEY REFERENCES users (id),
    hash       TEXT NOT NULL,
    updated_at BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- Guesses at passwords. The key is a digest.
CREATE TABLE throttles (
    key        TEXT PRIMARY KEY,
    failures   BIGINT NOT NULL,
    free_at    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX throttles_updated_at ON throttles (updated_at);

CREATE TABLE applications (
    client_id          TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    redirect_uris      TEXT NOT NULL,
    type               TEXT NOT NULL CHECK (type IN ('web', 'native')),
    auth_method        TEXT NOT NULL,
    secret_hash        TEXT NOT NULL,
    grant_types        TEXT NOT NULL,
    scopes             TEXT NOT NULL,
    id_token_alg       TEXT NOT NULL,
    initiate_login_uri TEXT NOT NULL,
    registration       BIGINT NOT NULL,
    enabled            BIGINT NOT NULL,
    revision           BIGINT NOT NULL,
    created_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL
) {{WITHOUT ROWID}};

CREATE TABLE sessions (
    id        TEXT PRIMARY KEY,
    user_id   TEXT NOT NULL REFERENCES users (id),
    amr       TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    used_at   BIGINT NOT NULL,
    ends_at   BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_ends_at ON sessions (ends_at);

CREATE TABLE sign_ins (
    id              TEXT PRIMARY KEY,
    version         BIGINT NOT NULL,
    reference       TEXT NOT NULL,
    request         TEXT NOT NULL,
    browser         {{BLOB}} NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('open', 'issued', 'ended')),
    user_id         TEXT NOT NULL,
    auth_time       BIGINT NOT NULL,
    fresh           BIGINT NOT NULL,
    session         TEXT NOT NULL,
    provision_start BIGINT NOT NULL,
    deadline        BIGINT NOT NULL,
    failure         TEXT NOT NULL,
    decision        TEXT NOT NULL,
    leaving         BIGINT NOT NULL,
    response        {{BLOB}},
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL,
    -- Nothing is issued without a user and the decision it rests on.
    CHECK (status <> 'issued' OR (decision <> '' AND user_id <> ''))
) {{WITHOUT ROWID}};
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);
CREATE INDEX sign_ins_reference ON sign_ins (reference);
