package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// byName is a lab whose logins are made of given names: ada, ada2, ada3, …
func byName(t testing.TB, db *sqldb.DB, more ...provisioning.AttributeMapping) *lab {
	t.Helper()
	l := newLab(t, db)
	l.target(func(x *provisioning.Target) {
		x.OnUserDelete = provisioning.DeleteDelete
		x.Mapping = append([]provisioning.AttributeMapping{
			{Attribute: "login", Unique: &provisioning.Unique{
				Candidates: []string{"user.given_name.slug()"}, Suffix: &provisioning.Suffix{Start: 2, Max: 60},
			}},
			{Attribute: "email", Source: "user.email"},
		}, more...)
	})
	return l
}

func liteByName(t testing.TB, more ...provisioning.AttributeMapping) *lab {
	t.Helper()
	return byName(t, sqldbtest.SQLite(t, store.Migrations()), more...)
}

// namesake adds a person who is called Ada.
func (l *lab) namesake(id provisioning.UserID) {
	l.person(id)
	l.people.edit(id, func(p *provisioning.Profile) { p.GivenName = "Ada" })
}

// login returns the login of the user's only account.
func (l *lab) login(id provisioning.UserID) string {
	l.Helper()
	found := l.world.of(id)
	if len(found) != 1 {
		l.Fatalf("%s has %d accounts", id, len(found))
	}
	return found[0].Attributes.String("login")
}

func (l *lab) reserved(id provisioning.UserID) map[string]string {
	l.Helper()
	out, err := l.Accounts.Reserved(l.Context(), id, "dir")
	l.ok(err)
	return out
}

func (l *lab) arrive(id provisioning.UserID) {
	l.Helper()
	l.namesake(id)
	l.start(id)
	l.drain()
}

func TestNamesakesGetDifferentLogins(t *testing.T) {
	l := liteByName(t)
	for i, want := range []string{"ada", "ada2", "ada3"} {
		id := provisioning.UserID(fmt.Sprintf("u%d", i))
		l.arrive(id)
		l.state(id, provisioning.StateInSync, provisioning.OutcomeCreated, "")
		if got := l.login(id); got != want {
			t.Errorf("%s has the login %q, want %q", id, got, want)
		}
	}
}

func TestSyncNeverRenames(t *testing.T) {
	l := liteByName(t)
	l.arrive("u0")
	l.arrive("u1")
	l.people.edit("u1", func(p *provisioning.Profile) { p.GivenName = "Grace" })
	l.rename("u1", "grace@example.com")
	l.state("u1", provisioning.StateInSync, provisioning.OutcomeUpdated, "")
	if got := l.login("u1"); got != "ada2" {
		t.Errorf("login = %q after a change of name, want ada2", got)
	}
	if drift := (reconciling{l, &listing{world: l.world}}).run(false); drift.Total() != 0 {
		t.Errorf("the kept login is drift: %+v", drift.Drifts)
	}
	l.world.accounts[l.account("u1").ExternalID].Attributes["login"] = "renamed.by.hand"
	l.rename("u1", "g@example.com")
	if got := l.login("u1"); got != "renamed.by.hand" {
		t.Errorf("login = %q, want what an admin made it in the target", got)
	}
}

// An account of the target that has the name is not taken over, whatever the policy:
// it is another person's who is called the same.
func TestNameInTheTargetIsTaken(t *testing.T) {
	for _, policy := range []provisioning.AdoptPolicy{provisioning.AdoptNever, provisioning.AdoptIfUnclaimed, provisioning.AdoptAlways} {
		l := liteByName(t)
		target, err := l.Targets.Get(t.Context(), "dir")
		l.ok(err)
		target.Adopt = policy
		_, err = l.Targets.Put(t.Context(), target, l.Now())
		l.ok(err)
		l.world.plant(sdk.Attributes{"login": "ADA"}, true)
		l.arrive("u0")
		l.state("u0", provisioning.StateInSync, provisioning.OutcomeCreated, "")
		if got := l.login("u0"); got != "ada2" {
			t.Errorf("%s: login = %q, want ada2", policy, got)
		}
	}
}

