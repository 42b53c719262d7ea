package provisioning_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// in checks which groups the user's account is in.
func (l *lab) in(user provisioning.UserID, want ...string) {
	l.Helper()
	got := l.world.groups[l.account(user).ExternalID]
	if fmt.Sprint(got) != fmt.Sprint(want) {
		l.Errorf("%s is in %v, want %v", user, got, want)
	}
}

func (l *lab) join(user provisioning.UserID, groups ...string) {
	l.Helper()
	l.people.edit(user, func(p *provisioning.Profile) { p.Groups = groups })
	l.ok(l.lifecycle.Changed(l.Context(), user))
	l.drain()
}

func TestGroups(t *testing.T) {
	each(t, func(l *lab) {
		l.target(func(x *provisioning.Target) {
			x.Groups = map[string][]string{"engineering": {"eng-all"}, "ops": {"eng-all", "on-call"}}
			x.Mapping = []provisioning.AttributeMapping{{Attribute: "owner", Source: "user.id"}, {Attribute: "login", Source: "user.login"}, {Attribute: "email", Source: "user.email"}}
		})
		l.here("ann") // staff is not mapped: a new account is in no group
		if calls := l.world.took(); calls["set_groups"] != 0 {
			l.Errorf("calls = %v for no groups", calls)
		}
		l.join("ann", "ops", "engineering")
		l.calls(map[string]int{"get": 1, "set_groups": 1})
		l.in("ann", "eng-all", "on-call")
		if a := l.account("ann"); a.Outcome != provisioning.OutcomeUpdated {
			l.Errorf("outcome = %s, want updated", a.Outcome)
		}
		l.join("ann", "ops") // the same groups of the target
		l.calls(map[string]int{})
		l.join("ann")
		l.in("ann")
		l.world.took()
		l.toggled("ann", true) // back, with the groups it had
		l.calls(map[string]int{"get": 2, "set_active": 2})
	})
}

// Groups that could not be set are not taken for set.
func TestGroupsFail(t *testing.T) {
	each(t, func(l *lab) {
		l.target(func(x *provisioning.Target) { x.Groups = map[string][]string{"staff": {"everybody"}} })
		l.world.losing("set_groups", down())
		l.start("ann")
		l.runDue()
		l.state("ann", provisioning.StateRetrying, "", sdk.KindTransient)
		l.decided(request("ann"), provisioning.VerdictWait, provisioning.FailureUnavailable)
		l.world.failing("update", &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectUnknown})
		l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.runDue() // fails before it comes to the groups
		l.world.mend()
		l.world.took()
		l.drain()
		l.in("ann", "everybody")
		l.mirrors("ann", true)
		if calls := l.world.took(); calls["set_groups"] == 0 {
			l.Errorf("calls = %v, want the groups set again", calls)
		}
	})
}

func TestGroupsUnsupported(t *testing.T) {
	l := liteLab(t)
	l.world.noGroups = true
	l.target(func(x *provisioning.Target) { x.Groups = map[string][]string{"staff": {"everybody"}} })
	l.here("ann")
	if a := l.account("ann"); a.State != provisioning.StateFailed || a.Kind != sdk.KindUnsupported || a.Field != "groups" {
		t.Errorf("account = %+v, want it failed as unsupported", a)
	}
	l.disable("ann") // it must still be possible to leave
	l.drain()
	if n := len(l.world.of("ann")); n != 0 {
		t.Errorf("%d accounts, want none", n)
	}
}

func TestTargetGroups(t *testing.T) {
	target := provisioning.Target{Groups: map[string][]string{"engineering": {"eng-all", "all"}, "sales": {"all"}}}
	if diff := cmp.Diff([]string{"all", "eng-all"}, target.TargetGroups([]string{"sales", "engineering", "unknown"})); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got := target.TargetGroups(nil); got == nil || len(got) != 0 {
		t.Errorf("groups of nobody = %#v, want an empty list", got)
	}
}
