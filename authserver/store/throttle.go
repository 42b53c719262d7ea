package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Throttle implements user.Throttle.
type Throttle struct{ DB *sqldb.DB }

var _ user.Throttle = Throttle{}

// Lock returns the key's counter, the zero one if there is none. Writing the row
// as it is locks it until the transaction ends, on both dialects.
func (s Throttle) Lock(ctx context.Context, key string) (user.Counter, error) {
	var c user.Counter
	var free, updated int64
	err := s.DB.ReturningRow(ctx, `INSERT INTO throttles (key, failures, free_at, updated_at) VALUES ($1, 0, 0, 0)
		ON CONFLICT (key) DO UPDATE SET failures = throttles.failures RETURNING failures, free_at, updated_at`, key).
		Scan(&c.Failures, &free, &updated)
	if err != nil {
		return user.Counter{}, fmt.Errorf("lock guess counter: %w", err)
	}
	c.FreeAt, c.UpdatedAt = sqldb.Time(free), sqldb.Time(updated)
	return c, nil
}

// Save stores a counter that was locked.
func (s Throttle) Save(ctx context.Context, key string, c user.Counter) error {
	_, err := s.DB.Exec(ctx, `UPDATE throttles SET failures = $1, free_at = $2, updated_at = $3 WHERE key = $4`,
		c.Failures, sqldb.Micros(c.FreeAt), sqldb.Micros(c.UpdatedAt), key)
	if err != nil {
		return fmt.Errorf("save guess counter: %w", err)
	}
	return nil
}

// Sweep removes at most limit counters that nobody guessed under since a time, and
// returns how many it removed.
func (s Throttle) Sweep(ctx context.Context, unusedSince time.Time, limit int) (int64, error) {
	n, err := s.DB.Exec(ctx, `DELETE FROM throttles WHERE key IN (SELECT key FROM throttles WHERE updated_at < $1 LIMIT $2)`,
		sqldb.Micros(unusedSince), limit)
	if err != nil {
		return 0, fmt.Errorf("sweep guess counters: %w", err)
	}
	return n, nil
}
