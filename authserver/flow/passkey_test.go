package flow_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/passkey/passkeytest"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const passkeyIssuer = "https://login.example.com"

func newAuthenticator() *passkeytest.Authenticator {
	return &passkeytest.Authenticator{Origin: passkeyIssuer}
}

// passkey gives the user one.
func (s *stack) passkey(a *passkeytest.Authenticator, login string) *passkeytest.Key {
	s.t.Helper()
	u, err := s.users.ByLogin(s.t.Context(), login)
	must(s.t, err)
	owner := passkey.Owner{ID: u.ID, Login: login}
	options, err := s.passkeys.Invite(s.t.Context(), owner, "account:x")
	must(s.t, err)
	key, answer, err := a.Create(options)
	must(s.t, err)
	must(s.t, s.passkeys.Add(s.t.Context(), owner, "account:x", "Phone", answer))
	return key
}

// asked does what the page's script does: it returns the page's form for a passkey with
// the answer filled in.
func (b *browser) asked(a *passkeytest.Authenticator, key *passkeytest.Key) url.Values {
	b.t.Helper()
	form := b.fill("/sign-in/passkey", nil)
	challenge := b.twin().post("/sign-in/passkey/challenge", form)
	if kind := challenge.page.header.Get("Content-Type"); challenge.page.status != http.StatusOK || kind != "application/json" {
		b.t.Fatalf("%d %s: %s", challenge.page.status, kind, challenge.page.body)
	}
	answer, err := a.Sign(key, []byte(challenge.page.body))
	must(b.t, err)
	form.Set("answer", answer)
	return form
}

func TestPasskeySignsIn(t *testing.T) { sqldbtest.Each(t, passkeySignsIn, store.Migrations()) }

func passkeySignsIn(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	s.enrol() // whose code is not asked for
	a := newAuthenticator()
	for _, c := range []struct {
		synced bool
		amr    string
	}{{false, `["hwk","user","mfa"]`}, {true, `["swk","user","mfa"]`}} {
		a.Synced = c.synced
		key := s.passkey(a, "ada")
		b := s.browser().get("/authorize?client_id=payroll").at("/sign-in")
		b.post("/sign-in/passkey", b.asked(a, key)).backWith("code", "")
		var amr string
		must(t, db.QueryRow(t.Context(), `SELECT amr FROM sessions ORDER BY auth_time DESC LIMIT 1`).Scan(&amr))
		if amr != c.amr {
			t.Errorf("amr %s, want %s", amr, c.amr)
		}
		b.get("/authorize?client_id=payroll").backWith("code", "")
		s.clock.advance(time.Minute)
	}
}

// The gate is reached as after a password.
func TestPasskeyReachesTheGate(t *testing.T) {
	s := newStack(t)
	s.blocking("directory")
	a := newAuthenticator()
	key := s.passkey(a, "ada")
	b := s.browser().get("/authorize?client_id=payroll")
	b.post("/sign-in/passkey", b.asked(a, key)).at("/wait")
	if s.codes() != 0 || s.ledger.wanted != 1 {
		t.Errorf("%d codes, %d accounts wanted", s.codes(), s.ledger.wanted)
	}
	s.ledger.inSync("directory")
	b.get("/oauth2/authorize/resume?sign_in="+b.signInID()).backWith("code", "")
}

// Who must prove themselves anew can do so with a passkey, at that very sign-in.
func TestPasskeyIsFresh(t *testing.T) {
	s := newStack(t)
	a := newAuthenticator()
	key := s.passkey(a, "ada")
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	for _, query := range []string{"&prompt=login", "&max_age=0", "&max_age=60"} {
		s.clock.advance(2 * time.Minute)
		b.get("/authorize?client_id=payroll" + query).at("/sign-in")
		b.post("/sign-in/passkey", b.asked(a, key)).backWith("code", "")
	}
	b.get("/own?again").at("/sign-in")
	b.post("/sign-in/passkey", b.asked(a, key)).at("/")
}

// An answer is good once, in the sign-in and the browser that asked for it.
func TestPasskeyIsBound(t *testing.T) { sqldbtest.Each(t, passkeyIsBound, store.Migrations()) }

