package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func ruleSets(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("revisions", ruleSetRevisions(open))
	t.Run("in use", ruleSetInUse(open))
	t.Run("put at the same time", ruleSetContended(open))
	t.Run("a change asks anew", ruleSetAskedAnew(open))
	t.Run("skipped", skipped(open))
}

func staff(source string) rules.RuleSet {
	return rules.RuleSet{
		Name: "staff", Language: rules.LanguageXACML, Source: source, Policies: []string{"<a/>", "<b/>"},
		DefaultDecision: rules.DefaultPermit, Timezone: "Europe/Berlin", WSO2: true,
	}
}

func (f fixture) putRuleSet(set rules.RuleSet) int64 {
	f.Helper()
	revision, err := f.RuleSets.Put(f.Context(), set, Epoch())
	f.ok(err)
	return revision
}

func ruleSetRevisions(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		first, second := staff("<one/>"), staff("<two/>")
		got := []int64{f.putRuleSet(first), f.putRuleSet(first), f.putRuleSet(second), f.putRuleSet(first)}
		f.equal("revisions", []int64{1, 1, 2, 3}, got)
		stored := func(s rules.RuleSet, revision int64) provisioning.StoredRuleSet {
			s.Revision = revision
			return provisioning.StoredRuleSet{RuleSet: s, CreatedAt: Epoch()}
		}
		history, err := f.RuleSets.History(t.Context(), "staff")
		f.ok(err)
		f.equal("history", []provisioning.StoredRuleSet{stored(first, 3), stored(second, 2), stored(first, 1)}, history)
		list, err := f.RuleSets.List(t.Context())
		f.ok(err)
		f.equal("list", history[:1], list)
		heads, err := f.RuleSets.Current(t.Context(), []string{"staff", "Staff", "none"})
		f.ok(err)
		f.equal("heads", map[string]provisioning.RuleSetHead{"staff": {Name: "staff", Revision: 3, Digest: first.Digest()}}, heads)
		f.ok(f.RuleSets.Delete(t.Context(), "staff"))
		f.is(f.RuleSets.Delete(t.Context(), "staff"), provisioning.ErrRuleSetNotFound)
		_, err = f.RuleSets.Get(t.Context(), "staff", 0)
		f.is(err, provisioning.ErrRuleSetNotFound)
		old, err := f.RuleSets.Get(t.Context(), "staff", 2)
		f.ok(err)
		f.equal("a revision of a deleted set", stored(second, 2), old)
		f.equal("put again", int64(4), f.putRuleSet(first))
	}
}

func ruleSetInUse(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		b := provisioning.NewBinding("app", "dir")
		b.EnableRules, b.RuleSets = true, []string{"staff"}
		f.is(f.Bindings.Put(t.Context(), b), provisioning.ErrRuleSetNotFound)
		f.putRuleSet(staff("<one/>"))
		f.ok(f.Bindings.Put(t.Context(), b))
		f.is(f.RuleSets.Delete(t.Context(), "staff"), provisioning.ErrRuleSetInUse)
		got, err := f.Bindings.Standings(t.Context(), "app", "ann")
		f.ok(err)
		f.equal("the binding of a standing", b, got[0].Binding)
		f.equal("the connector of a standing", "scim2", got[0].Connector)
		b.EnableRules, b.RuleSets = false, nil
		f.ok(f.Bindings.Put(t.Context(), b))
		f.ok(f.RuleSets.Delete(t.Context(), "staff"))
	}
}

func ruleSetContended(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := f.RuleSets.Put(f.Context(), staff(fmt.Sprintf("<s%d/>", i)), Epoch()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		history, err := f.RuleSets.History(t.Context(), "staff")
		f.ok(err)
		if len(history) != 8 || history[0].Revision != 8 {
			t.Errorf("8 different sets have %d revisions, the latest is %d", len(history), history[0].Revision)
		}
	}
}

func ruleSetAskedAnew(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		b := provisioning.NewBinding("app", "dir")
		b.EnableRules, b.RuleSets = true, []string{"staff"}
		joined := provisioning.Sweep{Target: "dir", Cause: provisioning.SweepJoined, Client: "app"}
		swept := func(what string, want provisioning.Sweep) {
			f.Helper()
			f.equal(what, want, f.next())
			f.ok(f.Sweeps.Reached(t.Context(), joined, ""))
		}
		f.putRuleSet(staff("<one/>"))
		other := staff("<one/>")
		other.Name = "other"
		f.putRuleSet(other)
		f.ok(f.Bindings.Put(t.Context(), b))
		swept("after a new binding", joined)
		f.putRuleSet(staff("<one/>"))
		swept("after the same set", provisioning.Sweep{})
		f.putRuleSet(staff("<two/>"))
		swept("after another revision", joined)
		b.RuleSets = []string{"staff", "other"}
		f.ok(f.Bindings.Put(t.Context(), b))
		swept("after other sets", joined)
		f.ok(f.Bindings.Put(t.Context(), b))
		swept("after the same binding", provisioning.Sweep{})
	}
}

// skipped shows an account that rules said no to: it is not due, and becomes due
// when somebody wants it again.
func skipped(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		skip := func(at time.Time) {
			f.Helper()
			leases := f.claim("worker", at)
			if len(leases) != 1 {
				t.Fatalf("%d accounts are due, want ann's", len(leases))
			}
			a := leases[0].Account
			a.State, a.AppliedRev, a.Attempts, a.Outcome = provisioning.StateAbsent, a.DesiredRev, 0, provisioning.OutcomeSkipped
			a.NextAttemptAt, a.UpdatedAt = time.Time{}, at
			f.ok(f.Accounts.Finish(t.Context(), leases[0], provisioning.Result{Rev: a.DesiredRev, Account: a}))
			if a := f.account("ann"); !a.Skipped() || a.Usable() {
				t.Errorf("account = %+v, want one that was skipped", a)
			}
		}
		wish := provisioning.Wish{User: "ann", Client: "app", Targets: []provisioning.TargetName{"dir"}, Trigger: provisioning.TriggerSignIn, Decision: "d1"}
		f.want("ann", Epoch())
		skip(Epoch())
		f.equal("leave of what was not asked about", true, f.account("ann").RuledAt.IsZero())
		at := Epoch().Add(time.Minute)
		f.ok(f.Accounts.Want(t.Context(), wish, at))
		if a := f.account("ann"); a.InSync() || !a.NextAttemptAt.Equal(at) || !a.RuledAt.Equal(at) || a.Decision != "d1" {
			t.Errorf("account = %+v, want one that is due, permitted by d1", a)
		}
		skip(at)
		f.ok(f.Accounts.Hasten(t.Context(), "ann", wish.Targets, at.Add(time.Minute)))
		if a := f.account("ann"); !a.NextAttemptAt.IsZero() {
			t.Errorf("account = %+v, want that nobody hastens what rules said no to", a)
		}
	}
}
