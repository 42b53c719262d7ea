package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Accounts stores the ledger's rows as the gate, the lifecycle and people see
// them. Leases are in leases.go.
type Accounts struct{ db *sqldb.DB }

// NewAccounts returns the account store of db.
func NewAccounts(db *sqldb.DB) *Accounts { return &Accounts{db} }

const accountColumns = `user_id, target, desired, desired_rev, applied_rev, state, external_id, created, adopted,
	suspended, create_sent, sent, outcome, kind, detail, field, attempts, first_failed_at, next_attempt_at,
	cause, fence, lease_until, updated_at, client_id, lost, held, target_rev, ruled_at, decision_id`

const defaultLimit = 100

// rearm makes a row due at $1 as if it had never failed. A row that is leased
// stays with its worker; what it finds then is written over this.
const rearm = `state = CASE WHEN applied_rev < desired_rev THEN 'pending' ELSE state END, attempts = 0, first_failed_at = 0,
	next_attempt_at = CASE WHEN lease_until > $1 THEN next_attempt_at ELSE $1 END, updated_at = $1`

// bump is rearm for a change: the work is due again even after a running worker
// is done. Neither of the two ends a hold: unrelated changes let nothing go that
// waits for an admin.
const bump = `desired_rev = desired_rev + 1, state = 'pending', attempts = 0, first_failed_at = 0, cause = 'background', ruled_at = 0,
	next_attempt_at = CASE WHEN lease_until > $1 THEN next_attempt_at ELSE $1 END, updated_at = $1`

