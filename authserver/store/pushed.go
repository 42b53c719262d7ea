package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

var _ op.PushedStore = (*OAuth)(nil)

// AddPushed adds a pushed request.
func (s *OAuth) AddPushed(ctx context.Context, r op.PushedRequest) error {
	form, err := jsonOf(r.Form)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO pushed_request (hash, client_id, form, expires_at, keep_until) VALUES ($1, $2, $3, $4, $5)`,
		[]byte(r.Hash), string(r.Client), form, sqldb.Micros(r.ExpiresAt), sqldb.Micros(r.KeepUntil))
	if err != nil {
		return fmt.Errorf("add pushed request: %w", err)
	}
	return nil
}

// Pushed returns the request, or op.ErrNotFound.
func (s *OAuth) Pushed(ctx context.Context, hash op.TokenHash) (op.PushedRequest, error) {
	r := op.PushedRequest{Hash: hash}
	form := column{into: &r.Form}
	var expiresAt, usedAt, keepUntil int64
	err := s.DB.QueryRow(ctx, `SELECT client_id, form, expires_at, used_at, keep_until FROM pushed_request WHERE hash = $1`, []byte(hash)).
		Scan(&r.Client, &form.text, &expiresAt, &usedAt, &keepUntil)
	if sqldb.IsNoRows(err) {
		return op.PushedRequest{}, op.ErrNotFound
	}
	if err != nil {
		return op.PushedRequest{}, fmt.Errorf("read pushed request: %w", err)
	}
	r.ExpiresAt, r.UsedAt, r.KeepUntil = sqldb.Time(expiresAt), sqldb.Time(usedAt), sqldb.Time(keepUntil)
	return r, decode(&form)
}

// UsePushed marks the request used, or returns op.ErrUsed. Of concurrent calls one
// succeeds.
func (s *OAuth) UsePushed(ctx context.Context, hash op.TokenHash, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE pushed_request SET used_at = $1 WHERE hash = $2 AND used_at = 0`, sqldb.Micros(at), []byte(hash))
	return used("pushed request", n, err)
}
