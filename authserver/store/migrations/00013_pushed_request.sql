-- +goose Up
-- Authorization requests that clients pushed (RFC 9126). A used one is kept for a
-- while: a sign-in that began before must not end with a second code.
CREATE TABLE pushed_request (
    hash       {{BLOB}} PRIMARY KEY, -- SHA-256 of the request_uri
    client_id  TEXT NOT NULL,
    form       TEXT NOT NULL, -- JSON
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0,
    keep_until BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX pushed_request_keep_until ON pushed_request (keep_until);

-- +goose Down
DROP TABLE pushed_request;
