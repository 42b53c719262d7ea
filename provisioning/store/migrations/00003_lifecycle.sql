-- +goose Up
ALTER TABLE binding ADD COLUMN on_rule_deny TEXT NOT NULL DEFAULT 'skip';
ALTER TABLE binding ADD COLUMN on_rule_error TEXT NOT NULL DEFAULT 'refuse';
ALTER TABLE binding ADD COLUMN on_loss TEXT NOT NULL DEFAULT 'keep';

ALTER TABLE target ADD COLUMN group_names TEXT NOT NULL DEFAULT 'null'; -- JSON; null leaves groups alone

-- The application whose binding the account is there for; '' is unknown. lost is
-- set when no binding wants it any more.
ALTER TABLE account ADD COLUMN client_id TEXT {{BINARY}} NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN lost BOOLEAN NOT NULL DEFAULT FALSE;
-- held waits for an admin. admitted_rev is the revision that may suspend or
-- delete; admitted_at is when, and 0 when an admin approved it, so that what
-- was approved does not count against the next.
ALTER TABLE account ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE account ADD COLUMN admitted_rev BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN admitted_at BIGINT NOT NULL DEFAULT 0;
-- target_rev is the target's revision that the account was last in sync with.
ALTER TABLE account ADD COLUMN target_rev BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_target ON account (target, user_id);
CREATE INDEX account_held ON account (target, user_id) WHERE held;
CREATE INDEX account_admitted ON account (target, admitted_at) WHERE admitted_at > 0;

-- The lock under which suspensions and deletions are counted, and how many
-- accounts the target had when that was last counted.
CREATE TABLE deprovisioning (
    target     TEXT {{BINARY}} NOT NULL PRIMARY KEY REFERENCES target (name) ON DELETE CASCADE,
    accounts   BIGINT NOT NULL,
    counted_at BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- Work over many users, a batch at a time: after_user is how far it came, and
-- target_rev the target's revision that it carries out.
CREATE TABLE sweep (
    target     TEXT {{BINARY}} NOT NULL REFERENCES target (name) ON DELETE CASCADE,
    cause      TEXT NOT NULL,
    client_id  TEXT {{BINARY}} NOT NULL,
    on_loss    TEXT NOT NULL,
    after_user TEXT {{BINARY}} NOT NULL,
    target_rev BIGINT NOT NULL,
    batches    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (target, cause, client_id)
) {{WITHOUT ROWID}};

-- +goose Down
DROP TABLE sweep;
DROP TABLE deprovisioning;
DROP INDEX account_admitted;
DROP INDEX account_held;
DROP INDEX account_target;
ALTER TABLE account DROP COLUMN target_rev;
ALTER TABLE account DROP COLUMN admitted_at;
ALTER TABLE account DROP COLUMN admitted_rev;
ALTER TABLE account DROP COLUMN held;
ALTER TABLE account DROP COLUMN lost;
ALTER TABLE account DROP COLUMN client_id;
ALTER TABLE target DROP COLUMN group_names;
ALTER TABLE binding DROP COLUMN on_loss;
ALTER TABLE binding DROP COLUMN on_rule_error;
ALTER TABLE binding DROP COLUMN on_rule_deny;
