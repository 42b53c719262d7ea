package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

// Targets stores targets with their sealed secrets.
type Targets struct {
	db     *sqldb.DB
	sealer Sealer
}

// NewTargets returns the target store of db.
func NewTargets(db *sqldb.DB, sealer Sealer) *Targets { return &Targets{db, sealer} }

const targetColumns = "name, connector, config, mapping, adopt, on_user_delete, revision, max_concurrency, rate_per_minute, maintenance, reconcile_every, group_names, maps"

// Get returns the target with its secrets, or [provisioning.ErrTargetNotFound].
func (s *Targets) Get(ctx context.Context, name provisioning.TargetName) (provisioning.Target, error) {
	t, err := scanTarget(s.db.QueryRow(ctx, "SELECT "+targetColumns+" FROM target WHERE name = $1", name))
	if sqldb.IsNoRows(err) {
		return provisioning.Target{}, fmt.Errorf("%w: %s", provisioning.ErrTargetNotFound, name)
	}
	if err != nil {
		return provisioning.Target{}, fmt.Errorf("read target: %w", err)
	}
	if t.Secrets, err = s.secrets(ctx, name); err != nil {
		return provisioning.Target{}, err
	}
	return t, nil
}

// List returns every target by name, with its secrets.
func (s *Targets) List(ctx context.Context) ([]provisioning.Target, error) {
	rows, err := s.db.Query(ctx, "SELECT "+targetColumns+" FROM target ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list targets: %w", err)
	}
	out, err := collect(rows, scanTarget)
	if err != nil {
		return nil, fmt.Errorf("list targets: %w", err)
	}
	for i := range out {
		if out[i].Secrets, err = s.secrets(ctx, out[i].Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Put creates or replaces a target, as a whole: secrets that are not given are
// removed. It returns the target as stored. Revision, which the caller need not
// set, grows when what the connector is configured with changed; then, and when
// the mapping changed, every account of the target becomes due, and a breaker that
// was open for the old configuration closes. After a change of policy only those
// that failed become due, since the change may be the cure; after one of the
// limits or the maintenance none.
func (s *Targets) Put(ctx context.Context, t provisioning.Target, now time.Time) (provisioning.Target, error) {
	t = withDefaults(t)
	var stored provisioning.Target
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		stored, err = s.put(ctx, t, now)
		return err
	})
	if err != nil {
		return provisioning.Target{}, fmt.Errorf("put target %s: %w", t.Name, err)
	}
	return stored, nil
}

func (s *Targets) put(ctx context.Context, t provisioning.Target, now time.Time) (provisioning.Target, error) {
	old, found, err := s.find(ctx, t.Name)
	if err != nil {
		return t, err
	}
	c, err := compare(old, t)
	if err != nil {
		return t, err
	}
	if found && c == unchanged {
		return old, nil
	}
	t.Revision = old.Revision
	if !found || c >= reconfigured {
		t.Revision++
	}
	if err := s.write(ctx, t); err != nil {
		return t, err
	}
	if err := s.makeDue(ctx, t.Name, c, now); err != nil {
		return t, err
	}
	return t, s.renewState(ctx, t.Name, c)
}

func (s *Targets) find(ctx context.Context, name provisioning.TargetName) (provisioning.Target, bool, error) {
	t, err := scanTarget(s.db.QueryRow(ctx, "SELECT "+targetColumns+" FROM target WHERE name = $1", name))
	if sqldb.IsNoRows(err) {
		return provisioning.Target{}, false, nil
	}
	if err != nil {
		return provisioning.Target{}, false, err
	}
	t.Secrets, err = s.secrets(ctx, name)
	return t, true, err
}

func withDefaults(t provisioning.Target) provisioning.Target {
	if len(t.Config) == 0 {
		t.Config = json.RawMessage("{}")
	}
	if t.Adopt == "" {
		t.Adopt = provisioning.AdoptIfUnclaimed
	}
	if t.OnUserDelete == "" {
		t.OnUserDelete = provisioning.DeleteSuspend
	}
	if t.MaxConcurrency == 0 {
		t.MaxConcurrency = provisioning.DefaultConcurrency
	}
	return t
}

// change says how far a change of a target reaches.
type change int

const (
	unchanged    change = iota
	relimited           // only how much of its work is done, and when
	repolicied          // only what the engine decides by
	reconfigured        // the connector is configured anew, for the same accounts
	redirected          // accounts may have to look different, or be elsewhere
)