// Get returns one account, or [provisioning.ErrAccountNotFound].
func (s *Accounts) Get(ctx context.Context, user provisioning.UserID, target provisioning.TargetName) (provisioning.Account, error) {
	a, err := scanAccount(s.db.QueryRow(ctx, "SELECT "+accountColumns+" FROM account WHERE user_id = $1 AND target = $2", user, target))
	if sqldb.IsNoRows(err) {
		return provisioning.Account{}, provisioning.ErrAccountNotFound
	}
	if err != nil {
		return provisioning.Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// List returns the accounts the filter selects, a page at a time.
func (s *Accounts) List(ctx context.Context, f provisioning.AccountFilter) ([]provisioning.Account, error) {
	query, args := "SELECT "+accountColumns+" FROM account WHERE (user_id, target) > ($1, $2)", []any{f.AfterUser, f.AfterTarget}
	where := func(column string, value string) {
		if value != "" {
			args = append(args, value)
			query += fmt.Sprintf(" AND %s = $%d", column, len(args))
		}
	}
	where("user_id", string(f.User))
	where("target", string(f.Target))
	where("state", string(f.State))
	if f.Held {
		query += " AND held"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	args = append(args, limit)
	rows, err := s.db.Query(ctx, query+fmt.Sprintf(" ORDER BY user_id, target LIMIT $%d", len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	out, err := collect(rows, scanAccount)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return out, nil
}

// Want makes accounts desired present and due where they are not desired so yet,
// or rules said no the last time or gave no decision. A wish that rules permitted is their leave for
// the work that is due, whoever asked for that.
func (s *Accounts) Want(ctx context.Context, w provisioning.Wish, now time.Time) error {
	return s.each(ctx, w.Targets, func(ctx context.Context, target provisioning.TargetName) error {
		_, err := s.db.Exec(ctx, `INSERT INTO account (user_id, target, desired, desired_rev, state, next_attempt_at, cause, updated_at, client_id)
			VALUES ($2, $3, 'present', 1, 'pending', $1, $4, $1, $5)
			ON CONFLICT (user_id, target) DO UPDATE SET desired = 'present', desired_rev = account.desired_rev + 1,
				state = 'pending', attempts = 0, first_failed_at = 0, cause = excluded.cause, updated_at = excluded.updated_at,
				client_id = excluded.client_id, lost = FALSE, held = FALSE,
				next_attempt_at = CASE WHEN account.lease_until > excluded.updated_at THEN account.next_attempt_at ELSE excluded.next_attempt_at END
			WHERE account.desired <> 'present' OR account.outcome = 'skipped' AND account.applied_rev >= account.desired_rev
				OR account.kind = 'rules' AND account.lease_until <= excluded.updated_at AND account.state IN ('retrying', 'failed')`,
			sqldb.Micros(now), w.User, target, w.Trigger, w.Client)
		if err == nil && w.Decision != "" {
			_, err = s.db.Exec(ctx, "UPDATE account SET ruled_at = $1, decision_id = $2 WHERE user_id = $3 AND target = $4 AND applied_rev < desired_rev",
				sqldb.Micros(now), w.Decision, w.User, target)
		}
		if err != nil || !w.Belongs {
			return err
		}
		_, err = s.db.Exec(ctx, "UPDATE account SET client_id = $1 WHERE user_id = $2 AND target = $3 AND client_id <> $1", w.Client, w.User, target)
		return err
	})
}

// Forfeit applies a loss to an account that is desired present.
func (s *Accounts) Forfeit(ctx context.Context, l provisioning.Loss, now time.Time) error {
	return s.forfeit(ctx, l, now, "")
}

func (s *Accounts) forfeit(ctx context.Context, l provisioning.Loss, now time.Time, condition string) error {
	to, loses := l.Policy.Desired()
	if !loses {
		return nil
	}
	_, err := s.db.Exec(ctx, `UPDATE account SET `+bump+`, lost = TRUE, desired = $4, decision_id = CASE WHEN $5 = '' THEN decision_id ELSE $5 END
		WHERE user_id = $2 AND target = $3 AND desired = 'present'`+condition, sqldb.Micros(now), l.User, l.Target, to, l.Decision)
	if err != nil {
		return fmt.Errorf("take account away: %w", err)
	}
	return nil
}

// outdated is true of an account a that a change of its target has yet to reach.
const outdated = `EXISTS (SELECT 1 FROM sweep w WHERE w.target = a.target AND w.cause = 'changed' AND w.client_id = ''
	AND w.after_user < a.user_id AND w.target_rev > a.target_rev)`

// Hasten makes accounts that wait for their next try due at once, and puts those
// that wait in the background ahead of it: for a change of the target, too.
func (s *Accounts) Hasten(ctx context.Context, user provisioning.UserID, targets []provisioning.TargetName, now time.Time) error {
	return s.each(ctx, targets, func(ctx context.Context, target provisioning.TargetName) error {
		_, err := s.db.Exec(ctx, `UPDATE account AS a SET `+bump+`, sent = '{}' WHERE user_id = $2 AND target = $3
			AND state = 'in_sync' AND `+outdated, sqldb.Micros(now), user, target)
		if err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `UPDATE account SET next_attempt_at = CASE WHEN next_attempt_at > $1 THEN $1 ELSE next_attempt_at END, cause = 'sign_in'
			WHERE user_id = $2 AND target = $3 AND lease_until <= $1
				AND (state = 'retrying' AND next_attempt_at > $1 OR state = 'pending' AND cause = 'background' AND next_attempt_at > 0)`,
			sqldb.Micros(now), user, target)
		return err
	})
}

// Retry makes accounts due at once as if they had never failed, and forgets what
// was sent, so that the target is read. The revision grows only where nothing
// was due: a retry of the same intent keeps its operation id. It returns how
// many accounts there are.
func (s *Accounts) Retry(ctx context.Context, user provisioning.UserID, targets []provisioning.TargetName, now time.Time) (int, error) {
	counts := map[provisioning.TargetName]int64{}
	err := s.each(ctx, targets, func(ctx context.Context, target provisioning.TargetName) error {
		n, err := s.db.Exec(ctx, `UPDATE account SET desired_rev = CASE WHEN applied_rev < desired_rev THEN desired_rev ELSE desired_rev + 1 END,
				state = 'pending', attempts = 0, first_failed_at = 0, sent = '{}', cause = 'manual', updated_at = $1,
				next_attempt_at = CASE WHEN lease_until > $1 THEN next_attempt_at ELSE $1 END
			WHERE user_id = $2 AND target = $3`, sqldb.Micros(now), user, target)
		counts[target] = n
		return err
	})
	total := 0
	for _, n := range counts {
		total += int(n)
	}
	return total, err
}

// Change makes every account of the user due that is not desired absent, or was
// lost: rules may grant it again.
func (s *Accounts) Change(ctx context.Context, user provisioning.UserID, now time.Time) error {
	_, err := s.db.Exec(ctx, "UPDATE account SET "+bump+" WHERE user_id = $2 AND (desired <> 'absent' OR lost)", sqldb.Micros(now), user)
	if err != nil {
		return fmt.Errorf("change accounts: %w", err)
	}
	return nil
}

// Desire turns accounts of the user that are desired as one of from into to. An
// account that no binding wants does not become present again; once it is desired
// absent, it ends as the target's policy says.
func (s *Accounts) Desire(ctx context.Context, user provisioning.UserID, from []provisioning.Desired, to provisioning.Desired, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, f := range from {
			_, err := s.db.Exec(ctx, "UPDATE account SET "+bump+", desired = $4, lost = lost AND $4 <> 'absent', held = held AND $4 <> 'present' WHERE user_id = $2 AND desired = $3 AND NOT (lost AND $4 = 'present')",
				sqldb.Micros(now), user, f, to)
			if err != nil {
				return fmt.Errorf("change accounts: %w", err)
			}
		}
		return nil
	})
}

// each runs fn per target in one transaction, in a fixed order so that two of
// them cannot deadlock.
func (s *Accounts) each(ctx context.Context, targets []provisioning.TargetName, fn func(context.Context, provisioning.TargetName) error) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		for _, target := range slices.Sorted(slices.Values(targets)) {
			if err := fn(ctx, target); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make accounts due: %w", err)
	}
	return nil
}

func scanAccount(row scanner) (provisioning.Account, error) {
	var a provisioning.Account
	var sent string
	var firstFailed, next, lease, updated, ruled int64
	err := row.Scan(&a.User, &a.Target, &a.Desired, &a.DesiredRev, &a.AppliedRev, &a.State, &a.ExternalID, &a.Created, &a.Adopted,
		&a.Suspended, &a.CreateSent, &sent, &a.Outcome, &a.Kind, &a.Detail, &a.Field, &a.Attempts, &firstFailed, &next,
		&a.Trigger, &a.Fence, &lease, &updated, &a.Client, &a.Lost, &a.Held, &a.TargetRev, &ruled, &a.Decision)
	if err != nil {
		return a, err
	}
	a.FirstFailedAt, a.NextAttemptAt = sqldb.Time(firstFailed), sqldb.Time(next)
	a.LeaseUntil, a.UpdatedAt, a.RuledAt = sqldb.Time(lease), sqldb.Time(updated), sqldb.Time(ruled)
	return a, fromText(sent, &a.Sent)
}
