package selfservice_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func TestOverviewNeedsASession(t *testing.T) {
	s := newStack(t)
	p := s.person().get("/account").at("/sign-in", "to manage your account")
	p.signIn("ada", "wrong").status(http.StatusUnauthorized)
	p.signIn("ada", password).at("/account", "ada@example.com", "directory ready")
	if strings.Contains(p.page.Text, "gone") || strings.Contains(p.page.Text, "verified") {
		t.Errorf("the page says %s", p.page.Text)
	}
	must(t, s.users.Disable(t.Context(), s.ada.ID))
	p.get("/account").at("/sign-in")
}

// A sign-in for a page of ours is good for nothing else.
func TestOwnSignInIssuesNothing(t *testing.T) {
	s := newStack(t)
	p := s.person().get("/account").at("/sign-in")
	query := p.page.URL.RawQuery
	p.get("/register?" + query).status(http.StatusNotFound)
	p.get("/sign-in?"+query).signIn("ada", password).at("/account")
	p.get("/wait?" + query).at("/account")
	p.get("/sign-in?" + query).at("/account") // the back button
	p.get("/sign-in/done?sign_in=unknown").status(http.StatusNotFound)
}

func TestChangePassword(t *testing.T) { sqldbtest.Each(t, changePassword, store.Migrations()) }

func changePassword(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	other := s.person().get("/account").signIn("ada", password).at("/account")
	p := s.person().get("/account/password").signIn("ada", password).at("/account/password")
	const fresh = "dragon 84 river 17 cloud"
	p.submit("/account/password", "current_password", "wrong", "password", fresh).status(http.StatusUnprocessableEntity).at("/account/password", "not your current password")
	p.submit("/account/password", "current_password", password, "password", "Password2024!").status(http.StatusUnprocessableEntity).at("/account/password", "first passwords attackers try")
	before, since := cookie(p), s.signedIn()
	s.clock.advance(time.Minute)
	p.submit("/account/password", "current_password", password, "password", fresh).at("/account", "Your password is changed")
	if before == "" || cookie(p) == before {
		t.Error("the session kept its id")
	}
	if now := s.signedIn(); now != since { // nothing but the password was asked for again
		t.Errorf("signed in at %d, and now at %d", since, now)
	}
	p.get("/account").at("/account")
	other.get("/account").at("/sign-in").signIn("ada", password).status(http.StatusUnauthorized)
	other.signIn("ada", fresh).at("/account")
}

// signedIn returns when ada signed in last, in microseconds.
func (s *stack) signedIn() (at int64) {
	s.t.Helper()
	must(s.t, s.db.QueryRow(s.t.Context(), `SELECT MAX(auth_time) FROM sessions WHERE user_id = $1`, s.ada.ID).Scan(&at))
	return at
}

func cookie(p *person) string {
	base, _ := url.Parse(p.server.URL)
	for _, c := range p.browser.Client.Jar.Cookies(base) {
		if c.Name == "anteroom" {
			return c.Value
		}
	}
	return ""
}

