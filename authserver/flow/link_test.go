package flow_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/selfservice"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const linksPath = federation.LinksPath

// heldKeys is how many passkeys everybody has.
type heldKeys struct {
	selfservice.Passkeys
	number int
}

func (h *heldKeys) Of(context.Context, provisioning.UserID) ([]passkey.Passkey, error) {
	return make([]passkey.Passkey, h.number), nil
}

// linking is the flow with an upstream that makes nobody, and self-service around it.
func linking(t *testing.T, db *sqldb.DB) (*stack, *provider, *heldKeys) {
	t.Helper()
	s, keys := newStackOn(t, db), &heldKeys{}
	p := newProvider(t, s.clock.Now)
	s.federate(p, func(u *federation.Upstream) { u.JIT = federation.JITOff })
	selfservice.Pages{Options: selfservice.Options{
		Users: selfUsers{s.users}, SecondFactor: s.factor, Passkeys: keys, Links: s.driver.Upstreams.(*federation.Service), Tx: db,
		Sessions: s.driver.Sessions, Known: s.driver.Known, SignIns: s.driver, Pages: s.driver.Pages, Now: s.clock.Now, Log: s.driver.Log, Address: s.driver.Address,
	}}.Mount(s.mux)
	return s, p, keys
}

type selfUsers struct{ *user.Service }

// methods is ada at her sign-in methods, who just gave her password.
func (s *stack) methods() *browser {
	return s.browser().get(linksPath).signIn().at(linksPath).status(http.StatusOK)
}

func (b *browser) linkTo(name string) *browser {
	b.t.Helper()
	form := b.fill(linksPath+"/link", nil)
	form.Set("upstream", name)
	return b.post(linksPath+"/link", form)
}

// unlinkForm is what the unlink button of the issuer sends.
func (b *browser) unlinkForm(issuer string) url.Values {
	b.t.Helper()
	form := b.page.find(func(n *html.Node) bool {
		return n.Data == "form" && attr(n, "action") == linksPath+"/unlink" && slices.ContainsFunc(slices.Collect(n.Descendants()), func(n *html.Node) bool { return attr(n, "value") == issuer })
	})
	if form == nil {
		b.t.Fatalf("%s cannot be unlinked:\n%s", issuer, b.page.text())
	}
	out := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" {
			out.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	return out
}

func (s *stack) who(login string) user.User {
	s.t.Helper()
	u, err := s.users.ByLogin(s.t.Context(), login)
	must(s.t, err)
	return u
}

func (s *stack) linksOf(id provisioning.UserID) []federation.Link {
	s.t.Helper()
	links, err := store.Links{DB: s.db}.Of(s.t.Context(), id)
	must(s.t, err)
	return links
}

// A user of ours links an upstream, signs in with it as who they are, and unlinks it.
func TestLink(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, p, _ := linking(t, db)
		before := s.who("ada")
		s.browser().get(start).with("corp").through(p).status(http.StatusForbidden).says("no account here")
		b := s.methods().says("Passwordset").linkTo("corp")
		if got := b.page.url.Query().Get("prompt"); got != "login" {
			t.Errorf("prompt = %q, want the person to be asked", got)
		}
		b.through(p).at(linksPath).says("It is linked").says("Corp since")
		if b.page.find(func(n *html.Node) bool { return attr(n, "action") == linksPath+"/link" }) != nil {
			t.Error("what is linked is offered again")
		}
		if diff := cmp.Diff(before, s.who("ada")); diff != "" {
			t.Errorf("linking changed the user (-before +after):\n%s", diff)
		}
		other := s.browser().get(start).with("corp").through(p).backWith("code", "").get(linksPath).at(linksPath)
		if diff := cmp.Diff(before, s.who("ada")); diff != "" {
			t.Errorf("signing in changed the user (-before +after):\n%s", diff)
		}
		b.post(linksPath+"/unlink", b.unlinkForm(p.server.URL)).at(linksPath).says("It is unlinked")
		if links := s.linksOf(before.ID); len(links) != 0 {
			t.Errorf("links = %v", links)
		}
		other.get(linksPath).at("/sign-in") // who had the upstream's identity is out
		s.browser().get(start).with("corp").through(p).status(http.StatusForbidden).says("no account here")
	}, store.Migrations())
}

// An answer links in the session in which the link was begun, once, and signs nobody in.
func TestLinkIsBound(t *testing.T) {
	s, p, _ := linking(t, sqldbtest.SQLite(t, store.Migrations()))
	nothing := func(what string, b *browser, status int) {
		t.Helper()
		b.status(status)
		if links := s.linksOf(s.who("ada").ID); len(links) != 0 {
			t.Fatalf("%s: links = %v", what, links)
		}
	}
	mallory := s.methods().linkTo("corp").answer(p)
	nothing("nobody's browser", s.browser().get(mallory), http.StatusForbidden)
	victim := s.methods()
	nothing("another session of the same user", victim.get(s.methods().linkTo("corp").answer(p)), http.StatusForbidden)

	again := s.methods()
	answer := again.twin().linkTo("corp").answer(p)
	again.get("/own?again").signIn() // the session has another id now
	nothing("the session before", again.get(answer), http.StatusForbidden)

	signIn := s.browser().get(start).with("corp").answer(p)
	nothing("the answer to a sign-in", s.methods().get(signIn), http.StatusForbidden)
	forged := s.methods()
	form := forged.fill(linksPath+"/link", nil)
	form.Set("upstream", "corp")
	nothing("the form of another session", s.methods().post(linksPath+"/link", form), http.StatusForbidden)

	late := s.methods()
	s.clock.advance(6 * time.Minute)
	nothing("a session that is not fresh", late.linkTo("corp").at("/sign-in"), http.StatusOK)

	used := s.methods().linkTo("corp").answer(p)
	b := s.methods().linkTo("nope").status(http.StatusNotFound).get(linksPath).linkTo("corp")
	nothing("somebody else's answer", b.twin().get(used), http.StatusForbidden)
	own := b.answer(p)
	b.get(own).at(linksPath).get(own).status(http.StatusBadRequest)
}

