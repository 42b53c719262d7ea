package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/mail"
	"github.com/anteroom-id/anteroom/authserver/recovery"
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

const (
	password = "correct horse staple"
	fresh    = "dragon 84 river 17 cloud"
)

type stack struct {
	t       *testing.T
	db      *sqldb.DB
	mu      sync.Mutex
	now     time.Time
	changed []provisioning.UserID
	ended   []provisioning.UserID
	sent    []mail.Message
	fails   error
	users   *user.Service
	service *recovery.Service
	server  *httptest.Server
	ada     user.User
}

func (s *stack) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stack) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Send implements recovery.Mailer.
func (s *stack) Send(_ context.Context, m mail.Message) error {
	if s.fails != nil {
		return s.fails
	}
	s.sent = append(s.sent, m)
	return nil
}

func (s *stack) Registered(context.Context, provisioning.UserID, provisioning.ClientID) error {
	return nil
}
func (s *stack) Changed(_ context.Context, u provisioning.UserID) error {
	s.changed = append(s.changed, u)
	return nil
}
func (s *stack) Disabled(context.Context, provisioning.UserID) error { return nil }
func (s *stack) Enabled(context.Context, provisioning.UserID) error  { return nil }
func (s *stack) Deleted(context.Context, provisioning.UserID) error  { return nil }

// Error shows what no page of ours is for.
func (s *stack) Error(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, session.ErrForm) {
		status = http.StatusForbidden
	}
	http.Error(w, err.Error(), status)
}

// people ends sessions, and the links of the old password.
type people struct {
	*user.Service
	s *stack
}

func (p people) ReplacePassword(ctx context.Context, id provisioning.UserID, hash string) error {
	p.s.ended = append(p.s.ended, id)
	return p.Service.ReplacePassword(ctx, id, hash)
}

func newStack(t *testing.T) *stack { return newStackOn(t, sqldbtest.SQLite(t, store.Migrations())) }