func compare(a, b provisioning.Target) (change, error) {
	same, err := sameConfig(a, b)
	switch {
	case err != nil:
		return 0, err
	case !same || a.Connector != b.Connector || !sameMapping(a, b) || !reflect.DeepEqual(a.Groups, b.Groups) || !reflect.DeepEqual(a.Maps, b.Maps):
		return redirected, nil
	case !maps.Equal(a.Secrets, b.Secrets):
		return reconfigured, nil
	case a.Adopt != b.Adopt || a.OnUserDelete != b.OnUserDelete:
		return repolicied, nil
	case a.MaxConcurrency != b.MaxConcurrency || a.RatePerMinute != b.RatePerMinute || a.Maintenance != b.Maintenance || a.ReconcileEvery != b.ReconcileEvery:
		return relimited, nil
	default:
		return unchanged, nil
	}
}

func sameConfig(a, b provisioning.Target) (bool, error) {
	var x, y map[string]any
	if len(a.Config) > 0 {
		if err := json.Unmarshal(a.Config, &x); err != nil {
			return false, fmt.Errorf("config: stored value: %w", err)
		}
	}
	if err := json.Unmarshal(b.Config, &y); err != nil {
		return false, fmt.Errorf("config: not a JSON object: %w", err)
	}
	return reflect.DeepEqual(x, y), nil
}

// sameMapping compares as stored, since a constant may be of any JSON type.
func sameMapping(a, b provisioning.Target) bool {
	x, errX := text(a.Mapping)
	y, errY := text(b.Mapping)
	return errX == nil && errY == nil && x == y
}

func (s *Targets) write(ctx context.Context, t provisioning.Target) error {
	mapping, err := text(t.Mapping)
	if err != nil {
		return err
	}
	groups, err := text(t.Groups)
	if err != nil {
		return err
	}
	tables, err := text(t.Maps)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO target (`+targetColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (name) DO UPDATE SET connector = excluded.connector, config = excluded.config, mapping = excluded.mapping,
			adopt = excluded.adopt, on_user_delete = excluded.on_user_delete, revision = excluded.revision,
			max_concurrency = excluded.max_concurrency, rate_per_minute = excluded.rate_per_minute, maintenance = excluded.maintenance,
			reconcile_every = excluded.reconcile_every, group_names = excluded.group_names, maps = excluded.maps`,
		t.Name, t.Connector, string(t.Config), mapping, t.Adopt, t.OnUserDelete, t.Revision, t.MaxConcurrency, t.RatePerMinute, t.Maintenance, t.ReconcileEvery.Microseconds(), groups, tables)
	if err != nil {
		return err
	}
	return s.writeSecrets(ctx, t)
}

func (s *Targets) writeSecrets(ctx context.Context, t provisioning.Target) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM target_secret WHERE target = $1", t.Name); err != nil {
		return err
	}
	for name, secret := range t.Secrets {
		sealed, err := s.sealer.Seal([]byte(secret.Reveal()), secretAAD(t.Name, name))
		if err != nil {
			return fmt.Errorf("seal secret %s: %w", name, err)
		}
		if _, err := s.db.Exec(ctx, "INSERT INTO target_secret (target, name, sealed) VALUES ($1, $2, $3)", t.Name, name, sealed); err != nil {
			return err
		}
	}
	return nil
}

func (s *Targets) secrets(ctx context.Context, target provisioning.TargetName) (map[string]sdk.Secret, error) {
	rows, err := s.db.Query(ctx, "SELECT name, sealed FROM target_secret WHERE target = $1 ORDER BY name", target)
	if err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out map[string]sdk.Secret
	for rows.Next() {
		name, secret, err := s.scanSecret(rows, target)
		if err != nil {
			return nil, fmt.Errorf("read secrets of %s: %w", target, err)
		}
		if out == nil {
			out = map[string]sdk.Secret{}
		}
		out[name] = secret
	}
	return out, rows.Err()
}

func (s *Targets) scanSecret(row scanner, target provisioning.TargetName) (string, sdk.Secret, error) {
	var name string
	var sealed []byte
	if err := row.Scan(&name, &sealed); err != nil {
		return "", "", err
	}
	plain, err := s.sealer.Open(sealed, secretAAD(target, name))
	if err != nil {
		return "", "", fmt.Errorf("open secret %s: %w", name, err)
	}
	return name, sdk.Secret(plain), nil
}

