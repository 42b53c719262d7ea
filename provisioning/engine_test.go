package provisioning_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func lost() error {
	return &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown, Message: "no answer"}
}

func down() error {
	return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "down"}
}

func TestCreateThenUnchangedThenUpdate(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	if !a.Created || a.Adopted || a.CreateSent || a.ExternalID != "x1" || a.Attempts != 0 {
		t.Errorf("account = %+v, want one we created", a)
	}
	l.mirrors("ann", true)
	l.calls(map[string]int{"lookup": 2, "create": 1})

	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeUnchanged, "")
	l.calls(map[string]int{})

	l.people.edit("ann", func(p *provisioning.Profile) { p.Email, p.Groups = "new@example.com", nil })
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeUpdated, "")
	l.mirrors("ann", true)
	l.calls(map[string]int{"get": 1, "update": 1})
	if last := l.attempts("ann")[0]; len(last.Changed) != 2 || last.Changed[0] != "email" || last.Changed[1] != "groups" {
		t.Errorf("changed = %v, want email and groups", last.Changed)
	}
}

func TestUpdateWithoutGetSendsOnlyWhatDiffers(t *testing.T) {
	l := liteLab(t)
	l.world.noGet = true
	l.start("ann")
	l.drain()
	l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.world.took()
	l.drain()
	l.mirrors("ann", true)
	l.calls(map[string]int{"update": 1})
	if last := l.attempts("ann")[0]; len(last.Changed) != 1 || last.Changed[0] != "email" {
		t.Errorf("changed = %v, want email alone", last.Changed)
	}
	l.world.accounts = map[string]*sdk.Account{} // gone: found out by the update
	l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "newer@example.com" })
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.drain()
	l.mirrors("ann", true)
}

func TestCreateOnlyAttributeIsNeverUpdated(t *testing.T) {
	l := liteLab(t)
	l.people.edit("ann", func(p *provisioning.Profile) { p.Claims = map[string][]string{"origin": {"web"}} })
	l.start("ann")
	l.drain()
	l.people.edit("ann", func(p *provisioning.Profile) { p.Claims = map[string][]string{"origin": {"app"}} })
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.drain()
	if got := l.world.of("ann")[0].Attributes.String("origin"); got != "web" {
		t.Errorf("origin = %q, want what it was created with", got)
	}
}

func TestVanishedAccountIsMadeAgain(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	l.world.accounts = map[string]*sdk.Account{}
	l.ok(l.lifecycle.Retry(t.Context(), "ann", "dir"))
	l.drain()
	a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	if a.ExternalID != "x2" {
		t.Errorf("external id = %s, want the new account's", a.ExternalID)
	}
	l.mirrors("ann", true)
}

func TestAdoption(t *testing.T) {
	unclaimed := sdk.Attributes{"login": "ANN", "email": "old@example.com"}
	foreign := sdk.Attributes{"login": "ann", "owner": "somebody"}
	ours := sdk.Attributes{"login": "renamed", "owner": "ann"}
	tests := []struct {
		name    string
		policy  provisioning.AdoptPolicy
		there   sdk.Attributes
		outcome provisioning.Outcome
		kind    sdk.Kind
	}{
		{"unclaimed, default", "", unclaimed, provisioning.OutcomeAdopted, ""},
		{"unclaimed, never", provisioning.AdoptNever, unclaimed, "", sdk.KindConflict},
		{"unclaimed, always", provisioning.AdoptAlways, unclaimed, provisioning.OutcomeAdopted, ""},
		{"foreign, default", "", foreign, "", sdk.KindConflict},
		{"foreign, never", provisioning.AdoptNever, foreign, "", sdk.KindConflict},
		{"foreign, always", provisioning.AdoptAlways, foreign, provisioning.OutcomeAdopted, ""},
		{"ours already, never", provisioning.AdoptNever, ours, provisioning.OutcomeAdopted, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := liteLab(t)
			l.target(func(x *provisioning.Target) { x.Adopt = tt.policy })
			l.world.plant(tt.there, false)
			l.start("ann")
			l.drain()
			if tt.kind != "" {
				l.state("ann", provisioning.StateFailed, "", tt.kind)
				l.calls(map[string]int{"lookup": 2})
				return
			}
			a := l.state("ann", provisioning.StateInSync, tt.outcome, "")
			if !a.Adopted || a.Created {
				t.Errorf("account = %+v, want an adopted one", a)
			}
			l.mirrors("ann", true)
		})
	}
}