// What goes wrong upstream is a sentence on a page, and links nothing.
func TestLinkFails(t *testing.T) {
	s, p, _ := linking(t, sqldbtest.SQLite(t, store.Migrations()))
	for name, c := range map[string]struct {
		lie    func()
		status int
		says   string
	}{
		"denied":     {func() { p.lieAnswer = func(q url.Values) { q.Set("error", "access_denied") } }, 403, "did not sign you in"},
		"refused":    {func() { p.lieAnswer = func(q url.Values) { q.Set("code", "x") } }, 502, "does not accept our request"},
		"nonce":      {func() { p.lieToken = func(c map[string]any) { c["nonce"] = "x" } }, 502, "could not be verified"},
		"stale":      {func() { p.lieToken = func(c map[string]any) { c["auth_time"] = s.clock.Now().Add(-time.Hour).Unix() } }, 502, "could not be verified"},
		"other host": {func() { p.lieAnswer = func(q url.Values) { q.Set("iss", "https://other.example") } }, 502, "could not be verified"},
	} {
		p.lieAnswer, p.lieToken = nil, nil
		c.lie()
		b := s.methods().linkTo("corp").through(p).status(c.status).says(c.says).says("Reference for support")
		if links := s.linksOf(s.who("ada").ID); len(links) != 0 {
			t.Errorf("%s: links = %v", name, links)
		}
		b.get(linksPath).status(http.StatusOK)
	}
	p.lieAnswer, p.lieToken = nil, nil
	b := s.methods()
	p.server.Close()
	s.clock.advance(2 * time.Minute)
	s.offer("corp", p, func(u *federation.Upstream) { u.Button = "Gone" }) // what is known of it is asked again
	b.linkTo("corp").status(http.StatusServiceUnavailable).says("Gone cannot be reached")
}

// Nobody takes over what is linked to somebody else, and users whom an upstream made
// link nothing: what they linked would outlast their account there.
func TestLinkOfSomebodyElse(t *testing.T) {
	s, p, _ := linking(t, sqldbtest.SQLite(t, store.Migrations()))
	s.offer("corp", p)
	grace := s.browser().get(start).with("corp").through(p).backWith("code", "")
	s.methods().linkTo("corp").through(p).status(http.StatusForbidden).says("Somebody else here signs in with this account of Corp")
	made, err := s.users.ByLogin(t.Context(), "grace")
	must(t, err)
	if links := s.linksOf(s.who("ada").ID); len(links) != 0 || len(s.linksOf(made.ID)) != 1 {
		t.Errorf("ada's links = %v", links)
	}
	grace.get(linksPath).status(http.StatusForbidden).says("is decided there")
	if strings.Contains(grace.page.body, "<form") {
		t.Error("a user of the upstream is offered a form")
	}
}

// The last way in stays: a password, a passkey or a link to an upstream that is on.
func TestUnlinkLastWay(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s, p, keys := linking(t, db)
		links := store.Links{DB: db}
		eve, err := s.users.Import(t.Context(), user.User{Login: "eve", Email: "eve@example.com"}, "")
		must(t, err)
		must(t, links.Insert(t.Context(), federation.Link{Issuer: p.server.URL, Subject: "g-1", User: eve.ID, CreatedAt: s.clock.Now()}))
		b := s.browser().get(linksPath).with("corp").through(p).at(linksPath).says("Passwordnot set").says("Passkeys0")
		form := b.unlinkForm(p.server.URL)
		b.post(linksPath+"/unlink", form).status(http.StatusConflict).says("your only way to sign in")

		q := newProvider(t, s.clock.Now)
		off := func(u *federation.Upstream) { u.JIT, u.Enabled = federation.JITOff, false }
		s.offer("rival", q, off)
		must(t, links.Insert(t.Context(), federation.Link{Issuer: q.server.URL, Subject: "g-1", User: eve.ID, CreatedAt: s.clock.Now()}))
		b.post(linksPath+"/unlink", form).status(http.StatusConflict)
		b.get(linksPath).says("cannot be used at the moment")

		foreign := b.unlinkForm(p.server.URL)
		foreign.Set("subject", "g-2")
		b.post(linksPath+"/unlink", foreign).at(linksPath + "/unlink").status(http.StatusOK)
		if n := len(s.linksOf(eve.ID)); n != 2 {
			t.Fatalf("%d links", n)
		}

		// Of two at once, one is the last.
		s.offer("rival", q, func(u *federation.Upstream) { u.JIT = federation.JITOff })
		b.get(linksPath)
		var wg sync.WaitGroup
		for _, issuer := range []string{p.server.URL, q.server.URL} {
			tab, form := b.twin(), b.unlinkForm(issuer)
			wg.Go(func() { tab.post(linksPath+"/unlink", form) })
		}
		wg.Wait()
		if n := len(s.linksOf(eve.ID)); n != 1 {
			t.Fatalf("%d links are left", n)
		}
		keys.number = 1
		b.get(linksPath).says("Passkeys1")
		b.post(linksPath+"/unlink", b.unlinkForm(s.linksOf(eve.ID)[0].Issuer)).at(linksPath).says("It is unlinked")
	}, store.Migrations())
}
