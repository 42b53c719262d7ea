package flow_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const confirmPath = "/sign-in/confirm"

// confirming asks people before a user is made; they may write these fields.
func confirming(editable ...string) func(*federation.Upstream) {
	return func(u *federation.Upstream) { u.JIT, u.Editable = federation.JITConfirm, editable }
}

func all() []string { return federation.DefaultEditable() }

// shown is what the form holds, without what is hidden.
func (b *browser) shown() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for name, values := range b.fill(confirmPath, nil) {
		if name != "token" && name != "sign_in" {
			out[name] = values[0]
		}
	}
	return out
}

// untouched checks that nobody was made or signed in.
func (s *stack) untouched() {
	s.t.Helper()
	if users, links, sessions := people(s.t, s.db); users != 1 || links != 0 || sessions != 0 || s.codes() != 0 {
		s.t.Fatalf("%d users, %d links, %d sessions, %d codes, want ada alone", users, links, sessions, s.codes())
	}
}

// At the first sign-in the person sees what the upstream tells and may correct it.
// Nothing is made before, and nothing typed is lost.
func TestConfirmMakesUser(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newStackOn(t, db)
		p := newProvider(t, s.clock.Now)
		s.federate(p, confirming(all()...))
		var asked []string
		s.driver.Upstreams.(*federation.Service).Verify = func(_ context.Context, id provisioning.UserID, _ string) error {
			asked = append(asked, string(id))
			return nil
		}
		b := s.browser().get(start).with("corp").through(p).at(confirmPath).status(http.StatusOK).says("Corp told us this about you")
		want := map[string]string{"login": "grace", "email": "grace@corp.example", "given_name": "Grace", "family_name": "Hopper"}
		if diff := cmp.Diff(want, b.shown()); diff != "" {
			t.Fatalf("form (-want +got):\n%s", diff)
		}
		s.untouched()
		typed := map[string]string{"login": "ADA", "email": "not an address", "given_name": "Amazing", "family_name": ""}
		b.submit(confirmPath, typed).status(http.StatusUnprocessableEntity).says("such as name@example.com")
		if diff := cmp.Diff(typed, b.shown()); diff != "" {
			t.Errorf("what was typed is lost (-want +got):\n%s", diff)
		}
		b.submit(confirmPath, map[string]string{"email": "amazing@home.example"}).status(http.StatusUnprocessableEntity).says("This login is taken")
		b.submit(confirmPath, map[string]string{"login": "x y", "email": ""}).status(http.StatusUnprocessableEntity).says("Please fill this in").says("begin with a letter")
		s.untouched()
		b.submit(confirmPath, map[string]string{"login": " amazing ", "email": "amazing@home.example"}).backWith("code", "")
		made, err := s.users.ByLogin(t.Context(), "amazing")
		must(t, err)
		wanted := user.User{
			Login: "amazing", LoginNorm: "amazing", Email: "amazing@home.example", GivenName: "Amazing", Name: "Amazing",
			Groups: []string{"staff"}, Status: user.StatusActive, Home: "payroll", Source: "corp", Revision: 1,
		}
		if diff := cmp.Diff(wanted, made, cmpopts.IgnoreFields(user.User{}, "ID", "CreatedAt", "UpdatedAt")); diff != "" {
			t.Errorf("user (-want +got):\n%s", diff)
		}
		if s.lifecycle.registered[made.ID] != "payroll" || !slices.Equal(asked, []string{string(made.ID)}) {
			t.Errorf("provisioning heard %v, mail went to %v", s.lifecycle.registered, asked)
		}
		// What is the person's stays theirs; the rest follows the upstream.
		p.person["given_name"], p.person["name"], p.person["email"], p.person["roles"] = "Grace B.", "Grace B. Hopper", "new@corp.example", []string{"admiral"}
		s.browser().get(start).with("corp").through(p).backWith("code", "")
		wanted.Groups, wanted.Revision = []string{"admiral"}, 2
		again, err := s.users.Get(t.Context(), made.ID)
		must(t, err)
		if diff := cmp.Diff(wanted, again, cmpopts.IgnoreFields(user.User{}, "ID", "CreatedAt", "UpdatedAt")); diff != "" {
			t.Errorf("user after the second sign-in (-want +got):\n%s", diff)
		}
	}, store.Migrations())
}

