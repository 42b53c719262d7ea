package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// The statements that lease due rows of one target: those somebody waits for, and
// any. PostgreSQL skips rows another worker is just changing; SQLite has one
// writer anyway.
const (
	claimSet = ` SET lease_owner = $1, lease_until = $2, next_attempt_at = $2, fence = fence + 1, attempts = attempts + 1`
	isDue    = ` FROM account WHERE target = $3 AND next_attempt_at > 0 AND next_attempt_at <= $4`
	isWaited = ` AND cause <> 'background'`
	inOrder  = ` ORDER BY next_attempt_at LIMIT $5`

	sqliteFrom = `UPDATE account` + claimSet + ` WHERE (user_id, target) IN (SELECT user_id, target` + isDue
	sqliteTo   = inOrder + `) RETURNING ` + accountColumns

	postgresFrom = `WITH due AS MATERIALIZED (SELECT user_id AS u, target AS t` + isDue
	postgresTo   = inOrder + ` FOR UPDATE SKIP LOCKED)
		UPDATE account` + claimSet + ` FROM due WHERE user_id = due.u AND target = due.t RETURNING ` + accountColumns

	claimWaitedSQLite   = sqliteFrom + isWaited + sqliteTo
	claimWaitedPostgres = postgresFrom + isWaited + postgresTo
	claimAnySQLite      = sqliteFrom + sqliteTo
	claimAnyPostgres    = postgresFrom + postgresTo
)

const leased = `SELECT COUNT(*), COALESCE(SUM(CASE WHEN cause = 'background' THEN 1 ELSE 0 END), 0)
	FROM account WHERE target = $1 AND lease_until > 0 AND lease_until > $2`

// Claim leases up to limit due accounts of the target to owner until until, those
// somebody waits for first. It keeps to the target's limits and health, over all
// instances: claims of one target are made one after another. The work of a
// worker that died is due again when its lease ends.
func (s *Accounts) Claim(ctx context.Context, target provisioning.TargetName, owner string, now, until time.Time, limit int) ([]provisioning.Lease, error) {
	c := claim{s.db, target, owner, now, until}
	var leases []provisioning.Lease
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		leases, err = c.make(ctx, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim accounts: %w", err)
	}
	return leases, nil
}

type claim struct {
	db         *sqldb.DB
	target     provisioning.TargetName
	owner      string
	now, until time.Time
}

func (c claim) make(ctx context.Context, limit int) ([]provisioning.Lease, error) {
	throttle, err := readThrottle(ctx, c.db, c.target, true)
	if sqldb.IsNoRows(err) || err == nil && throttle.Slots(limit, 0, c.now) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var busy, background int
	if err := c.db.QueryRow(ctx, leased, c.target, sqldb.Micros(c.now)).Scan(&busy, &background); err != nil {
		return nil, fmt.Errorf("count leases: %w", err)
	}
	free := throttle.Slots(limit, busy, c.now)
	accounts, err := c.rows(ctx, claimWaitedSQLite, claimWaitedPostgres, free)
	if err != nil {
		return nil, err
	}
	rest, err := c.rows(ctx, claimAnySQLite, claimAnyPostgres, throttle.Background(free-len(accounts), background))
	if err != nil {
		return nil, err
	}
	return c.granted(ctx, throttle, append(accounts, rest...))
}

// rows leases up to n rows.
func (c claim) rows(ctx context.Context, sqlite, postgres string, n int) ([]provisioning.Account, error) {
	if n <= 0 {
		return nil, nil
	}
	query := sqlite
	if c.db.Dialect() == sqldb.Postgres {
		query = postgres
	}
	rows, err := c.db.Returning(ctx, query, c.owner, sqldb.Micros(c.until), c.target, sqldb.Micros(c.now), n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanAccount)
}

// granted writes down what the claim took: one write, however many accounts.
func (c claim) granted(ctx context.Context, t provisioning.Throttle, accounts []provisioning.Account) ([]provisioning.Lease, error) {
	after, probe := t.Claimed(len(accounts), c.now, c.until)
	if after != t {
		if err := writeThrottle(ctx, c.db, after); err != nil {
			return nil, err
		}
	}
	leases := make([]provisioning.Lease, 0, len(accounts))
	for _, a := range accounts {
		leases = append(leases, provisioning.Lease{Account: a, Owner: c.owner, Fence: a.Fence, Until: a.LeaseUntil, Probe: probe})
	}
	return leases, nil
}

const due = `SELECT * FROM (SELECT ` + throttleColumns + `,
		(SELECT MIN(next_attempt_at) FROM account a WHERE a.target = t.name AND a.next_attempt_at > 0) AS due
	FROM target t JOIN target_state s ON s.target = t.name WHERE NOT t.maintenance) x WHERE due IS NOT NULL`

// Due returns when work of each target can be claimed: when the earliest is due
// and the target's health and rate allow it. Targets without work, and those in
// maintenance, are left out. It is one index probe per target.
func (s *Accounts) Due(ctx context.Context) (map[provisioning.TargetName]provisioning.Due, error) {
	rows, err := s.db.Query(ctx, due)
	if err != nil {
		return nil, fmt.Errorf("read due times: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[provisioning.TargetName]provisioning.Due{}
	for rows.Next() {
		var at int64
		t, err := scanThrottle(rows, &at)
		if err != nil {
			return nil, fmt.Errorf("read due times: %w", err)
		}
		ready := sqldb.Time(at)
		if held := t.ReadyAt(); held.After(ready) {
			ready = held
		}
		out[t.Target] = provisioning.Due{At: ready, Slots: t.MaxConcurrency, Every: provisioning.TokenEvery(t.RatePerMinute)}
	}
	return out, rows.Err()
}
