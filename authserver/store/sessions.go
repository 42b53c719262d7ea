package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Sessions implements session.Store.
type Sessions struct{ DB *sqldb.DB }

var (
	_ session.Store  = Sessions{}
	_ session.Lister = Sessions{}
)

// Insert adds a session.
func (s Sessions) Insert(ctx context.Context, v session.Session) error {
	amr, err := jsonOf(v.AMR)
	if err != nil {
		return err
	}
	_, err = s.DB.Exec(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		v.ID, v.SID, v.User, amr, sqldb.Micros(v.AuthTime), sqldb.Micros(v.UsedAt), sqldb.Micros(v.EndsAt), v.Agent, v.Address)
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// Get returns a session however old, or session.ErrNone.
func (s Sessions) Get(ctx context.Context, id string) (session.Session, error) {
	return scanSession(s.DB.QueryRow(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = $1`, id))
}

const sessionColumns = `id, sid, user_id, amr, auth_time, used_at, ends_at, agent, address`

func scanSession(r row) (session.Session, error) {
	var v session.Session
	amr := column{into: &v.AMR}
	var authTime, used, ends int64
	err := r.Scan(&v.ID, &v.SID, &v.User, &amr.text, &authTime, &used, &ends, &v.Agent, &v.Address)
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

// TakeAllOf removes the user's sessions but one and returns them; keep is "" to
// remove all.
func (s Sessions) TakeAllOf(ctx context.Context, user provisioning.UserID, keep string) ([]session.Session, error) {
	var all []session.Session
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if all, err = s.Of(ctx, user); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(v session.Session) bool { return v.ID == keep })
		_, err = s.DB.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, keep)
		return err
	})
	return all, err
}

// Of implements session.Lister.
func (s Sessions) Of(ctx context.Context, user provisioning.UserID) ([]session.Session, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE user_id = $1 ORDER BY used_at DESC, id`, user)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []session.Session
	for rows.Next() {
		v, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
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
