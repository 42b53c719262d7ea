package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Registrations implements registration.Store and registration.TokenStore.
type Registrations struct{ DB *sqldb.DB }

var (
	_ registration.Store      = Registrations{}
	_ registration.TokenStore = Registrations{}
)

// Add adds a registration, after its application.
func (s Registrations) Add(ctx context.Context, r registration.Registration) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO registration (client_id, token_hash, initial_token, created_at) VALUES ($1, $2, $3, $4)`,
		r.Client, []byte(r.TokenHash), r.Initial, sqldb.Micros(r.CreatedAt))
	if err != nil {
		return fmt.Errorf("add registration: %w", err)
	}
	return nil
}

// ByToken returns the registration with that token, or registration.ErrNotFound.
func (s Registrations) ByToken(ctx context.Context, hash registration.Hash) (registration.Registration, error) {
	r := registration.Registration{TokenHash: hash}
	var created int64
	err := s.DB.QueryRow(ctx, `SELECT client_id, initial_token, created_at FROM registration WHERE token_hash = $1`, []byte(hash)).
		Scan(&r.Client, &r.Initial, &created)
	if sqldb.IsNoRows(err) {
		return registration.Registration{}, registration.ErrNotFound
	}
	if err != nil {
		return registration.Registration{}, fmt.Errorf("read registration: %w", err)
	}
	r.CreatedAt = sqldb.Time(created)
	return r, nil
}

// registrationLock is the row that whoever registers holds, so that two of them do not
// both become the last that is allowed.
const registrationLock = "registrations"

// Count counts the applications that registered themselves. Inside a transaction nobody
// else registers until it ends.
func (s Registrations) Count(ctx context.Context) (int, error) {
	if _, err := (Throttle{DB: s.DB}).Lock(ctx, registrationLock); err != nil {
		return 0, err
	}
	var n int
	if err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM applications WHERE self_registered = 1`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count registrations: %w", err)
	}
	return n, nil
}

// Unused returns up to limit applications that registered themselves, did not change
// since a time, are allowed nothing by any user and hold no grant.
func (s Registrations) Unused(ctx context.Context, since, now time.Time, limit int) ([]provisioning.ClientID, error) {
	rows, err := s.DB.Query(ctx, `SELECT a.client_id FROM applications a WHERE a.self_registered = 1 AND a.updated_at < $1
		AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.client_id = a.client_id)
		AND NOT EXISTS (SELECT 1 FROM oauth_grant g WHERE g.client_id = a.client_id AND g.revoked_at = 0 AND g.expires_at > $2)
		ORDER BY a.client_id LIMIT $3`, sqldb.Micros(since), sqldb.Micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list unused registrations: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []provisioning.ClientID
	for rows.Next() {
		var id provisioning.ClientID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list unused registrations: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// AddToken adds an initial access token.
func (s Registrations) AddToken(ctx context.Context, t registration.InitialToken) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO registration_token (id, hash, note, max_uses, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.ID, []byte(t.Hash), t.Note, t.MaxUses, sqldb.Micros(t.CreatedAt), sqldb.Micros(t.ExpiresAt))
	if err != nil {
		return fmt.Errorf("add registration token: %w", err)
	}
	return nil
}

// CheckToken returns registration.ErrSpent unless the token can be used.
func (s Registrations) CheckToken(ctx context.Context, hash registration.Hash, at time.Time) error {
	var id registration.TokenID
	err := s.DB.QueryRow(ctx, `SELECT id FROM registration_token WHERE hash = $1 AND uses < max_uses AND revoked_at = 0 AND expires_at > $2`,
		[]byte(hash), sqldb.Micros(at)).Scan(&id)
	if sqldb.IsNoRows(err) {
		return registration.ErrSpent
	}
	if err != nil {
		return fmt.Errorf("check registration token: %w", err)
	}
	return nil
}

// UseToken counts a use and returns the token, or registration.ErrSpent. Of concurrent
// calls no more succeed than it has uses.
func (s Registrations) UseToken(ctx context.Context, hash registration.Hash, at time.Time) (registration.TokenID, error) {
	var id registration.TokenID
	err := s.DB.ReturningRow(ctx, `UPDATE registration_token SET uses = uses + 1
		WHERE hash = $1 AND uses < max_uses AND revoked_at = 0 AND expires_at > $2 RETURNING id`, []byte(hash), sqldb.Micros(at)).Scan(&id)
	if sqldb.IsNoRows(err) {
		return "", registration.ErrSpent
	}
	if err != nil {
		return "", fmt.Errorf("use registration token: %w", err)
	}
	return id, nil
}

// Tokens returns all, the newest first.
func (s Registrations) Tokens(ctx context.Context) ([]registration.InitialToken, error) {
	rows, err := s.DB.Query(ctx, `SELECT id, hash, note, max_uses, uses, created_at, expires_at, revoked_at
		FROM registration_token ORDER BY created_at DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []registration.InitialToken
	for rows.Next() {
		var t registration.InitialToken
		var hash []byte
		var created, expires, revoked int64
		if err := rows.Scan(&t.ID, &hash, &t.Note, &t.MaxUses, &t.Uses, &created, &expires, &revoked); err != nil {
			return nil, fmt.Errorf("list registration tokens: %w", err)
		}
		t.Hash, t.CreatedAt, t.ExpiresAt, t.RevokedAt = hash, sqldb.Time(created), sqldb.Time(expires), sqldb.Time(revoked)
		out = append(out, t)
	}
	return out, rows.Err()
}

// RevokeToken revokes it; the first time counts.
func (s Registrations) RevokeToken(ctx context.Context, id registration.TokenID, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE registration_token SET revoked_at = CASE revoked_at WHEN 0 THEN $1 ELSE revoked_at END WHERE id = $2`,
		sqldb.Micros(at), id)
	if err != nil {
		return fmt.Errorf("revoke registration token: %w", err)
	}
	if n == 0 {
		return registration.ErrNotFound
	}
	return nil
}

// SweepTokens removes at most limit tokens that expired before a time, and returns how
// many it removed.
func (s Registrations) SweepTokens(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM registration_token WHERE id IN (SELECT id FROM registration_token WHERE expires_at < $1 LIMIT $2)`,
		sqldb.Micros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep registration tokens: %w", err)
	}
	return n, nil
}
