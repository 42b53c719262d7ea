package contract

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func created(l *lab) {
	p := l.person()
	l.want(p)
	l.sent(Create, 1, func() { l.settle() })
	l.reached(p, provisioning.OutcomeCreated)
	if got := l.mirrored(p); !got.Active {
		l.Error("the new account is not active")
	}
}

// sameAgain wants 0 writes when the target is read, and 0 requests of any kind
// when nothing gives a reason to read.
func sameAgain(l *lab) {
	p := l.created()
	l.sent(Write, 0, func() {
		l.look(p)
		l.settle()
	})
	l.reached(p, provisioning.OutcomeUnchanged)
	l.sent(Any, 0, func() {
		l.edit(&p, func(*provisioning.Profile) {})
		l.settle()
	})
	l.reached(p, provisioning.OutcomeUnchanged)
	l.mirrored(p)
}

func attributeChanged(l *lab) {
	p := l.created()
	id := l.account(p).ExternalID
	l.edit(&p, func(p *provisioning.Profile) { *l.field(p, l.server.Changes) = "Grace" })
	l.sent(Write, 1, func() { l.settle() })
	if a := l.reached(p, provisioning.OutcomeUpdated); a.ExternalID != id {
		l.Errorf("the change moved the link from %s to %s", id, a.ExternalID)
	}
	l.mirrored(p)
	if diff := cmp.Diff([]string{l.server.Changes}, l.attempts(p)[0].Changed); diff != "" {
		l.Errorf("attributes sent (-want +got):\n%s", diff)
	}
}

func attributeRemoved(l *lab) {
	p := l.created()
	l.edit(&p, func(p *provisioning.Profile) { *l.field(p, l.server.Clears) = "" })
	l.settle()
	l.reached(p, provisioning.OutcomeUpdated)
	l.mirrored(p)
	l.sent(Write, 0, func() { // what is gone is not removed again
		l.look(p)
		l.settle()
	})
}

// meets has the user meet an account that is there.
func (l *lab) meets(policy provisioning.AdoptPolicy, owner string) (p provisioning.Profile, id string, before []Account) {
	l.Helper()
	l.target(target, func(t *provisioning.Target) { t.Adopt = policy })
	p = l.person()
	id = l.stranger(p, owner)
	before = l.system.Accounts(l.T, p.Login)
	if len(before) != 1 || before[0].ID != id || before[0].Owner != owner {
		l.Fatalf("the server has %+v, want the account %s of %q", before, id, owner)
	}
	l.want(p)
	return p, id, before
}

func (l *lab) refuses(p provisioning.Profile, before []Account) {
	l.Helper()
	l.sent(Write, 0, func() { l.settle() })
	if a := l.failed(p, sdk.KindConflict); a.State != provisioning.StateFailed || a.ExternalID != "" {
		l.Errorf("the account is %s with the id %q, want it failed without a link", a.State, a.ExternalID)
	}
	l.untouched(p.Login, before)
}

func (l *lab) adopts(p provisioning.Profile, id string) {
	l.Helper()
	l.sent(Create, 0, func() { l.settle() })
	if a := l.reached(p, provisioning.OutcomeAdopted); a.ExternalID != id || !a.Adopted || a.Created {
		l.Errorf("the link is %q, adopted %v; want %q, adopted", a.ExternalID, a.Adopted, id)
	}
	l.mirrored(p)
}

// another is somebody whom Anteroom does not know.
func another() string { return uuid.NewString() }

func adoptNever(l *lab) {
	p, _, before := l.meets(provisioning.AdoptNever, "")
	l.refuses(p, before)
}

func adoptUnclaimed(l *lab) {
	p, id, _ := l.meets(provisioning.AdoptIfUnclaimed, "")
	l.adopts(p, id)
}

func foreign(l *lab) {
	p, _, before := l.meets(provisioning.AdoptIfUnclaimed, another())
	l.refuses(p, before)
}

func adoptAlways(l *lab) {
	p, id, _ := l.meets(provisioning.AdoptAlways, another())
	l.adopts(p, id)
}

func invisible(l *lab) {
	p := l.person()
	l.system.Occupy(l.T, l.link, p.Login)
	before := l.system.Accounts(l.T, p.Login)
	l.want(p)
	l.sent(Create, 1, func() { l.settle() })
	if a := l.failed(p, sdk.KindConflict); a.State != provisioning.StateFailed || a.ExternalID != "" {
		l.Errorf("the account is %s with the id %q, want it failed without a link", a.State, a.ExternalID)
	}
	l.untouched(p.Login, before)
}

