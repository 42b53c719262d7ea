package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// SignIns implements flow.Store.
type SignIns struct{ DB *sqldb.DB }

var _ flow.Store = SignIns{}

const signInColumns = `reference, request, browser, status, user_id, auth_time, fresh, session, provision_start, deadline,
	failure, decision, leaving, response, created_at, expires_at, ended_at, consented, proven_user, proven_at, identity, version, id`

// signInValues are the columns but version and id, in order.
func signInValues(s flow.SignIn) ([]any, error) {
	request, err := jsonOf(s.Request)
	if err != nil {
		return nil, err
	}
	failure, err := jsonOf(s.Failure)
	if err != nil {
		return nil, err
	}
	return []any{
		s.Reference, request, s.Browser, s.Status, s.User, sqldb.Micros(s.AuthTime), number(s.Fresh), s.Session,
		sqldb.Micros(s.ProvisionStart), sqldb.Micros(s.Deadline), failure, s.Decision, number(s.Leave), s.Response,
		sqldb.Micros(s.CreatedAt), sqldb.Micros(s.ExpiresAt), sqldb.Micros(s.EndedAt), number(s.Consented),
		s.Proven, sqldb.Micros(s.ProvenAt), s.Identity,
	}, nil
}

// Insert adds a sign-in as Version 1.
func (s SignIns) Insert(ctx context.Context, v flow.SignIn) error {
	values, err := signInValues(v)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO sign_ins (`+signInColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1, $22)`, append(values, v.ID)...)
	if err != nil {
		return fmt.Errorf("insert sign-in: %w", err)
	}
	return nil
}

// Get returns a sign-in, or flow.ErrUnknown.
func (s SignIns) Get(ctx context.Context, id flow.ID) (flow.SignIn, error) {
	return scanSignIn(s.DB.QueryRow(ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE id = $1`, id))
}

// ByReference returns the sign-in with a support reference, the newest if there
// are several, or flow.ErrUnknown.
func (s SignIns) ByReference(ctx context.Context, reference string) (flow.SignIn, error) {
	return scanSignIn(s.DB.QueryRow(ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE reference = $1
		ORDER BY created_at DESC LIMIT 1`, reference))
}

// Update replaces exactly v.Version and stores the next one, or returns
// flow.ErrStale.
func (s SignIns) Update(ctx context.Context, v flow.SignIn) error {
	values, err := signInValues(v)
	if err != nil {
		return err
	}
	n, err := s.DB.Exec(ctx, `UPDATE sign_ins SET reference = $1, request = $2, browser = $3, status = $4, user_id = $5,
		auth_time = $6, fresh = $7, session = $8, provision_start = $9, deadline = $10, failure = $11, decision = $12,
		leaving = $13, response = $14, created_at = $15, expires_at = $16, ended_at = $17, consented = $18,
		proven_user = $19, proven_at = $20, identity = $21, version = version + 1 WHERE version = $22 AND id = $23`, append(values, v.Version, v.ID)...)
	if err != nil {
		return fmt.Errorf("update sign-in: %w", err)
	}
	if n == 0 {
		return flow.ErrStale
	}
	return nil
}

// Sweep removes at most limit sign-ins that expired before a time, and returns how
// many it removed.
func (s SignIns) Sweep(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM sign_ins WHERE id IN (SELECT id FROM sign_ins WHERE expires_at < $1 LIMIT $2)`,
		sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep sign-ins: %w", err)
	}
	return n, nil
}

// ForgetIdentities removes whom upstreams vouched for from at most limit sign-ins that
// expired before a time, and returns how many these were.
func (s SignIns) ForgetIdentities(ctx context.Context, expiredBefore time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `UPDATE sign_ins SET identity = NULL WHERE id IN (
		SELECT id FROM sign_ins WHERE identity IS NOT NULL AND expires_at < $1 LIMIT $2)`, sqldb.Micros(expiredBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("forget identities: %w", err)
	}
	return n, nil
}

func scanSignIn(r row) (flow.SignIn, error) {
	var v flow.SignIn
	request, failure := column{into: &v.Request}, column{into: &v.Failure}
	var authTime, fresh, start, deadline, leave, created, expires, ended, consented, proven int64
	err := r.Scan(&v.Reference, &request.text, &v.Browser, &v.Status, &v.User, &authTime, &fresh, &v.Session, &start, &deadline,
		&failure.text, &v.Decision, &leave, &v.Response, &created, &expires, &ended, &consented, &v.Proven, &proven, &v.Identity, &v.Version, &v.ID)
	if sqldb.IsNoRows(err) {
		return flow.SignIn{}, flow.ErrUnknown
	}
	if err != nil {
		return flow.SignIn{}, fmt.Errorf("read sign-in: %w", err)
	}
	v.AuthTime, v.Fresh, v.ProvisionStart, v.Deadline = sqldb.Time(authTime), fresh != 0, sqldb.Time(start), sqldb.Time(deadline)
	v.Consented, v.Leave, v.CreatedAt, v.ExpiresAt, v.EndedAt = consented != 0, leave != 0, sqldb.Time(created), sqldb.Time(expires), sqldb.Time(ended)
	v.ProvenAt = sqldb.Time(proven)
	return v, decode(&request, &failure)
}
