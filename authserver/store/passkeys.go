package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Passkeys implements passkey.Store and passkey.Uses.
type Passkeys struct{ DB *sqldb.DB }

// PasskeyChallenges implements passkey.Challenges.
type PasskeyChallenges struct{ DB *sqldb.DB }

var (
	_ passkey.Store      = Passkeys{}
	_ passkey.Uses       = Passkeys{}
	_ passkey.Challenges = PasskeyChallenges{}
)

const passkeyColumns = `id, user_id, name, public_key, transports, sign_count, synced, backed_up, created_at, used_at, suspect_at`

// Add adds a passkey, or returns passkey.ErrTaken.
func (s Passkeys) Add(ctx context.Context, p passkey.Passkey) error {
	transports, err := jsonOf(p.Transports)
	if err != nil {
		return err
	}
	n, err := s.DB.Exec(ctx, `INSERT INTO passkey (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO NOTHING`, p.ID, p.User, p.Name, p.PublicKey, transports, int64(p.SignCount), number(p.Synced), number(p.BackedUp),
		sqldb.Micros(p.CreatedAt), sqldb.Micros(p.UsedAt), sqldb.Micros(p.SuspectAt))
	if err != nil {
		return fmt.Errorf("add passkey: %w", err)
	}
	if n == 0 {
		return passkey.ErrTaken
	}
	return nil
}

// Get returns a passkey of anybody, or passkey.ErrNone.
func (s Passkeys) Get(ctx context.Context, id []byte) (passkey.Passkey, error) {
	p, err := scanPasskey(s.DB.QueryRow(ctx, `SELECT `+passkeyColumns+` FROM passkey WHERE id = $1`, id))
	if sqldb.IsNoRows(err) {
		return passkey.Passkey{}, passkey.ErrNone
	}
	return p, err
}

// Of returns the user's passkeys, the oldest first.
func (s Passkeys) Of(ctx context.Context, user provisioning.UserID) ([]passkey.Passkey, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+passkeyColumns+` FROM passkey WHERE user_id = $1 ORDER BY created_at, id`, user)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []passkey.Passkey
	for rows.Next() {
		p, err := scanPasskey(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Rename returns passkey.ErrNone unless it is the user's.
func (s Passkeys) Rename(ctx context.Context, user provisioning.UserID, id []byte, name string) error {
	return s.change(ctx, passkey.ErrNone, `UPDATE passkey SET name = $1 WHERE user_id = $2 AND id = $3`, name, user, id)
}

// Remove returns passkey.ErrNone unless it is the user's.
func (s Passkeys) Remove(ctx context.Context, user provisioning.UserID, id []byte) error {
	return s.change(ctx, passkey.ErrNone, `DELETE FROM passkey WHERE user_id = $1 AND id = $2`, user, id)
}

// RemoveAllOf removes the user's passkeys and returns how many there were.
func (s Passkeys) RemoveAllOf(ctx context.Context, user provisioning.UserID) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM passkey WHERE user_id = $1`, user)
	if err != nil {
		return 0, fmt.Errorf("remove passkeys: %w", err)
	}
	return n, nil
}

// Use stores a use, or returns passkey.ErrCopied.
func (s Passkeys) Use(ctx context.Context, p passkey.Passkey) error {
	return s.change(ctx, passkey.ErrCopied, `UPDATE passkey SET sign_count = $1, backed_up = $2, used_at = $3
		WHERE id = $4 AND (sign_count < $1 OR sign_count = 0 AND $1 = 0)`, int64(p.SignCount), number(p.BackedUp), sqldb.Micros(p.UsedAt), p.ID)
}

// Suspect stores since when there is a copy.
func (s Passkeys) Suspect(ctx context.Context, p passkey.Passkey) error {
	return s.change(ctx, nil, `UPDATE passkey SET suspect_at = $1 WHERE id = $2`, sqldb.Micros(p.SuspectAt), p.ID)
}

// change returns unchanged when no row is.
func (s Passkeys) change(ctx context.Context, unchanged error, statement string, args ...any) error {
	n, err := s.DB.Exec(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("change passkey: %w", err)
	}
	if n == 0 {
		return unchanged
	}
	return nil
}

func scanPasskey(r row) (passkey.Passkey, error) {
	var p passkey.Passkey
	transports := column{into: &p.Transports}
	var count, synced, backedUp, created, used, suspect int64
	err := r.Scan(&p.ID, &p.User, &p.Name, &p.PublicKey, &transports.text, &count, &synced, &backedUp, &created, &used, &suspect)
	if err != nil {
		return passkey.Passkey{}, fmt.Errorf("read passkey: %w", err)
	}
	p.SignCount, p.Synced, p.BackedUp = uint32(count), synced != 0, backedUp != 0
	p.CreatedAt, p.UsedAt, p.SuspectAt = sqldb.Time(created), sqldb.Time(used), sqldb.Time(suspect)
	return p, decode(&transports)
}

// Put replaces the challenge that is bound to the same.
func (s PasskeyChallenges) Put(ctx context.Context, bound string, hash []byte, expires time.Time) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO passkey_challenge (bound, hash, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (bound) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`, bound, hash, sqldb.Micros(expires))
	if err != nil {
		return fmt.Errorf("store challenge: %w", err)
	}
	return nil
}

// Take removes exactly this challenge, or returns passkey.ErrRefused.
func (s PasskeyChallenges) Take(ctx context.Context, bound string, hash []byte, now time.Time) error {
	n, err := s.DB.Exec(ctx, `DELETE FROM passkey_challenge WHERE bound = $1 AND hash = $2 AND expires_at > $3`, bound, hash, sqldb.Micros(now))
	if err != nil {
		return fmt.Errorf("take challenge: %w", err)
	}
	if n == 0 {
		return passkey.ErrRefused
	}
	return nil
}

// Sweep removes at most limit challenges that expired before a time, and returns how
// many it removed.
func (s PasskeyChallenges) Sweep(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM passkey_challenge WHERE bound IN (SELECT bound FROM passkey_challenge WHERE expires_at < $1 LIMIT $2)`,
		sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep challenges: %w", err)
	}
	return n, nil
}
