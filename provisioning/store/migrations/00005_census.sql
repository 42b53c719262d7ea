-- +goose Up
-- Accounts are counted by state without reading them.
CREATE INDEX account_census ON account (target, state, held);

-- +goose Down
DROP INDEX account_census;
