-- +goose Up
-- Codes and tokens that are bound to a key (RFC 9449): its thumbprint, '' for none.
ALTER TABLE oauth_code ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_access ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE oauth_refresh ADD COLUMN jkt TEXT NOT NULL DEFAULT '';

-- DPoP proofs that were used, until they are too old anyway.
CREATE TABLE dpop_proof (
    hash       {{BLOB}} PRIMARY KEY, -- SHA-256 of thumbprint and jti
    expires_at BIGINT NOT NULL
) {{WITHOUT ROWID}};
CREATE INDEX dpop_proof_expires_at ON dpop_proof (expires_at);

-- +goose Down
DROP TABLE dpop_proof;
ALTER TABLE oauth_refresh DROP COLUMN jkt;
ALTER TABLE oauth_access DROP COLUMN jkt;
ALTER TABLE oauth_code DROP COLUMN jkt;
