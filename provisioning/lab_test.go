package provisioning_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
	"github.com/anteroom-id/anteroom/sdk"
)

// people is a user store in memory.
type people struct {
	mu sync.Mutex
	m  map[provisioning.UserID]provisioning.Profile
}

// Profile implements provisioning.Users.
func (p *people) Profile(_ context.Context, id provisioning.UserID) (provisioning.Profile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.m[id]
	if !ok {
		return u, provisioning.ErrUserNotFound
	}
	return u, nil
}

// Active implements provisioning.UserStatus.
func (p *people) Active(ctx context.Context, id provisioning.UserID) (bool, error) {
	u, err := p.Profile(ctx, id)
	return err == nil && u.Active, nil
}

func (p *people) edit(id provisioning.UserID, do func(*provisioning.Profile)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.m[id]
	do(&u)
	p.m[id] = u
}

func (p *people) remove(id provisioning.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, id)
}

// apps are applications of which only the client id is known.
type apps struct{}

// App implements provisioning.Apps.
func (apps) App(_ context.Context, client provisioning.ClientID) (rules.App, error) {
	return rules.App{Name: string(client), ClientID: string(client)}, nil
}

// lab is a whole heart on one database, with a clock that is moved by hand.
type lab struct {
	testing.TB
	store.Stores
	db        *sqldb.DB
	world     *world
	people    *people
	engine    *provisioning.Engine
	gate      *provisioning.Gate
	lifecycle *provisioning.Lifecycle
	rules     *provisioning.Rulebook
	nudges    int
	afterKill func() // what happens while the account waits for a new worker

	mu  sync.Mutex
	now time.Time
}

func (l *lab) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *lab) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func newLab(t testing.TB, db *sqldb.DB) *lab {
	t.Helper()
	l := &lab{
		TB: t, Stores: store.New(db, storetest.Sealer{}), db: db, world: newWorld(),
		people: &people{m: map[provisioning.UserID]provisioning.Profile{}}, now: storetest.Epoch(),
		afterKill: func() {},
	}
	l.rules = provisioning.NewRulebook(provisioning.RulebookOptions{
		Sets: l.RuleSets, Compile: language.Compile, Users: l.people, Apps: apps{}, Bindings: l.Bindings, Decisions: l.Decisions,
	})
	l.engine = l.engineOn(l.Accounts, l.world)
	l.gate = provisioning.NewGate(provisioning.GateOptions{
		Ledger: struct {
			*store.Accounts
			*store.Bindings
		}{l.Accounts, l.Bindings}, Decisions: l.Decisions, Users: l.people, Rules: l.rules, Tx: db, Nudge: l.nudge, Now: l.Now,
	})
	l.lifecycle = provisioning.NewLifecycle(provisioning.LifecycleOptions{Ledger: l.Accounts, Bindings: l.Bindings, Tx: db, Nudge: l.nudge, Now: l.Now})
	l.target(func(*provisioning.Target) {})
	l.bind(func(*provisioning.Binding) {})
	l.person("ann")
	return l
}

func (l *lab) nudge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudges++
}

func liteLab(t testing.TB) *lab {
	t.Helper()
	return newLab(t, sqldbtest.SQLite(t, store.Migrations()))
}

func (l *lab) engineOn(ledger provisioning.Ledger, targets provisioning.Targets) *provisioning.Engine {
	l.Helper()
	return l.engineWith(ledger, l.Accounts, targets)
}

func (l *lab) engineWith(ledger provisioning.Ledger, reservations provisioning.Reservations, targets provisioning.Targets) *provisioning.Engine {
	l.Helper()
	e, err := provisioning.NewEngine(provisioning.EngineOptions{
		Ledger: ledger, Reservations: reservations, Health: l.Health, Store: l.Targets, Targets: targets, Users: l.people, Rules: l.rules, DigestKey: make([]byte, 32), Admission: l.Accounts,
		Logger: slog.New(slog.DiscardHandler), Now: l.Now, Random: func() float64 { return 0.5 },
	})
	l.ok(err)
	return e
}

func (l *lab) target(edit func(*provisioning.Target)) {
	l.Helper()
	target := provisioning.Target{Name: "dir", Connector: "world", MaxConcurrency: provisioning.MaxConcurrency}
	edit(&target)
	_, err := l.Targets.Put(l.Context(), target, l.Now())
	l.ok(err)
}

