package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/recovery"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// MailTokens implements recovery.Tokens.
type MailTokens struct{ DB *sqldb.DB }

// MailRequests implements recovery.Requests.
type MailRequests struct{ DB *sqldb.DB }

var (
	_ recovery.Tokens   = MailTokens{}
	_ recovery.Requests = MailRequests{}
)

const mailTokenColumns = `hash, user_id, purpose, email, created_at, expires_at`

// Insert adds a token.
func (s MailTokens) Insert(ctx context.Context, t recovery.Token) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO mail_token (`+mailTokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.Hash, t.User, t.Purpose, t.Email, sqldb.Micros(t.CreatedAt), sqldb.Micros(t.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert mail token: %w", err)
	}
	return nil
}

// Get returns a token, used ones excepted, or recovery.ErrLink.
func (s MailTokens) Get(ctx context.Context, hash []byte) (recovery.Token, error) {
	return scanMailToken(s.DB.QueryRow(ctx, `SELECT `+mailTokenColumns+` FROM mail_token WHERE hash = $1`, hash))
}

// Use removes exactly this token and returns it, or recovery.ErrLink.
func (s MailTokens) Use(ctx context.Context, hash []byte) (recovery.Token, error) {
	return scanMailToken(s.DB.ReturningRow(ctx, `DELETE FROM mail_token WHERE hash = $1 RETURNING `+mailTokenColumns, hash))
}

// Drop removes the user's tokens of the purpose.
func (s MailTokens) Drop(ctx context.Context, id provisioning.UserID, p recovery.Purpose) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM mail_token WHERE user_id = $1 AND purpose = $2`, id, p)
	if err != nil {
		return fmt.Errorf("drop mail tokens: %w", err)
	}
	return nil
}

// Since counts the user's tokens of the purpose since a time.
func (s MailTokens) Since(ctx context.Context, id provisioning.UserID, p recovery.Purpose, since time.Time) (int, error) {
	var n int
	err := s.DB.QueryRow(ctx, `SELECT COUNT(*) FROM mail_token WHERE user_id = $1 AND purpose = $2 AND created_at > $3`, id, p, sqldb.Micros(since)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count mail tokens: %w", err)
	}
	return n, nil
}

// Sweep removes at most limit tokens that expired before a time, and returns how
// many it removed.
func (s MailTokens) Sweep(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM mail_token WHERE hash IN (SELECT hash FROM mail_token WHERE expires_at < $1 LIMIT $2)`,
		sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep mail tokens: %w", err)
	}
	return n, nil
}

func scanMailToken(r row) (recovery.Token, error) {
	var t recovery.Token
	var created, expires int64
	err := r.Scan(&t.Hash, &t.User, &t.Purpose, &t.Email, &created, &expires)
	if sqldb.IsNoRows(err) {
		return recovery.Token{}, recovery.ErrLink
	}
	if err != nil {
		return recovery.Token{}, fmt.Errorf("read mail token: %w", err)
	}
	t.CreatedAt, t.ExpiresAt = sqldb.Time(created), sqldb.Time(expires)
	return t, nil
}

// Add adds a request.
func (s MailRequests) Add(ctx context.Context, r recovery.Request) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO mail_request (id, sealed, due_at, attempts, created_at) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, r.Sealed, sqldb.Micros(r.DueAt), r.Attempts, sqldb.Micros(r.Created))
	return err
}

// Claim takes the request that is due for longest and makes it due again at until.
// The time it was due is compared, so that two instances never take the same.
func (s MailRequests) Claim(ctx context.Context, now, until time.Time) (recovery.Request, bool, error) {
	var r recovery.Request
	var due, created int64
	err := s.DB.ReturningRow(ctx, `UPDATE mail_request SET due_at = $1, attempts = attempts + 1
		WHERE id = (SELECT id FROM mail_request WHERE due_at <= $2 ORDER BY due_at, id LIMIT 1) AND due_at <= $2
		RETURNING id, sealed, due_at, attempts, created_at`, sqldb.Micros(until), sqldb.Micros(now)).
		Scan(&r.ID, &r.Sealed, &due, &r.Attempts, &created)
	if sqldb.IsNoRows(err) {
		return recovery.Request{}, false, nil
	}
	if err != nil {
		return recovery.Request{}, false, fmt.Errorf("claim mail request: %w", err)
	}
	r.DueAt, r.Created = sqldb.Time(due), sqldb.Time(created)
	return r, true, nil
}

// Done removes a request.
func (s MailRequests) Done(ctx context.Context, id string) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM mail_request WHERE id = $1`, id)
	return err
}

// Again makes a request due at a time.
func (s MailRequests) Again(ctx context.Context, id string, at time.Time) error {
	_, err := s.DB.Exec(ctx, `UPDATE mail_request SET due_at = $1 WHERE id = $2`, sqldb.Micros(at), id)
	return err
}
