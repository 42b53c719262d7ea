package store

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

var (
	_ op.AssertionStore = (*OAuth)(nil)
	_ op.ProofStore     = (*OAuth)(nil)
)

// UseAssertion marks a client assertion used until it has expired, or returns
// op.ErrUsed. Of concurrent calls with one hash one succeeds.
func (s *OAuth) UseAssertion(ctx context.Context, hash op.TokenHash, expiresAt time.Time) error {
	return s.useOnce(ctx, "client_assertion", hash, expiresAt)
}

// UseProof marks a DPoP proof used until then, or returns op.ErrUsed. Of concurrent
// calls with one hash one succeeds.
func (s *OAuth) UseProof(ctx context.Context, hash op.TokenHash, until time.Time) error {
	return s.useOnce(ctx, "dpop_proof", hash, until)
}

// useOnce adds a row that only one can add.
func (s *OAuth) useOnce(ctx context.Context, table string, hash op.TokenHash, until time.Time) error {
	n, err := s.DB.Exec(ctx, `INSERT INTO `+table+` (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`,
		[]byte(hash), sqldb.Micros(until))
	return used(table, n, err)
}