func passkeyIsBound(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	a := newAuthenticator()
	key := s.passkey(a, "ada")
	b := s.browser().get("/authorize?client_id=payroll")
	form := b.asked(a, key)
	other := b.twin().get("/authorize?client_id=payroll")
	moved := other.fill("/sign-in/passkey", map[string]string{"answer": form.Get("answer")})
	other.post("/sign-in/passkey", moved).status(http.StatusUnauthorized).says("does not sign you in")
	stranger := s.browser().get("/authorize?client_id=payroll")
	stranger.post("/sign-in/passkey", form).status(http.StatusForbidden)
	forged := url.Values{"token": {"x"}, "sign_in": form["sign_in"], "answer": form["answer"]}
	b.twin().post("/sign-in/passkey", forged).status(http.StatusForbidden)
	b.twin().post("/sign-in/passkey/challenge", forged).status(http.StatusForbidden)
	b.twin().post("/sign-in/passkey", form, "Sec-Fetch-Site", "cross-site").status(http.StatusForbidden)
	if s.codes() != 0 {
		t.Fatal("signed in")
	}
	b.post("/sign-in/passkey", form).backWith("code", "")
	late := s.browser().get("/authorize?client_id=payroll")
	answer := late.asked(a, key)
	s.clock.advance(31 * time.Minute)
	late.post("/sign-in/passkey", answer).status(http.StatusGone)
}

// Whatever is wrong, the page says the same and offers every other way in.
func TestPasskeyRefused(t *testing.T) {
	s := newStack(t)
	grace, err := s.users.Import(t.Context(), user.User{Login: "grace"}, "grace knows compilers")
	must(t, err)
	made := newAuthenticator()
	key, hers := s.passkey(made, "ada"), s.passkey(made, "grace")
	other := *key
	other.Handle = hers.Handle
	removed := s.passkey(made, "grace")
	must(t, s.passkeys.Remove(t.Context(), grace.ID, removed.ID))
	pages := map[string]bool{}
	for what, c := range map[string]struct {
		with passkeytest.Authenticator
		key  *passkeytest.Key
	}{
		"another origin":  {passkeytest.Authenticator{Origin: "https://login.example.org"}, key},
		"user not proven": {passkeytest.Authenticator{Origin: passkeyIssuer, Unverified: true}, key},
		"another's":       {*made, &other},
		"removed":         {*made, removed},
	} {
		b := s.browser().get("/authorize?client_id=payroll")
		b.post("/sign-in/passkey", b.asked(&c.with, c.key)).status(http.StatusUnauthorized).at("/sign-in/passkey")
		if b.cookie("anteroom") != "" {
			t.Errorf("%s: there is a session", what)
		}
		pages[b.page.text()] = true
		b.signIn().backWith("code", "")
	}
	if len(pages) != 1 {
		t.Errorf("the page tells what was wrong: %v", pages)
	}
}

func TestPasskeyOfWhoMayNotSignIn(t *testing.T) {
	s := newStack(t)
	a := newAuthenticator()
	key := s.passkey(a, "ada")
	ada, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	must(t, s.users.Disable(t.Context(), ada.ID))
	b := s.browser().get("/authorize?client_id=payroll")
	b.post("/sign-in/passkey", b.asked(a, key)).status(http.StatusForbidden).says("is disabled")
	must(t, s.users.Enable(t.Context(), ada.ID))
	_, err = s.db.Exec(t.Context(), `UPDATE users SET source = 'corp' WHERE id = $1`, ada.ID)
	must(t, err)
	b.post("/sign-in/passkey", b.asked(a, key)).status(http.StatusUnauthorized)
	if s.codes() != 0 || b.cookie("anteroom") != "" {
		t.Error("signed in")
	}
}

func TestCopiedPasskeySignsNobodyIn(t *testing.T) {
	s := newStack(t)
	a := newAuthenticator()
	a.Counts = true
	key := s.passkey(a, "ada")
	stolen := *key
	b := s.browser().get("/authorize?client_id=payroll")
	b.post("/sign-in/passkey", b.asked(a, key)).backWith("code", "")
	for _, k := range []*passkeytest.Key{&stolen, key} {
		b = s.browser().get("/authorize?client_id=payroll")
		b.post("/sign-in/passkey", b.asked(a, k)).status(http.StatusUnauthorized).says("seems to be a copy")
	}
}

func TestPasskeyTriesAreLimited(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	for range 200 {
		_, _ = s.passkeys.Check(t.Context(), "x", "192.0.2.1", "x")
	}
	b.submit("/sign-in/passkey", map[string]string{"answer": "x"}).status(http.StatusTooManyRequests).says("Too many tries")
	if b.page.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// Without a script the page is as it was, and so it is without passkeys.
func TestPasskeyFormIsHidden(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	form := b.page.find(func(n *html.Node) bool { return n.Data == "form" && attr(n, "action") == "/sign-in/passkey" })
	hidden := form != nil && slices.ContainsFunc(form.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
	if !hidden || attr(form, "data-challenge") != "/sign-in/passkey/challenge" {
		t.Errorf("the form is not hidden:\n%s", b.page.body)
	}
	s.driver.Passkeys = nil
	b.get("/authorize?client_id=payroll").at("/sign-in")
	if strings.Contains(b.page.body, "passkey") || strings.Contains(b.page.body, "webauthn") {
		t.Errorf("the page offers passkeys:\n%s", b.page.body)
	}
}
