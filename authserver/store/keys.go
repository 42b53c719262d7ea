package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Keys keeps signing keys and named secrets, both sealed.
type Keys struct {
	DB *sqldb.DB
}

var (
	_ keys.KeyStore    = (*Keys)(nil)
	_ keys.SecretStore = (*Keys)(nil)
)

// InTx runs fn in one transaction; see [sqldb.DB.InTx].
func (s *Keys) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.DB.InTx(ctx, fn)
}

// SigningKeys returns all keys, oldest generation first.
func (s *Keys) SigningKeys(ctx context.Context) (_ []keys.StoredKey, err error) {
	rows, err := s.DB.Query(ctx, `
		SELECT kid, alg, generation, sealed, public, created_at, active_at, retire_at FROM signing_key ORDER BY generation, alg`)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []keys.StoredKey
	for rows.Next() {
		var k keys.StoredKey
		var createdAt, activeAt, retireAt int64
		if err := rows.Scan(&k.KID, &k.Alg, &k.Generation, &k.Sealed, &k.Public, &createdAt, &activeAt, &retireAt); err != nil {
			return nil, fmt.Errorf("read signing keys: %w", err)
		}
		k.CreatedAt, k.ActiveAt, k.RetireAt = sqldb.Time(createdAt), sqldb.Time(activeAt), sqldb.Time(retireAt)
		all = append(all, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return all, nil
}

// AddSigningKey adds the key unless its algorithm has that generation already.
// Under PostgreSQL it waits for another transaction that is adding it.
func (s *Keys) AddSigningKey(ctx context.Context, k keys.StoredKey) (bool, error) {
	n, err := s.DB.Exec(ctx, `
		INSERT INTO signing_key (kid, alg, generation, sealed, public, created_at, active_at, retire_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (alg, generation) DO NOTHING`,
		k.KID, string(k.Alg), k.Generation, k.Sealed, k.Public,
		sqldb.Micros(k.CreatedAt), sqldb.Micros(k.ActiveAt), sqldb.Micros(k.RetireAt))
	if err != nil {
		return false, fmt.Errorf("add signing key: %w", err)
	}
	return n == 1, nil
}

// RetireSigningKeys lets the algorithm's keys before a generation end at a time.
func (s *Keys) RetireSigningKeys(ctx context.Context, alg keys.Alg, before int, at time.Time) error {
	_, err := s.DB.Exec(ctx, `UPDATE signing_key SET retire_at = $1 WHERE alg = $2 AND generation < $3 AND retire_at = 0`,
		sqldb.Micros(at), string(alg), before)
	if err != nil {
		return fmt.Errorf("retire signing keys: %w", err)
	}
	return nil
}

// Secret returns the sealed secret, or keys.ErrNoSecret.
func (s *Keys) Secret(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := s.DB.QueryRow(ctx, `SELECT sealed FROM secret WHERE name = $1`, name).Scan(&sealed)
	if sqldb.IsNoRows(err) {
		return nil, keys.ErrNoSecret
	}
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	return sealed, nil
}

// AddSecret adds the secret unless the name is taken.
func (s *Keys) AddSecret(ctx context.Context, name string, sealed []byte, at time.Time) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO secret (name, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
		name, sealed, sqldb.Micros(at))
	if err != nil {
		return fmt.Errorf("add secret: %w", err)
	}
	return nil
}