// Other keys adopt as ever, before any name is made.
func TestAdoptionComesBeforeTheName(t *testing.T) {
	l := liteByName(t)
	l.world.declared = append(l.world.declared[:0:0], l.world.declared...)
	l.world.declared[2].Correlate = 3
	l.world.plant(sdk.Attributes{"login": "lovelace", "email": "u0@example.com"}, true)
	l.arrive("u0")
	l.state("u0", provisioning.StateInSync, provisioning.OutcomeAdopted, "")
	if got := l.login("u0"); got != "lovelace" || len(l.reserved("u0")) != 0 {
		t.Errorf("login = %q, reserved %v", got, l.reserved("u0"))
	}
}

// The target finds no account of the name and refuses it all the same, as some do
// for a while after an account was deleted.
func TestConflictAtCreateTakesTheNext(t *testing.T) {
	l := liteByName(t)
	l.world.refuse("ada", "ada2")
	l.arrive("u0")
	l.state("u0", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	if got := l.login("u0"); got != "ada3" || l.reserved("u0")["login"] != "ada3" {
		t.Errorf("login = %q, reserved %v, want ada3", got, l.reserved("u0"))
	}
	var ids []string
	for _, op := range l.world.operations {
		ids = append(ids, op.ID)
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 3 {
		t.Errorf("3 names were sent under %d operations", len(slices.Compact(ids)))
	}
}

func TestConflictsAtCreateAreBounded(t *testing.T) {
	l := liteByName(t)
	l.world.refuse("ada", "ada2", "ada3", "ada4", "ada5", "ada6")
	l.arrive("u0")
	a := l.state("u0", provisioning.StateFailed, "", sdk.KindConflict)
	if a.Field != "login" || !strings.Contains(a.Detail, "refused 5 values as taken, though it finds no account that has them: the login was used before") || a.CreateSent {
		t.Errorf("account = %+v", a)
	}
}

// A conflict that is about another attribute is no reason for another name.
func TestConflictOfAnotherAttribute(t *testing.T) {
	l := liteByName(t)
	l.world.failing("create", &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectNone, Field: "email", Message: "the address is taken"})
	l.arrive("u0")
	a := l.state("u0", provisioning.StateFailed, "", sdk.KindConflict)
	if a.Field != "email" || l.world.took()["create"] != 1 {
		t.Errorf("account = %+v", a)
	}
}

func TestAllNamesTaken(t *testing.T) {
	l := liteByName(t)
	l.target(func(x *provisioning.Target) {
		x.Mapping = []provisioning.AttributeMapping{{Attribute: "login", Unique: &provisioning.Unique{Candidates: []string{"user.given_name.slug()"}}}}
	})
	l.arrive("u0")
	l.arrive("u1")
	a := l.state("u1", provisioning.StateFailed, "", sdk.KindConflict)
	if a.Field != "login" || a.Detail != "every value that the mapping allows is taken; add a candidate, or more suffixes" || a.CreateSent {
		t.Errorf("account = %+v", a)
	}
	if got := provisioning.FailureOf(a.Kind).Text; got != provisioning.TextTaken {
		t.Errorf("a person is told %s", got)
	}
}

func TestNoCandidateForAPerson(t *testing.T) {
	l := liteByName(t)
	l.namesake("u0")
	l.people.edit("u0", func(p *provisioning.Profile) { p.GivenName = "李小龍" })
	l.start("u0")
	l.drain()
	if a := l.state("u0", provisioning.StateFailed, "", sdk.KindInvalid); a.Field != "login" || !strings.Contains(a.Detail, "no candidate gives a value") {
		t.Errorf("account = %+v", a)
	}
}

// A name goes with its account, and only then.
func TestNameIsFreeWhenTheAccountHasEnded(t *testing.T) {
	l := liteByName(t)
	l.arrive("u0")
	l.people.edit("u0", func(p *provisioning.Profile) { p.Active = false })
	l.ok(l.lifecycle.Disabled(t.Context(), "u0"))
	l.drain()
	l.arrive("u1")
	if got := l.login("u1"); got != "ada2" {
		t.Errorf("a suspended account's login went to another: %q", got)
	}
	l.people.remove("u0")
	l.ok(l.lifecycle.Deleted(t.Context(), "u0"))
	l.drain()
	l.state("u0", provisioning.StateAbsent, provisioning.OutcomeDeleted, "")
	if got := l.reserved("u0"); len(got) != 0 {
		t.Errorf("after its end the account has %v", got)
	}
	l.arrive("u2")
	if got := l.login("u2"); got != "ada" {
		t.Errorf("login = %q, want the one that is free again", got)
	}
}

// An account that vanished is made again under its old name.
func TestVanishedAccountKeepsItsName(t *testing.T) {
	l := liteByName(t)
	l.arrive("u0")
	l.arrive("u1")
	delete(l.world.accounts, l.account("u0").ExternalID)
	delete(l.world.accounts, l.account("u1").ExternalID)
	l.ok(l.lifecycle.Retry(t.Context(), "u1", "dir"))
	l.drain()
	if got := l.login("u1"); got != "ada2" {
		t.Errorf("login = %q, want ada2", got)
	}
}

func TestUUIDIsMadeOnceAndKept(t *testing.T) {
	l := liteByName(t, provisioning.AttributeMapping{Attribute: "origin", UUID: true})
	l.world.failing("create", down())
	l.namesake("u0")
	l.start("u0")
	l.runDue()
	first := l.reserved("u0")["origin"]
	l.world.mend()
	l.drain()
	if got := l.world.of("u0")[0].Attributes.String("origin"); len(got) != 36 || got != first {
		t.Errorf("uuid = %q, at the first try %q", got, first)
	}
	l.arrive("u1")
	if got := l.world.of("u1")[0].Attributes.String("origin"); got == first {
		t.Error("two accounts have the same UUID")
	}
}

// killer stops a run dead: nothing that comes after is written.
type killer struct {
	provisioning.Reservations
	provisioning.Ledger
	at string
}

var errDied = errors.New("killed")

func (k *killer) Reserve(ctx context.Context, l provisioning.Lease, attribute string, candidates []provisioning.Candidate) (string, error) {
	value, err := k.Reservations.Reserve(ctx, l, attribute, candidates)
	if k.at == "reserved" {
		return "", errDied
	}
	return value, err
}

func (k *killer) Creating(ctx context.Context, l provisioning.Lease) error {
	err := k.Ledger.Creating(ctx, l)
	if k.at == "creating" {
		return errDied
	}
	return err
}

func (k *killer) Finish(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	if k.at == "created" {
		return errDied
	}
	return k.Ledger.Finish(ctx, l, r)
}

// Whatever the moment a worker dies at, the account is made once, under the name that
// was reserved first, although that of somebody else became free meanwhile. The target
// need not say whose an account is.
func TestKilledWhileNaming(t *testing.T) {
	for _, at := range []string{"reserved", "creating", "created"} {
		for _, hidden := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, owner hidden %v", at, hidden), func(t *testing.T) {
				l := liteByName(t)
				l.world.hideOwner = hidden
				l.arrive("u0")
				l.namesake("u1")
				l.start("u1")
				k := &killer{Reservations: l.Accounts, Ledger: l.Accounts, at: at}
				if err := l.engineWith(k, k, l.world).Run(t.Context(), l.claim("dies")[0]); !errors.Is(err, errDied) {
					t.Fatal(err)
				}
				delete(l.world.accounts, l.account("u0").ExternalID)
				_, err := l.db.Exec(t.Context(), "DELETE FROM reservation WHERE user_id = 'u0'")
				l.ok(err)
				l.advance(2 * provisioning.DefaultLease)
				l.drain()
				l.state("u1", provisioning.StateInSync, provisioning.OutcomeCreated, "")
				if got := l.login("u1"); got != "ada2" {
					t.Errorf("login = %q, want the one that was reserved first", got)
				}
			})
		}
	}
}

