-- +goose Up
-- Whom an upstream vouched for, sealed, until the user is made or gave their code.
ALTER TABLE sign_ins ADD COLUMN identity {{BLOB}};
CREATE INDEX sign_ins_identity ON sign_ins (expires_at) WHERE identity IS NOT NULL;

-- +goose Down
DROP INDEX sign_ins_identity;
ALTER TABLE sign_ins DROP COLUMN identity;
