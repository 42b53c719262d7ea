package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Devices implements device.Store and device.Finder.
type Devices struct{ DB *sqldb.DB }

var (
	_ device.Store  = Devices{}
	_ device.Finder = Devices{}
)

// Add adds a pending request, or returns device.ErrTaken.
func (s Devices) Add(ctx context.Context, r device.Request) error {
	n, err := s.DB.Exec(ctx, `INSERT INTO device_request (hash, user_code, client_id, scopes, network, poll_interval, status, error, grant_id, decision_id,
			created_at, expires_at, keep_until, resources)
		VALUES ($1, $2, $3, $4, $5, $6, 'pending', '', '', '', $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		r.Hash, r.UserCode, string(r.Client), strings.Join(r.Scopes, " "), r.Network, r.Interval.Microseconds(),
		sqldb.Micros(r.CreatedAt), sqldb.Micros(r.ExpiresAt), sqldb.Micros(r.KeepUntil), strings.Join(r.Resources, " "))
	if err != nil {
		return fmt.Errorf("add device request: %w", err)
	}
	if n == 0 {
		return device.ErrTaken
	}
	return nil
}

// Request returns the request of a device code, or device.ErrNotFound.
func (s Devices) Request(ctx context.Context, hash []byte) (device.Request, error) {
	return s.read(ctx, "hash", hash)
}

// Find returns the request of a user code, or device.ErrNotFound.
func (s Devices) Find(ctx context.Context, userCode []byte) (device.Request, error) {
	return s.read(ctx, "user_code", userCode)
}

func (s Devices) read(ctx context.Context, column string, key []byte) (device.Request, error) {
	var r device.Request
	var scopes, resources string
	var interval, created, expires, keep int64
	err := s.DB.QueryRow(ctx, `SELECT hash, user_code, client_id, scopes, network, poll_interval, status, error, grant_id, decision_id,
		created_at, expires_at, keep_until, resources FROM device_request WHERE `+column+` = $1`, key).
		Scan(&r.Hash, &r.UserCode, &r.Client, &scopes, &r.Network, &interval, &r.Status, &r.Error, &r.Grant, &r.Decision, &created, &expires, &keep, &resources)
	if sqldb.IsNoRows(err) {
		return device.Request{}, device.ErrNotFound
	}
	if err != nil {
		return device.Request{}, fmt.Errorf("read device request: %w", err)
	}
	r.Scopes, r.Interval = strings.Fields(scopes), time.Duration(interval)*time.Microsecond
	if resources != "" {
		r.Resources = strings.Fields(resources)
	}
	r.CreatedAt, r.ExpiresAt, r.KeepUntil = sqldb.Time(created), sqldb.Time(expires), sqldb.Time(keep)
	return r, nil
}

// Poll notes a poll, or returns device.ErrTooSoon and makes the interval longer.
func (s Devices) Poll(ctx context.Context, hash []byte, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE device_request SET poll_at = $1 + poll_interval WHERE hash = $2 AND poll_at <= $1`, sqldb.Micros(at), hash)
	if err != nil {
		return fmt.Errorf("note poll: %w", err)
	}
	if n == 1 {
		return nil
	}
	slower := device.SlowDown.Microseconds()
	_, err = s.DB.Exec(ctx, `UPDATE device_request SET poll_interval = poll_interval + $1, poll_at = $2 + poll_interval + $1 WHERE hash = $3`,
		slower, sqldb.Micros(at), hash)
	if err != nil {
		return fmt.Errorf("slow device down: %w", err)
	}
	return device.ErrTooSoon
}

// Settle answers a pending request, or returns device.ErrSettled. Of concurrent
// calls one succeeds.
func (s Devices) Settle(ctx context.Context, hash []byte, o device.Outcome, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE device_request SET status = $1, error = $2, grant_id = $3, decision_id = $4
		WHERE hash = $5 AND status = 'pending' AND expires_at > $6`, o.Status, o.Error, o.Grant, string(o.Decision), hash, sqldb.Micros(at))
	return settled("settle", n, err)
}

// Use takes an approved request, or returns device.ErrSettled. Of concurrent calls
// one succeeds.
func (s Devices) Use(ctx context.Context, hash []byte, at time.Time) error {
	n, err := s.DB.Exec(ctx, `UPDATE device_request SET status = 'used' WHERE hash = $1 AND status = 'approved' AND expires_at > $2`, hash, sqldb.Micros(at))
	return settled("use", n, err)
}

func settled(what string, n int64, err error) error {
	if err != nil {
		return fmt.Errorf("%s device request: %w", what, err)
	}
	if n == 0 {
		return device.ErrSettled
	}
	return nil
}
