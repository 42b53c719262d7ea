-- +goose Up
-- What admins did. Rows are added, and removed when they are old; none is changed.
CREATE TABLE audit_event (
    id          TEXT PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_kind  TEXT NOT NULL CHECK (actor_kind <> ''),
    actor       TEXT NOT NULL CHECK (actor <> ''),
    action      TEXT NOT NULL CHECK (action <> ''),
    object_kind TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    object_name TEXT NOT NULL,
    changes     TEXT NOT NULL, -- JSON
    reference   TEXT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX audit_event_at ON audit_event (at);

-- +goose Down
DROP INDEX audit_event_at;
DROP TABLE audit_event;
