package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// OAuth keeps grants, codes and tokens.
type OAuth struct {
	DB *sqldb.DB
}

var _ op.Store = (*OAuth)(nil)

// InTx runs fn in one transaction; see [sqldb.DB.InTx].
func (s *OAuth) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.DB.InTx(ctx, fn)
}

// insert adds one row that rests on a decision.
func (s *OAuth) insert(ctx context.Context, what string, decision provisioning.DecisionID, query string, args ...any) error {
	if decision == "" {
		return fmt.Errorf("add %s: %w", what, op.ErrNoDecision)
	}
	if _, err := s.DB.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("add %s: %w", what, err)
	}
	return nil
}

// AddGrant adds a grant, or returns op.ErrNoDecision, op.ErrNoSubject or
// op.ErrGrantExists.
func (s *OAuth) AddGrant(ctx context.Context, g op.Grant) error {
	if g.User != "" && g.Subject == "" {
		return fmt.Errorf("add grant: %w", op.ErrNoSubject)
	}
	err := s.insert(ctx, "grant", g.Decision, `
		INSERT INTO oauth_grant (id, client_id, user_id, subject, decision_id, scopes, session_id, sid, amr, claims, auth_time, created_at, expires_at, resources)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		string(g.ID), string(g.Client), string(g.User), g.Subject, string(g.Decision), strings.Join(g.Scopes, " "), g.Session, g.SID, strings.Join(g.AMR, " "), strings.Join(g.Claims, " "),
		sqldb.Micros(g.AuthTime), sqldb.Micros(g.CreatedAt), sqldb.Micros(g.ExpiresAt), strings.Join(g.Resources, " "))
	if sqldb.IsUnique(err) {
		return op.ErrGrantExists
	}
	return err
}

// Grant returns the grant, or op.ErrNotFound.
func (s *OAuth) Grant(ctx context.Context, id op.GrantID) (op.Grant, error) {
	return scanGrant("grant", s.DB.QueryRow(ctx, `SELECT `+grantColumns+` FROM oauth_grant g WHERE g.id = $1`, string(id)))
}

// RevokeGrant revokes the family. The first time counts.
func (s *OAuth) RevokeGrant(ctx context.Context, id op.GrantID, at time.Time) error {
	_, err := revoke(ctx, s.DB, at, "id = $2", string(id))
	return err
}

// revoke revokes the grants that a condition, with arguments from $2 on, selects,
// and returns how many. The first time counts.
func revoke(ctx context.Context, db *sqldb.DB, at time.Time, condition string, args ...any) (int, error) {
	n, err := db.Exec(ctx, `UPDATE oauth_grant SET revoked_at = $1 WHERE revoked_at = 0 AND `+condition, append([]any{sqldb.Micros(at)}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("revoke grants: %w", err)
	}
	return int(n), nil
}

// RevokeUser revokes every family of the user, and returns how many.
func (s *OAuth) RevokeUser(ctx context.Context, user provisioning.UserID, at time.Time) (int, error) {
	if user == "" {
		return 0, nil // that would be every application's own tokens
	}
	return revoke(ctx, s.DB, at, "user_id = $2", string(user))
}

// RevokeClient revokes every family of the application, those without a user too, and
// returns how many.
func (s *OAuth) RevokeClient(ctx context.Context, client provisioning.ClientID, at time.Time) (int, error) {
	return revoke(ctx, s.DB, at, "client_id = $2", string(client))
}

// AddCode adds a code, or returns op.ErrNoDecision.
func (s *OAuth) AddCode(ctx context.Context, c op.Code) error {
	return s.insert(ctx, "code", c.Decision, `
		INSERT INTO oauth_code (hash, grant_id, decision_id, redirect_uri, nonce, challenge, jkt, expires_at, keep_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		[]byte(c.Hash), string(c.Grant), string(c.Decision), c.RedirectURI, c.Nonce, c.Challenge, c.JKT,
		sqldb.Micros(c.ExpiresAt), sqldb.Micros(c.KeepUntil))
}

// grantColumns are what grantRow scans.
const grantColumns = `g.id, g.client_id, g.user_id, COALESCE(NULLIF(g.subject, ''), g.user_id), g.decision_id, g.scopes, g.session_id, g.sid, g.amr, g.claims, g.auth_time, g.created_at, g.expires_at, g.revoked_at, g.resources`

// grantRow receives a grant's columns.
type grantRow struct {
	grant                                     op.Grant
	scopes, amr, claims, resources            string
	authTime, createdAt, expiresAt, revokedAt int64
}

func (r *grantRow) into() []any {
	return []any{
		&r.grant.ID, &r.grant.Client, &r.grant.User, &r.grant.Subject, &r.grant.Decision, &r.scopes, &r.grant.Session, &r.grant.SID, &r.amr, &r.claims,
		&r.authTime, &r.createdAt, &r.expiresAt, &r.revokedAt, &r.resources,
	}
}

func (r *grantRow) value() op.Grant {
	g := r.grant
	g.Scopes, g.AMR, g.Claims = strings.Fields(r.scopes), strings.Fields(r.amr), strings.Fields(r.claims)
	if r.resources != "" {
		g.Resources = strings.Fields(r.resources)
	}
	g.AuthTime, g.CreatedAt = sqldb.Time(r.authTime), sqldb.Time(r.createdAt)
	g.ExpiresAt, g.RevokedAt = sqldb.Time(r.expiresAt), sqldb.Time(r.revokedAt)
	return g
}

// read scans one row; the grant's columns come first.
func (s *OAuth) read(ctx context.Context, what, query string, hash op.TokenHash, rest ...any) (op.Grant, error) {
	return scanGrant(what, s.DB.QueryRow(ctx, query, []byte(hash)), rest...)
}

func scanGrant(what string, from row, rest ...any) (op.Grant, error) {
	var g grantRow
	err := from.Scan(append(g.into(), rest...)...)
	if sqldb.IsNoRows(err) {
		return op.Grant{}, op.ErrNotFound
	}
	if err != nil {
		return op.Grant{}, fmt.Errorf("read %s: %w", what, err)
	}
	return g.value(), nil
}

// Code returns the code with its grant, or op.ErrNotFound.
func (s *OAuth) Code(ctx context.Context, hash op.TokenHash) (op.Grant, op.Code, error) {
	c := op.Code{Hash: hash}
	var expiresAt, usedAt, keepUntil int64
	grant, err := s.read(ctx, "code", `
		SELECT `+grantColumns+`, c.decision_id, c.redirect_uri, c.nonce, c.challenge, c.jkt, c.expires_at, c.used_at, c.keep_until
		FROM oauth_code c JOIN oauth_grant g ON g.id = c.grant_id WHERE c.hash = $1`, hash,
		&c.Decision, &c.RedirectURI, &c.Nonce, &c.Challenge, &c.JKT, &expiresAt, &usedAt, &keepUntil)
	if err != nil {
		return op.Grant{}, op.Code{}, err
	}
	c.Grant = grant.ID
	c.ExpiresAt, c.UsedAt, c.KeepUntil = sqldb.Time(expiresAt), sqldb.Time(usedAt), sqldb.Time(keepUntil)
	return grant, c, nil
}

// UseCode marks the code used, or returns op.ErrUsed. Of concurrent calls one
// succeeds.
func (s *OAuth) UseCode(ctx context.Context, hash op.TokenHash, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE oauth_code SET used_at = $1 WHERE hash = $2 AND used_at = 0`, sqldb.Micros(at), []byte(hash))
	return used("code", n, err)
}

func used(what string, n int64, err error) error {
	if err != nil {
		return fmt.Errorf("use %s: %w", what, err)
	}
	if n == 0 {
		return op.ErrUsed
	}
	return nil
}

// AddAccessToken adds an access token, or returns op.ErrNoDecision.
func (s *OAuth) AddAccessToken(ctx context.Context, t op.AccessToken) error {
	return s.insert(ctx, "access token", t.Decision, `
		INSERT INTO oauth_access (hash, grant_id, decision_id, scopes, jkt, expires_at, audience) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		[]byte(t.Hash), string(t.Grant), string(t.Decision), strings.Join(t.Scopes, " "), t.JKT, sqldb.Micros(t.ExpiresAt), t.Audience)
}