// Who finds an open browser cannot guess the password there for ever.
func TestChangePasswordIsThrottled(t *testing.T) {
	s := newStack(t)
	p := s.person().get("/account/password").signIn("ada", password)
	for range 5 {
		p.submit("/account/password", "current_password", "wrong", "password", "x").status(http.StatusUnprocessableEntity)
	}
	p.submit("/account/password", "current_password", password, "password", "dragon 84 river 17 cloud").status(http.StatusTooManyRequests)
	if p.page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestSessions(t *testing.T) { sqldbtest.Each(t, sessions, store.Migrations()) }

func sessions(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	second, third := s.person().get("/account").signIn("ada", password), s.person().get("/account").signIn("ada", password)
	p := s.person().get("/account/sessions").signIn("ada", password).at("/account/sessions", "this browser", "192.0.2.1", "Sign out everywhere else")
	p.submit("/account/sessions").at("/account", "That browser is signed out.")
	p.get("/account/sessions").submit("/account/sessions", "session", "").at("/account", "everywhere else")
	p.get("/account/sessions").at("/account/sessions", "this browser")
	if strings.Contains(p.page.Text, "everywhere else") {
		t.Error("there is nobody else to sign out")
	}
	second.get("/account").at("/sign-in")
	third.get("/account").at("/sign-in")
}

// Only sessions of one's own can be ended.
func TestForeignSessionLivesOn(t *testing.T) {
	s := newStack(t)
	_, err := s.users.Import(t.Context(), user.User{Login: "eve"}, "eve is up to no good")
	must(t, err)
	victim := s.person().get("/account").signIn("ada", password)
	var id string
	must(t, s.db.QueryRow(t.Context(), `SELECT id FROM sessions WHERE user_id = $1`, s.ada.ID).Scan(&id))
	eve := s.person().get("/account").signIn("eve", "eve is up to no good")
	s.person().get("/account").signIn("eve", "eve is up to no good")
	eve.get("/account/sessions").submit("/account/sessions", "session", id).at("/account")
	victim.get("/account").at("/account")
}

func TestDelete(t *testing.T) { sqldbtest.Each(t, deleteAccount, store.Migrations()) }

func deleteAccount(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	p := s.person().get("/account").signIn("ada", password).at("/account")
	s.clock.advance(6 * time.Minute)
	p.get("/account/delete").at("/sign-in").signIn("ada", password).at("/account/delete", "cannot be undone", "directory")
	p.submit("/account/delete").status(http.StatusUnprocessableEntity).at("/account/delete", "Please confirm")
	form, _ := p.page.Form("/account/delete")
	s.clock.advance(6 * time.Minute)
	late := *p
	late.submit("/account/delete", "sure", "yes").at("/sign-in")
	if _, err := s.users.Get(t.Context(), s.ada.ID); err != nil || form.Values.Get("token") == "" {
		t.Fatalf("deleted without being asked again: %v", err)
	}
	late.signIn("ada", password).at("/account/delete").submit("/account/delete", "sure", "yes").status(http.StatusOK).at("/account/delete", "Your account is deleted")
	if _, err := s.users.Get(t.Context(), s.ada.ID); !errors.Is(err, provisioning.ErrUserNotFound) || !s.lifecycle.has("deleted", s.ada.ID) {
		t.Errorf("user: %v; provisioning heard of it: %v", err, s.lifecycle.has("deleted", s.ada.ID))
	}
	p.get("/account").at("/sign-in").signIn("ada", password).status(http.StatusUnauthorized)
}

// Who was created by an admin cannot delete themselves.
func TestDeleteIsForThoseWhoRegistered(t *testing.T) {
	s := newStack(t)
	u, err := s.users.Import(t.Context(), user.User{Login: "grace"}, "grace knows compilers")
	must(t, err)
	p := s.person().get("/account/delete").signIn("grace", "grace knows compilers").status(http.StatusForbidden).at("/account/delete", "Ask them to delete it")
	token := p.get("/account/password")
	form, err := token.page.Form("/account/password")
	must(t, err)
	res, err := p.browser.Client.PostForm(s.server.URL+"/account/delete", url.Values{"token": form.Values["token"], "sure": {"yes"}})
	must(t, err)
	_ = res.Body.Close()
	if _, err := s.users.Get(t.Context(), u.ID); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
}

func TestSecondFactor(t *testing.T) { sqldbtest.Each(t, secondFactor, store.Migrations()) }

func secondFactor(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	other := s.person().get("/account").signIn("ada", password)
	p := s.person().get("/account/second-factor").signIn("ada", password).at("/account/second-factor", "Set up an app")
	p.submit("/begin").at("/account/second-factor", "Scan this")
	secret := regexp.MustCompile(`<code>([A-Z2-7]{32})</code>`).FindStringSubmatch(p.page.HTML)
	if secret == nil || !strings.Contains(p.page.HTML, `src="data:image/png;base64,`) {
		t.Fatalf("no secret to scan:\n%s", p.page.HTML)
	}
	show := func() string {
		code, err := totp.GenerateCode(secret[1], s.clock.Now())
		must(t, err)
		return code
	}
	p.submit("/confirm", "code", "000000").status(http.StatusUnprocessableEntity).at("/account/second-factor/confirm", "This code is wrong")
	p.submit("/confirm", "code", show()).status(http.StatusOK).at("/account/second-factor/confirm", "recovery codes")
	codes := regexp.MustCompile(`<li>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</li>`).FindAllStringSubmatch(p.page.HTML, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	p.get("/account/second-factor").at("/account/second-factor", "It is turned on. Recovery codes left: 10.")
	if strings.Contains(p.page.HTML, secret[1]) {
		t.Error("the secret is shown again")
	}
	other.get("/account").at("/sign-in").signIn("ada", password).at("/sign-in/code")
	other.submit("/sign-in/code", "code", codes[0][1]).at("/account")
	s.clock.advance(6 * time.Minute)
	p.get("/account/second-factor").at("/sign-in").signIn("ada", password).at("/sign-in/code") // asked again before it is turned off
	p.submit("/sign-in/code", "code", show()).at("/account/second-factor").submit("/remove").at("/account", "is turned off")
	s.person().get("/account").signIn("ada", password).at("/account")
}

func TestForgedForms(t *testing.T) {
	s := newStack(t)
	p := s.person().get("/account/password").signIn("ada", password).at("/account/password")
	form, err := p.page.Form("/account/password")
	must(t, err)
	stranger := s.person().get("/account/password").signIn("ada", password)
	foreign, err := stranger.page.Form("/account/password")
	must(t, err)
	post := func(path string, values url.Values, header ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+path, strings.NewReader(values.Encode()))
		must(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := p.browser.Client.Do(r)
		must(t, err)
		_ = res.Body.Close()
		return res.StatusCode
	}
	for name, got := range map[string]int{
		"no token":          post("/account/delete", url.Values{"sure": {"yes"}}),
		"another session's": post("/account/delete", url.Values{"sure": {"yes"}, "token": foreign.Values["token"]}),
		"another site":      post("/account/sessions", form.Values, "Sec-Fetch-Site", "cross-site"),
		"not a form":        post("/account/sessions", form.Values, "Content-Type", "text/plain"),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, got)
		}
	}
	if _, err := s.users.Get(t.Context(), s.ada.ID); err != nil {
		t.Error(err)
	}
}
