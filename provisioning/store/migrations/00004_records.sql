-- +goose Up
ALTER TABLE target ADD COLUMN reconcile_every BIGINT NOT NULL DEFAULT 0; -- microseconds; 0 is never

-- One row per target that was ever reconciled: the lease under which one instance
-- does so, and what the last run found.
CREATE TABLE reconciliation (
    target      TEXT {{BINARY}} NOT NULL PRIMARY KEY REFERENCES target (name) ON DELETE CASCADE,
    lease_owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    report      TEXT NOT NULL DEFAULT '' -- JSON without the drifts; '' before the first run has ended
) {{WITHOUT ROWID}};

-- The walk over a target's links.
CREATE INDEX account_linked ON account (target, user_id) WHERE external_id <> '';

-- +goose Down
DROP INDEX account_linked;
DROP TABLE reconciliation;
ALTER TABLE target DROP COLUMN reconcile_every;
