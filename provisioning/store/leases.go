package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Release hands a lease back unused: the account is due at now and the claim did
// not count as an attempt. A lease that is lost is nobody's to hand back.
func (s *Accounts) Release(ctx context.Context, l provisioning.Lease, now time.Time) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `UPDATE account SET lease_owner = '', lease_until = 0, next_attempt_at = $1,
				attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END
			WHERE user_id = $2 AND target = $3 AND fence = $4 AND lease_owner = $5`,
			sqldb.Micros(now), l.Account.User, l.Account.Target, l.Fence, l.Owner)
		if err != nil {
			return err
		}
		return s.keepProbe(ctx, l, time.Time{})
	})
	if err != nil {
		return fmt.Errorf("release account: %w", err)
	}
	return nil
}

// Extend moves the lease's end to until, or returns [provisioning.ErrLeaseLost].
// A probe stays the only one as long as its lease.
func (s *Accounts) Extend(ctx context.Context, l provisioning.Lease, until time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.held(ctx, l, "extend lease", `UPDATE account SET lease_until = $1, next_attempt_at = $1`, sqldb.Micros(until))
		if err != nil {
			return err
		}
		return s.keepProbe(ctx, l, until)
	})
}

// keepProbe moves the end of the probe that l is, if it is one.
func (s *Accounts) keepProbe(ctx context.Context, l provisioning.Lease, until time.Time) error {
	if l.Probe == 0 {
		return nil
	}
	_, err := s.db.Exec(ctx, "UPDATE target_state SET probe_until = $1 WHERE target = $2 AND probe = $3 AND probe_until > 0",
		sqldb.Micros(until), l.Account.Target, l.Probe)
	if err != nil {
		return fmt.Errorf("keep probe: %w", err)
	}
	return nil
}

