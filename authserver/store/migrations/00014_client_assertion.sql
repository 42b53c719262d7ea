-- +goose Up
-- Client assertions (RFC 7523) that were used, until they have expired anyway.
CREATE TABLE client_assertion (
    hash       {{BLOB}} PRIMARY KEY, -- SHA-256 of client_id and jti
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX client_assertion_expires_at ON client_assertion (expires_at);

-- +goose Down
DROP TABLE client_assertion;
