-- +goose Up
-- A refresh asks for the last generation of its family.
DROP INDEX oauth_refresh_grant_id;
CREATE INDEX oauth_refresh_grant_id ON oauth_refresh (grant_id, generation);

-- +goose Down
DROP INDEX oauth_refresh_grant_id;
CREATE INDEX oauth_refresh_grant_id ON oauth_refresh (grant_id);
