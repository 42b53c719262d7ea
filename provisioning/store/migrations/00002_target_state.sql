-- +goose Up
ALTER TABLE target ADD COLUMN max_concurrency BIGINT NOT NULL DEFAULT 4;
ALTER TABLE target ADD COLUMN rate_per_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE target ADD COLUMN maintenance BOOLEAN NOT NULL DEFAULT FALSE;

-- How a target is doing, for every instance: the breaker, the pause and the
-- bucket. A row of its own, since it changes while the target does not.
CREATE TABLE target_state (
    target       TEXT {{BINARY}} NOT NULL PRIMARY KEY REFERENCES target (name) ON DELETE CASCADE,
    failures     BIGINT NOT NULL DEFAULT 0,
    kind         TEXT NOT NULL DEFAULT '',
    opened_at    BIGINT NOT NULL DEFAULT 0,
    openings     BIGINT NOT NULL DEFAULT 0,
    probe_at     BIGINT NOT NULL DEFAULT 0,
    probe        BIGINT NOT NULL DEFAULT 0,
    probe_until  BIGINT NOT NULL DEFAULT 0,
    paused_until BIGINT NOT NULL DEFAULT 0,
    full_at      BIGINT NOT NULL DEFAULT 0
) {{WITHOUT ROWID}};
INSERT INTO target_state (target) SELECT name FROM target;

-- Work that somebody waits for is claimed first, whatever the backlog.
CREATE INDEX account_waited ON account (target, next_attempt_at) WHERE next_attempt_at > 0 AND cause <> 'background';
-- What is under way is counted at every claim.
CREATE INDEX account_leased ON account (target, lease_until, cause) WHERE lease_until > 0;

-- +goose Down
DROP INDEX account_leased;
DROP INDEX account_waited;
DROP TABLE target_state;
ALTER TABLE target DROP COLUMN maintenance;
ALTER TABLE target DROP COLUMN rate_per_minute;
ALTER TABLE target DROP COLUMN max_concurrency;
