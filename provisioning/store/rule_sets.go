package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// RuleSets stores rule sets with every revision they had.
type RuleSets struct{ db *sqldb.DB }

// NewRuleSets returns the rule set store of db.
func NewRuleSets(db *sqldb.DB) *RuleSets { return &RuleSets{db} }

const revisionColumns = `v.name, v.revision, v.language, v.source, v.policies, v.default_decision, v.timezone, v.wso2, v.created_at`

// current joins each rule set that was not deleted with its current revision.
const current = ` FROM rule_set s JOIN rule_set_revision v ON v.name = s.name AND v.revision = s.revision WHERE NOT s.deleted`

// Put stores a rule set as a new revision, unless the current one is the same, and
// returns the number of the current revision. The bindings that use the set then
// ask it anew, in the background, about users who belong to their applications and
// have no account.
func (s *RuleSets) Put(ctx context.Context, set rules.RuleSet, now time.Time) (int64, error) {
	var revision int64
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		digest, deleted, err := s.lock(ctx, set.Name, &revision)
		if err != nil || !deleted && digest == set.Digest() {
			return err
		}
		revision++
		if err := s.add(ctx, set, revision, now); err != nil {
			return err
		}
		return s.askAnew(ctx, set.Name)
	})
	if err != nil {
		return 0, fmt.Errorf("put rule set %s: %w", set.Name, err)
	}
	return revision, nil
}

// lock makes the set's row if there is none and keeps others from it. It returns
// the digest of the current revision, "" if there is none.
func (s *RuleSets) lock(ctx context.Context, name string, revision *int64) (digest string, deleted bool, err error) {
	err = s.db.ReturningRow(ctx, `INSERT INTO rule_set (name, revision, deleted) VALUES ($1, 0, FALSE)
		ON CONFLICT (name) DO UPDATE SET revision = rule_set.revision RETURNING revision, deleted`, name).Scan(revision, &deleted)
	if err != nil || *revision == 0 {
		return "", deleted, err
	}
	err = s.db.QueryRow(ctx, "SELECT digest FROM rule_set_revision WHERE name = $1 AND revision = $2", name, *revision).Scan(&digest)
	return digest, deleted, err
}

func (s *RuleSets) add(ctx context.Context, set rules.RuleSet, revision int64, now time.Time) error {
	policies, err := text(set.Policies)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO rule_set_revision (name, revision, digest, language, source, policies, default_decision, timezone, wso2, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		set.Name, revision, set.Digest(), set.Language, set.Source, policies, set.DefaultDecision, set.Timezone, set.WSO2, sqldb.Micros(now))
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, "UPDATE rule_set SET revision = $2, deleted = FALSE WHERE name = $1", set.Name, revision)
	return err
}

func (s *RuleSets) askAnew(ctx context.Context, name string) error {
	bindings, err := s.users(ctx, name)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if !b.EnableRules {
			continue
		}
		err := beginSweep(ctx, s.db, provisioning.Sweep{Target: b.Target, Cause: provisioning.SweepJoined, Client: b.Client})
		if err != nil {
			return err
		}
	}
	return nil
}

// users returns the bindings that name a rule set.
func (s *RuleSets) users(ctx context.Context, name string) ([]provisioning.Binding, error) {
	all, err := NewBindings(s.db).list(ctx, "SELECT "+bindingColumns+" FROM binding WHERE rule_sets <> '[]' ORDER BY client_id, target")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(b provisioning.Binding) bool { return !slices.Contains(b.RuleSets, name) }), nil
}

