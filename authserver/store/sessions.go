package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Sessions implements session.Store.
type Sessions struct{ DB *sqldb.DB }

var _ session.Store = Sessions{}

// Insert adds a session.
func (s Sessions) Insert(ctx context.Context, v session.Session) error {
	amr, err := jsonOf(v.AMR)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO sessions (id, user_id, amr, auth_time, used_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		v.ID, v.User, amr, sqldb.Micros(v.AuthTime), sqldb.Micros(v.UsedAt), sqldb.Micros(v.EndsAt))
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// Get returns a session however old, or session.ErrNone.
func (s Sessions) Get(ctx context.Context, id string) (session.Session, error) {
	v := session.Session{ID: id}
	amr := column{into: &v.AMR}
	var authTime, used, ends int64
	err := s.DB.QueryRow(ctx, `SELECT user_id, amr, auth_time, used_at, ends_at FROM sessions WHERE id = $1`, id).
		Scan(&v.User, &amr.text, &authTime, &used, &ends)
	if sqldb.IsNoRows(err) {
		return session.Session{}, session.ErrNone
	}
	if err != nil {
		return session.Session{}, fmt.Errorf("read session: %w", err)
	}
	v.AuthTime, v.UsedAt, v.EndsAt = sqldb.Time(authTime), sqldb.Time(used), sqldb.Time(ends)
	return v, decode(&amr)
}

// Touch notes the last use.
func (s Sessions) Touch(ctx context.Context, id string, at time.Time) error {
	_, err := s.DB.Exec(ctx, `UPDATE sessions SET used_at = $1 WHERE id = $2 AND used_at < $1`, sqldb.Micros(at), id)
	return err
}

// Delete removes a session; none is no error.
func (s Sessions) Delete(ctx context.Context, id string) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM sessions WHERE id = $1`, id)
	return err
}

// DeleteAllOf removes the user's sessions.
func (s Sessions) DeleteAllOf(ctx context.Context, user provisioning.UserID) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, user)
	return err
}

// Sweep removes at most limit sessions that ended before a time, or were not used
// since another, and returns how many it removed.
func (s Sessions) Sweep(ctx context.Context, endedBefore, unusedSince time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < $1 OR used_at < $2 LIMIT $3)`,
		sqldb.Micros(endedBefore), sqldb.Micros(unusedSince), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep sessions: %w", err)
	}
	return n, nil
}
