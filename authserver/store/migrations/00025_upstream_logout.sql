-- +goose Up
-- The upstream that a session came by, to sign its person out there, too.
CREATE TABLE session_upstream (
    sid      TEXT PRIMARY KEY,
    upstream TEXT NOT NULL,
    id_token {{BLOB}} NOT NULL -- sealed
) {{WITHOUT ROWID}};

-- Browsers on their way to an upstream to sign out, and back.
CREATE TABLE upstream_departure (
    id         TEXT PRIMARY KEY, -- hash of the state parameter
    browser    {{BLOB}} NOT NULL,
    return_to  TEXT NOT NULL,
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX upstream_departure_expires_at ON upstream_departure (expires_at);

-- +goose Down
DROP TABLE upstream_departure;
DROP TABLE session_upstream;