func (l *lab) bind(edit func(*provisioning.Binding)) {
	l.Helper()
	b := provisioning.NewBinding("app", "dir")
	b.Blocking = true
	edit(&b)
	l.ok(l.Bindings.Put(l.Context(), b))
}

func (l *lab) person(id provisioning.UserID) {
	l.people.edit(id, func(p *provisioning.Profile) {
		*p = provisioning.Profile{ID: id, Login: string(id), Email: string(id) + "@example.com", Active: true, Groups: []string{"staff"}}
	})
}

func request(user provisioning.UserID) provisioning.Request {
	return provisioning.Request{Client: "app", User: user, Grant: provisioning.GrantAuthorize, SignIn: "s1", Reference: "R-1"}
}

func (l *lab) start(user provisioning.UserID) provisioning.Decision {
	l.Helper()
	d, err := l.gate.Start(l.Context(), request(user))
	l.ok(err)
	return d
}

func (l *lab) claim(owner string) []provisioning.Lease {
	l.Helper()
	leases, err := l.Accounts.Claim(l.Context(), "dir", owner, l.Now(), l.Now().Add(provisioning.DefaultLease), 10)
	l.ok(err)
	return leases
}

// runDue runs what is due now, once.
func (l *lab) runDue() int {
	l.Helper()
	leases := l.claim("w")
	for _, lease := range leases {
		l.ok(l.engine.Run(l.Context(), lease))
	}
	return len(leases)
}

// drain runs and moves the clock until nothing is due.
func (l *lab) drain() {
	l.Helper()
	for range 100 {
		if l.runDue() > 0 {
			continue
		}
		due, err := l.Accounts.Due(l.Context())
		l.ok(err)
		if len(due) == 0 {
			return
		}
		l.advance(due["dir"].At.Sub(l.Now()))
	}
	l.Fatal("the work never ends")
}

func (l *lab) account(user provisioning.UserID) provisioning.Account {
	l.Helper()
	a, err := l.Accounts.Get(l.Context(), user, "dir")
	l.ok(err)
	return a
}

func (l *lab) attempts(user provisioning.UserID) []provisioning.Attempt {
	l.Helper()
	out, err := l.Attempts.ByAccount(l.Context(), user, "dir", 100)
	l.ok(err)
	return out
}

// state checks the account's state, the outcome of its last good run and the
// kind of its last failure.
func (l *lab) state(user provisioning.UserID, state provisioning.State, outcome provisioning.Outcome, kind sdk.Kind) provisioning.Account {
	l.Helper()
	a := l.account(user)
	if a.State != state || a.Outcome != outcome || a.Kind != kind {
		l.Fatalf("account is %s, %q, %q (%s: %s), want %s, %q, %q", a.State, a.Outcome, a.Kind, a.Field, a.Detail, state, outcome, kind)
	}
	return a
}

// calls checks the calls since the last check, verbs that change nothing
// included.
func (l *lab) calls(want map[string]int) {
	l.Helper()
	got := l.world.took()
	if !maps.Equal(got, want) {
		l.Errorf("calls = %v, want %v", got, want)
	}
}

// mirrors checks that the target has exactly one account of the user, with what
// the profile says.
func (l *lab) mirrors(user provisioning.UserID, active bool) {
	l.Helper()
	if wrong := l.wrong(user, active); wrong != "" {
		l.Error(wrong)
	}
}

// wrong says what of the user's accounts in the target is not as it should be.
func (l *lab) wrong(user provisioning.UserID, active bool) string {
	l.Helper()
	got := l.world.of(user)
	if len(got) != 1 {
		return fmt.Sprintf("the target has %d accounts of %s, want 1: %+v", len(got), user, got)
	}
	p, err := l.people.Profile(l.Context(), user)
	l.ok(err)
	want := sdk.Attributes{"owner": string(user), "login": p.Login}
	if p.Email != "" {
		want["email"] = p.Email
	}
	if len(p.Groups) > 0 {
		groups := []any{}
		for _, g := range p.Groups {
			groups = append(groups, g)
		}
		want["groups"] = groups
	}
	delete(got[0].Attributes, "origin")
	if diff := cmp.Diff(want, got[0].Attributes); diff != "" {
		return fmt.Sprintf("attributes of %s (-want +got):\n%s", user, diff)
	}
	if *got[0].Active != active {
		return fmt.Sprintf("%s is active %v, want %v", user, !active, active)
	}
	return ""
}

func (l *lab) ok(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}
