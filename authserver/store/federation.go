package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Links implements federation.Links.
type Links struct{ DB *sqldb.DB }

var _ federation.Links = Links{}

// Find returns the link of issuer and subject, or federation.ErrNoLink.
func (s Links) Find(ctx context.Context, issuer, subject string) (federation.Link, error) {
	l := federation.Link{Issuer: issuer, Subject: subject}
	var created int64
	err := s.DB.QueryRow(ctx, `SELECT user_id, created_at FROM federated_identity WHERE issuer = $1 AND subject = $2`,
		issuer, subject).Scan(&l.User, &created)
	if sqldb.IsNoRows(err) {
		return federation.Link{}, federation.ErrNoLink
	}
	if err != nil {
		return federation.Link{}, fmt.Errorf("read link: %w", err)
	}
	l.CreatedAt = sqldb.Time(created)
	return l, nil
}

// Insert adds a link, or returns federation.ErrLinked.
func (s Links) Insert(ctx context.Context, l federation.Link) error {
	n, err := s.DB.Exec(ctx, `INSERT INTO federated_identity (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (issuer, subject) DO NOTHING`, l.Issuer, l.Subject, l.User, sqldb.Micros(l.CreatedAt))
	if err != nil {
		return fmt.Errorf("insert link: %w", err)
	}
	if n == 0 {
		return federation.ErrLinked
	}
	return nil
}

// Of returns the user's links, the oldest first.
func (s Links) Of(ctx context.Context, user provisioning.UserID) ([]federation.Link, error) {
	rows, err := s.DB.Query(ctx, `SELECT issuer, subject, created_at FROM federated_identity WHERE user_id = $1
		ORDER BY created_at, issuer, subject`, user)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []federation.Link
	for rows.Next() {
		l := federation.Link{User: user}
		var created int64
		if err := rows.Scan(&l.Issuer, &l.Subject, &created); err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		l.CreatedAt = sqldb.Time(created)
		all = append(all, l)
	}
	return all, rows.Err()
}

// Delete removes exactly this link of this user, or returns federation.ErrNoLink. It
// holds the user's row until the transaction ends, so that nobody else removes another
// of theirs meanwhile.
func (s Links) Delete(ctx context.Context, l federation.Link) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, `UPDATE users SET revision = revision WHERE id = $1`, l.User); err != nil {
			return fmt.Errorf("hold user: %w", err)
		}
		n, err := s.DB.Exec(ctx, `DELETE FROM federated_identity WHERE issuer = $1 AND subject = $2 AND user_id = $3`, l.Issuer, l.Subject, l.User)
		if err != nil {
			return fmt.Errorf("delete link: %w", err)
		}
		if n == 0 {
			return federation.ErrNoLink
		}
		return nil
	})
}

// DeleteAllOf removes the user's links.
func (s Links) DeleteAllOf(ctx context.Context, user provisioning.UserID) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM federated_identity WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("delete links: %w", err)
	}
	return nil
}

// Attempts implements federation.Attempts.
type Attempts struct {
	DB     *sqldb.DB
	Sealer Sealer
}

var _ federation.Attempts = Attempts{}

// attemptSecret is what is sealed of an attempt.
type attemptSecret struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`

	Owner federation.Owner `json:"owner,omitzero"`
}

// Insert adds an attempt.
func (s Attempts) Insert(ctx context.Context, a federation.Attempt) error {
	secret, err := jsonOf(attemptSecret{a.Nonce, a.Verifier, a.Owner})
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Seal([]byte(secret), []byte("attempt:"+a.ID))
	if err != nil {
		return fmt.Errorf("seal attempt: %w", err)
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO federation_attempt (id, sign_in, upstream, secret, fresh, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, a.SignIn, a.Upstream, sealed, number(a.Fresh), sqldb.Micros(a.CreatedAt), sqldb.Micros(a.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert attempt: %w", err)
	}
	return nil
}

// Take removes the attempt and returns it, or federation.ErrState: the second time,
// too.
func (s Attempts) Take(ctx context.Context, id string) (federation.Attempt, error) {
	a := federation.Attempt{ID: id}
	var sealed []byte
	var fresh, created, expires int64
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		err := s.DB.QueryRow(ctx, `SELECT sign_in, upstream, secret, fresh, created_at, expires_at FROM federation_attempt WHERE id = $1`,
			id).Scan(&a.SignIn, &a.Upstream, &sealed, &fresh, &created, &expires)
		if sqldb.IsNoRows(err) {
			return federation.ErrState
		}
		if err != nil {
			return err
		}
		n, err := s.DB.Exec(ctx, `DELETE FROM federation_attempt WHERE id = $1`, id)
		if err == nil && n == 0 {
			return federation.ErrState // another request was first
		}
		return err
	})
	if err != nil {
		return federation.Attempt{}, fmt.Errorf("take attempt: %w", err)
	}
	plain, err := s.Sealer.Open(sealed, []byte("attempt:"+id))
	if err != nil {
		return federation.Attempt{}, fmt.Errorf("open attempt: %w", err)
	}
	var secret attemptSecret
	a.Fresh, a.CreatedAt, a.ExpiresAt = fresh != 0, sqldb.Time(created), sqldb.Time(expires)
	err = decode(&column{text: string(plain), into: &secret})
	a.Nonce, a.Verifier, a.Owner = secret.Nonce, secret.Verifier, secret.Owner
	return a, err
}

// Sweep removes at most limit attempts that expired before a time, and returns how
// many it removed.
func (s Attempts) Sweep(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM federation_attempt WHERE id IN (SELECT id FROM federation_attempt WHERE expires_at < $1 LIMIT $2)`,
		sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep attempts: %w", err)
	}
	return n, nil
}
