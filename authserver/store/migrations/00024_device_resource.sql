-- +goose Up
ALTER TABLE device_request ADD COLUMN resources TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE device_request DROP COLUMN resources;