// An address counts as verified only when it is the upstream's to the letter, the
// upstream verified it, and nobody else here did. No address links anybody.
func TestConfirmEmail(t *testing.T) {
	for name, c := range map[string]struct {
		told     any
		verified bool
		typed    string
		want     bool
	}{
		"the upstream's":             {"grace@corp.example", true, "grace@corp.example", true},
		"not verified there":         {"grace@corp.example", false, "grace@corp.example", false},
		"typed":                      {"grace@corp.example", true, "grace@home.example", false},
		"typed, another's":           {"grace@corp.example", true, "ada@example.com", false},
		"typed for want of one":      {nil, true, "grace@home.example", false},
		"the upstream's and ada's":   {"ada@example.com", true, "ada@example.com", false},
		"differs in upper case only": {"grace@corp.example", true, "GRACE@corp.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			verifyEmail(t, s, "ada")
			p := newProvider(t, s.clock.Now)
			p.person["email"], p.person["email_verified"] = c.told, c.verified
			s.federate(p, confirming(all()...))
			s.browser().get(start).with("corp").through(p).submit(confirmPath, map[string]string{"email": c.typed}).backWith("code", "")
			u, err := s.users.ByLogin(t.Context(), "grace")
			if err != nil || u.Email != c.typed || u.EmailVerified != c.want {
				t.Errorf("user = %+v, %v", u, err)
			}
			if ada, err := s.users.ByLogin(t.Context(), "ada"); err != nil || ada.Source != "" || ada.ID == u.ID {
				t.Errorf("ada = %+v, %v", ada, err)
			}
		})
	}
}

// What the upstream does not leave to the person is shown, and not theirs to send.
func TestConfirmFixedFields(t *testing.T) {
	s := newStack(t)
	verifyEmail(t, s, "ada")
	p := newProvider(t, s.clock.Now)
	s.federate(p, confirming("given_name"))
	b := s.browser().get(start).with("corp").through(p).at(confirmPath).says("cannot be changed here")
	for _, name := range all() {
		input := b.page.find(func(n *html.Node) bool { return n.Data == "input" && attr(n, "name") == name })
		fixed := slices.ContainsFunc(input.Attr, func(a html.Attribute) bool { return a.Key == "readonly" })
		if fixed != (name != "given_name") {
			t.Errorf("%s is fixed: %t", name, fixed)
		}
	}
	b.submit(confirmPath, map[string]string{"login": "root", "email": "root@corp.example", "family_name": "Root", "given_name": "Gracie"}).backWith("code", "")
	u, err := s.users.ByLogin(t.Context(), "grace")
	if err != nil || u.Email != "grace@corp.example" || !u.EmailVerified || u.Name != "Gracie Hopper" {
		t.Errorf("user = %+v, %v", u, err)
	}
	p.person["sub"], p.info["sub"] = "g-2", "g-2"
	for what, change := range map[string]map[string]any{
		"no login":         {"preferred_username": ""},
		"e-mail of ada":    {"preferred_username": "grace2", "email": "ada@example.com"},
		"login of another": {"preferred_username": "ada"},
	} {
		maps.Copy(p.person, map[string]any{"preferred_username": "grace2", "email": "grace2@corp.example"})
		maps.Copy(p.person, change)
		b := s.browser().get(start).with("corp").through(p)
		if what != "no login" { // that nobody can mend, so nobody is asked
			b.at(confirmPath).submit(confirmPath, nil)
		}
		if b.status(map[bool]int{true: http.StatusBadGateway, false: http.StatusForbidden}[what == "no login"]); b.page.url.Path == "/oauth2/authorize/resume" {
			t.Errorf("%s: let in", what)
		}
		if users, links, _ := people(t, s.db); users != 2 || links != 1 {
			t.Errorf("%s: %d users, %d links", what, users, links)
		}
		b.signIn().backWith("code", "")
	}
}

