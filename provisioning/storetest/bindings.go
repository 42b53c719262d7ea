package storetest

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func bindings(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("round trip and order", func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(full("a"))
		second := provisioning.Binding{
			Client: "app", Target: "a", Blocking: true, EnableRules: true, Timeout: 1500 * time.Millisecond,
			OnCreateFailure: provisioning.FailureAllow, OnUpdateFailure: provisioning.FailureDeny,
			OnRuleDeny: provisioning.RuleRefuse, OnRuleError: provisioning.RuleSkip, OnLoss: provisioning.LossDelete,
			OnRefresh: provisioning.RefreshEnsure, ReportOnly: true, Position: 2,
		}
		first := provisioning.NewBinding("app", "dir")
		other := provisioning.NewBinding("App", "dir")
		for _, b := range []provisioning.Binding{second, first, other} {
			f.ok(f.Bindings.Put(t.Context(), b))
		}
		got, err := f.Bindings.ByClient(t.Context(), "app")
		f.ok(err)
		f.equal("by client", []provisioning.Binding{first, second}, got)
		first.Blocking = true
		f.ok(f.Bindings.Put(t.Context(), first))
		got, err = f.Bindings.List(t.Context())
		f.ok(err)
		f.equal("list", []provisioning.Binding{other, first, second}, got)
	})
	t.Run("refusals", func(t *testing.T) {
		f := setUp(t, open)
		f.is(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "none")), provisioning.ErrTargetNotFound)
		f.is(f.Bindings.Delete(t.Context(), "app", "dir"), provisioning.ErrBindingNotFound)
	})
	t.Run("standings", func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(full("a"))
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "dir")))
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "a")))
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("other", "dir")))
		ann := f.settle("ann", "x1", Epoch())
		f.settle("ben", "x2", Epoch())
		got, err := f.Bindings.Standings(t.Context(), "app", "ann")
		f.ok(err)
		if len(got) != 2 || got[0].Account != nil || got[1].Account == nil {
			t.Fatalf("standings = %+v, want a without an account and dir with one", got)
		}
		a := *got[1].Account
		if !a.Usable() || a.User != "ann" || a.ExternalID != ann.ExternalID || a.DesiredRev != 1 || !a.UpdatedAt.Equal(Epoch()) {
			t.Errorf("account = %+v, want ann's, usable", a)
		}
	})
}