// AccessToken returns the token with its grant, or op.ErrNotFound.
func (s *OAuth) AccessToken(ctx context.Context, hash op.TokenHash) (op.Grant, op.AccessToken, error) {
	t := op.AccessToken{Hash: hash}
	var scopes string
	var expiresAt int64
	grant, err := s.read(ctx, "access token", `
		SELECT `+grantColumns+`, t.decision_id, t.scopes, t.jkt, t.expires_at, t.audience
		FROM oauth_access t JOIN oauth_grant g ON g.id = t.grant_id WHERE t.hash = $1`, hash,
		&t.Decision, &scopes, &t.JKT, &expiresAt, &t.Audience)
	if err != nil {
		return op.Grant{}, op.AccessToken{}, err
	}
	t.Grant, t.Scopes, t.ExpiresAt = grant.ID, strings.Fields(scopes), sqldb.Time(expiresAt)
	return grant, t, nil
}

// DeleteAccessToken removes one access token; none is no error.
func (s *OAuth) DeleteAccessToken(ctx context.Context, hash op.TokenHash) error {
	if _, err := s.DB.Exec(ctx, `DELETE FROM oauth_access WHERE hash = $1`, []byte(hash)); err != nil {
		return fmt.Errorf("delete access token: %w", err)
	}
	return nil
}

