-- +goose Up
-- Requests of devices (RFC 8628). One that was used or denied is kept for a while,
-- so that a replay is recognised.
CREATE TABLE device_request (
    hash          {{BLOB}} PRIMARY KEY, -- SHA-256 of the device code
    user_code     {{BLOB}} NOT NULL UNIQUE, -- keyed digest
    client_id     TEXT NOT NULL,
    scopes        TEXT NOT NULL, -- space-separated
    network       TEXT NOT NULL,
    poll_interval BIGINT NOT NULL, -- microseconds
    poll_at       BIGINT NOT NULL DEFAULT 0, -- no poll is in time before
    status        TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'used')),
    error         TEXT NOT NULL,
    grant_id      TEXT NOT NULL,
    decision_id   TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    keep_until    BIGINT NOT NULL,
    -- Nothing is approved without a grant and the decision it rests on.
    CHECK (status NOT IN ('approved', 'used') OR (grant_id <> '' AND decision_id <> '')),
    CHECK (status <> 'denied' OR error <> '')
) {{WITHOUT ROWID}};
CREATE INDEX device_request_keep_until ON device_request (keep_until);

-- +goose Down
DROP TABLE device_request;
