package flow_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

const (
	password = "correct horse staple"
	callback = "https://payroll.example.com/cb"
)

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

// ledger is a gate's ledger of one user in memory.
type ledger struct {
	mu       sync.Mutex
	bindings []provisioning.Binding
	accounts map[provisioning.TargetName]provisioning.Account
	wanted   int
	retried  int
	onWant   func()
}

func (l *ledger) Standings(context.Context, provisioning.ClientID, provisioning.UserID) ([]provisioning.Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []provisioning.Standing
	for _, b := range l.bindings {
		st := provisioning.Standing{Binding: b}
		if a, ok := l.accounts[b.Target]; ok {
			st.Account = &a
		}
		out = append(out, st)
	}
	return out, nil
}

func (*ledger) Forfeit(context.Context, provisioning.Loss, time.Time) error { return nil }

func (l *ledger) Want(_ context.Context, w provisioning.Wish, now time.Time) error {
	for _, target := range w.Targets {
		l.set(provisioning.Account{User: w.User, Target: target, Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StatePending, UpdatedAt: now})
	}
	l.mu.Lock()
	l.wanted++
	hook := l.onWant
	l.mu.Unlock()
	if hook != nil {
		hook()
	}
	return nil
}

func (l *ledger) Hasten(context.Context, provisioning.UserID, []provisioning.TargetName, time.Time) error {
	return nil
}

func (l *ledger) Retry(_ context.Context, _ provisioning.UserID, targets []provisioning.TargetName, _ time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, target := range targets {
		a := l.accounts[target]
		a.State, a.Kind = provisioning.StatePending, ""
		l.accounts[target] = a
	}
	l.retried++
	return len(targets), nil
}

func (l *ledger) set(a provisioning.Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[a.Target] = a
}

// inSync makes the target's account as desired.
func (l *ledger) inSync(target provisioning.TargetName) {
	l.set(provisioning.Account{
		Target: target, Desired: provisioning.DesiredPresent, DesiredRev: 1, AppliedRev: 1,
		State: provisioning.StateInSync, ExternalID: "x1",
	})
}

func (l *ledger) fail(target provisioning.TargetName, kind sdk.Kind, state provisioning.State, next time.Time) {
	l.set(provisioning.Account{
		Target: target, Desired: provisioning.DesiredPresent, DesiredRev: 1, State: state, Kind: kind, NextAttemptAt: next,
	})
}

type decisions struct {
	mu  sync.Mutex
	all []provisioning.Decision
}

func (d *decisions) Add(_ context.Context, v provisioning.Decision) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, v)
	return nil
}

// plainSealer stands for encryption: it ties the text to its row.
type plainSealer struct{}

func (plainSealer) Seal(plaintext, associated []byte) ([]byte, error) {
	return slices.Concat(associated, []byte{0}, plaintext), nil
}

func (plainSealer) Open(ciphertext, associated []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(string(ciphertext), string(associated)+"\x00")
	if !ok {
		return nil, errors.New("sealed for another row")
	}
	return []byte(rest), nil
}

type lifecycle struct {
	mu         sync.Mutex
	registered map[provisioning.UserID]provisioning.ClientID
}

func (l *lifecycle) Registered(_ context.Context, u provisioning.UserID, c provisioning.ClientID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.registered[u] = c
	return nil
}
func (*lifecycle) Changed(context.Context, provisioning.UserID) error  { return nil }
func (*lifecycle) Disabled(context.Context, provisioning.UserID) error { return nil }
func (*lifecycle) Enabled(context.Context, provisioning.UserID) error  { return nil }
func (*lifecycle) Deleted(context.Context, provisioning.UserID) error  { return nil }

// active tells the gate who may sign in.
type active struct{ users *user.Service }

func (a active) Active(ctx context.Context, id provisioning.UserID) (bool, error) {
	u, err := a.users.Get(ctx, id)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return false, nil
	}
	return u.Active(), err
}

// logouts notes who joins which session, and frames what it is told to.
type logouts struct {
	joined map[string]provisioning.ClientID
	frames []string
}

func (l *logouts) Join(_ context.Context, sid string, client provisioning.ClientID, _ subject.Alias) error {
	l.joined[sid] = client
	return nil
}

func (l *logouts) Frames(_ context.Context, sid string) ([]string, error) {
	if l.joined[sid] == "" {
		return nil, nil
	}
	return l.frames, nil
}