// AddRefreshToken adds a refresh token, or returns op.ErrNoDecision.
func (s *OAuth) AddRefreshToken(ctx context.Context, t op.RefreshToken) error {
	var parent []byte // NULL for the first
	if t.Parent != "" {
		parent = []byte(t.Parent)
	}
	return s.insert(ctx, "refresh token", t.Decision, `
		INSERT INTO oauth_refresh (hash, grant_id, decision_id, generation, parent, jkt, expires_at, keep_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		[]byte(t.Hash), string(t.Grant), string(t.Decision), t.Generation, parent, t.JKT, sqldb.Micros(t.ExpiresAt), sqldb.Micros(t.KeepUntil))
}

// RefreshToken returns the token with its grant, or op.ErrNotFound.
func (s *OAuth) RefreshToken(ctx context.Context, hash op.TokenHash) (op.Grant, op.RefreshToken, error) {
	t := op.RefreshToken{Hash: hash}
	var parent []byte
	var expiresAt, usedAt, keepUntil int64
	grant, err := s.read(ctx, "refresh token", `
		SELECT `+grantColumns+`, t.decision_id, t.generation, t.parent, t.jkt, t.expires_at, t.used_at, t.keep_until,
			(SELECT MAX(n.generation) FROM oauth_refresh n WHERE n.grant_id = t.grant_id)
		FROM oauth_refresh t JOIN oauth_grant g ON g.id = t.grant_id WHERE t.hash = $1`, hash,
		&t.Decision, &t.Generation, &parent, &t.JKT, &expiresAt, &usedAt, &keepUntil, &t.Newest)
	if err != nil {
		return op.Grant{}, op.RefreshToken{}, err
	}
	t.Grant, t.Parent = grant.ID, op.TokenHash(parent)
	t.ExpiresAt, t.UsedAt, t.KeepUntil = sqldb.Time(expiresAt), sqldb.Time(usedAt), sqldb.Time(keepUntil)
	return grant, t, nil
}

// UseRefreshToken marks the token used, or returns op.ErrUsed. The grant's row is
// written first: whoever is second in a family waits for it, and then sees what
// became of the first.
func (s *OAuth) UseRefreshToken(ctx context.Context, u op.RefreshUse) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		n, err := s.DB.Exec(ctx, `UPDATE oauth_grant SET revoked_at = 0 WHERE id = $1 AND revoked_at = 0`, string(u.Grant))
		if err := used("refresh token", n, err); err != nil {
			return err
		}
		n, err = s.DB.Exec(ctx, `UPDATE oauth_refresh SET used_at = $1, keep_until = $2 WHERE hash = $3 AND used_at = 0
			AND NOT EXISTS (SELECT 1 FROM oauth_refresh n WHERE n.grant_id = $4 AND n.generation > $5)`,
			sqldb.Micros(u.At), sqldb.Micros(u.Keep), []byte(u.Hash), string(u.Grant), u.Generation)
		if err != nil || n == 1 || u.Grace == 0 {
			return used("refresh token", n, err)
		}
		n, err = s.DB.Exec(ctx, `UPDATE oauth_refresh SET keep_until = $1 WHERE hash = $2 AND used_at > $3
			AND NOT EXISTS (SELECT 1 FROM oauth_refresh n WHERE n.grant_id = $4 AND n.generation > $5)`,
			sqldb.Micros(u.Keep), []byte(u.Hash), sqldb.Micros(u.At.Add(-u.Grace)), string(u.Grant), u.Generation+1)
		return used("refresh token", n, err)
	})
}
