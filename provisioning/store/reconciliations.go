package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// Reconciliations stores who reconciles a target now, and what the last run
// found.
type Reconciliations struct{ db *sqldb.DB }

// NewReconciliations returns the store of db.
func NewReconciliations(db *sqldb.DB) *Reconciliations { return &Reconciliations{db} }

// Claim gives owner the right to reconcile the target until until. It returns
// false while another one has it, and when the last run began after since.
func (s *Reconciliations) Claim(ctx context.Context, target provisioning.TargetName, owner string, now, until, since time.Time) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO reconciliation (target, lease_owner, lease_until, started_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (target) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until, started_at = excluded.started_at
		WHERE reconciliation.lease_until <= $4 AND reconciliation.started_at <= $5`,
		target, owner, sqldb.Micros(until), sqldb.Micros(now), sqldb.Micros(since))
	if err != nil {
		return false, fmt.Errorf("claim reconciliation: %w", err)
	}
	return n > 0, nil
}

// Finish keeps the report, without its drifts, and ends the owner's right. It
// returns [provisioning.ErrLeaseLost], and keeps nothing, if that has ended.
func (s *Reconciliations) Finish(ctx context.Context, owner string, r provisioning.DriftReport) error {
	r.Drifts = nil
	report, err := text(r)
	if err != nil {
		return err
	}
	n, err := s.db.Exec(ctx, `UPDATE reconciliation SET lease_owner = '', lease_until = 0, report = $1
		WHERE target = $2 AND lease_owner = $3`, report, r.Target, owner)
	return kept(n, err, "finish reconciliation")
}

// Abandon ends the owner's right without a report, as if it had never been
// claimed. The last report stays.
func (s *Reconciliations) Abandon(ctx context.Context, target provisioning.TargetName, owner string) error {
	_, err := s.db.Exec(ctx, `UPDATE reconciliation SET lease_owner = '', lease_until = 0, started_at = 0 WHERE target = $1 AND lease_owner = $2`, target, owner)
	if err != nil {
		return fmt.Errorf("abandon reconciliation: %w", err)
	}
	return nil
}

// Last returns the report of the target's last run; nil if there was none.
func (s *Reconciliations) Last(ctx context.Context, target provisioning.TargetName) (*provisioning.DriftReport, error) {
	var report string
	err := s.db.QueryRow(ctx, "SELECT report FROM reconciliation WHERE target = $1", target).Scan(&report)
	if sqldb.IsNoRows(err) || err == nil && report == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last reconciliation: %w", err)
	}
	var r provisioning.DriftReport
	return &r, fromText(report, &r)
}

// Linked returns the target's linked accounts after a user, in the order of
// users, at most limit.
func (s *Accounts) Linked(ctx context.Context, target provisioning.TargetName, after provisioning.UserID, limit int) ([]provisioning.Account, error) {
	return s.query(ctx, "target = $1 AND user_id > $2 AND external_id <> '' ORDER BY user_id LIMIT $3", target, after, limit)
}

// Matching returns the target's accounts that are linked to one of the external
// ids or belong to one of the users, each of at most
// [provisioning.MatchLimit].
func (s *Accounts) Matching(ctx context.Context, target provisioning.TargetName, externalIDs []string, users []provisioning.UserID) ([]provisioning.Account, error) {
	linked, args, err := among([]any{target}, externalIDs, provisioning.MatchLimit)
	if err != nil {
		return nil, err
	}
	out, err := s.query(ctx, "target = $1 AND external_id <> '' AND external_id IN ("+linked+")", args...)
	if err != nil || len(users) == 0 {
		return out, err
	}
	owned, args, err := among([]any{target}, users, provisioning.MatchLimit)
	if err != nil {
		return nil, err
	}
	more, err := s.query(ctx, "target = $1 AND user_id IN ("+owned+")", args...)
	return append(out, more...), err
}

func (s *Accounts) query(ctx context.Context, where string, args ...any) ([]provisioning.Account, error) {
	rows, err := s.db.Query(ctx, "SELECT "+accountColumns+" FROM account WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	out, err := collect(rows, scanAccount)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return out, nil
}

// among returns the inside of IN (…) for up to limit keys, and args with them. It
// is the same text for any number of keys, so that it is prepared once: those
// that are wanting are empty, which no key is.
func among[K ~string](args []any, keys []K, limit int) (string, []any, error) {
	if len(keys) > limit {
		return "", nil, fmt.Errorf("%d keys at a time, at most %d", len(keys), limit)
	}
	var in strings.Builder
	for i := range limit {
		key := K("")
		if i < len(keys) {
			key = keys[i]
		}
		args = append(args, string(key))
		if i > 0 {
			in.WriteByte(',')
		}
		fmt.Fprintf(&in, "$%d", len(args))
	}
	return in.String(), args, nil
}