func renamed(l *lab) {
	p := l.created()
	old, id := p.Login, l.account(p).ExternalID
	l.edit(&p, func(p *provisioning.Profile) { p.Login = l.person().Login })
	l.sent(Create, 0, func() { l.settle() })
	if a := l.reached(p, provisioning.OutcomeUpdated); a.ExternalID != id {
		l.Errorf("the rename moved the link from %s to %s", id, a.ExternalID)
	}
	l.mirrored(p)
	l.untouched(old, l.system.Accounts(l.T, "nobody-has-this-login"))
	l.sent(Write, 0, func() {
		l.look(p)
		l.settle()
	})
	l.reached(p, provisioning.OutcomeUnchanged)
}

func renamedToTaken(l *lab) {
	p, other := l.created(), l.created()
	own, id := p.Login, l.account(p).ExternalID
	before := l.system.Accounts(l.T, other.Login)
	l.edit(&p, func(p *provisioning.Profile) { p.Login = other.Login })
	l.settle()
	if a := l.failed(p, sdk.KindConflict); a.ExternalID != id || a.State != provisioning.StateFailed {
		l.Errorf("the account is %s with the id %q, want it failed and linked to %q still", a.State, a.ExternalID, id)
	}
	l.untouched(other.Login, before)
	l.edit(&p, func(p *provisioning.Profile) { p.Login = own })
	l.settle()
	l.reached(p)
	l.mirrored(p)
}

func reactivated(l *lab) {
	p := l.created()
	id := l.account(p).ExternalID
	for _, active := range []bool{false, true} {
		p.Active = active
		l.people.put(p)
		change := l.lifecycle.Disabled
		if active {
			change = l.lifecycle.Enabled
		}
		l.ok(change(l.Context(), p.ID))
		l.settle()
		a := l.account(p)
		want := map[bool]provisioning.State{false: provisioning.StateSuspended, true: provisioning.StateInSync}[active]
		if a.State != want || a.ExternalID != id {
			l.Fatalf("the account is %s (%s %s) with the id %s, want %s with %s", a.State, a.Kind, a.Detail, a.ExternalID, want, id)
		}
		if got := l.mirrored(p); got.Active != active {
			l.Errorf("the server's account is active %v, want %v", got.Active, active)
		}
	}
}

func deleted(l *lab) {
	l.target(target, func(t *provisioning.Target) { t.OnUserDelete = provisioning.DeleteDelete })
	p := l.created()
	l.ok(l.lifecycle.Deleted(l.Context(), p.ID))
	l.settle()
	if a := l.account(p); a.State != provisioning.StateAbsent || a.Outcome != provisioning.OutcomeDeleted {
		l.Errorf("the account is %s, %q (%s %s), want it absent, deleted", a.State, a.Outcome, a.Kind, a.Detail)
	}
	if found := l.system.Accounts(l.T, p.Login); len(found) != 0 {
		l.Errorf("the server still has %+v", found)
	}
}

func vanished(l *lab) {
	p := l.created()
	l.system.Remove(l.T, l.account(p).ExternalID)
	l.look(p)
	l.sent(Create, 1, func() { l.settle() })
	l.reached(p, provisioning.OutcomeCreated)
	l.mirrored(p)
}

func groups(l *lab) {
	system, ok := l.system.(Groups)
	if !ok {
		l.Fatal("the connector sets groups: the system must tell who is in them")
	}
	suffix := l.person().ID[:8]
	first, second := system.MakeGroup(l.T, "first-"+string(suffix)), system.MakeGroup(l.T, "second-"+string(suffix))
	l.target(target, func(t *provisioning.Target) {
		t.Groups = map[string][]string{"one": {first}, "both": {first, second}}
	})
	other := l.person()
	other.Groups = []string{"both"}
	l.people.put(other)
	l.want(other)
	p := l.created()
	l.settle()
	for _, step := range []struct {
		group   string // of the user
		in, not []string
	}{{"both", []string{first, second}, nil}, {"one", []string{first}, []string{second}}, {"", nil, []string{first, second}}} {
		l.edit(&p, func(p *provisioning.Profile) { p.Groups = []string{step.group} })
		l.settle()
		id := l.reached(p).ExternalID
		l.members(system, id, step.in, 1)
		l.members(system, id, step.not, 0)
		l.sent(Write, 0, func() { // to see that all is as it should be needs no write
			l.look(p)
			l.settle()
		})
		l.members(system, id, step.in, 1)
	}
	l.members(system, l.reached(other).ExternalID, []string{first, second}, 1)
}

func (l *lab) members(system Groups, id string, groups []string, want int) {
	l.Helper()
	for _, g := range groups {
		members := system.Members(l.T, g)
		n := 0
		for _, m := range members {
			if m == id {
				n++
			}
		}
		if n != want {
			l.Errorf("%s is %d times in group %s, want %d: %v", id, n, g, want, slices.Sorted(slices.Values(members)))
		}
	}
}