// stack is the flow with a real database, user service, sessions and gate, and a
// stand-in for package op around it.
type stack struct {
	t         testing.TB
	db        *sqldb.DB
	clock     *clock
	ledger    *ledger
	decisions *decisions
	lifecycle *lifecycle
	users     *user.Service
	factor    *secondfactor.Service
	passkeys  *passkey.Service
	apps      store.Applications
	driver    *flow.Driver
	logouts   *logouts
	mux       *http.ServeMux
	server    *httptest.Server
	callback  string // the application's
	minted    int    // codes whose transaction committed
	mintedMu  sync.Mutex
}

func newStack(t testing.TB) *stack {
	t.Helper()
	return newStackOn(t, sqldbtest.SQLite(t, store.Migrations()))
}

func newStackOn(t testing.TB, db *sqldb.DB) *stack {
	t.Helper()
	s := &stack{
		callback: callback,
		t:        t, db: db, clock: &clock{now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)},
		ledger:  &ledger{accounts: map[provisioning.TargetName]provisioning.Account{}},
		logouts: &logouts{joined: map[string]provisioning.ClientID{}}, decisions: &decisions{}, lifecycle: &lifecycle{registered: map[provisioning.UserID]provisioning.ClientID{}},
	}
	log := slog.New(slog.DiscardHandler)
	users := store.Users{DB: s.db}
	s.users = &user.Service{
		Store: users, Passwords: users, Throttle: store.Throttle{DB: s.db}, Tx: s.db, Lifecycle: s.lifecycle, Now: s.clock.Now, Log: log,
		Hasher: user.NewHasher(user.Params{MemoryKiB: 8, Passes: 1, Threads: 1}),
	}
	s.apps = store.Applications{DB: s.db, Now: s.clock.Now}
	pages, err := web.NewRenderer("Anteroom", log)
	must(t, err)
	gate := provisioning.NewGate(provisioning.GateOptions{
		Ledger: s.ledger, Decisions: s.decisions, Users: active{s.users}, Tx: s.db, Nudge: func() {}, Now: s.clock.Now,
	})
	factors := store.SecondFactors{DB: s.db}
	s.factor = &secondfactor.Service{
		Store: factors, Codes: factors, Limits: s.users, Sealer: plainSealer{}, Tx: s.db, Issuer: "login.example.com", Now: s.clock.Now,
	}
	party, _ := passkey.PartyOf(passkeyIssuer)
	s.passkeys, err = passkey.New(passkey.Options{
		Party: party, Store: store.Passkeys{DB: s.db}, Uses: store.Passkeys{DB: s.db}, Challenges: store.PasskeyChallenges{DB: s.db},
		Limits: s.users, Tx: s.db, Now: s.clock.Now,
	})
	must(t, err)
	s.driver = &flow.Driver{
		Passkeys:     s.passkeys,
		SecondFactor: s.factor,
		SignIns:      store.SignIns{DB: s.db}, Tx: s.db, Users: s.users, Applications: s.apps, Gate: gate, Sealer: plainSealer{},
		Sessions: &session.Manager{Store: store.Sessions{DB: s.db}, List: store.Sessions{DB: s.db}, Cookies: session.NewCookies(false), Now: s.clock.Now},
		Known:    session.KnownBrowsers{Key: []byte("known"), Cookies: session.NewCookies(false), Now: s.clock.Now},
		Pages:    pages, Log: log, Now: s.clock.Now, Address: func(*http.Request) string { return "192.0.2.1" },
		Logouts: s.logouts, Subjects: &subject.Service{Key: []byte("sids")}, Consents: store.Consents{DB: s.db}, Hold: time.Millisecond, HoldSilent: time.Millisecond,
	}
	s.seed()
	mux := http.NewServeMux()
	s.mux = mux
	s.driver.Mount(mux)
	pages.Mount(mux)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("GET /own", func(w http.ResponseWriter, r *http.Request) {
		if err := s.driver.Ask(w, r, "/", "ada", r.URL.Query().Has("again")); err != nil {
			s.driver.Error(w, r, err)
		}
	})
	mux.HandleFunc("GET "+flow.ResumePath, s.resume)
	mux.HandleFunc("GET /logout", s.logout)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stack) seed() {
	s.t.Helper()
	for _, id := range []string{"payroll", "closed"} {
		a := application.New(provisioning.ClientID(id), "Payroll")
		a.RedirectURIs, a.SecretHash = []string{callback}, application.HashSecret("x")
		a.Registration, a.InitiateLoginURI = id == "payroll", "https://payroll.example.com/start"
		_, err := s.apps.Put(s.t.Context(), a)
		must(s.t, err)
	}
	_, err := s.users.Import(s.t.Context(), user.User{Login: "ada", Email: "ada@example.com", GivenName: "Ada"}, password)
	must(s.t, err)
}