// Begin writes down an attempt before its first call, or returns
// [provisioning.ErrLeaseLost]. What was sent is forgotten until the run writes
// it anew: a run that dies must not leave a belief about the target behind.
func (s *Accounts) Begin(ctx context.Context, l provisioning.Lease, a provisioning.Attempt) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.held(ctx, l, "begin attempt", `UPDATE account SET sent = '{}'`); err != nil {
			return err
		}
		_, err := s.db.Exec(ctx, `INSERT INTO attempt (id, user_id, target, rev, operation_id, number, cause, started_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			a.ID, a.User, a.Target, a.Rev, a.OperationID, a.Number, a.Trigger, sqldb.Micros(a.StartedAt))
		if err != nil {
			return fmt.Errorf("begin attempt: %w", err)
		}
		return nil
	})
}

// Creating writes down that a create is about to go out, or returns
// [provisioning.ErrLeaseLost].
func (s *Accounts) Creating(ctx context.Context, l provisioning.Lease) error {
	return s.held(ctx, l, "announce create", `UPDATE account SET create_sent = $1`, true)
}

const linkedTo = "SELECT user_id FROM account WHERE target = $1 AND external_id = $2 AND external_id <> ''"

// LinkedTo returns the user whose account of the target has the external id, ""
// if none has.
func (s *Accounts) LinkedTo(ctx context.Context, target provisioning.TargetName, externalID string) (provisioning.UserID, error) {
	var user provisioning.UserID
	err := s.db.QueryRow(ctx, linkedTo, target, externalID).Scan(&user)
	if sqldb.IsNoRows(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	return user, nil
}

// finish writes a result. If the desired revision moved meanwhile the account
// stays due.
const finish = `UPDATE account SET lease_owner = '', lease_until = 0,
	desired = CASE WHEN desired_rev > $1 THEN desired ELSE $2 END,
	state = CASE WHEN desired_rev > $1 THEN 'pending' ELSE $3 END,
	next_attempt_at = CASE WHEN desired_rev > $1 THEN CAST($4 AS BIGINT) ELSE CAST($5 AS BIGINT) END,
	attempts = CASE WHEN desired_rev > $1 THEN 0 ELSE CAST($6 AS BIGINT) END,
	first_failed_at = CASE WHEN desired_rev > $1 THEN 0 ELSE CAST($7 AS BIGINT) END,
	cause = CASE WHEN desired_rev > $1 THEN cause ELSE $8 END,
	applied_rev = $9, external_id = $10, created = $11, adopted = $12, suspended = $13, create_sent = $14,
	sent = $15, outcome = $16, kind = $17, detail = $18, field = $19, updated_at = $4,
	held = CASE WHEN desired_rev > $1 THEN held ELSE $20 END, target_rev = $21`

// Finish writes a run's result and the end of its attempt together. It returns
// [provisioning.ErrLeaseLost] and changes nothing of the account when another
// worker has it now, and [provisioning.ErrLinked] when the external id is
// another user's.
func (s *Accounts) Finish(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := endAttempt(ctx, s.db, r.Attempt); err != nil {
			return err
		}
		if err := s.finishAccount(ctx, l, r); err != nil {
			return err
		}
		return s.finishRuling(ctx, l, r)
	})
	if errors.Is(err, provisioning.ErrLeaseLost) {
		return errors.Join(err, s.endLost(ctx, r.Attempt))
	}
	if sqldb.IsUnique(err) {
		return fmt.Errorf("finish run: %w", provisioning.ErrLinked)
	}
	return err
}

// overtaken makes an account due again that rules were found to deny while a sign-in
// was told that they permit it.
const overtaken = `UPDATE account SET desired_rev = desired_rev + 1, state = 'pending', next_attempt_at = $1, cause = 'sign_in', updated_at = $1
	WHERE user_id = $2 AND target = $3 AND applied_rev >= desired_rev AND ruled_at > $4`

// finishRuling does what follows from an answer of rules: to whom the account passes,
// that it is no longer lost, or that it is lost now. A denial that something has
// overtaken takes nothing away: the account is due, and rules are asked anew.
func (s *Accounts) finishRuling(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	a, now := r.Account, sqldb.Micros(r.Account.UpdatedAt)
	if a.Client != l.Account.Client || a.Lost != l.Account.Lost {
		_, err := s.db.Exec(ctx, "UPDATE account SET client_id = $1, lost = $2 WHERE user_id = $3 AND target = $4 AND desired_rev = $5 AND client_id = $6",
			a.Client, a.Lost, a.User, a.Target, r.Rev, l.Account.Client)
		if err != nil {
			return fmt.Errorf("finish run: %w", err)
		}
	}
	if a.Outcome != provisioning.OutcomeSkipped || a.Kind != "" {
		return nil
	}
	_, err := s.db.Exec(ctx, overtaken, now, a.User, a.Target, sqldb.Micros(l.Account.RuledAt))
	if err != nil {
		return fmt.Errorf("finish run: %w", err)
	}
	if r.Loss == nil {
		return nil
	}
	return s.forfeit(ctx, *r.Loss, a.UpdatedAt, " AND applied_rev >= desired_rev")
}

// endLost keeps the record of what a worker did that lost its lease.
func (s *Accounts) endLost(ctx context.Context, a *provisioning.Attempt) error {
	if a == nil {
		return nil
	}
	lost := *a
	lost.Detail = "lease lost; the result was dropped: " + lost.Detail
	return endAttempt(ctx, s.db, &lost)
}

func (s *Accounts) finishAccount(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	a := r.Account
	sent, err := text(a.Sent)
	if err != nil {
		return err
	}
	if a.Sent == nil {
		sent = "{}"
	}
	err = s.held(ctx, l, "finish run", finish, r.Rev, a.Desired, a.State, sqldb.Micros(a.UpdatedAt), sqldb.Micros(a.NextAttemptAt),
		a.Attempts, sqldb.Micros(a.FirstFailedAt), a.Trigger, a.AppliedRev, a.ExternalID, a.Created, a.Adopted, a.Suspended, a.CreateSent,
		sent, a.Outcome, a.Kind, a.Detail, a.Field, a.Held, a.TargetRev)
	if err != nil {
		return err
	}
	return s.release(ctx, a)
}

// held runs an update of the leased row, if the lease is still its.
func (s *Accounts) held(ctx context.Context, l provisioning.Lease, verb, update string, args ...any) error {
	n := len(args)
	where := fmt.Sprintf(" WHERE user_id = $%d AND target = $%d AND fence = $%d AND lease_owner = $%d", n+1, n+2, n+3, n+4)
	args = append(args, l.Account.User, l.Account.Target, l.Fence, l.Owner)
	changed, err := s.db.Exec(ctx, update+where, args...)
	return kept(changed, err, verb)
}

func kept(changed int64, err error, verb string) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", verb, err)
	case changed == 0:
		return fmt.Errorf("%s: %w", verb, provisioning.ErrLeaseLost)
	default:
		return nil
	}
}
