-- +goose Up
-- Who may use the console and the API. Nobody does before a row says so.
CREATE TABLE administrator (
    user_id    TEXT PRIMARY KEY REFERENCES users (id),
    role       TEXT NOT NULL,
    granted_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE administrator;
