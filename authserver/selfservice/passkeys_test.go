package selfservice_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/passkey/passkeytest"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const (
	passkeyIssuer = "https://login.example.com"
	passkeys      = "/account/passkeys"
)

// challenge does what the page's script does first.
func (p *person) challenge() (*http.Response, []byte) {
	p.t.Helper()
	res, err := p.browser.Client.PostForm(p.server.URL+passkeys+"/challenge", url.Values{"token": {p.token(passkeys)}})
	must(p.t, err)
	body, err := io.ReadAll(res.Body)
	must(p.t, err)
	must(p.t, res.Body.Close())
	return res, body
}

func (p *person) token(action string) string {
	p.t.Helper()
	form, err := p.page.Form(action)
	must(p.t, err)
	return form.Values.Get("token")
}

// add adds a passkey as the page's script does.
func (p *person) add(a *passkeytest.Authenticator, name string, has ...*passkeytest.Key) *passkeytest.Key {
	p.t.Helper()
	_, options := p.challenge()
	key, answer, err := a.Create(options, has...)
	must(p.t, err)
	p.post(passkeys, "name", name, "answer", answer)
	return key
}

// post sends the page's form with these values in place of its own.
func (p *person) post(action string, values ...string) *person {
	p.t.Helper()
	form := url.Values{"token": {p.token(action)}}
	for pair := range slices.Chunk(values, 2) {
		form.Set(pair[0], pair[1])
	}
	res, err := p.browser.Client.PostForm(p.server.URL+action, form)
	must(p.t, err)
	must(p.t, res.Body.Close())
	if p.page.Status = res.StatusCode; res.StatusCode == http.StatusOK {
		return p.get(res.Request.URL.RequestURI())
	}
	return p
}

func TestPasskeys(t *testing.T) { sqldbtest.Each(t, allOfPasskeys, store.Migrations()) }

func allOfPasskeys(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	a := &passkeytest.Authenticator{Origin: passkeyIssuer}
	other := s.person().get("/account").signIn("ada", password).at("/account")
	p := s.person().get(passkeys).signIn("ada", password).at(passkeys, "Passkeys need JavaScript")
	key := p.add(a, "My phone")
	p.at(passkeys, "The passkey is added", "My phone", "on one device", "not used yet")
	if _, _, err := a.Create(second(p.challenge()), key); err == nil {
		t.Error("the same authenticator is not excluded")
	}
	a.Synced = true
	s.clock.advance(time.Second)
	p.add(a, "My laptop")
	p.at(passkeys, "My laptop", "several of your devices")
	other.get("/account").at("/account") // still
	p.get("/account/password").submit("/account/password", "current_password", password, "password", "dragon 84 river 17 cloud").at("/account", "Your passkeys still sign you in")
	other.get("/account").signIn("ada", "dragon 84 river 17 cloud").at("/account")
	p.get(passkeys).submit(passkeys+"/rename", "name", "Old phone").at(passkeys, "has a new name", "Old phone", "My laptop")
	p.submit(passkeys+"/rename", "name", strings.Repeat("x", 65)).status(http.StatusUnprocessableEntity).at(passkeys+"/rename", "longer than 64")
	p.submit(passkeys+"/remove").at(passkeys, "The passkey is removed", "My laptop")
	if strings.Contains(p.page.Text, "Old phone") {
		t.Error("it is still there")
	}
	other.get("/account").at("/sign-in")
	p.get("/account").at("/account")
}

func second[A, B any](_ A, b B) B { return b }

// A passkey is as much as a password: who finds an open browser must not add one.
func TestPasskeysNeedAFreshSession(t *testing.T) {
	s := newStack(t)
	a := &passkeytest.Authenticator{Origin: passkeyIssuer}
	p := s.person().get(passkeys).signIn("ada", password).at(passkeys)
	_, options := p.challenge()
	_, answer, err := a.Create(options)
	must(t, err)
	s.clock.advance(6 * time.Minute)
	if res, _ := p.challenge(); res.Request.URL.Path != "/sign-in" {
		t.Errorf("an old session gets a challenge at %s", res.Request.URL)
	}
	late := *p
	late.post(passkeys, "name", "x", "answer", answer).at("/sign-in")
	if all, err := s.passkeys.Of(t.Context(), s.ada.ID); len(all) != 0 || err != nil {
		t.Errorf("an old session added %d passkeys, %v", len(all), err)
	}
	p.get("/account").at("/account").get(passkeys).at("/sign-in").signIn("ada", password).at(passkeys)
}