func TestAccountOfAnotherUserIsNeverAdopted(t *testing.T) {
	l := liteLab(t)
	l.world.declared[0].Owner = false // nothing in the target says whose it is
	l.world.declared[0].Source = ""
	l.target(func(x *provisioning.Target) { x.Adopt = provisioning.AdoptAlways })
	l.start("ann")
	l.drain()
	l.person("eve")
	l.people.edit("eve", func(p *provisioning.Profile) { p.Login = "ANN" })
	l.start("eve")
	l.drain()
	l.state("eve", provisioning.StateFailed, "", sdk.KindConflict)
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
}

func TestAmbiguous(t *testing.T) {
	l := liteLab(t)
	l.world.plant(sdk.Attributes{"login": "ann"}, true)
	l.world.plant(sdk.Attributes{"login": "Ann"}, true)
	d := l.start("ann")
	l.drain()
	a := l.state("ann", provisioning.StateFailed, "", sdk.KindAmbiguous)
	if a.Field != "login" {
		t.Errorf("field = %q, want login", a.Field)
	}
	d, err := l.gate.Look(t.Context(), d.Request)
	if l.ok(err); d.Verdict != provisioning.VerdictDeny || d.Failure != provisioning.FailureOf(sdk.KindAmbiguous) {
		t.Errorf("decision = %s %+v, want a denial for that", d.Verdict, d.Failure)
	}
}

func TestLookupAnswersAreVerified(t *testing.T) {
	l := liteLab(t)
	l.world.plant(sdk.Attributes{"login": "bob"}, true)
	superset := wrapped{world: l.world, lookup: func(sdk.LookupRequest) ([]sdk.Account, error) {
		return []sdk.Account{{ID: "x1", Attributes: sdk.Attributes{"login": "bob", "owner": nil}}}, nil
	}}
	l.engine = l.engineOn(l.Accounts, superset)
	l.start("ann")
	l.drain()
	if a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, ""); a.ExternalID == "x1" {
		t.Error("bob's account was taken for ann's")
	}
}

func TestUnverifiableLookupIsNoAnswer(t *testing.T) {
	for name, answer := range map[string]sdk.Account{"no id": {Attributes: sdk.Attributes{"owner": "ann"}}, "no key": {ID: "x9"}} {
		t.Run(name, func(t *testing.T) {
			l := liteLab(t)
			l.engine = l.engineOn(l.Accounts, wrapped{world: l.world, lookup: func(sdk.LookupRequest) ([]sdk.Account, error) {
				return []sdk.Account{answer}, nil
			}})
			l.start("ann")
			l.runDue()
			l.state("ann", provisioning.StateRetrying, "", sdk.KindInternal)
			l.calls(map[string]int{})
		})
	}
}

// wrapped replaces verbs of a world.
type wrapped struct {
	*world
	lookup func(sdk.LookupRequest) ([]sdk.Account, error)
	create func(sdk.CreateRequest) (sdk.Account, error)
}

// Connect implements provisioning.Targets.
func (w wrapped) Connect(ctx context.Context, target provisioning.Target) (provisioning.Conn, error) {
	c, err := w.world.Connect(ctx, target)
	c.Target = w
	return c, err
}

// Lookup implements sdk.Target.
func (w wrapped) Lookup(ctx context.Context, r sdk.LookupRequest) ([]sdk.Account, error) {
	if w.lookup != nil {
		return w.lookup(r)
	}
	return w.world.Lookup(ctx, r)
}

// Create implements sdk.Target.
func (w wrapped) Create(ctx context.Context, r sdk.CreateRequest) (sdk.Account, error) {
	if w.create != nil {
		return w.create(r)
	}
	return w.world.Create(ctx, r)
}

func TestLostCreateIsLookedUpNotRepeated(t *testing.T) {
	for _, effect := range []sdk.Effect{"", sdk.EffectUnknown, sdk.EffectApplied} {
		l := liteLab(t)
		l.target(func(x *provisioning.Target) { x.Adopt = provisioning.AdoptNever })
		l.world.losing("create", &sdk.Error{Kind: sdk.KindTransient, Effect: effect, Message: "cut off"})
		l.start("ann")
		l.runDue()
		a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
		if !a.Created {
			t.Error("the account that our create made does not count as created")
		}
		l.mirrors("ann", true)
		l.calls(map[string]int{"lookup": 3, "create": 1})
	}
}

