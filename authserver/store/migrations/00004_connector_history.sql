-- +goose Up
ALTER TABLE connector_pin ADD COLUMN egress TEXT NOT NULL DEFAULT '[]'; -- JSON, as approved
ALTER TABLE connector_pin ADD COLUMN pinned_by TEXT NOT NULL DEFAULT '';

-- Every approval and withdrawal, in order.
CREATE TABLE connector_pin_event (
    name        TEXT NOT NULL,
    seq         BIGINT NOT NULL,
    action      TEXT NOT NULL, -- pin, rollback, unpin
    digest      TEXT NOT NULL,
    description TEXT NOT NULL,
    egress      TEXT NOT NULL,
    at          BIGINT NOT NULL,
    done_by     TEXT NOT NULL,
    PRIMARY KEY (name, seq)
) {{WITHOUT ROWID}};
INSERT INTO connector_pin_event (name, seq, action, digest, description, egress, at, done_by)
    SELECT name, 1, 'pin', digest, description, egress, pinned_at, pinned_by FROM connector_pin;

-- How processes ended that should not have; the last few of each name.
CREATE TABLE connector_crash (
    name   TEXT NOT NULL,
    at     BIGINT NOT NULL,
    digest TEXT NOT NULL,
    ending TEXT NOT NULL, -- "exit status 2", "signal: killed", …
    output TEXT NOT NULL, -- JSON list of the last lines, redacted
    PRIMARY KEY (name, at, digest)
) {{WITHOUT ROWID}};

-- What each running server says of the connectors it uses.
CREATE TABLE connector_report (
    instance TEXT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    report   TEXT NOT NULL -- JSON
) {{WITHOUT ROWID}};

-- +goose Down
DROP TABLE connector_report;
DROP TABLE connector_crash;
DROP TABLE connector_pin_event;
ALTER TABLE connector_pin DROP COLUMN pinned_by;
ALTER TABLE connector_pin DROP COLUMN egress;
