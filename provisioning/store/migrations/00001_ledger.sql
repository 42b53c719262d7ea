-- +goose Up
CREATE TABLE target (
    name           TEXT {{BINARY}} NOT NULL PRIMARY KEY,
    connector      TEXT NOT NULL,
    config         TEXT NOT NULL,
    mapping        TEXT NOT NULL, -- JSON; null takes the connector's defaults
    adopt          TEXT NOT NULL,
    on_user_delete TEXT NOT NULL,
    revision       BIGINT NOT NULL
) {{WITHOUT ROWID}};

CREATE TABLE target_secret (
    target TEXT {{BINARY}} NOT NULL REFERENCES target (name) ON DELETE CASCADE,
    name   TEXT {{BINARY}} NOT NULL,
    sealed {{BLOB}} NOT NULL,
    PRIMARY KEY (target, name)
) {{WITHOUT ROWID}};

CREATE TABLE binding (
    client_id         TEXT {{BINARY}} NOT NULL,
    target            TEXT {{BINARY}} NOT NULL REFERENCES target (name),
    position          BIGINT NOT NULL,
    blocking          BOOLEAN NOT NULL,
    enable_rules      BOOLEAN NOT NULL,
    jit_outbound      BOOLEAN NOT NULL,
    timeout           BIGINT NOT NULL, -- microseconds
    on_create_failure TEXT NOT NULL,
    on_update_failure TEXT NOT NULL,
    on_refresh        TEXT NOT NULL,
    report_only       BOOLEAN NOT NULL,
    PRIMARY KEY (client_id, target)
) {{WITHOUT ROWID}};
CREATE INDEX binding_target ON binding (target);

-- The row is the state, the queue item and the lock. next_attempt_at is 0 when
-- nothing is due, and the end of the lease while there is one, so that the work
-- of a dead worker comes back by itself.
CREATE TABLE account (
    user_id         TEXT {{BINARY}} NOT NULL,
    target          TEXT {{BINARY}} NOT NULL REFERENCES target (name),
    desired         TEXT NOT NULL,
    desired_rev     BIGINT NOT NULL,
    applied_rev     BIGINT NOT NULL DEFAULT 0,
    state           TEXT NOT NULL,
    external_id     TEXT {{BINARY}} NOT NULL DEFAULT '',
    created         BOOLEAN NOT NULL DEFAULT FALSE,
    adopted         BOOLEAN NOT NULL DEFAULT FALSE,
    suspended       BOOLEAN NOT NULL DEFAULT FALSE,
    create_sent     BOOLEAN NOT NULL DEFAULT FALSE,
    sent            TEXT NOT NULL DEFAULT '{}',
    outcome         TEXT NOT NULL DEFAULT '',
    kind            TEXT NOT NULL DEFAULT '',
    detail          TEXT NOT NULL DEFAULT '',
    field           TEXT NOT NULL DEFAULT '',
    attempts        BIGINT NOT NULL DEFAULT 0,
    first_failed_at BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL DEFAULT 0,
    cause           TEXT NOT NULL,
    fence           BIGINT NOT NULL DEFAULT 0,
    lease_owner     TEXT NOT NULL DEFAULT '',
    lease_until     BIGINT NOT NULL DEFAULT 0,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, target)
) {{WITHOUT ROWID}};
-- Claims are made per target, so that a paused target's backlog is not scanned.
CREATE INDEX account_due ON account (target, next_attempt_at) WHERE next_attempt_at > 0;
CREATE INDEX account_failed ON account (target, user_id) WHERE state = 'failed';
CREATE UNIQUE INDEX account_external ON account (target, external_id) WHERE external_id <> '';

CREATE TABLE attempt (
    id           TEXT {{BINARY}} NOT NULL PRIMARY KEY,
    user_id      TEXT {{BINARY}} NOT NULL,
    target       TEXT {{BINARY}} NOT NULL,
    rev          BIGINT NOT NULL,
    operation_id TEXT NOT NULL,
    number       BIGINT NOT NULL,
    cause        TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL DEFAULT 0,
    calls        TEXT NOT NULL DEFAULT '[]',
    outcome      TEXT NOT NULL DEFAULT '',
    kind         TEXT NOT NULL DEFAULT '',
    detail       TEXT NOT NULL DEFAULT '',
    changed      TEXT NOT NULL DEFAULT '[]'
) {{WITHOUT ROWID}};
CREATE INDEX attempt_account ON attempt (user_id, target, id);

CREATE TABLE decision (
    id         TEXT {{BINARY}} NOT NULL PRIMARY KEY,
    client_id  TEXT {{BINARY}} NOT NULL,
    user_id    TEXT {{BINARY}} NOT NULL,
    grant_type TEXT NOT NULL,
    sign_in    TEXT {{BINARY}} NOT NULL,
    reference  TEXT {{BINARY}} NOT NULL,
    earlier    TEXT {{BINARY}} NOT NULL,
    exempt     BOOLEAN NOT NULL,
    verdict    TEXT NOT NULL,
    code       TEXT NOT NULL,
    text       TEXT NOT NULL,
    findings   TEXT NOT NULL,
    decided_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX decision_reference ON decision (reference, id) WHERE reference <> '';
CREATE INDEX decision_sign_in ON decision (sign_in, id) WHERE sign_in <> '';

-- +goose Down
DROP TABLE decision;
DROP TABLE attempt;
DROP TABLE account;
DROP TABLE binding;
DROP TABLE target_secret;
DROP TABLE target;