// The answer is lost and the target goes down: the next attempt looks first.
func TestLostCreateIsLookedUpByTheNextAttempt(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		l := liteLab(t)
		l.world.hideOwner = hidden
		l.target(func(x *provisioning.Target) { x.Adopt = provisioning.AdoptNever })
		l.world.after = func(verb string) error {
			if verb == "create" {
				l.world.failing("lookup", down())
				return lost()
			}
			return nil
		}
		l.start("ann")
		l.runDue()
		if a := l.state("ann", provisioning.StateRetrying, "", sdk.KindOutcomeUnknown); !a.CreateSent {
			t.Error("the uncertain create is forgotten")
		}
		l.world.mend()
		l.drain()
		if a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, ""); !a.Created || a.CreateSent {
			t.Errorf("account = %+v, want ours", a)
		}
		l.mirrors("ann", true)
		if n := l.world.took()["create"]; n != 1 {
			t.Errorf("hidden owner %v: %d creates, want 1", hidden, n)
		}
		if a := l.attempts("ann"); a[0].OperationID != a[1].OperationID || len(a[0].OperationID) > 64 {
			t.Errorf("operation ids %q and %q, want the same on a retry", a[0].OperationID, a[1].OperationID)
		}
	}
}

func TestCreateWithoutIDIsNoSuccess(t *testing.T) {
	l := liteLab(t)
	l.engine = l.engineOn(l.Accounts, wrapped{world: l.world, create: func(sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{}, nil }})
	l.start("ann")
	l.runDue()
	a := l.state("ann", provisioning.StateRetrying, "", sdk.KindInternal)
	if a.ExternalID != "" || !a.CreateSent || a.AppliedRev != 0 {
		t.Errorf("account = %+v, want no link and an uncertain create", a)
	}
}

// An id that is another user's is never linked twice.
func TestCreateAnsweringWithAnothersID(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	l.person("eve")
	l.engine = l.engineOn(l.Accounts, wrapped{world: l.world, create: func(sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{ID: "x1"}, nil }})
	l.start("eve")
	l.drain()
	if a := l.state("eve", provisioning.StateFailed, "", sdk.KindConflict); a.ExternalID != "" {
		t.Errorf("eve is linked to %s", a.ExternalID)
	}
}

func TestConflictAtCreateIsLookedUpOnce(t *testing.T) {
	l := liteLab(t)
	first := true
	l.world.before = func(verb string) error {
		if verb == "create" && first { // somebody else is faster
			first = false
			l.world.plant(sdk.Attributes{"login": "ann"}, true)
		}
		return nil
	}
	l.start("ann")
	l.runDue()
	if a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeAdopted, ""); a.Created {
		t.Error("an adopted account counts as created")
	}
	l.mirrors("ann", true)
}

// A conflict is no proof that the account is ours, whatever effect it claims.
func TestConflictDoesNotBypassThePolicy(t *testing.T) {
	l := liteLab(t)
	l.world.hideOwner = true
	l.target(func(x *provisioning.Target) { x.Adopt = provisioning.AdoptNever })
	l.world.before = func(verb string) error {
		if verb == "create" {
			l.world.plant(sdk.Attributes{"login": "ann"}, true)
			return &sdk.Error{Kind: sdk.KindConflict, Message: "taken"}
		}
		return nil
	}
	l.start("ann")
	l.drain()
	if a := l.state("ann", provisioning.StateFailed, "", sdk.KindConflict); a.CreateSent || a.ExternalID != "" {
		t.Errorf("account = %+v, want no link", a)
	}
}

func TestEveryFailureFollowsTheTable(t *testing.T) {
	tests := map[sdk.Kind]provisioning.State{
		sdk.KindTransient: provisioning.StateRetrying, sdk.KindRateLimited: provisioning.StateRetrying,
		sdk.KindUnauthorized: provisioning.StateRetrying, sdk.KindForbidden: provisioning.StateRetrying,
		sdk.KindQuota: provisioning.StateRetrying, sdk.KindInternal: provisioning.StateRetrying,
		sdk.KindOutcomeUnknown: provisioning.StateRetrying, sdk.KindNotFound: provisioning.StateRetrying,
		sdk.KindInvalid: provisioning.StateFailed, sdk.KindUnsupported: provisioning.StateFailed, sdk.KindConflict: provisioning.StateFailed,
		sdk.KindAmbiguous: provisioning.StateFailed,
	}
	for kind, state := range tests {
		t.Run(string(kind), func(t *testing.T) {
			l := liteLab(t)
			l.world.failing("create", &sdk.Error{Kind: kind, Effect: sdk.EffectNone, Message: "m", Field: "email", RetryAfter: 40 * time.Minute})
			l.start("ann")
			l.runDue()
			a := l.state("ann", state, "", kind)
			if a.Field != "email" || a.Detail != "m" || a.Attempts != 1 || a.FirstFailedAt.IsZero() {
				t.Errorf("account = %+v, want the failure described", a)
			}
			if want := l.Now().Add(40 * time.Minute); state == provisioning.StateRetrying && !a.NextAttemptAt.Equal(want) {
				t.Errorf("next attempt %s, want when the target said, %s", a.NextAttemptAt, want)
			}
			l.world.mend()
			l.ok(l.gate.Retry(t.Context(), request("ann")))
			l.advance(time.Hour)
			l.drain()
			l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
			l.mirrors("ann", true)
		})
	}
}

