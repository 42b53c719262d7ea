package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

// Bindings stores bindings.
type Bindings struct{ db *sqldb.DB }

// NewBindings returns the binding store of db.
func NewBindings(db *sqldb.DB) *Bindings { return &Bindings{db} }

const bindingColumns = `client_id, target, position, blocking, enable_rules, jit_outbound, timeout,
	on_create_failure, on_update_failure, on_rule_deny, on_rule_error, on_refresh, on_loss, report_only, rule_sets`

// Put creates or replaces a binding. It returns
// [provisioning.ErrTargetNotFound] or [provisioning.ErrRuleSetNotFound] if there
// is no such target or rule set. When it is new, no longer asks rules or asks
// others, the users who belong to the application are given accounts in the
// background, as far as the rules permit.
func (s *Bindings) Put(ctx context.Context, b provisioning.Binding) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		grants, err := s.grantsAnew(ctx, b)
		if err != nil {
			return err
		}
		if err := s.write(ctx, b); err != nil {
			return err
		}
		if err := endSweep(ctx, s.db, b.Target, provisioning.SweepLost, b.Client); err != nil || !grants {
			return err
		}
		return beginSweep(ctx, s.db, provisioning.Sweep{Target: b.Target, Cause: provisioning.SweepJoined, Client: b.Client})
	})
	if err != nil {
		return fmt.Errorf("put binding: %w", err)
	}
	return nil
}

// grantsAnew reports whether the binding gives accounts that the one it replaces
// did not.
func (s *Bindings) grantsAnew(ctx context.Context, b provisioning.Binding) (bool, error) {
	var there bool
	err := s.db.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM target WHERE name = $1)", b.Target).Scan(&there)
	if err != nil {
		return false, err
	}
	if !there {
		return false, fmt.Errorf("%w: %s", provisioning.ErrTargetNotFound, b.Target)
	}
	if err := s.checkRuleSets(ctx, b); err != nil {
		return false, err
	}
	old, err := scanBinding(s.db.QueryRow(ctx, "SELECT "+bindingColumns+" FROM binding WHERE client_id = $1 AND target = $2", b.Client, b.Target))
	if sqldb.IsNoRows(err) {
		return true, nil
	}
	return old.EnableRules && (!b.EnableRules || !slices.Equal(old.RuleSets, b.RuleSets)), err
}

func (s *Bindings) checkRuleSets(ctx context.Context, b provisioning.Binding) error {
	there, err := NewRuleSets(s.db).Current(ctx, b.RuleSets)
	if err != nil {
		return err
	}
	for _, name := range b.RuleSets {
		if _, ok := there[name]; !ok {
			return fmt.Errorf("%w: %s", provisioning.ErrRuleSetNotFound, name)
		}
	}
	return nil
}

func (s *Bindings) write(ctx context.Context, b provisioning.Binding) error {
	sets, err := nameList(b.RuleSets)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO binding (`+bindingColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (client_id, target) DO UPDATE SET position = excluded.position, blocking = excluded.blocking,
			enable_rules = excluded.enable_rules, jit_outbound = excluded.jit_outbound, timeout = excluded.timeout,
			on_create_failure = excluded.on_create_failure, on_update_failure = excluded.on_update_failure,
			on_rule_deny = excluded.on_rule_deny, on_rule_error = excluded.on_rule_error,
			on_refresh = excluded.on_refresh, on_loss = excluded.on_loss, report_only = excluded.report_only,
			rule_sets = excluded.rule_sets`,
		b.Client, b.Target, b.Position, b.Blocking, b.EnableRules, b.JITOutbound, b.Timeout.Microseconds(),
		b.OnCreateFailure, b.OnUpdateFailure, b.OnRuleDeny, b.OnRuleError, b.OnRefresh, b.OnLoss, b.ReportOnly, sets)
	return err
}

// ByClient returns the application's bindings in their order.
func (s *Bindings) ByClient(ctx context.Context, client provisioning.ClientID) ([]provisioning.Binding, error) {
	return s.list(ctx, "SELECT "+bindingColumns+" FROM binding WHERE client_id = $1 ORDER BY position, target", client)
}

// ByTarget returns the bindings to the target, by application.
func (s *Bindings) ByTarget(ctx context.Context, target provisioning.TargetName) ([]provisioning.Binding, error) {
	return s.list(ctx, "SELECT "+bindingColumns+" FROM binding WHERE target = $1 ORDER BY client_id", target)
}

// List returns every binding, by application and order.
func (s *Bindings) List(ctx context.Context) ([]provisioning.Binding, error) {
	return s.list(ctx, "SELECT "+bindingColumns+" FROM binding ORDER BY client_id, position, target")
}

func (s *Bindings) list(ctx context.Context, query string, args ...any) ([]provisioning.Binding, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list bindings: %w", err)
	}
	out, err := collect(rows, scanBinding)
	if err != nil {
		return nil, fmt.Errorf("list bindings: %w", err)
	}
	return out, nil
}

