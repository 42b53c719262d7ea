-- +goose Up
-- A rule set and every revision it ever had. A revision never changes, and stays
-- when the rule set is deleted: decisions refer to it.
CREATE TABLE rule_set (
    name     TEXT {{BINARY}} NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    deleted  BOOLEAN NOT NULL
) {{WITHOUT ROWID}};

CREATE TABLE rule_set_revision (
    name             TEXT {{BINARY}} NOT NULL REFERENCES rule_set (name),
    revision         BIGINT NOT NULL,
    digest           TEXT NOT NULL,
    language         TEXT NOT NULL,
    source           TEXT NOT NULL,
    policies         TEXT NOT NULL, -- JSON
    default_decision TEXT NOT NULL,
    timezone         TEXT NOT NULL,
    wso2             BOOLEAN NOT NULL,
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (name, revision)
);

ALTER TABLE binding ADD COLUMN rule_sets TEXT NOT NULL DEFAULT '[]'; -- JSON, in order

-- When rules last permitted what is desired, 0 for never, and the decision that
-- has what was known of the sign-in then.
ALTER TABLE account ADD COLUMN ruled_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN decision_id TEXT NOT NULL DEFAULT '';

-- What was known of the sign-in, as rules may ask for it: JSON.
ALTER TABLE decision ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE decision DROP COLUMN facts;
ALTER TABLE account DROP COLUMN decision_id;
ALTER TABLE account DROP COLUMN ruled_at;
ALTER TABLE binding DROP COLUMN rule_sets;
DROP TABLE rule_set_revision;
DROP TABLE rule_set;