func TestInvalidProfileNamesTheField(t *testing.T) {
	l := liteLab(t)
	l.people.edit("ann", func(p *provisioning.Profile) { p.Login = "" })
	l.start("ann")
	l.drain()
	if a := l.state("ann", provisioning.StateFailed, "", sdk.KindInvalid); a.Field != "login" {
		t.Errorf("field = %q, want login", a.Field)
	}
	l.calls(map[string]int{})
	l.people.edit("ann", func(p *provisioning.Profile) { p.Login = "ann" })
	l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	l.drain()
	l.mirrors("ann", true)
}

func TestMappingThatNoLongerFits(t *testing.T) {
	l := liteLab(t)
	l.target(func(x *provisioning.Target) {
		x.Mapping = []provisioning.AttributeMapping{{Attribute: "login", Source: "user.login"}, {Attribute: "gone", Source: "user.email"}}
	})
	l.start("ann")
	l.drain()
	if a := l.state("ann", provisioning.StateFailed, "", sdk.KindUnsupported); a.Field != "gone" {
		t.Errorf("field = %q, want gone", a.Field)
	}
	l.target(func(*provisioning.Target) {}) // the cure makes it due
	l.drain()
	l.mirrors("ann", true)
}

func TestChangedTargetConfigReadsEveryAccount(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	l.world.took()
	l.target(func(x *provisioning.Target) { x.Config = json.RawMessage(`{"base_url":"http://elsewhere"}`) })
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeUnchanged, "")
	l.calls(map[string]int{"get": 1})
}

func TestSuspendAndReactivate(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	l.people.edit("ann", func(p *provisioning.Profile) { p.Active = false })
	l.ok(l.lifecycle.Disabled(t.Context(), "ann"))
	l.drain()
	l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, "")
	l.mirrors("ann", false)
	l.people.edit("ann", func(p *provisioning.Profile) { p.Active = true })
	l.ok(l.lifecycle.Enabled(t.Context(), "ann"))
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeReactivated, "")
	l.mirrors("ann", true)
}

func TestSuspendUnsupportedSaysSo(t *testing.T) {
	l := liteLab(t)
	l.world.noActive = true
	l.start("ann")
	l.drain()
	l.ok(l.lifecycle.Disabled(t.Context(), "ann"))
	l.drain()
	if a := l.state("ann", provisioning.StateFailed, provisioning.OutcomeCreated, sdk.KindUnsupported); a.Detail == "" || a.InSync() {
		t.Errorf("account = %+v, want a failure that says why", a)
	}
}

func TestLeaverWithoutAccountGetsNone(t *testing.T) {
	for name, leave := range map[string]func(*lab) error{
		"disabled": func(l *lab) error { return l.lifecycle.Disabled(l.Context(), "ann") },
		"deleted":  func(l *lab) error { l.people.remove("ann"); return l.lifecycle.Deleted(l.Context(), "ann") },
		"vanished": func(l *lab) error { l.people.remove("ann"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			l := liteLab(t)
			l.start("ann")
			l.ok(leave(l))
			l.drain()
			l.state("ann", provisioning.StateAbsent, provisioning.OutcomeUnchanged, "")
			l.calls(map[string]int{})
		})
	}
}