// Current returns the current revision and the digest of the named sets that are
// there, without their sources.
func (s *RuleSets) Current(ctx context.Context, names []string) (map[string]provisioning.RuleSetHead, error) {
	if len(names) == 0 {
		return nil, nil
	}
	args, marks := make([]any, len(names)), make([]string, len(names))
	for i, name := range names {
		args[i], marks[i] = name, fmt.Sprintf("$%d", i+1)
	}
	rows, err := s.db.Query(ctx, "SELECT v.name, v.revision, v.digest"+current+" AND s.name IN ("+strings.Join(marks, ", ")+")", args...)
	if err != nil {
		return nil, fmt.Errorf("read rule sets: %w", err)
	}
	heads, err := collect(rows, func(row scanner) (provisioning.RuleSetHead, error) {
		var h provisioning.RuleSetHead
		return h, row.Scan(&h.Name, &h.Revision, &h.Digest)
	})
	if err != nil {
		return nil, fmt.Errorf("read rule sets: %w", err)
	}
	out := make(map[string]provisioning.RuleSetHead, len(heads))
	for _, h := range heads {
		out[h.Name] = h
	}
	return out, nil
}

// Get returns a revision of a rule set, also one of a deleted set; revision 0 is
// the current one of a set that is there. It returns
// [provisioning.ErrRuleSetNotFound].
func (s *RuleSets) Get(ctx context.Context, name string, revision int64) (provisioning.StoredRuleSet, error) {
	query, args := "SELECT "+revisionColumns+" FROM rule_set_revision v WHERE v.name = $1 AND v.revision = $2", []any{name, revision}
	if revision == 0 {
		query, args = "SELECT "+revisionColumns+current+" AND s.name = $1", []any{name}
	}
	out, err := scanRuleSet(s.db.QueryRow(ctx, query, args...))
	if sqldb.IsNoRows(err) {
		return out, fmt.Errorf("%w: %s", provisioning.ErrRuleSetNotFound, name)
	}
	if err != nil {
		return out, fmt.Errorf("read rule set: %w", err)
	}
	return out, nil
}

// List returns the current revision of every rule set, by name.
func (s *RuleSets) List(ctx context.Context) ([]provisioning.StoredRuleSet, error) {
	return s.list(ctx, "SELECT "+revisionColumns+current+" ORDER BY v.name")
}

// History returns every revision of a rule set, the latest first.
func (s *RuleSets) History(ctx context.Context, name string) ([]provisioning.StoredRuleSet, error) {
	return s.list(ctx, "SELECT "+revisionColumns+" FROM rule_set_revision v WHERE v.name = $1 ORDER BY v.revision DESC", name)
}

func (s *RuleSets) list(ctx context.Context, query string, args ...any) ([]provisioning.StoredRuleSet, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list rule sets: %w", err)
	}
	out, err := collect(rows, scanRuleSet)
	if err != nil {
		return nil, fmt.Errorf("list rule sets: %w", err)
	}
	return out, nil
}

// Delete removes a rule set and keeps its revisions. It returns
// [provisioning.ErrRuleSetNotFound], and [provisioning.ErrRuleSetInUse] when a
// binding names it.
func (s *RuleSets) Delete(ctx context.Context, name string) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		users, err := s.users(ctx, name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fmt.Errorf("%w: the binding of %s to %s uses it", provisioning.ErrRuleSetInUse, users[0].Client, users[0].Target)
		}
		n, err := s.db.Exec(ctx, "UPDATE rule_set SET deleted = TRUE WHERE name = $1 AND NOT deleted", name)
		if err == nil && n == 0 {
			return provisioning.ErrRuleSetNotFound
		}
		return err
	})
	switch {
	case errors.Is(err, provisioning.ErrRuleSetNotFound), errors.Is(err, provisioning.ErrRuleSetInUse):
		return err
	case err != nil:
		return fmt.Errorf("delete rule set: %w", err)
	default:
		return nil
	}
}

func scanRuleSet(row scanner) (provisioning.StoredRuleSet, error) {
	var s provisioning.StoredRuleSet
	var policies string
	var created int64
	err := row.Scan(&s.Name, &s.Revision, &s.Language, &s.Source, &policies, &s.DefaultDecision, &s.Timezone, &s.WSO2, &created)
	if err != nil {
		return s, err
	}
	s.CreatedAt = sqldb.Time(created)
	return s, fromText(policies, &s.Policies)
}
