-- +goose Up
CREATE TABLE resource_server (
    identifier TEXT {{BINARY}} PRIMARY KEY,
    settings   TEXT NOT NULL -- JSON
) {{WITHOUT ROWID}};

-- What was asked for with the parameter resource (RFC 8707), space-separated, and
-- what a token is for; '' is this server's own endpoints.
ALTER TABLE oauth_grant ADD COLUMN resources TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_access ADD COLUMN audience TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE oauth_access DROP COLUMN audience;
ALTER TABLE oauth_grant DROP COLUMN resources;
DROP TABLE resource_server;