// A create whose answer is lost is found again by the reserved name alone.
func TestLostAnswerIsFoundByTheName(t *testing.T) {
	l := liteByName(t)
	l.world.hideOwner = true
	l.world.declared = append([]sdk.Attribute(nil), l.world.declared[1:]...) // no owner attribute either
	l.world.losing("create", lost())
	l.namesake("u0")
	l.start("u0")
	l.runDue()
	l.world.mend()
	l.drain()
	l.state("u0", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	if n := len(l.world.accounts); n != 1 {
		t.Errorf("the target has %d accounts, want 1", n)
	}
}

// So is that of somebody who has left meanwhile, whose account must end.
func TestLostAnswerOfALeaver(t *testing.T) {
	l := liteByName(t)
	l.world.declared = append([]sdk.Attribute(nil), l.world.declared[1:]...) // no owner attribute
	l.world.losing("create", lost())
	l.namesake("u0")
	l.start("u0")
	l.runDue()
	l.world.mend()
	l.people.remove("u0")
	l.ok(l.lifecycle.Deleted(t.Context(), "u0"))
	l.drain()
	l.state("u0", provisioning.StateAbsent, provisioning.OutcomeDeleted, "")
	if len(l.world.accounts) != 0 || len(l.reserved("u0")) != 0 {
		t.Errorf("the target has %d accounts, reserved is %v", len(l.world.accounts), l.reserved("u0"))
	}
}

// Fifty people of one name arrive at once, on both databases and on several engines,
// in a target that would let two accounts have the same login.
func TestFiftyNamesakesAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		l := byName(t, db)
		l.world.loose = true
		logins := l.fifty(l.Accounts)
		if twice := repeated(logins); len(twice) != 0 {
			t.Errorf("several people have the logins %v", twice)
		}
		if n := l.world.took()["create"]; n != len(logins) {
			t.Errorf("%d creates for %d people", n, len(logins))
		}
		for id := range logins {
			l.people.edit(id, func(p *provisioning.Profile) { p.GivenName = "Grace" })
			l.ok(l.lifecycle.Changed(t.Context(), id))
		}
		l.drain()
		for id, login := range logins {
			if got := l.login(id); got != login {
				t.Errorf("a later sync renamed %s to %s", login, got)
			}
		}
	}, store.Migrations())
}

