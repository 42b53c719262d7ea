-- +goose Up
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT ''; -- what the browser called itself
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT ''; -- of the client, when the session began

-- +goose Down
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN agent;