// The form is its browser's, for its sign-in, once.
func TestConfirmIsBound(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, confirming(all()...))
	victim := s.browser().get(start).with("corp").through(p).at(confirmPath)
	form, page := victim.fill(confirmPath, nil), victim.page.url.RequestURI()
	s.browser().get(start).get(page).status(http.StatusForbidden)
	s.browser().get(start).post(confirmPath, form).status(http.StatusForbidden)
	other := victim.twin().get(start) // another sign-in of the same browser has no identity
	moved := url.Values{"sign_in": {other.signInID()}, "token": {form.Get("token")}, "login": {"mallory"}, "email": {"m@m.example"}}
	victim.twin().post(confirmPath, moved).status(http.StatusForbidden)
	other.post(confirmPath, other.fill("/sign-in", nil)).at("/sign-in")
	s.untouched()

	// The sealed identity of one sign-in opens in no other.
	_, err := s.db.Exec(t.Context(), `UPDATE sign_ins SET identity = (SELECT identity FROM sign_ins WHERE identity IS NOT NULL) WHERE id = $1`, other.signInID())
	must(t, err)
	other.get(confirmPath + "?sign_in=" + other.signInID()).status(http.StatusInternalServerError)

	second := victim.twin()
	victim.submit(confirmPath, nil).backWith("code", "")
	second.post(confirmPath, form).backWith("code", "") // the double click joins
	if users, links, sessions := people(t, s.db); users != 2 || links != 1 || sessions != 1 || s.codes() != 1 {
		t.Errorf("%d users, %d links, %d sessions, %d codes", users, links, sessions, s.codes())
	}
}

// Two tabs, or two browsers, confirm the same person: one makes the user, the other
// signs them in.
func TestConfirmTwice(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, confirming(all()...))
	one, two := s.browser().get(start).with("corp").through(p), s.browser().get(start).with("corp").through(p)
	one.submit(confirmPath, nil).backWith("code", "")
	two.submit(confirmPath, map[string]string{"login": "somebody-else"}).backWith("code", "")
	if users, links, _ := people(t, s.db); users != 2 || links != 1 {
		t.Errorf("%d users, %d links", users, links)
	}
}

// Nobody gets a code before the account is there, and a form left alone ends with its
// sign-in, of which no personal data stays.
func TestConfirmedUserWaitsAtTheGate(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, confirming(all()...))
	s.blocking("directory")
	left := s.browser().get(start).with("corp").through(p).at(confirmPath)
	b := s.browser().get(start).with("corp").through(p).submit(confirmPath, nil).at("/wait")
	if s.codes() != 0 {
		t.Fatal("a code was minted before the account is there")
	}
	s.ledger.inSync("directory")
	b.get("/oauth2/authorize/resume?sign_in="+b.signInID()).backWith("code", "")

	s.clock.advance(31 * time.Minute)
	left.submit(confirmPath, nil).status(http.StatusGone)
	if n, err := (store.SignIns{DB: s.db}).ForgetIdentities(t.Context(), s.clock.Now(), 10); n != 1 || err != nil {
		t.Errorf("%d identities forgotten, %v", n, err)
	}
	if n, err := (store.SignIns{DB: s.db}).ForgetIdentities(t.Context(), s.clock.Now(), 10); n != 0 || err != nil {
		t.Errorf("%d identities were left, %v", n, err)
	}
}

// Who does not like what they see signs in another way; who waited until the upstream
// was taken away does not get in.
func TestConfirmIsLeft(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p, confirming(all()...))
	gone := s.browser().get(start).with("corp").through(p).at(confirmPath)
	b := s.browser().get(start).with("corp").through(p).at(confirmPath)
	b.get("/sign-in?sign_in="+b.signInID()).at("/sign-in").signIn().backWith("code", "")
	s.offer("corp", p, confirming(all()...), func(u *federation.Upstream) { u.Enabled = false })
	gone.submit(confirmPath, nil).status(http.StatusNotFound)
	if users, links, _ := people(t, s.db); users != 1 || links != 0 {
		t.Errorf("%d users, %d links", users, links)
	}
}