func (s *stack) blocking(target provisioning.TargetName) {
	b := provisioning.NewBinding("payroll", target)
	b.Blocking = true
	s.ledger.bindings = append(s.ledger.bindings, b)
}

// authorize and resume do what package op does around the flow.
func (s *stack) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	req := flow.AuthorizeRequest{
		Client: provisioning.ClientID(q.Get("client_id")), Form: q, RedirectURI: s.callback, Scopes: []string{"openid"}, Asks: strings.Fields("openid " + q.Get("scope")),
		Prompt: strings.Fields(q.Get("prompt")), LoginHint: q.Get("login_hint"), UILocales: q.Get("ui_locales"),
	}
	if n, err := strconv.Atoi(q.Get("max_age")); err == nil {
		age := time.Duration(n) * time.Second
		req.MaxAge = &age
	}
	in, step, err := s.driver.Begin(w, r, req)
	s.finish(w, r, in, step, err)
}

// logout does what package op does: the request is validated, and says so itself.
func (s *stack) logout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	must(s.t, s.driver.SignOut(w, r, flow.SignOutRequest{
		Client: provisioning.ClientID(q.Get("client_id")), User: provisioning.UserID(q.Get("user")), SID: q.Get("sid"), ReturnTo: q.Get("return_to"),
		Sector: application.Sector(q.Get("sector")),
	}))
}

func (s *stack) resume(w http.ResponseWriter, r *http.Request) {
	in, step, err := s.driver.Resume(w, r, flow.ID(r.URL.Query().Get("sign_in")))
	s.finish(w, r, in, step, err)
}

func (s *stack) finish(w http.ResponseWriter, r *http.Request, in *flow.SignIn, step flow.Step, err error) {
	if err != nil {
		s.driver.Error(w, r, err)
		return
	}
	switch step.Action {
	case flow.ActionIssue:
		s.issue(w, r, in)
	case flow.ActionReplay:
		http.Redirect(w, r, step.Response, http.StatusSeeOther)
	case flow.ActionFail:
		if err := s.driver.Ended(r.Context(), in); err != nil {
			s.driver.Error(w, r, err)
			return
		}
		http.Redirect(w, r, s.callback+"?error="+step.Error, http.StatusSeeOther)
	case flow.ActionExpired:
		http.Error(w, "over", http.StatusGone)
	default:
		http.Redirect(w, r, flow.Location(in, step), http.StatusSeeOther)
	}
}

