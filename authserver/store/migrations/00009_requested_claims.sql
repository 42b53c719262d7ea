-- +goose Up
-- What the request's claims parameter asked for, as "userinfo.name id_token.email".
ALTER TABLE oauth_grant ADD COLUMN claims TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE oauth_grant DROP COLUMN claims;
