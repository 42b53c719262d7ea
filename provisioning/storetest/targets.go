package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

func full(name provisioning.TargetName) provisioning.Target {
	return provisioning.Target{
		Name: name, Connector: "scim2", Config: json.RawMessage(`{"base_url":"http://x","depth":2}`),
		Secrets: map[string]sdk.Secret{"token": "t0k", "key": "k3y"},
		Mapping: []provisioning.AttributeMapping{
			{Attribute: "userName", Unique: &provisioning.Unique{Candidates: []string{"user.login", "user.email"}, Suffix: &provisioning.Suffix{Start: 0, Max: 9}}},
			{Attribute: "kind", Constant: "staff"}, {Attribute: "uid", UUID: true},
			{Attribute: "title", Expression: "maps.titles.get(user.login, '')", Apply: "on_create", OnNull: "default", Default: []any{"x"}, OnError: "omit"},
		},
		Maps:         map[string]map[string]string{"titles": {"ann": "Dr."}},
		Groups:       map[string][]string{"staff": {"everybody", "all"}},
		Adopt:        provisioning.AdoptNever,
		OnUserDelete: provisioning.DeleteDelete, MaxConcurrency: 7, RatePerMinute: 90,
	}
}

func targets(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("round trip", func(t *testing.T) {
		f := setUp(t, open)
		put := f.putTarget(full("b"))
		got, err := f.Targets.Get(t.Context(), "b")
		f.ok(err)
		want := full("b")
		want.Revision = 1
		f.equal("put", want, put)
		f.equal("get", want, got)
		if got.Secrets["token"].Reveal() != "t0k" {
			t.Error("the secret did not survive")
		}
		_, err = f.Targets.Get(t.Context(), "B")
		f.is(err, provisioning.ErrTargetNotFound)
	})
	t.Run("names sort by bytes", func(t *testing.T) {
		f := setUp(t, open)
		for _, name := range []provisioning.TargetName{"a", "B", "ä", "b-1", "b.0"} {
			f.putTarget(provisioning.Target{Name: name, Connector: "x"})
		}
		list, err := f.Targets.List(t.Context())
		f.ok(err)
		var names []provisioning.TargetName
		for _, target := range list {
			names = append(names, target.Name)
		}
		f.equal("order", []provisioning.TargetName{"B", "a", "b-1", "b.0", "dir", "ä"}, names)
	})
	t.Run("revision", targetRevision(open))
	t.Run("due", targetDue(open))
	t.Run("delete", targetDelete(open))
	t.Run("moved secret", func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(full("b"))
		_, err := f.db.Exec(t.Context(), "UPDATE target_secret SET name = 'other' WHERE name = 'token'")
		f.ok(err)
		if _, err := f.Targets.Get(t.Context(), "b"); err == nil {
			t.Error("a secret moved to another row was opened")
		}
	})
	t.Run("bad config", func(t *testing.T) {
		f := setUp(t, open)
		_, err := f.Targets.Put(t.Context(), provisioning.Target{Name: "b", Connector: "x", Config: json.RawMessage(`[1]`)}, Epoch())
		if err == nil {
			t.Error("a config that is no object was taken")
		}
	})
}

func targetRevision(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		steps := []struct {
			name   string
			change func(*provisioning.Target)
			want   int64
		}{
			{"new", func(*provisioning.Target) {}, 1},
			{"the same", func(*provisioning.Target) {}, 1},
			{"the same, formatted otherwise", func(x *provisioning.Target) { x.Config = json.RawMessage(`{"depth": 2, "base_url": "http://x"}`) }, 1},
			{"limits", func(x *provisioning.Target) { x.MaxConcurrency, x.RatePerMinute, x.Maintenance = 1, 2, true }, 1},
			{"adopt", func(x *provisioning.Target) { x.Adopt = provisioning.AdoptAlways }, 1},
			{"config", func(x *provisioning.Target) { x.Config = json.RawMessage(`{}`) }, 2},
			{"secret", func(x *provisioning.Target) { x.Secrets = map[string]sdk.Secret{"token": "new"} }, 3},
			{"mapping", func(x *provisioning.Target) { x.Mapping = nil }, 4},
			{"groups", func(x *provisioning.Target) { x.Groups = nil }, 5},
			{"maps", func(x *provisioning.Target) { x.Maps = nil }, 6},
			{"connector", func(x *provisioning.Target) { x.Connector = "ldap" }, 7},
		}
		target := full("b")
		for _, s := range steps {
			s.change(&target)
			if got := f.putTarget(target).Revision; got != s.want {
				t.Errorf("%s: revision = %d, want %d", s.name, got, s.want)
			}
		}
	}
}

func targetDue(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.settle("ann", "x1", Epoch())
		f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", Adopt: provisioning.AdoptAlways})
		if a := f.account("ann"); !a.NextAttemptAt.IsZero() || !a.InSync() {
			t.Errorf("a policy made an account due that is in sync: %+v", a)
		}
		f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", Config: json.RawMessage(`{"a":1}`)})
		a := f.account("ann")
		if !a.NextAttemptAt.Equal(Epoch()) || a.DesiredRev != 2 || a.State != provisioning.StatePending || len(a.Sent) != 0 {
			t.Errorf("after a changed config: %+v, want it due at revision 2 with nothing sent", a)
		}
		for _, l := range f.claim("w", Epoch()) {
			failed := l.Account
			failed.State, failed.NextAttemptAt = provisioning.StateFailed, time.Time{}
			f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 2, Account: failed}))
		}
		f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", Config: json.RawMessage(`{"a":1}`), Adopt: provisioning.AdoptNever})
		if a := f.account("ann"); a.NextAttemptAt.IsZero() || a.State != provisioning.StatePending || a.DesiredRev != 2 {
			t.Errorf("after a changed policy: %+v, want the failed account due at the same revision", a)
		}
	}
}

func targetDelete(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.is(f.Targets.Delete(t.Context(), "none"), provisioning.ErrTargetNotFound)
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "dir")))
		f.is(f.Targets.Delete(t.Context(), "dir"), provisioning.ErrTargetInUse)
		f.ok(f.Bindings.Delete(t.Context(), "app", "dir"))
		f.settle("ann", "x1", Epoch())
		f.is(f.Targets.Delete(t.Context(), "dir"), provisioning.ErrTargetInUse)
		f.putTarget(full("b"))
		f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: "ann", Targets: []provisioning.TargetName{"b"}, Trigger: provisioning.TriggerSignIn}, Epoch()))
		f.ok(f.Targets.Delete(t.Context(), "b"))
		_, err := f.Accounts.Get(t.Context(), "ann", "b")
		f.is(err, provisioning.ErrAccountNotFound)
	}
}