func TestDeletedUser(t *testing.T) {
	tests := []struct {
		name    string
		policy  provisioning.DeletePolicy
		adopted bool
		state   provisioning.State
		outcome provisioning.Outcome
		left    int
		active  bool
	}{
		{"created, delete", provisioning.DeleteDelete, false, provisioning.StateAbsent, provisioning.OutcomeDeleted, 0, false},
		{"created, suspend", "", false, provisioning.StateSuspended, provisioning.OutcomeSuspended, 1, false},
		{"adopted, delete", provisioning.DeleteDelete, true, provisioning.StateAbsent, provisioning.OutcomeUnlinked, 1, true},
		{"adopted, suspend", "", true, provisioning.StateAbsent, provisioning.OutcomeUnlinked, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := liteLab(t)
			l.target(func(x *provisioning.Target) { x.OnUserDelete = tt.policy })
			if tt.adopted {
				l.world.plant(sdk.Attributes{"login": "ann"}, true)
			}
			l.start("ann")
			l.drain()
			l.people.remove("ann")
			l.ok(l.lifecycle.Deleted(t.Context(), "ann"))
			l.drain()
			l.state("ann", tt.state, tt.outcome, "")
			left := l.world.of("ann")
			if len(left) != tt.left || tt.left == 1 && *left[0].Active != tt.active {
				t.Errorf("left = %+v, want %d, active %v", left, tt.left, tt.active)
			}
		})
	}
}

// The create's answer is lost, and then the user is deleted: the account our
// create may have made is found by its owner and ends.
func TestDeletedUserWithUncertainCreate(t *testing.T) {
	l := liteLab(t)
	l.target(func(x *provisioning.Target) { x.OnUserDelete = provisioning.DeleteDelete })
	l.world.after = func(verb string) error {
		if verb == "create" {
			l.world.failing("lookup", down())
			return lost()
		}
		return nil
	}
	l.start("ann")
	l.runDue()
	l.world.mend()
	l.people.remove("ann")
	l.ok(l.lifecycle.Deleted(t.Context(), "ann"))
	l.drain()
	l.state("ann", provisioning.StateAbsent, provisioning.OutcomeDeleted, "")
	if left := l.world.of("ann"); len(left) != 0 {
		t.Errorf("left = %+v, want none", left)
	}
}

// A change during the run is applied by another run, not lost.
func TestChangeDuringRun(t *testing.T) {
	l := liteLab(t)
	changed := false
	l.world.after = func(verb string) error {
		if verb == "create" && !changed {
			changed = true
			l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
			return l.lifecycle.Changed(l.Context(), "ann")
		}
		return nil
	}
	l.start("ann")
	l.runDue()
	if a := l.account("ann"); a.InSync() || a.State != provisioning.StatePending || a.AppliedRev != 1 {
		t.Errorf("account = %+v, want revision 1 applied and the next due", a)
	}
	l.drain()
	l.mirrors("ann", true)
}

// A run that starts after its lease ended makes no call. When nobody else has the
// account meanwhile it is given back, to be tried again.
func TestExpiredLeaseMakesNoCall(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	lease := l.claim("w")[0]
	l.advance(provisioning.DefaultLease)
	l.ok(l.engine.Run(t.Context(), lease))
	if a := l.account("ann"); a.State != provisioning.StateRetrying || a.Working(l.Now()) {
		t.Errorf("account = %+v, want it retrying and free", a)
	}
	l.calls(map[string]int{})
	l.drain()
	l.mirrors("ann", true)
}

// What a worker did that slept through its lease is kept as a record, and has no
// effect on the account that is another's now.
func TestAttemptOfALostLeaseEnds(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	lease := l.claim("w")[0]
	l.world.before = func(verb string) error {
		l.world.before = func(string) error { return nil }
		l.advance(provisioning.DefaultLease)
		l.runDue()
		return nil
	}
	if err := l.engine.Run(t.Context(), lease); !errors.Is(err, provisioning.ErrLeaseLost) {
		t.Errorf("run = %v, want the lease lost", err)
	}
	attempts := l.attempts("ann")
	lost := 0
	for _, a := range attempts {
		if a.EndedAt.IsZero() {
			t.Errorf("attempt %+v has no end", a)
		}
		if strings.HasPrefix(a.Detail, "lease lost") {
			lost++
		}
	}
	if len(attempts) != 2 || lost != 1 {
		t.Errorf("attempts = %+v, want two, one of them lost", attempts)
	}
	l.mirrors("ann", true)
}

func TestShortDigestKeyIsRefused(t *testing.T) {
	if _, err := provisioning.NewEngine(provisioning.EngineOptions{DigestKey: make([]byte, 31)}); err == nil {
		t.Error("a short digest key was taken")
	}
}
