package contract

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
	"github.com/anteroom-id/anteroom/sdk"
)

// target is the name of a lab's target.
const target provisioning.TargetName = "target"

// lab is an engine with a ledger of its own and one target: the server, through
// a link. Its clock is moved by hand.
type lab struct {
	*testing.T
	store.Stores
	server    Server
	system    System
	link      Link
	config    sdk.RawConfig
	conns     *conns
	engine    *provisioning.Engine
	lifecycle *provisioning.Lifecycle
	people    *people
	log       *logbook
	now       func() time.Time
	advance   func(time.Duration)
}

func newLab(t *testing.T, server Server, system System) *lab {
	t.Helper()
	db := sqldbtest.SQLite(t, store.Migrations())
	l := &lab{
		T: t, Stores: store.New(db, storetest.Sealer{}), server: server, system: system,
		people: &people{m: map[provisioning.UserID]provisioning.Profile{}}, log: &logbook{},
	}
	l.link, l.config = system.Link(t)
	l.now, l.advance = clock()
	l.conns = &conns{connector: server.Connector, open: map[string]provisioning.Conn{}}
	t.Cleanup(l.conns.close)
	var err error
	l.engine, err = provisioning.NewEngine(provisioning.EngineOptions{
		Ledger: l.Accounts, Reservations: l.Accounts, Health: l.Health, Admission: l.Accounts, Store: l.Targets, Targets: l.conns, Users: l.people,
		Rules:     provisioning.NewRulebook(provisioning.RulebookOptions{Bindings: l.Bindings}), // no binding has any
		DigestKey: make([]byte, 32), Logger: slog.New(slog.NewTextHandler(l.log, nil)), Now: l.now,
		Random: func() float64 { return 0.5 },
	})
	l.ok(err)
	l.lifecycle = provisioning.NewLifecycle(provisioning.LifecycleOptions{
		Ledger: l.Accounts, Bindings: l.Bindings, Tx: db, Nudge: func() {}, Now: l.now,
	})
	l.target(target, func(*provisioning.Target) {})
	return l
}

// clock is a clock that stands still until it is moved.
func clock() (now func() time.Time, advance func(time.Duration)) {
	var mu sync.Mutex
	at := storetest.Epoch()
	now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
	return now, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(d)
	}
}

// target puts a target that is the lab's server.
func (l *lab) target(name provisioning.TargetName, edit func(*provisioning.Target)) {
	l.Helper()
	t := provisioning.Target{
		Name: name, Connector: l.server.Connector.Describe().Name, Config: l.config.Values, Secrets: l.config.Secrets,
		Mapping: l.server.Mapping, MaxConcurrency: provisioning.MaxConcurrency,
	}
	edit(&t)
	_, err := l.Targets.Put(l.Context(), t, l.now())
	l.ok(err)
}

// person adds a user with a login of their own.
func (l *lab) person() provisioning.Profile {
	l.Helper()
	id := uuid.NewString()
	name := "u" + id[:8]
	p := provisioning.Profile{
		ID: provisioning.UserID(id), Login: l.login(name), Email: name + "@example.com", EmailVerified: true,
		GivenName: "Ada", FamilyName: "Lovelace", Name: "Ada Lovelace", Locale: "en-GB",
		PhoneNumber: "+44 20 7946 0" + fmt.Sprintf("%03d", id[9]), Active: true,
	}
	l.people.put(p)
	return p
}

func (l *lab) login(name string) string {
	if l.server.Login == nil {
		return name + "@example.com"
	}
	return l.server.Login(name)
}

// want asks for the user's account, as a sign-in does.
func (l *lab) want(p provisioning.Profile, targets ...provisioning.TargetName) {
	l.Helper()
	if len(targets) == 0 {
		targets = []provisioning.TargetName{target}
	}
	l.ok(l.Accounts.Want(l.Context(), provisioning.Wish{User: p.ID, Targets: targets, Trigger: provisioning.TriggerSignIn}, l.now()))
}

// edit changes a user and carries the change to the accounts.
func (l *lab) edit(p *provisioning.Profile, do func(*provisioning.Profile)) {
	l.Helper()
	do(p)
	l.people.put(*p)
	l.ok(l.lifecycle.Changed(l.Context(), p.ID))
}

// look has the engine compare the account with the target.
func (l *lab) look(p provisioning.Profile) {
	l.Helper()
	l.ok(l.lifecycle.Retry(l.Context(), p.ID, target))
}

func (l *lab) claim(name provisioning.TargetName) []provisioning.Lease {
	l.Helper()
	leases, err := l.Accounts.Claim(l.Context(), name, "worker", l.now(), l.now().Add(provisioning.DefaultLease), 10)
	l.ok(err)
	return leases
}

// run runs what is due now, once, and returns how many accounts that was.
func (l *lab) run() int {
	l.Helper()
	return l.runIn(l.Context())
}

func (l *lab) runIn(ctx context.Context) int {
	l.Helper()
	leases := l.claim(target)
	for _, lease := range leases {
		l.ok(l.engine.Run(ctx, lease))
	}
	return len(leases)
}

// settle runs and moves the clock until nothing is due.
func (l *lab) settle() {
	l.Helper()
	for range 50 {
		if l.run() > 0 {
			continue
		}
		due, err := l.Accounts.Due(l.Context())
		l.ok(err)
		if len(due) == 0 {
			return
		}
		l.advance(due[target].At.Sub(l.now()))
	}
	l.Fatal("the work never ends")
}

func (l *lab) account(p provisioning.Profile) provisioning.Account {
	l.Helper()
	a, err := l.Accounts.Get(l.Context(), p.ID, target)
	l.ok(err)
	return a
}

func (l *lab) attempts(p provisioning.Profile) []provisioning.Attempt {
	l.Helper()
	out, err := l.Attempts.ByAccount(l.Context(), p.ID, target, 100)
	l.ok(err)
	return out
}

// conn is the target as the engine has it.
func (l *lab) conn() provisioning.Conn {
	l.Helper()
	t, err := l.Targets.Get(l.Context(), target)
	l.ok(err)
	c, err := l.conns.Connect(l.Context(), t)
	l.ok(err)
	return c
}

func (l *lab) ok(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

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

func (p *people) put(u provisioning.Profile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m[u.ID] = u
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns everything that was logged.
func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
