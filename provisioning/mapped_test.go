package provisioning_test

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// mapTo maps the attributes of the world, with more rules.
func (l *lab) mapTo(more ...provisioning.AttributeMapping) {
	l.Helper()
	l.target(func(x *provisioning.Target) {
		x.Mapping = append([]provisioning.AttributeMapping{{Attribute: "owner", Source: "user.id"}, {Attribute: "login", Source: "user.login"}}, more...)
	})
}

// rename gives a user another e-mail address, and has that carried out.
func (l *lab) rename(user provisioning.UserID, email string) {
	l.Helper()
	l.people.edit(user, func(p *provisioning.Profile) { p.Email = email })
	l.ok(l.lifecycle.Changed(l.Context(), user))
	l.drain()
}

func TestExpressionIsKeptInStep(t *testing.T) {
	l := liteLab(t)
	l.mapTo(provisioning.AttributeMapping{Attribute: "email", Expression: "user.email.upper()"})
	l.start("ann")
	l.drain()
	l.rename("ann", "new@example.com")
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeUpdated, "")
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "NEW@EXAMPLE.COM" {
		t.Errorf("email = %q", got)
	}
}

func TestOnCreateIsNeverSentAgain(t *testing.T) {
	l := liteLab(t)
	l.mapTo(provisioning.AttributeMapping{Attribute: "email", Expression: "user.email", Apply: "on_create"})
	l.start("ann")
	l.drain()
	l.world.took()
	l.rename("ann", "new@example.com")
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeUnchanged, "")
	l.calls(map[string]int{})
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "ann@example.com" {
		t.Errorf("email = %q, want what the account was made with", got)
	}
}

func TestOnUpdateIsNotSentWithANewAccount(t *testing.T) {
	l := liteLab(t)
	l.mapTo(provisioning.AttributeMapping{Attribute: "email", Source: "user.email", Apply: "on_update"})
	l.start("ann")
	l.drain()
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "" {
		t.Errorf("a new account has the email %q", got)
	}
	if drift := (reconciling{l, &listing{world: l.world}}).run(false); drift.Total() != 0 {
		t.Errorf("what no update has sent is drift: %+v", drift.Drifts)
	}
	l.rename("ann", "new@example.com")
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "new@example.com" {
		t.Errorf("email = %q after an update", got)
	}
}

func TestOmittedIsLeftAsItIs(t *testing.T) {
	l := liteLab(t)
	l.mapTo(provisioning.AttributeMapping{Attribute: "email", Source: "user.email", OnNull: "omit"})
	l.start("ann")
	l.drain()
	l.rename("ann", "")
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "ann@example.com" {
		t.Errorf("email = %q, want what it was", got)
	}
}

func TestFailingExpressionNamesTheAttribute(t *testing.T) {
	l := liteLab(t)
	l.mapTo(provisioning.AttributeMapping{Attribute: "email", Expression: "user.claims['mail'][0]"})
	l.start("ann")
	l.drain()
	a := l.state("ann", provisioning.StateFailed, "", sdk.KindInvalid)
	if a.Field != "email" || !strings.Contains(a.Detail, "at 1:1: there is no such key") {
		t.Errorf("failed with %q of %s", a.Detail, a.Field)
	}
	l.calls(map[string]int{})
}

// A key that only a new account gets finds the account that is there.
func TestOnCreateKeyAdopts(t *testing.T) {
	l := liteLab(t)
	l.target(func(x *provisioning.Target) {
		x.Mapping = []provisioning.AttributeMapping{{Attribute: "login", Expression: "user.email.split('@')[0]", Apply: "on_create"}}
	})
	l.world.plant(sdk.Attributes{"login": "ann"}, true)
	l.start("ann")
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeAdopted, "")
}