// Delete removes a binding. In the background its on_loss policy is applied to
// the accounts that no other binding wants. It returns
// [provisioning.ErrBindingNotFound] if there is none.
func (s *Bindings) Delete(ctx context.Context, client provisioning.ClientID, target provisioning.TargetName) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		lost := provisioning.Sweep{Target: target, Cause: provisioning.SweepLost, Client: client}
		err := s.db.ReturningRow(ctx, "DELETE FROM binding WHERE client_id = $1 AND target = $2 RETURNING on_loss", client, target).Scan(&lost.OnLoss)
		if sqldb.IsNoRows(err) {
			return provisioning.ErrBindingNotFound
		}
		if err != nil {
			return err
		}
		if err := endSweep(ctx, s.db, target, provisioning.SweepJoined, client); err != nil {
			return err
		}
		if _, loses := lost.OnLoss.Desired(); !loses {
			return nil
		}
		return beginSweep(ctx, s.db, lost)
	})
	if errors.Is(err, provisioning.ErrBindingNotFound) {
		return err
	}
	if err != nil {
		return fmt.Errorf("delete binding: %w", err)
	}
	return nil
}

// bindingRow is a row of bindingColumns.
type bindingRow struct {
	provisioning.Binding
	timeout int64
	sets    string
}

func (b *bindingRow) dest() []any {
	return []any{&b.Client, &b.Target, &b.Position, &b.Blocking, &b.EnableRules, &b.JITOutbound, &b.timeout,
		&b.OnCreateFailure, &b.OnUpdateFailure, &b.OnRuleDeny, &b.OnRuleError, &b.OnRefresh, &b.OnLoss, &b.ReportOnly, &b.sets}
}

func (b *bindingRow) binding() (provisioning.Binding, error) {
	b.Timeout = time.Duration(b.timeout) * time.Microsecond
	if b.sets == "[]" { // most have none: the way of a sign-in decodes nothing
		return b.Binding, nil
	}
	return b.Binding, fromText(b.sets, &b.RuleSets)
}

func scanBinding(row scanner) (provisioning.Binding, error) {
	var b bindingRow
	if err := row.Scan(b.dest()...); err != nil {
		return b.Binding, err
	}
	return b.binding()
}

// standings is one read: the primary keys of all tables serve it.
const standings = `SELECT b.client_id, b.target, b.position, b.blocking, b.enable_rules, b.jit_outbound, b.timeout,
		b.on_create_failure, b.on_update_failure, b.on_rule_deny, b.on_rule_error, b.on_refresh, b.on_loss, b.report_only, b.rule_sets,
		a.desired, a.desired_rev, a.applied_rev, a.state, a.external_id, a.kind, a.detail, a.attempts,
		a.next_attempt_at, a.lease_until, a.updated_at, a.cause, a.outcome, a.client_id, ` + outdated + `,
		t.connector, t.maintenance, COALESCE(s.kind, ''), COALESCE(s.opened_at, 0), COALESCE(s.probe_at, 0),
		COALESCE(s.probe_until, 0), COALESCE(s.paused_until, 0)
	FROM binding b JOIN target t ON t.name = b.target LEFT JOIN target_state s ON s.target = b.target
	LEFT JOIN account a ON a.target = b.target AND a.user_id = $2
	WHERE b.client_id = $1 ORDER BY b.position, b.target`

// Standings returns the application's bindings in their order, each with what
// the gate needs of the user's account and of the target's state.
func (s *Bindings) Standings(ctx context.Context, client provisioning.ClientID, user provisioning.UserID) ([]provisioning.Standing, error) {
	rows, err := s.db.Query(ctx, standings, client, user)
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	out, err := collect(rows, func(row scanner) (provisioning.Standing, error) { return scanStanding(row, user) })
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	return out, nil
}

func scanStanding(row scanner, user provisioning.UserID) (provisioning.Standing, error) {
	var b bindingRow
	held := provisioning.TargetState{}
	var stale bool
	var connector string
	var desired, state, external, kind, detail, cause, outcome, owner sql.NullString
	var opened, probeAt, probeUntil, paused int64
	var desiredRev, appliedRev, attempts, next, lease, updated sql.NullInt64
	dest := append(b.dest(), &desired, &desiredRev, &appliedRev, &state, &external, &kind, &detail, &attempts, &next, &lease, &updated, &cause, &outcome, &owner, &stale,
		&connector, &held.Maintenance, &held.Health.Kind, &opened, &probeAt, &probeUntil, &paused)
	if err := row.Scan(dest...); err != nil {
		return provisioning.Standing{}, err
	}
	binding, err := b.binding()
	if err != nil {
		return provisioning.Standing{}, err
	}
	held.Target, held.Health.OpenedAt, held.Health.ProbeAt = b.Target, sqldb.Time(opened), sqldb.Time(probeAt)
	held.Health.ProbeUntil, held.Health.PausedUntil = sqldb.Time(probeUntil), sqldb.Time(paused)
	out := provisioning.Standing{Binding: binding, Connector: connector, State: held}
	if desired.Valid {
		out.Account = &provisioning.Account{
			User: user, Target: b.Target, Desired: provisioning.Desired(desired.String),
			DesiredRev: desiredRev.Int64, AppliedRev: appliedRev.Int64, State: provisioning.State(state.String),
			ExternalID: external.String, Kind: sdk.Kind(kind.String), Detail: detail.String, Attempts: int(attempts.Int64),
			NextAttemptAt: sqldb.Time(next.Int64), LeaseUntil: sqldb.Time(lease.Int64), UpdatedAt: sqldb.Time(updated.Int64),
			Trigger: provisioning.Trigger(cause.String), Outcome: provisioning.Outcome(outcome.String),
			Client: provisioning.ClientID(owner.String),
		}
	}
	if stale && out.Account.State == provisioning.StateInSync {
		// As it will be once the sweep comes there: what is in sync with another
		// configuration proves nothing.
		out.Account.State, out.Account.Trigger = provisioning.StatePending, provisioning.TriggerBackground
		out.Account.DesiredRev++
	}
	return out, nil
}