// unreserved takes the reservation out: everybody is told that the first is free.
type unreserved struct{ provisioning.Reservations }

func (unreserved) Reserve(_ context.Context, _ provisioning.Lease, _ string, candidates []provisioning.Candidate) (string, error) {
	return candidates[0].Value, nil
}

// Without reservations the fifty find each other's logins free, and what looks for
// that above notices.
func TestNamesakesWithoutReservations(t *testing.T) {
	l := liteByName(t)
	l.world.loose = true
	if twice := repeated(l.fifty(unreserved{l.Accounts})); len(twice) == 0 {
		t.Error("no login was given twice")
	}
}

// fifty lets fifty people of one name arrive, with ten workers of whom each is in its
// first create before one is carried out, and returns their logins.
func (l *lab) fifty(reservations provisioning.Reservations) map[provisioning.UserID]string {
	l.Helper()
	const people, workers = 50, 10
	for i := range people {
		id := provisioning.UserID(fmt.Sprintf("u%02d", i))
		l.namesake(id)
		l.start(id)
	}
	var together, done sync.WaitGroup
	together.Add(workers)
	var creates atomic.Int32
	l.world.before = func(verb string) error {
		if verb == "create" && creates.Add(1) <= workers {
			together.Done()
			together.Wait()
		}
		return nil
	}
	for w := range workers {
		engine := l.engineWith(l.Accounts, reservations, l.world)
		done.Go(func() {
			for {
				leases, err := l.Accounts.Claim(l.Context(), "dir", fmt.Sprint(w), l.Now(), l.Now().Add(provisioning.DefaultLease), 1)
				if err != nil || len(leases) == 0 {
					return
				}
				if err := engine.Run(l.Context(), leases[0]); err != nil {
					l.Error(err)
				}
			}
		})
	}
	done.Wait()
	l.world.mend()
	logins := map[provisioning.UserID]string{}
	for i := range people {
		id := provisioning.UserID(fmt.Sprintf("u%02d", i))
		logins[id] = l.login(id)
	}
	return logins
}

func repeated(logins map[provisioning.UserID]string) []string {
	all := slices.Sorted(maps.Values(logins))
	var out []string
	for i := range all {
		if i > 0 && all[i] == all[i-1] {
			out = append(out, all[i])
		}
	}
	return out
}
