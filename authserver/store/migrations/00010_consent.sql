-- +goose Up
-- What a user let an application have, once and for all.
CREATE TABLE consent (
    user_id   TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scopes    TEXT NOT NULL, -- space-separated
    at        BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
) {{WITHOUT ROWID}};
ALTER TABLE sign_ins ADD COLUMN consented BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sign_ins DROP COLUMN consented;
DROP TABLE consent;
