package flow_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// asking makes the application ask its users.
func asking(t *testing.T, db *sqldb.DB) *stack {
	t.Helper()
	s := newStackOn(t, db)
	app, err := s.apps.Get(t.Context(), "payroll")
	must(t, err)
	app.Consent = application.ConsentAsk
	_, err = s.apps.Put(t.Context(), app)
	must(t, err)
	return s
}

const (
	allow      = "/consent"
	asksEmail  = "/authorize?client_id=payroll&scope=email"
	asksMore   = "/authorize?client_id=payroll&scope=email+profile"
	asksAgain  = asksEmail + "&prompt=consent"
	asksSilent = asksEmail + "&prompt=none"
)

func TestConsentIsAskedOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := asking(t, db)
		b := s.browser().get(asksEmail).signIn().at("/consent").says("your e-mail address").says("signed in as ada")
		if s.codes() != 0 || s.ledger.wanted != 0 {
			t.Error("something happened before the answer")
		}
		b.submit(allow, nil).backWith("code", "")
		b.get(asksEmail).backWith("code", "")
		b.get(asksSilent).backWith("code", "")
		b.get("/authorize?client_id=payroll").backWith("code", "") // less than was allowed
		b.get(asksMore).at("/consent").says("your name")
		b.get(asksMore+"&prompt=none").backWith("error", "consent_required")
		b.get(asksMore).submit(allow, nil).backWith("code", "")
		b.get(asksEmail).backWith("code", "") // what was allowed before still is
		b.get(asksAgain).at("/consent").submit(allow, nil).backWith("code", "")
		s.browser().get(asksMore).signIn().backWith("code", "") // another browser, the same person
		must(t, store.Consents{DB: db}.ForgetApplication(t.Context(), "payroll"))
		b.get(asksEmail).at("/consent")
	}, store.Migrations())
}

// A resource server is asked about like a scope, by its identifier, and what one
// may have is no consent for another.
func TestConsentForAResource(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	at := func(identifier string) string {
		return asksEmail + url.QueryEscape(" "+application.ResourceScope(identifier))
	}
	b := s.browser().get(at("https://reports.example/api")).signIn().at("/consent").says("access to https://reports.example/api in your name")
	b.submit(allow, nil).backWith("code", "")
	b.get(at("https://reports.example/api")).backWith("code", "")
	b.get(at("https://billing.example/")).at("/consent").says("access to https://billing.example/ in your name")
}

func TestConsentDenied(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	b := s.browser().get(asksEmail).signIn().at("/consent")
	form := b.fill("/consent", nil)
	form.Set("answer", "deny")
	b.post("/consent", form).backWith("error", "access_denied")
	b.post("/consent", form).status(http.StatusGone) // it is over
	b.get(asksEmail).at("/consent")                  // no is not remembered
	for _, answer := range []string{"", "ALLOW", "yes"} {
		form := b.get(asksEmail).fill("/consent", nil)
		form.Set("answer", answer)
		b.post("/consent", form).backWith("error", "access_denied")
	}
	if s.codes() != 0 {
		t.Errorf("%d codes", s.codes())
	}
}

// An answer belongs to the browser, the sign-in and the user it was asked of.
func TestConsentIsOnesOwn(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	b := s.browser().get(asksEmail).signIn().at("/consent")
	form := b.fill("/consent", nil)
	s.browser().get(asksEmail).signIn().post("/consent", form).status(http.StatusForbidden)
	b.post("/consent", url.Values{"sign_in": form["sign_in"], "answer": {"allow"}}).status(http.StatusForbidden)
	_, err := s.users.Import(t.Context(), user.User{Login: "bob"}, password)
	must(t, err)
	tab := b.twin()
	tab.get("/authorize?client_id=closed&prompt=login").submit("/sign-in", map[string]string{"login": "bob", "password": password})
	b.post("/consent", form).at("/consent").says("bob")
	var n int
	must(t, s.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM consent").Scan(&n))
	if n != 0 {
		t.Error("an answer counts that was asked of another user")
	}
}

// A password that is asked for again does not undo the answer, but the question
// follows the user.
func TestConsentFollowsTheUser(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	b := s.browser().get(asksEmail).signIn().submit(allow, nil).backWith("code", "")
	_, err := s.users.Import(t.Context(), user.User{Login: "bob"}, password)
	must(t, err)
	b.get(asksEmail+"&prompt=login").submit("/sign-in", map[string]string{"login": "bob", "password": password}).at("/consent").says("bob")
	if !strings.Contains(b.page.text(), "Payroll asks for") {
		t.Error(b.page.text())
	}
}

// What is withdrawn while the sign-in waits is asked for again before anything is
// issued.
func TestConsentWithdrawnWhileWaiting(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	s.blocking("directory")
	b := s.browser().get(asksEmail).signIn().submit(allow, nil).at("/wait")
	id := b.signInID()
	ada, err := s.users.Store.ByLogin(t.Context(), "ada")
	must(t, err)
	must(t, store.Permissions{DB: s.db}.Withdraw(t.Context(), ada.ID, "payroll", s.clock.Now()))
	s.ledger.inSync("directory")
	b.get("/wait?sign_in=" + id).at("/consent")
	if s.codes() != 0 {
		t.Errorf("%d codes", s.codes())
	}
	b.submit(allow, nil).backWith("code", "")
}

// People see what is certain of an application that registered itself: where answers go.
func TestConsentForAStranger(t *testing.T) {
	s := asking(t, sqldbtest.SQLite(t, store.Migrations()))
	const warning, policy = "nobody has checked who it is", "https://payroll.example/policy"
	b := s.browser().get(asksEmail)
	if strings.Contains(b.signIn().at("/consent").page.body, warning) {
		t.Error("an admin's application is called a stranger")
	}
	app, err := s.apps.Get(t.Context(), "payroll")
	must(t, err)
	app.SelfRegistered, app.About.PolicyURI = true, policy
	_, err = s.apps.Put(t.Context(), app)
	must(t, err)
	u, err := url.Parse(app.RedirectURIs[0])
	must(t, err)
	b.get(asksEmail).at("/consent").says(warning).says("goes to " + u.Host)
	if !strings.Contains(b.page.body, `href="`+policy+`"`) {
		t.Errorf("no link to the policy in %s", b.page.body)
	}
	if b := s.browser().get(asksEmail); !strings.Contains(b.page.body, `href="`+policy+`"`) {
		t.Errorf("no link to the policy in %s", b.page.body)
	}
}
