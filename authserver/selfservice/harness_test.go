package selfservice_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/selfservice"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
	"github.com/anteroom-id/anteroom/sdk"
)

const password = "correct horse staple"

// clock is a time that moves when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lifecycle notes what provisioning hears.
type lifecycle struct {
	mu    sync.Mutex
	heard []string
}

func (l *lifecycle) hear(what string, u provisioning.UserID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, what+" "+string(u))
	return nil
}

func (l *lifecycle) has(what string, u provisioning.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.heard {
		if h == what+" "+string(u) {
			return true
		}
	}
	return false
}

func (l *lifecycle) Registered(_ context.Context, u provisioning.UserID, _ provisioning.ClientID) error {
	return l.hear("registered", u)
}
func (l *lifecycle) Changed(_ context.Context, u provisioning.UserID) error {
	return l.hear("changed", u)
}
func (l *lifecycle) Disabled(_ context.Context, u provisioning.UserID) error {
	return l.hear("disabled", u)
}
func (l *lifecycle) Enabled(_ context.Context, u provisioning.UserID) error {
	return l.hear("enabled", u)
}
func (l *lifecycle) Deleted(_ context.Context, u provisioning.UserID) error {
	return l.hear("deleted", u)
}

// people ends sessions as the daemon's does.
type people struct {
	*user.Service
	sessions *session.Manager
}

func (p people) SetPassword(ctx context.Context, id provisioning.UserID, password sdk.Secret) error {
	if err := p.Service.SetPassword(ctx, id, password); err != nil {
		return err
	}
	return p.sessions.EndAllOf(ctx, id)
}

func (p people) Delete(ctx context.Context, id provisioning.UserID) error {
	if err := p.Service.Delete(ctx, id); err != nil {
		return err
	}
	return p.sessions.EndAllOf(ctx, id)
}

// accounts are the same for everybody.
type accounts []provisioning.Account

func (a accounts) Of(context.Context, provisioning.UserID) ([]provisioning.Account, error) {
	return a, nil
}

// linker has one upstream, and what a test links to it.
type linker struct {
	selfservice.Links
	all []federation.Link
}

func (*linker) Offered(context.Context) ([]federation.Upstream, error) {
	return []federation.Upstream{{Name: "corp", Issuer: "https://corp.example", Button: "Corp"}}, nil
}

func (l *linker) LinksOf(context.Context, provisioning.UserID) ([]federation.Link, error) {
	return l.all, nil
}

// stack is self-service and the sign-in around a real database.
type stack struct {
	t         *testing.T
	clock     *clock
	db        *sqldb.DB
	lifecycle *lifecycle
	users     people
	passkeys  *passkey.Service
	links     *linker
	server    *httptest.Server
	ada       user.User // registered by herself
}

func newStack(t *testing.T) *stack { return newStackOn(t, sqldbtest.SQLite(t, store.Migrations())) }

func newStackOn(t *testing.T, db *sqldb.DB) *stack {
	t.Helper()
	s := &stack{t: t, db: db, clock: &clock{now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}, lifecycle: &lifecycle{}, links: &linker{}}
	log := slog.New(slog.DiscardHandler)
	address := func(*http.Request) string { return "192.0.2.1" }
	sessions := &session.Manager{
		Store: store.Sessions{DB: db}, List: store.Sessions{DB: db}, Cookies: session.NewCookies(false), Now: s.clock.Now, Address: address,
	}
	known := session.KnownBrowsers{Key: []byte("key"), Cookies: sessions.Cookies, Now: s.clock.Now}
	s.users = people{sessions: sessions, Service: &user.Service{
		Store: store.Users{DB: db}, Passwords: store.Users{DB: db}, Throttle: store.Throttle{DB: db}, Tx: db, Lifecycle: s.lifecycle,
		Now: s.clock.Now, Log: log, Hasher: user.NewHasher(user.Params{MemoryKiB: 8, Passes: 1, Threads: 1}),
	}}
	pages, err := web.NewRenderer("Anteroom", log)
	must(t, err)
	factors := store.SecondFactors{DB: db}
	factor := &secondfactor.Service{
		Store: factors, Codes: factors, Limits: s.users, Sealer: storetest.Sealer{}, Tx: db, Issuer: "login.example.com", Now: s.clock.Now,
	}
	party, _ := passkey.PartyOf(passkeyIssuer)
	keys := store.Passkeys{DB: db}
	s.passkeys, err = passkey.New(passkey.Options{
		Party: party, Store: keys, Uses: keys, Challenges: store.PasskeyChallenges{DB: db}, Limits: s.users, Tx: db, Now: s.clock.Now,
	})
	must(t, err)
	driver := &flow.Driver{
		Passkeys:     s.passkeys,
		SecondFactor: factor,
		SignIns:      store.SignIns{DB: db}, Tx: db, Users: s.users, Applications: store.Applications{DB: db, Now: s.clock.Now},
		Sessions: sessions, Known: known, Pages: pages, Log: log, Now: s.clock.Now, Address: address,
	}
	self := selfservice.Pages{Options: selfservice.Options{
		Users: s.users, SecondFactor: factor, Passkeys: s.passkeys, Links: s.links, Permissions: store.Permissions{DB: db}, Tx: db, Sessions: sessions, Known: known, SignIns: driver, Pages: pages, Address: address, Now: s.clock.Now, Log: log,
		Accounts: accounts{{Target: "directory", State: provisioning.StateInSync}, {Target: "gone", State: provisioning.StateAbsent}},
	}}
	mux := http.NewServeMux()
	for _, family := range []interface{ Mount(*http.ServeMux) }{pages, driver, self} {
		family.Mount(mux)
	}
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.ada, err = s.users.Register(t.Context(), user.User{Login: "ada", Email: "ada@example.com", GivenName: "Ada", Home: "payroll"}, password)
	must(t, err)
	return s
}

// person is somebody at a browser without JavaScript.
type person struct {
	*stack
	browser *browser.Browser
	page    *browser.Page
}

func (s *stack) person() *person { return &person{stack: s, browser: browser.New()} }

func (p *person) get(path string) *person {
	p.t.Helper()
	page, err := p.browser.Get(p.t.Context(), p.server.URL+path)
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) submit(action string, fill ...string) *person {
	p.t.Helper()
	values := map[string]string{}
	for i := 0; i < len(fill); i += 2 {
		values[fill[i]] = fill[i+1]
	}
	page, err := p.browser.Submit(p.t.Context(), p.page, action, values)
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) signIn(login, password string) *person {
	p.t.Helper()
	return p.submit("/sign-in", "login", login, "password", password)
}

// at checks where the person is and what is to be read there.
func (p *person) at(path string, says ...string) *person {
	p.t.Helper()
	if p.page.URL.Path != path {
		p.t.Fatalf("at %s (%d), want %s\n%s", p.page.URL, p.page.Status, path, p.page.Text)
	}
	for _, text := range says {
		if !strings.Contains(p.page.Text, text) {
			p.t.Fatalf("%s (%d) does not say %q:\n%s", p.page.URL, p.page.Status, text, p.page.Text)
		}
	}
	return p
}

func (p *person) status(want int) *person {
	p.t.Helper()
	if p.page.Status != want {
		p.t.Fatalf("%s: status %d, want %d\n%s", p.page.URL, p.page.Status, want, p.page.Text)
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
