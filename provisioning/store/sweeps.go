package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Sweeps stores work over many users. It implements
// [provisioning.SweepLedger].
type Sweeps struct{ *Accounts }

// NewSweeps returns the sweep store of db.
func NewSweeps(db *sqldb.DB) *Sweeps { return &Sweeps{NewAccounts(db)} }

// beginSweep begins a sweep, or begins it anew.
func beginSweep(ctx context.Context, db *sqldb.DB, s provisioning.Sweep) error {
	_, err := db.Exec(ctx, `INSERT INTO sweep (target, cause, client_id, on_loss, after_user, target_rev)
		VALUES ($1, $2, $3, $4, '', (SELECT revision FROM target WHERE name = $1))
		ON CONFLICT (target, cause, client_id) DO UPDATE SET on_loss = excluded.on_loss, after_user = '', target_rev = excluded.target_rev`, s.Target, s.Cause, s.Client, s.OnLoss)
	if err != nil {
		return fmt.Errorf("begin sweep: %w", err)
	}
	return nil
}

func endSweep(ctx context.Context, db *sqldb.DB, target provisioning.TargetName, cause provisioning.SweepCause, client provisioning.ClientID) error {
	_, err := db.Exec(ctx, "DELETE FROM sweep WHERE target = $1 AND cause = $2 AND client_id = $3", target, cause, client)
	if err != nil {
		return fmt.Errorf("end sweep: %w", err)
	}
	return nil
}

// Next implements provisioning.SweepLedger. The row it counts a batch in is the
// lock: another worker waits, and goes on where this one came to.
func (s *Sweeps) Next(ctx context.Context) (provisioning.Sweep, bool, error) {
	var out provisioning.Sweep
	err := s.db.ReturningRow(ctx, `UPDATE sweep SET batches = batches + 1 WHERE (target, cause, client_id) IN
			(SELECT target, cause, client_id FROM sweep ORDER BY batches, target, cause, client_id LIMIT 1)
		RETURNING target, cause, client_id, on_loss, after_user`).Scan(&out.Target, &out.Cause, &out.Client, &out.OnLoss, &out.After)
	if sqldb.IsNoRows(err) {
		return out, false, nil
	}
	if err != nil {
		return out, false, fmt.Errorf("read sweep: %w", err)
	}
	return out, true, nil
}

// Reached implements provisioning.SweepLedger.
func (s *Sweeps) Reached(ctx context.Context, w provisioning.Sweep, after provisioning.UserID) error {
	if after == "" {
		return endSweep(ctx, s.db, w.Target, w.Cause, w.Client)
	}
	_, err := s.db.Exec(ctx, "UPDATE sweep SET after_user = $1 WHERE target = $2 AND cause = $3 AND client_id = $4", after, w.Target, w.Cause, w.Client)
	if err != nil {
		return fmt.Errorf("store sweep: %w", err)
	}
	return nil
}

// batchEnd returns the last user of the next limit accounts, and "" as next when
// there are no more after it.
func (s *Sweeps) batchEnd(ctx context.Context, w provisioning.Sweep, limit int) (last, next provisioning.UserID, err error) {
	var n int
	err = s.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MAX(user_id), '') FROM
		(SELECT user_id FROM account WHERE target = $1 AND user_id > $2 ORDER BY user_id LIMIT $3) x`, w.Target, w.After, limit).Scan(&n, &last)
	if err != nil {
		return "", "", fmt.Errorf("read accounts to sweep: %w", err)
	}
	if n == limit {
		next = last
	}
	return last, next, nil
}

// Redo implements provisioning.SweepLedger. What was sent is forgotten: it may no
// longer be what the target has.
func (s *Sweeps) Redo(ctx context.Context, w provisioning.Sweep, limit int, now time.Time) (provisioning.UserID, error) {
	last, next, err := s.batchEnd(ctx, w, limit)
	if err != nil {
		return "", err
	}
	_, err = s.db.Exec(ctx, `UPDATE account SET `+bump+`, sent = '{}' WHERE target = $2 AND user_id > $3 AND user_id <= $4
		AND (desired <> 'absent' OR state IN ('pending', 'retrying', 'failed'))`, sqldb.Micros(now), w.Target, w.After, last)
	if err != nil {
		return "", fmt.Errorf("make accounts due: %w", err)
	}
	return next, nil
}

// Lose implements provisioning.SweepLedger. Only accounts that are there for the
// removed binding are looked at. Where another binding makes accounts at sign-in
// they are kept for that one: whoever has one may be using it there.
func (s *Sweeps) Lose(ctx context.Context, w provisioning.Sweep, limit int, now time.Time) (provisioning.UserID, error) {
	to, loses := w.OnLoss.Desired()
	if !loses {
		return "", nil
	}
	last, next, err := s.batchEnd(ctx, w, limit)
	if err != nil {
		return "", err
	}
	var heir provisioning.ClientID
	err = s.db.QueryRow(ctx, `SELECT COALESCE(MIN(client_id), '') FROM binding
		WHERE target = $1 AND client_id <> $2 AND client_id <> $3 AND jit_outbound`, w.Target, w.Client, provisioning.DefaultClient).Scan(&heir)
	if err != nil {
		return "", fmt.Errorf("read bindings of target: %w", err)
	}
	if heir != "" {
		_, err = s.db.Exec(ctx, `UPDATE account SET client_id = $1 WHERE target = $2 AND user_id > $3 AND user_id <= $4 AND client_id = $5`,
			heir, w.Target, w.After, last, w.Client)
	} else {
		_, err = s.db.Exec(ctx, `UPDATE account SET `+bump+`, lost = TRUE, desired = $6 WHERE target = $2 AND user_id > $3 AND user_id <= $4
			AND client_id = $5 AND desired <> 'absent' AND NOT lost`, sqldb.Micros(now), w.Target, w.After, last, w.Client, to)
	}
	if err != nil {
		return "", fmt.Errorf("take accounts away: %w", err)
	}
	return next, nil
}