func newStackOn(t *testing.T, db *sqldb.DB) *stack {
	t.Helper()
	s := &stack{t: t, db: db, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	s.users = &user.Service{
		Store: store.Users{DB: db}, Passwords: store.Users{DB: db}, Throttle: store.Throttle{DB: db}, Tx: db, Lifecycle: s, Now: s.Now, Log: log,
		Hasher: user.NewHasher(user.Params{MemoryKiB: 8, Passes: 1, Threads: 1}),
	}
	pages, err := web.NewRenderer("Anteroom", log)
	must(t, err)
	s.service = recovery.New(recovery.Options{
		Issuer: "https://login.example.com", Tokens: store.MailTokens{DB: db}, Requests: store.MailRequests{DB: db}, Users: people{s.users, s},
		Sealer: storetest.Sealer{}, Tx: db, Mailer: s, Texts: pages.TextsIn, Log: log, Now: s.Now,
	})
	mux := http.NewServeMux()
	recovery.Pages{
		Service: s.service, Cookies: session.NewCookies(false), Pages: pages, Errors: s, Limits: s.users,
		Address: func(*http.Request) string { return "192.0.2.1" },
	}.Mount(mux)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.ada, err = s.users.Register(t.Context(), user.User{Login: "ada", Email: "ada@example.com", Home: "payroll"}, password)
	must(t, err)
	return s
}

// person is somebody at a browser.
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

func (p *person) submit(fill ...string) *person {
	p.t.Helper()
	values := map[string]string{}
	for i := 0; i < len(fill); i += 2 {
		values[fill[i]] = fill[i+1]
	}
	page, err := p.browser.Submit(p.t.Context(), p.page, "/", values)
	must(p.t, err)
	p.page = page
	return p
}

func (p *person) says(status int, text string) *person {
	p.t.Helper()
	if p.page.Status != status || !strings.Contains(p.page.Text, text) {
		p.t.Fatalf("%s: %d, want %d and %q\n%s", p.page.URL, p.page.Status, status, text, p.page.Text)
	}
	return p
}

// ask asks for a new password and lets the worker work.
func (s *stack) ask(login string) *person {
	s.t.Helper()
	p := s.person().get("/recover").submit("login", login).says(http.StatusOK, "If there is an account")
	must(s.t, s.service.Work(s.t.Context()))
	return p
}

var linkIn = regexp.MustCompile(`https://login\.example\.com(/\S+)`)

// mailed returns the path of the link in the last mail.
func (s *stack) mailed() string {
	s.t.Helper()
	if len(s.sent) == 0 {
		s.t.Fatal("no mail")
	}
	found := linkIn.FindAllStringSubmatch(s.sent[len(s.sent)-1].Text, -1)
	if len(found) != 1 {
		s.t.Fatalf("links %v in %q", found, s.sent[len(s.sent)-1].Text)
	}
	return found[0][1]
}

func (s *stack) signsIn(password sdk.Secret) bool {
	_, err := s.users.Authenticate(s.t.Context(), user.Guess{Login: "ada", Password: password, Address: fmt.Sprint(len(s.sent), password)})
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReset(t *testing.T) { sqldbtest.Each(t, reset, store.Migrations()) }

func reset(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	s.ask("ada")
	first := s.mailed()
	s.ask(" ADA")
	if m := s.sent[1]; m.To != "ada@example.com" || m.Subject == "" || !strings.Contains(m.Text, "account ada at https://login.example.com:\n") && !strings.Contains(m.Text, "account ada at") {
		t.Errorf("mail %+v", m)
	}
	link := s.mailed()
	s.person().get(link).says(http.StatusOK, "For the account ada") // a scanner looks, too
	p := s.person().get(link).says(http.StatusOK, "Choose a new password")
	p.submit("password", "Password2024!").says(http.StatusUnprocessableEntity, "first passwords attackers try")
	p.submit("password", fresh).says(http.StatusOK, "Your password is set")
	if !s.signsIn(fresh) || s.signsIn(password) {
		t.Error("the password is not the new one")
	}
	if u, err := s.users.Get(t.Context(), s.ada.ID); err != nil || !u.EmailVerified || !slices.Contains(s.ended, s.ada.ID) || !slices.Contains(s.changed, s.ada.ID) {
		t.Errorf("verified %v (%v), sessions of %v ended, provisioning heard of %v", u.EmailVerified, err, s.ended, s.changed)
	}
	for _, used := range []string{link, first} {
		s.person().get(used).says(http.StatusGone, "This link does not work")
	}
	var n int
	must(t, db.QueryRow(t.Context(), `SELECT COUNT(*) FROM mail_token`).Scan(&n))
	if n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// One link, two browsers at once: one of them.
func TestResetOnce(t *testing.T) { sqldbtest.Each(t, resetOnce, store.Migrations()) }

func resetOnce(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	s.ask("ada")
	people := []*person{s.person().get(s.mailed()), s.person().get(s.mailed())}
	var wg sync.WaitGroup
	for i, p := range people {
		wg.Go(func() { p.submit("password", fmt.Sprintf("%s %d", fresh, i)) })
	}
	wg.Wait()
	if codes := []int{people[0].page.Status, people[1].page.Status}; !slices.Contains(codes, http.StatusOK) || !slices.Contains(codes, http.StatusGone) {
		t.Errorf("statuses %v, want one 200 and one 410", codes)
	}
}

// Whoever is asked for, the page and what is stored are the same; only some get
// mail.
func TestNobodyLearnsWhoIsThere(t *testing.T) {
	s := newStack(t)
	_, err := s.users.Import(t.Context(), user.User{Login: "no-address"}, password)
	must(t, err)
	off, err := s.users.Import(t.Context(), user.User{Login: "disabled", Email: "d@example.com"}, password)
	must(t, err)
	must(t, s.users.Disable(t.Context(), off.ID))
	_, err = s.users.Import(t.Context(), user.User{Login: "foreign", Email: "f@example.com", Source: "corp"}, "")
	must(t, err)
	known := s.ask("ada").page
	for _, login := range []string{"nobody", "no-address", "disabled", "foreign", "", strings.Repeat("x", 5000)} {
		got := s.person().get("/recover").submit("login", login).page
		if got.Status != known.Status || got.HTML != known.HTML {
			t.Errorf("%.20q: another page (%d)", login, got.Status)
		}
		var rows int
		must(t, s.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM mail_request`).Scan(&rows))
		if rows != 1 {
			t.Errorf("%.20q: %d requests, want 1 as for anybody", login, rows)
		}
		must(t, s.service.Work(t.Context()))
	}
	if len(s.sent) != 1 {
		t.Errorf("%d mails, want the one to ada", len(s.sent))
	}
}

func TestResetLinkStopsWorking(t *testing.T) {
	for name, spoil := range map[string]func(*stack){
		"after half an hour":  func(s *stack) { s.advance(30 * time.Minute) },
		"for a disabled user": func(s *stack) { must(s.t, s.users.Disable(s.t.Context(), s.ada.ID)) },
		"for a deleted user":  func(s *stack) { must(s.t, s.users.Delete(s.t.Context(), s.ada.ID)) },
		"once the address changed": func(s *stack) {
			_, err := s.users.Update(s.t.Context(), s.ada.ID, func(u *user.User) error { u.Email = "new@example.com"; return nil })
			must(s.t, err)
		},
	} {
		s := newStack(t)
		s.ask("ada")
		p := s.person().get(s.mailed()).says(http.StatusOK, "Choose")
		spoil(s)
		if p.submit("password", fresh); p.page.Status != http.StatusGone {
			t.Errorf("%s: %d", name, p.page.Status)
		}
	}
	s := newStack(t)
	s.ask("ada")
	link := s.mailed()
	for _, bad := range []string{link[:len(link)-1], "/recover/password", "/recover/password?link=x", strings.Replace(link, "/recover/password", "/verify-email", 1)} {
		s.person().get(bad).says(http.StatusGone, "does not work")
	}
}

func TestVerify(t *testing.T) { sqldbtest.Each(t, verify, store.Migrations()) }

func verify(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	must(t, s.service.AskVerification(t.Context(), s.ada.ID, "en"))
	must(t, s.service.Work(t.Context()))
	link := s.mailed()
	p := s.person().get(link).says(http.StatusOK, "Is ada@example.com the address of your account ada?")
	if u, err := s.users.Get(t.Context(), s.ada.ID); err != nil || u.EmailVerified {
		t.Fatalf("looking at the link verifies: %v", err)
	}
	p.submit().says(http.StatusOK, "is confirmed")
	if u, err := s.users.Get(t.Context(), s.ada.ID); err != nil || !u.EmailVerified || !slices.Equal(s.changed, []provisioning.UserID{s.ada.ID}) {
		t.Errorf("verified %v, %v; provisioning heard of %v", u.EmailVerified, err, s.changed)
	}
	s.person().get(link).says(http.StatusGone, "does not work")
	must(t, s.service.AskVerification(t.Context(), s.ada.ID, "en"))
	must(t, s.service.Work(t.Context()))
	if len(s.sent) != 1 {
		t.Error("a verified address gets another mail")
	}
}

// Nobody fills a mailbox, or keeps the server busy.
func TestMailIsLimited(t *testing.T) {
	s := newStack(t)
	for range 9 {
		s.ask("ada")
	}
	if len(s.sent) != 3 {
		t.Errorf("%d mails within an hour, want 3", len(s.sent))
	}
	p := s.person()
	for range 3 {
		p.get("/recover").submit("login", "nobody")
	}
	p.says(http.StatusTooManyRequests, "too many requests")
	if p.page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.advance(2 * time.Hour)
	if s.ask("ada"); len(s.sent) != 4 {
		t.Errorf("%d mails after the hour, want 4", len(s.sent))
	}
}

// A mail server that is down delays mail; a mailbox that is not there ends it.
func TestMailIsTriedAgain(t *testing.T) {
	s := newStack(t)
	s.fails = errors.New("connection refused")
	s.ask("ada")
	s.fails = nil
	must(t, s.service.Work(t.Context()))
	if len(s.sent) != 0 {
		t.Fatal("tried again at once")
	}
	s.advance(11 * time.Second)
	must(t, s.service.Work(t.Context()))
	s.person().get(s.mailed()).says(http.StatusOK, "Choose")
	pending := func() (n int) {
		must(t, s.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM mail_request`).Scan(&n))
		return n
	}
	if pending() != 0 {
		t.Error("what was sent is sent again")
	}
	s.fails = fmt.Errorf("%w: no such user", mail.ErrRefused)
	s.ask("ada")
	if pending() != 0 {
		t.Error("a refused mail is tried again")
	}
	s.fails = errors.New("connection refused")
	s.advance(2 * time.Hour)
	s.ask("ada")
	s.advance(31 * time.Minute)
	must(t, s.service.Work(t.Context()))
	if pending() != 0 {
		t.Error("a link nobody waits for any more is still to be mailed")
	}
}

// A server that is killed between claiming and sending loses no mail: another takes
// it when the lease is over. Two never take the same.
func TestRequestsAreLeased(t *testing.T) { sqldbtest.Each(t, requestsAreLeased, store.Migrations()) }

func requestsAreLeased(t *testing.T, db *sqldb.DB) {
	requests, at := store.MailRequests{DB: db}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	must(t, requests.Add(t.Context(), recovery.Request{ID: "r1", Sealed: []byte("x"), DueAt: at, Created: at}))
	r, ok, err := requests.Claim(t.Context(), at, at.Add(time.Minute))
	if err != nil || !ok || r.ID != "r1" || string(r.Sealed) != "x" || r.Attempts != 1 || !r.Created.Equal(at) {
		t.Fatalf("Claim = %+v, %v, %v", r, ok, err)
	}
	if _, ok, err := requests.Claim(t.Context(), at, at.Add(time.Minute)); ok || err != nil {
		t.Errorf("claimed twice: %v", err)
	}
	if r, ok, err := requests.Claim(t.Context(), at.Add(time.Minute), at.Add(2*time.Minute)); !ok || err != nil || r.Attempts != 2 {
		t.Errorf("after the lease: %+v, %v, %v", r, ok, err)
	}
}

// What is sealed for one row is no other's.
func TestRequestsAreTiedToTheirRow(t *testing.T) {
	s := newStack(t)
	s.person().get("/recover").submit("login", "ada")
	_, err := s.db.Exec(t.Context(), `UPDATE mail_request SET id = 'moved'`)
	must(t, err)
	must(t, s.service.Work(t.Context()))
	if len(s.sent) != 0 {
		t.Error("a moved request is worked on")
	}
}

func TestForgedForms(t *testing.T) {
	s := newStack(t)
	s.ask("ada")
	p := s.person().get(s.mailed())
	form, err := p.page.Form("/")
	must(t, err)
	form.Values.Set("password", fresh)
	form.Values.Set("token", "x")
	res, err := p.browser.Client.PostForm(s.server.URL+"/recover/password", form.Values)
	must(t, err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden || s.signsIn(fresh) {
		t.Errorf("a form without a token: %d", res.StatusCode)
	}
}