// What cannot be added is not, and the page says why.
func TestPasskeyIsNotAdded(t *testing.T) {
	s := newStack(t)
	_, err := s.users.Import(t.Context(), user.User{Login: "grace"}, "grace knows compilers")
	must(t, err)
	right := passkeytest.Authenticator{Origin: passkeyIssuer}
	p := s.person().get(passkeys).signIn("ada", password).at(passkeys)
	grace := s.person().get(passkeys).signIn("grace", "grace knows compilers").at(passkeys)
	for what, c := range map[string]struct {
		with passkeytest.Authenticator
		of   *person
		name string
	}{
		"another origin":             {passkeytest.Authenticator{Origin: "https://login.example.org"}, p, "x"},
		"user not proven":            {passkeytest.Authenticator{Origin: passkeyIssuer, Unverified: true}, p, "x"},
		"another session's":          {right, s.person().get(passkeys).signIn("ada", password), "x"},
		"another user's":             {right, grace, "x"},
		"no name":                    {right, p, " "},
		"a name with a control code": {right, p, "a\tb"},
	} {
		_, options := c.of.challenge()
		_, answer, err := c.with.Create(options)
		must(t, err)
		p.get(passkeys).post(passkeys, "name", c.name, "answer", answer).status(http.StatusUnprocessableEntity)
		if all, err := s.passkeys.Of(t.Context(), s.ada.ID); len(all) != 0 || err != nil {
			t.Errorf("%s: there are %d passkeys, %v", what, len(all), err)
		}
	}
	_, options := p.get(passkeys).challenge()
	_, answer, err := right.Create(options)
	must(t, err)
	p.post(passkeys, "name", "x", "answer", answer).at(passkeys, "is added")
	p.post(passkeys, "name", "x", "answer", answer).status(http.StatusUnprocessableEntity) // replayed
	p.get(passkeys).at(passkeys).submit(passkeys+"/remove", "passkey", "nonsense!").status(http.StatusUnprocessableEntity).at(passkeys+"/remove", "not there any more")
}

// Passkeys of others can be neither renamed nor removed.
func TestForeignPasskeyStays(t *testing.T) {
	s := newStack(t)
	_, err := s.users.Import(t.Context(), user.User{Login: "eve"}, "eve is up to no good")
	must(t, err)
	a := &passkeytest.Authenticator{Origin: passkeyIssuer}
	p := s.person().get(passkeys).signIn("ada", password)
	p.add(a, "Hers")
	form, err := p.page.Form(passkeys + "/remove")
	must(t, err)
	eve := s.person().get(passkeys).signIn("eve", "eve is up to no good")
	eve.add(a, "Eve's")
	for _, action := range []string{"/rename", "/remove"} {
		eve.get(passkeys).post(passkeys+action, "passkey", form.Values.Get("passkey"), "name", "x").status(http.StatusUnprocessableEntity)
	}
	p.get(passkeys).at(passkeys, "Hers")
}

// A passkey would outlast an account elsewhere.
func TestPasskeysAreForUsersOfOurOwn(t *testing.T) {
	s := newStack(t)
	p := s.person().get(passkeys).signIn("ada", password).at(passkeys)
	token := p.token(passkeys)
	_, err := s.db.Exec(t.Context(), `UPDATE users SET source = 'corp' WHERE id = $1`, s.ada.ID)
	must(t, err)
	p.get(passkeys).status(http.StatusForbidden).at(passkeys, "Your organisation signs you in")
	res, err := p.browser.Client.PostForm(s.server.URL+passkeys+"/challenge", url.Values{"token": {token}})
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("challenge: %d", res.StatusCode)
	}
	if p.get("/account"); strings.Contains(p.page.Text, "Passkeys") {
		t.Error("the overview leads there")
	}
}

// Nobody locks themselves out; a passkey that is of no use can go all the same.
func TestLastWayInStays(t *testing.T) { sqldbtest.Each(t, lastWayIn, store.Migrations()) }

func lastWayIn(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	p := s.person().get(passkeys).signIn("ada", password)
	p.add(&passkeytest.Authenticator{Origin: passkeyIssuer}, "Only one")
	_, err := db.Exec(t.Context(), `DELETE FROM passwords WHERE user_id = $1`, s.ada.ID)
	must(t, err)
	p.submit(passkeys+"/remove").status(http.StatusUnprocessableEntity).at(passkeys+"/remove", "This is your only way to sign in", "Only one")
	s.links.all = []federation.Link{{Issuer: "https://gone.example"}}
	p.get(passkeys).submit(passkeys + "/remove").status(http.StatusUnprocessableEntity)
	s.links.all = []federation.Link{{Issuer: "https://corp.example"}}
	p.get(passkeys).submit(passkeys+"/remove").at(passkeys, "The passkey is removed")
	p.add(&passkeytest.Authenticator{Origin: passkeyIssuer}, "Another")
	s.links.all = nil
	_, err = db.Exec(t.Context(), `UPDATE passkey SET suspect_at = 1 WHERE user_id = $1`, s.ada.ID)
	must(t, err)
	p.get(passkeys).at(passkeys, "It no longer works").submit(passkeys+"/remove").at(passkeys, "The passkey is removed")
}
