-- +goose Up
ALTER TABLE applications ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'; -- JSON

-- The session's id for applications: the claim sid. It survives when the same user
-- signs in again in the same browser. '' for a session from before there were any.
ALTER TABLE sessions ADD COLUMN sid TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_grant ADD COLUMN sid TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_grant ADD COLUMN amr TEXT NOT NULL DEFAULT ''; -- space-separated

-- +goose Down
ALTER TABLE oauth_grant DROP COLUMN amr;
ALTER TABLE oauth_grant DROP COLUMN sid;
ALTER TABLE sessions DROP COLUMN sid;
ALTER TABLE applications DROP COLUMN settings;
