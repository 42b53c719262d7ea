package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Health stores how targets are doing, one row each, shared by every instance.
type Health struct{ db *sqldb.DB }

// NewHealth returns the health store of db.
func NewHealth(db *sqldb.DB) *Health { return &Health{db} }

const throttleColumns = `t.name, t.maintenance, t.max_concurrency, t.rate_per_minute, s.failures, s.kind, s.opened_at, s.openings,
	s.probe_at, s.probe, s.probe_until, s.paused_until, s.full_at`

const throttleOf = `SELECT ` + throttleColumns + ` FROM target t JOIN target_state s ON s.target = t.name`

// List returns what holds up each target, by name.
func (s *Health) List(ctx context.Context) ([]provisioning.TargetState, error) {
	rows, err := s.db.Query(ctx, throttleOf+" ORDER BY t.name")
	if err != nil {
		return nil, fmt.Errorf("list target states: %w", err)
	}
	out, err := collect(rows, func(row scanner) (provisioning.TargetState, error) {
		t, err := scanThrottle(row)
		return t.TargetState, err
	})
	if err != nil {
		return nil, fmt.Errorf("list target states: %w", err)
	}
	return out, nil
}

// Get returns what holds up a target, or [provisioning.ErrTargetNotFound].
func (s *Health) Get(ctx context.Context, target provisioning.TargetName) (provisioning.TargetState, error) {
	t, err := readThrottle(ctx, s.db, target, false)
	if sqldb.IsNoRows(err) {
		return provisioning.TargetState{}, fmt.Errorf("%w: %s", provisioning.ErrTargetNotFound, target)
	}
	if err != nil {
		return provisioning.TargetState{}, fmt.Errorf("read target state: %w", err)
	}
	return t.TargetState, nil
}

// Observe notes what a run that ended at now says about its target. Most say
// nothing new, and then it is one read. A target that is gone has no health.
func (s *Health) Observe(ctx context.Context, target provisioning.TargetName, o provisioning.Observation, now time.Time) error {
	t, err := readThrottle(ctx, s.db, target, false)
	if sqldb.IsNoRows(err) || err == nil && t.Health.After(o, now) == t.Health {
		return nil
	}
	if err == nil {
		err = s.db.InTx(ctx, func(ctx context.Context) error { return s.observe(ctx, target, o, now) })
	}
	if err != nil {
		return fmt.Errorf("observe target %s: %w", target, err)
	}
	return nil
}

func (s *Health) observe(ctx context.Context, target provisioning.TargetName, o provisioning.Observation, now time.Time) error {
	t, err := readThrottle(ctx, s.db, target, true)
	if err != nil {
		return err
	}
	before := t.Health
	t.Health = before.After(o, now)
	if before.Open() && !t.Health.Open() {
		if err := s.hastenFailed(ctx, target, now); err != nil {
			return err
		}
	}
	return writeThrottle(ctx, s.db, t)
}

// hastenFailed makes due what failed because the target was away: the pauses of those
// accounts were for a target that is back. They are few, since an open breaker
// lets only probes go.
func (s *Health) hastenFailed(ctx context.Context, target provisioning.TargetName, now time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE account SET next_attempt_at = $1 WHERE target = $2 AND next_attempt_at > 0 AND next_attempt_at > $1
		AND state = 'retrying' AND lease_until <= $1 AND kind IN ('transient', 'outcome_unknown', 'unauthorized')`, sqldb.Micros(now), target)
	if err != nil {
		return fmt.Errorf("make accounts due: %w", err)
	}
	return nil
}

// Resume ends a pause and has an open breaker probe at once: an admin knows that
// the target is back. It returns [provisioning.ErrTargetNotFound].
func (s *Health) Resume(ctx context.Context, target provisioning.TargetName, now time.Time) error {
	n, err := s.db.Exec(ctx, `UPDATE target_state SET paused_until = 0, probe_at = CASE WHEN probe_at > $1 THEN $1 ELSE probe_at END
		WHERE target = $2`, sqldb.Micros(now), target)
	if err == nil && n == 0 {
		err = provisioning.ErrTargetNotFound
	}
	if err != nil {
		return fmt.Errorf("resume target %s: %w", target, err)
	}
	return nil
}

// readThrottle reads a target's row, and keeps others from changing it until the
// transaction ends if they are to wait. On SQLite a transaction that writes is
// alone anyway.
func readThrottle(ctx context.Context, db *sqldb.DB, target provisioning.TargetName, lock bool) (provisioning.Throttle, error) {
	query := throttleOf + " WHERE t.name = $1"
	if lock && db.Dialect() == sqldb.Postgres {
		query += " FOR UPDATE OF s"
	}
	return scanThrottle(db.QueryRow(ctx, query, target))
}

func scanThrottle(row scanner, more ...any) (provisioning.Throttle, error) {
	var t provisioning.Throttle
	var opened, probeAt, probeUntil, paused, full int64
	h := &t.Health
	err := row.Scan(append([]any{&t.Target, &t.Maintenance, &t.MaxConcurrency, &t.RatePerMinute, &h.Failures, &h.Kind, &opened, &h.Openings,
		&probeAt, &h.Probe, &probeUntil, &paused, &full}, more...)...)
	h.OpenedAt, h.ProbeAt, h.ProbeUntil = sqldb.Time(opened), sqldb.Time(probeAt), sqldb.Time(probeUntil)
	h.PausedUntil, t.Bucket.FullAt = sqldb.Time(paused), sqldb.Time(full)
	return t, err
}

func writeThrottle(ctx context.Context, db *sqldb.DB, t provisioning.Throttle) error {
	h := t.Health
	_, err := db.Exec(ctx, `UPDATE target_state SET failures = $1, kind = $2, opened_at = $3, openings = $4, probe_at = $5, probe = $6,
		probe_until = $7, paused_until = $8, full_at = $9 WHERE target = $10`,
		h.Failures, h.Kind, sqldb.Micros(h.OpenedAt), h.Openings, sqldb.Micros(h.ProbeAt), h.Probe,
		sqldb.Micros(h.ProbeUntil), sqldb.Micros(h.PausedUntil), sqldb.Micros(t.Bucket.FullAt), t.Target)
	if err != nil {
		return fmt.Errorf("write target state: %w", err)
	}
	return nil
}
