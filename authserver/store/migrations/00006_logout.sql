-- +goose Up
-- The applications that want to hear when a session ends.
CREATE TABLE session_application (
    sid       TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    PRIMARY KEY (sid, client_id)
) {{WITHOUT ROWID}};
CREATE INDEX sessions_sid ON sessions (sid);

-- What applications are still to be told, over the back channel.
CREATE TABLE logout_notice (
    id         TEXT PRIMARY KEY,
    client_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    sid        TEXT NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    expires_at BIGINT NOT NULL -- it is given up then
) {{WITHOUT ROWID}};
CREATE INDEX logout_notice_due_at ON logout_notice (due_at);

-- +goose Down
DROP TABLE logout_notice;
DROP INDEX sessions_sid;
DROP TABLE session_application;