// secretAAD names table, row and column, each part quoted so that no two rows
// share one.
func secretAAD(target provisioning.TargetName, name string) []byte {
	return fmt.Appendf(nil, "target_secret/%q/%q/sealed", string(target), name)
}

// makeDue makes accounts due after a change. What was sent is forgotten where it
// may no longer be what the target has. Where all accounts are concerned, only
// the first batch is done at once, and a sweep does the rest.
func (s *Targets) makeDue(ctx context.Context, name provisioning.TargetName, c change, now time.Time) error {
	switch c {
	case redirected:
		all := provisioning.Sweep{Target: name, Cause: provisioning.SweepChanged}
		if err := beginSweep(ctx, s.db, all); err != nil {
			return err
		}
		sweeps := NewSweeps(s.db)
		after, err := sweeps.Redo(ctx, all, provisioning.SweepBatch, now)
		if err != nil {
			return err
		}
		return sweeps.Reached(ctx, all, after)
	case unchanged, relimited:
		return nil
	default:
		_, err := s.db.Exec(ctx, `UPDATE account SET `+rearm+` WHERE target = $2 AND state IN ('retrying', 'failed')`,
			sqldb.Micros(now), name)
		return err
	}
}

// renewState makes the target's row of state, and forgets what was observed under
// a configuration that is no more. It comes last: whoever holds that row's lock
// must not wait for accounts.
func (s *Targets) renewState(ctx context.Context, name provisioning.TargetName, c change) error {
	if _, err := s.db.Exec(ctx, "INSERT INTO target_state (target) VALUES ($1) ON CONFLICT (target) DO NOTHING", name); err != nil {
		return err
	}
	if c < reconfigured {
		return nil
	}
	_, err := s.db.Exec(ctx, `UPDATE target_state SET failures = 0, kind = '', opened_at = 0, openings = 0, probe_at = 0,
		probe_until = 0, paused_until = 0 WHERE target = $1`, name)
	return err
}

// SetMaintenance says whether the target's work is to wait. It returns
// [provisioning.ErrTargetNotFound].
func (s *Targets) SetMaintenance(ctx context.Context, name provisioning.TargetName, on bool) error {
	n, err := s.db.Exec(ctx, "UPDATE target SET maintenance = $1 WHERE name = $2", on, name)
	if err == nil && n == 0 {
		err = provisioning.ErrTargetNotFound
	}
	if err != nil {
		return fmt.Errorf("set maintenance of %s: %w", name, err)
	}
	return nil
}

// Delete removes a target and the accounts that never came to be. It returns
// [provisioning.ErrTargetInUse] while an application is bound to it or a user has
// an account there, and [provisioning.ErrTargetNotFound].
func (s *Targets) Delete(ctx context.Context, name provisioning.TargetName) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var used bool
		err := s.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM binding WHERE target = $1)
			OR EXISTS (SELECT 1 FROM account WHERE target = $1 AND (external_id <> '' OR create_sent OR lease_until > 0))`, name).Scan(&used)
		if err != nil {
			return err
		}
		if used {
			return provisioning.ErrTargetInUse
		}
		if _, err := s.db.Exec(ctx, "DELETE FROM account WHERE target = $1", name); err != nil {
			return err
		}
		n, err := s.db.Exec(ctx, "DELETE FROM target WHERE name = $1", name)
		if err == nil && n == 0 {
			return provisioning.ErrTargetNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete target %s: %w", name, err)
	}
	return nil
}

func scanTarget(row scanner) (provisioning.Target, error) {
	var t provisioning.Target
	var config, mapping, groups, tables string
	var reconcileEvery int64
	err := row.Scan(&t.Name, &t.Connector, &config, &mapping, &t.Adopt, &t.OnUserDelete, &t.Revision,
		&t.MaxConcurrency, &t.RatePerMinute, &t.Maintenance, &reconcileEvery, &groups, &tables)
	if err != nil {
		return t, err
	}
	t.Config, t.ReconcileEvery = json.RawMessage(config), time.Duration(reconcileEvery)*time.Microsecond
	if err := fromText(groups, &t.Groups); err != nil {
		return t, err
	}
	if err := fromText(tables, &t.Maps); err != nil {
		return t, err
	}
	return t, fromText(mapping, &t.Mapping)
}

// collect scans and closes rows.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
