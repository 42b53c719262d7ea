package store

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// heldBatch is how many held accounts are approved or rejected in one
// transaction.
const heldBatch = 500

// recountAfter is how long the number of a target's accounts is taken as known.
const recountAfter = 10 * time.Minute

// Admit implements provisioning.Admission.
func (s *Accounts) Admit(ctx context.Context, l provisioning.Lease, now time.Time) (bool, error) {
	admitted := false
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		known, err := s.wasAdmitted(ctx, l, now)
		if admitted = known; err != nil || known || l.Account.Held {
			return err
		}
		if admitted, err = s.room(ctx, l.Account.Target, now); err != nil || !admitted {
			return err
		}
		return s.held(ctx, l, "count", "UPDATE account SET admitted_rev = $1, admitted_at = $2", l.Account.DesiredRev, sqldb.Micros(now))
	})
	if err != nil {
		return false, fmt.Errorf("admit deprovisioning: %w", err)
	}
	return admitted, nil
}

// wasAdmitted reports whether the account may go already: for this revision, or
// because it was counted within the window.
func (s *Accounts) wasAdmitted(ctx context.Context, l provisioning.Lease, now time.Time) (bool, error) {
	var rev, at int64
	err := s.db.QueryRow(ctx, "SELECT admitted_rev, admitted_at FROM account WHERE user_id = $1 AND target = $2", l.Account.User, l.Account.Target).Scan(&rev, &at)
	if err != nil {
		return false, err
	}
	return rev >= l.Account.DesiredRev || at > sqldb.Micros(now.Add(-provisioning.DeprovisionWindow)), nil
}

// room reports whether one more account may go. Until the transaction ends nobody
// else counts.
func (s *Accounts) room(ctx context.Context, target provisioning.TargetName, now time.Time) (bool, error) {
	var accounts int
	var counted int64
	err := s.db.ReturningRow(ctx, `INSERT INTO deprovisioning (target, accounts, counted_at) VALUES ($1, 0, 0)
		ON CONFLICT (target) DO UPDATE SET accounts = deprovisioning.accounts RETURNING accounts, counted_at`, target).Scan(&accounts, &counted)
	if err != nil {
		return false, err
	}
	var gone int
	err = s.db.QueryRow(ctx, "SELECT COUNT(*) FROM account WHERE target = $1 AND admitted_at > $2",
		target, sqldb.Micros(now.Add(-provisioning.DeprovisionWindow))).Scan(&gone)
	if err != nil {
		return false, err
	}
	if gone >= provisioning.MinDeprovisions && counted <= sqldb.Micros(now.Add(-recountAfter)) {
		if accounts, err = s.recount(ctx, target, now); err != nil {
			return false, err
		}
	}
	return gone < provisioning.DeprovisionLimit(accounts), nil
}

func (s *Accounts) recount(ctx context.Context, target provisioning.TargetName, now time.Time) (int, error) {
	var n int
	err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM account WHERE target = $1 AND external_id <> ''", target).Scan(&n)
	if err != nil {
		return 0, err
	}
	_, err = s.db.Exec(ctx, "UPDATE deprovisioning SET accounts = $1, counted_at = $2 WHERE target = $3", n, sqldb.Micros(now), target)
	return n, err
}

const heldRows = ` WHERE (user_id, target) IN (SELECT user_id, target FROM account WHERE target = $2 AND held ORDER BY user_id LIMIT $3)`

// approve lets held accounts go. It does not count them, so that the next single
// account is not held for what an admin approved. The revision grows, so that a
// worker that was just told to hold does not write that over it.
const approve = `UPDATE account SET held = FALSE, desired_rev = desired_rev + 1, admitted_rev = desired_rev + 1, admitted_at = 0, updated_at = $1,
	next_attempt_at = CASE WHEN lease_until > $1 THEN next_attempt_at ELSE $1 END`

// reject leaves an account as it is in the target. One that no binding wanted is
// there again for the binding it was there for; one whose user is disabled or
// gone is left alone until something else changes.
const reject = `UPDATE account SET held = FALSE, updated_at = $1, cause = 'background',
	desired = CASE WHEN external_id = '' THEN 'absent' WHEN suspended AND NOT lost THEN 'suspended' ELSE 'present' END,
	state = CASE WHEN external_id = '' THEN 'absent' WHEN lost THEN 'pending' WHEN suspended THEN 'suspended' ELSE 'in_sync' END,
	desired_rev = desired_rev + 1, applied_rev = CASE WHEN lost THEN applied_rev ELSE desired_rev + 1 END,
	next_attempt_at = CASE WHEN lost AND external_id <> '' THEN CAST($1 AS BIGINT) ELSE 0 END,
	lost = FALSE`

// Approve lets the target's held accounts be suspended or deleted, and returns how
// many there were.
func (s *Accounts) Approve(ctx context.Context, target provisioning.TargetName, now time.Time) (int, error) {
	return s.eachHeld(ctx, approve, target, now)
}

// Reject keeps the target's held accounts as they are in the target, and returns
// how many there were.
func (s *Accounts) Reject(ctx context.Context, target provisioning.TargetName, now time.Time) (int, error) {
	return s.eachHeld(ctx, reject, target, now)
}

func (s *Accounts) eachHeld(ctx context.Context, update string, target provisioning.TargetName, now time.Time) (int, error) {
	total := 0
	for {
		n, err := s.db.Exec(ctx, update+heldRows, sqldb.Micros(now), target, heldBatch)
		if err != nil {
			return total, fmt.Errorf("decide on held accounts: %w", err)
		}
		if total += int(n); n < heldBatch {
			return total, nil
		}
	}
}
