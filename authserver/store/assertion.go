package store

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

var _ op.AssertionStore = (*OAuth)(nil)

// UseAssertion marks a client assertion used until it has expired, or returns
// op.ErrUsed. Of concurrent calls with one hash one succeeds.
func (s *OAuth) UseAssertion(ctx context.Context, hash op.TokenHash, expiresAt time.Time) error {
	n, err := s.DB.Exec(ctx, `INSERT INTO client_assertion (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`,
		[]byte(hash), sqldb.Micros(expiresAt))
	return used("client assertion", n, err)
}
