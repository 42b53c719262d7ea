-- +goose Up
CREATE TABLE connector_pin (
    name        TEXT NOT NULL PRIMARY KEY,
    digest      TEXT NOT NULL, -- SHA-256 of the binary, hex
    description TEXT NOT NULL, -- JSON, as the binary described itself then
    pinned_at   BIGINT NOT NULL
) {{WITHOUT ROWID}};

-- +goose Down
DROP TABLE connector_pin;