func (s *stack) issue(w http.ResponseWriter, r *http.Request, in *flow.SignIn) {
	to := s.callback + "?code=" + url.QueryEscape(in.Reference)
	err := s.db.InTx(r.Context(), func(ctx context.Context) error {
		permit, err := s.driver.Permit(ctx, in)
		if err != nil {
			return err
		}
		if !permit.Allows(in.Request.Client, in.User) {
			s.t.Error("the permit does not cover the sign-in")
		}
		return s.driver.Issued(ctx, in, permit, to)
	})
	switch {
	case errors.Is(err, flow.ErrStale), errors.Is(err, flow.ErrNotYet):
		http.Redirect(w, r, flow.ResumePath+"?sign_in="+string(in.ID), http.StatusSeeOther)
	case err != nil:
		s.driver.Error(w, r, err)
	default:
		s.mintedMu.Lock()
		s.minted++
		s.mintedMu.Unlock()
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

func (s *stack) codes() int {
	s.mintedMu.Lock()
	defer s.mintedMu.Unlock()
	return s.minted
}

// rows counts stored sign-ins.
func (s *stack) rows() int {
	s.t.Helper()
	return s.count("sign_ins")
}

func (s *stack) count(table string) int {
	s.t.Helper()
	var n int
	must(s.t, s.db.QueryRow(s.t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n))
	return n
}

// browser is a person's browser without JavaScript. It follows redirects within
// the server and stops at the application.
type browser struct {
	t      testing.TB
	base   string
	client *http.Client
	page   page
}

type page struct {
	status int
	url    *url.URL // where the browser is, or was sent to
	header http.Header
	body   string
	root   *html.Node
}

func (s *stack) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	own := s.server.Listener.Addr().String()
	return &browser{t: s.t, base: s.server.URL, client: &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Host != own || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// twin is another tab: the same cookies, its own page.
func (b *browser) twin() *browser {
	tab := *b
	return &tab
}

func (b *browser) do(r *http.Request) *browser {
	b.t.Helper()
	res, err := b.client.Do(r)
	must(b.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	must(b.t, err)
	root, err := html.Parse(strings.NewReader(string(body)))
	must(b.t, err)
	b.page = page{status: res.StatusCode, url: res.Request.URL, header: res.Header, body: string(body), root: root}
	if to, err := res.Location(); err == nil {
		b.page.url = to
	}
	return b
}

func (b *browser) get(path string) *browser {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	must(b.t, err)
	return b.do(r)
}

func (b *browser) post(path string, form url.Values, header ...string) *browser {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.do(r)
}

// fill returns what the page's form with that action would send, with values
// typed in.
func (b *browser) fill(action string, typed map[string]string) url.Values {
	b.t.Helper()
	form := b.page.find(func(n *html.Node) bool { return n.Data == "form" && attr(n, "action") == action })
	if form == nil {
		b.t.Fatalf("%s (%d) has no form for %s:\n%s", b.page.url, b.page.status, action, b.page.body)
	}
	out := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "name") != "" {
			out.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(typed)) {
		if !out.Has(name) {
			b.t.Fatalf("the form for %s has no input %s", action, name)
		}
		out.Set(name, typed[name])
	}
	return out
}

func (b *browser) submit(action string, typed map[string]string) *browser {
	b.t.Helper()
	return b.post(action, b.fill(action, typed))
}

// signIn types the seeded user's credentials into the page.
func (b *browser) signIn() *browser {
	b.t.Helper()
	return b.submit("/sign-in", map[string]string{"login": "ada", "password": password})
}

// at checks where the browser is.
func (b *browser) at(path string) *browser {
	b.t.Helper()
	if b.page.url.Path != path {
		b.t.Fatalf("at %s (%d), want %s\n%s", b.page.url, b.page.status, path, b.page.body)
	}
	return b
}

// backWith checks that the browser was sent to the application with a parameter.
func (b *browser) backWith(param, value string) *browser {
	b.t.Helper()
	got := b.page.url.Query().Get(param)
	if !strings.HasPrefix(b.page.url.String(), callback+"?") || value != "" && got != value || got == "" {
		b.t.Fatalf("at %s (%d), want the application with %s=%s\n%s", b.page.url, b.page.status, param, value, b.page.body)
	}
	return b
}

// leftFor checks that the browser was sent to that address.
func (b *browser) leftFor(address string) *browser {
	b.t.Helper()
	if b.page.url.String() != address {
		b.t.Fatalf("at %s (%d), want %s\n%s", b.page.url, b.page.status, address, b.page.body)
	}
	return b
}

func (b *browser) says(text string) *browser {
	b.t.Helper()
	if !strings.Contains(b.page.text(), text) {
		b.t.Fatalf("%s (%d) does not say %q:\n%s", b.page.url, b.page.status, text, b.page.text())
	}
	return b
}

func (b *browser) status(want int) *browser {
	b.t.Helper()
	if b.page.status != want {
		b.t.Fatalf("%s: status %d, want %d\n%s", b.page.url, b.page.status, want, b.page.text())
	}
	return b
}

func (b *browser) signInID() string {
	b.t.Helper()
	id := b.page.url.Query().Get("sign_in")
	if id == "" {
		b.t.Fatalf("%s names no sign-in", b.page.url)
	}
	return id
}

func (b *browser) cookie(name string) string {
	base, err := url.Parse(b.base)
	must(b.t, err)
	for _, c := range b.client.Jar.Cookies(base) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (p page) find(ok func(*html.Node) bool) *html.Node {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && ok(n) {
			return n
		}
	}
	return nil
}

// text is what a person reads.
func (p page) text() string {
	var out strings.Builder
	for n := range p.root.Descendants() {
		if n.Type == html.TextNode {
			out.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
