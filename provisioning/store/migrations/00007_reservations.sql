-- +goose Up
-- A value that an account got when it was made, or is about to get: it is committed
-- before the account is made, and goes when the account has ended. folded is the same
-- for values that differ only in case.
CREATE TABLE reservation (
    user_id   TEXT {{BINARY}} NOT NULL,
    target    TEXT {{BINARY}} NOT NULL,
    attribute TEXT {{BINARY}} NOT NULL,
    value     TEXT NOT NULL,
    folded    TEXT {{BINARY}} NOT NULL,
    PRIMARY KEY (user_id, target, attribute),
    FOREIGN KEY (user_id, target) REFERENCES account (user_id, target) ON DELETE CASCADE
) {{WITHOUT ROWID}};
CREATE UNIQUE INDEX reservation_value ON reservation (target, attribute, folded);

-- Tables that expressions of the mapping look things up in: JSON; null for none.
ALTER TABLE target ADD COLUMN maps TEXT NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE target DROP COLUMN maps;
DROP TABLE reservation;
