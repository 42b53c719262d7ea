package flow_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const start = "/authorize?client_id=payroll"

// The first sign-in makes the user, in the application they came through; the next
// one brings them up to date.
func TestUpstreamMakesAndUpdatesUser(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := newStackOn(t, db)
		p := newProvider(t, s.clock.Now)
		s.federate(p)
		s.browser().get(start).with("corp").through(p).backWith("code", "")
		u, err := s.users.ByLogin(t.Context(), "grace")
		must(t, err)
		want := user.User{
			Login: "grace", LoginNorm: "grace", Email: "grace@corp.example", EmailVerified: true, GivenName: "Grace", FamilyName: "Hopper",
			Name: "Grace Hopper", Groups: []string{"staff"}, Status: user.StatusActive, Home: "payroll", Source: "corp", Revision: 1,
		}
		if diff := cmp.Diff(want, u, cmpopts.IgnoreFields(user.User{}, "ID", "CreatedAt", "UpdatedAt")); diff != "" {
			t.Errorf("user (-want +got):\n%s", diff)
		}
		if s.lifecycle.registered[u.ID] != "payroll" || u.Profile().Source != "corp" {
			t.Errorf("provisioning heard %v, and of source %q", s.lifecycle.registered, u.Profile().Source)
		}
		p.person["roles"], p.person["family_name"], p.person["preferred_username"] = []string{}, "Murray", "someone-else"
		s.browser().get(start).with("corp").through(p).backWith("code", "")
		again, err := s.users.Get(t.Context(), u.ID)
		if err != nil || again.FamilyName != "Murray" || len(again.Groups) != 0 || again.Login != "grace" || again.Revision != 2 {
			t.Errorf("user after the second sign-in = %+v, %v", again, err)
		}
		s.browser().get(start).with("corp").through(p).backWith("code", "")
		if same, err := s.users.Get(t.Context(), u.ID); err != nil || same.Revision != 2 {
			t.Errorf("the same answer changed the user: revision %d, %v", same.Revision, err)
		}
		if users, links, _ := people(t, db); users != 2 || links != 1 {
			t.Errorf("%d users and %d links, want ada, grace and a link", users, links)
		}
	}, store.Migrations())
}

// What the browser's session knows of the sign-in is what the upstream told.
func TestUpstreamFacts(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	delete(p.person, "family_name")
	p.info["family_name"], p.info["email"] = "Murray", "ada@corp.example" // what the ID token tells comes first
	s.federate(p)
	b := s.browser().get(start).with("corp").through(p).backWith("code", "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL, nil)
	must(t, err)
	r.AddCookie(&http.Cookie{Name: "anteroom", Value: b.cookie("anteroom")})
	if u, err := s.users.ByLogin(t.Context(), "grace"); err != nil || u.FamilyName != "Murray" || u.Email != "grace@corp.example" {
		t.Errorf("user = %+v, %v", u, err)
	}
	current, err := s.driver.Sessions.Current(t.Context(), r)
	if diff := cmp.Diff([]string{"pwd", "otp"}, current.AMR); diff != "" || err != nil {
		t.Errorf("AMR (-want +got):\n%s%v", diff, err)
	}
	if got := p.asked.Get("prompt"); got != "" {
		t.Errorf("prompt = %q although nobody asked for it", got)
	}
	b.get(start + "&prompt=login&login_hint=grace").with("corp")
	if q := b.page.url.Query(); q.Get("prompt") != "login" || q.Get("login_hint") != "grace" {
		t.Errorf("asked with %v", q)
	}
	p.lieToken = func(c map[string]any) { c["auth_time"] = s.clock.Now().Add(-time.Hour).Unix() }
	b.through(p).status(http.StatusBadGateway).says("could not be verified")
}

// Nobody gets a code before the account is there, however they signed in.
func TestUpstreamUserWaitsAtTheGate(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	s.blocking("directory")
	b := s.browser().get(start).with("corp").through(p).at("/wait")
	if s.codes() != 0 {
		t.Fatal("a code was minted before the account is there")
	}
	u, err := s.users.ByLogin(t.Context(), "grace")
	must(t, err)
	if s.lifecycle.registered[u.ID] != "payroll" {
		t.Error("provisioning did not hear of the new user")
	}
	s.ledger.inSync("directory")
	b.get("/oauth2/authorize/resume?sign_in="+b.signInID()).backWith("code", "")
}

// Every lie is refused, and nothing comes of it: no user, no link, no session, no code.
func TestHostileUpstream(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	claim := func(name string, value any) func(*stack, *provider) {
		return func(_ *stack, p *provider) { p.lieToken = func(c map[string]any) { c[name] = value } }
	}
	cases := map[string]struct {
		lie    func(s *stack, p *provider)
		status int
		says   string
	}{
		"wrong nonce":       {claim("nonce", "x"), 502, "could not be verified"},
		"no nonce":          {claim("nonce", nil), 502, "could not be verified"},
		"wrong audience":    {claim("aud", "other"), 502, "could not be verified"},
		"audience of two":   {claim("aud", []string{"anteroom", "other"}), 502, "could not be verified"},
		"wrong azp":         {claim("azp", "other"), 502, "could not be verified"},
		"wrong issuer":      {claim("iss", "https://other.example"), 502, "could not be verified"},
		"no subject":        {claim("sub", ""), 502, "could not be verified"},
		"long subject":      {claim("sub", strings.Repeat("x", 256)), 502, "could not be verified"},
		"wrong at_hash":     {claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), 502, "could not be verified"},
		"from the future":   {claim("iat", time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC).Unix()), 502, "could not be verified"},
		"expired":           {claim("exp", 1), 502, "could not be verified"},
		"not yet valid":     {claim("nbf", time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC).Unix()), 502, "could not be verified"},
		"no login":          {claim("preferred_username", nil), 502, "is not enough"},
		"login of another":  {claim("preferred_username", "ADA"), 403, "already"},
		"e-mail of another": {claim("email", "ADA@example.com"), 403, "already"},
		"alg none":          {func(_ *stack, p *provider) { p.lieSign = unsigned }, 502, "could not be verified"},
		"another key": {func(_ *stack, p *provider) {
			p.lieSign = func(payload []byte) string { return signed(t, jose.ES256, other, payload) }
		}, 502, "could not be verified"},
		"client secret as key": {func(_ *stack, p *provider) {
			p.lieSign = func(payload []byte) string {
				return signed(t, jose.HS256, []byte(strings.Repeat("s3cret", 8)), payload)
			}
		}, 502, "could not be verified"},
		"answer of another issuer": {func(_ *stack, p *provider) {
			p.lieAnswer = func(q url.Values) { q.Set("iss", "https://other.example") }
		}, 502, "could not be verified"},
		"answer without issuer": {func(_ *stack, p *provider) { p.lieAnswer = func(q url.Values) { q.Del("iss") } }, 502, "could not be verified"},
		"two codes":             {func(_ *stack, p *provider) { p.lieAnswer = func(q url.Values) { q.Add("code", "x") } }, 502, "could not be verified"},
		"no code":               {func(_ *stack, p *provider) { p.lieAnswer = func(q url.Values) { q.Del("code") } }, 502, "could not be verified"},
		"another code":          {func(_ *stack, p *provider) { p.lieAnswer = func(q url.Values) { q.Set("code", "x") } }, 502, "does not accept"},
		"denied":                {func(_ *stack, p *provider) { p.lieAnswer = func(q url.Values) { q.Set("error", "access_denied") } }, 403, "not signed in"},
		"tokens redirected": {func(_ *stack, p *provider) {
			p.instead["/token"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			}
		}, 503, "cannot be reached"},
		"endless tokens": {func(_ *stack, p *provider) {
			p.instead["/token"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) }
		}, 503, "cannot be reached"},
		"down": {func(_ *stack, p *provider) {
			p.instead["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		}, 503, "cannot be reached"},
		"userinfo of another": {func(_ *stack, p *provider) {
			p.info = map[string]any{"sub": "g-2"}
		}, 502, "could not be verified"},
		"nobody is made": {func(s *stack, p *provider) {
			s.offer("corp", p, func(u *federation.Upstream) { u.JIT = federation.JITOff })
		}, 403, "no account here"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			verifyEmail(t, s, "ada")
			p := newProvider(t, s.clock.Now)
			s.federate(p)
			c.lie(s, p)
			b := s.browser().get(start).with("corp").through(p).status(c.status).says(c.says)
			if users, links, sessions := people(t, s.db); users != 1 || links != 0 || sessions != 0 || s.codes() != 0 {
				t.Errorf("%d users, %d links, %d sessions, %d codes", users, links, sessions, s.codes())
			}
			b.signIn().backWith("code", "") // the other way in is open
		})
	}
}

func verifyEmail(t *testing.T, s *stack, login string) {
	t.Helper()
	u, err := s.users.ByLogin(t.Context(), login)
	must(t, err)
	_, err = s.users.Update(t.Context(), u.ID, func(u *user.User) error {
		u.EmailVerified = true
		return nil
	})
	must(t, err)
}

// An answer is good once, in the browser that asked, for the upstream that was asked.
func TestUpstreamAnswerIsBound(t *testing.T) {
	s := newStack(t)
	p, q := newProvider(t, s.clock.Now), newProvider(t, s.clock.Now)
	s.federate(p)
	s.offer("rival", q)
	refused := func(what string, b *browser, status int) {
		t.Helper()
		b.status(status)
		if users, links, sessions := people(t, s.db); users != 1 || links != 0 || sessions != 0 {
			t.Errorf("%s: %d users, %d links, %d sessions", what, users, links, sessions)
		}
	}
	refused("no state", s.browser().get("/sign-in/with/corp/callback?code=x"), http.StatusBadRequest)
	refused("unknown state", s.browser().get("/sign-in/with/corp/callback?code=x&state=y"), http.StatusBadRequest)

	mallory := s.browser().get(start).with("corp")
	stolen := mallory.answer(p)
	refused("another browser", s.browser().get(start).get(stolen), http.StatusForbidden)
	refused("the same state again", mallory.get(stolen), http.StatusBadRequest)

	mixed := s.browser().get(start).with("corp").answer(p)
	refused("another upstream", s.browser().get(strings.Replace(mixed, "/corp/", "/rival/", 1)), http.StatusBadRequest)

	// A code of mallory's own under the state of somebody else's browser.
	injected := s.browser().get(start).with("corp").answer(p)
	victim := s.browser().get(start).with("corp")
	own, err := url.Parse(victim.answer(p))
	must(t, err)
	foreign, err := url.Parse(injected)
	must(t, err)
	query := own.Query()
	query.Set("code", foreign.Query().Get("code"))
	refused("code injection", victim.get(own.Path+"?"+query.Encode()), http.StatusBadGateway)

	late := s.browser().get(start).with("corp").answer(p)
	s.clock.advance(31 * time.Minute)
	refused("too late", s.browser().get(late), http.StatusBadRequest)
}

// The answer of a double click, or of the back button, is harmless.
func TestUpstreamAnswerTwice(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	b := s.browser().get(start)
	again := b.twin()
	first, second := b.with("corp").answer(p), again.with("corp").answer(p)
	b.get(first).backWith("code", "")
	again.get(second).backWith("code", "")
	b.get(first).status(http.StatusBadRequest).says("This sign-in is over")
	if users, links, _ := people(t, s.db); users != 2 || links != 1 || s.codes() != 1 {
		t.Errorf("%d users, %d links, %d codes", users, links, s.codes())
	}
}

// A disabled user stays out, and is not brought up to date.
func TestUpstreamUserDisabled(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	u, err := s.users.ByLogin(t.Context(), "grace")
	must(t, err)
	must(t, s.users.Disable(t.Context(), u.ID))
	p.person["family_name"] = "Murray"
	s.browser().get(start).with("corp").through(p).status(http.StatusForbidden).says("disabled")
	if u, err = s.users.Get(t.Context(), u.ID); err != nil || u.FamilyName != "Hopper" {
		t.Errorf("user = %+v, %v", u, err)
	}
}

// An e-mail address that another user verified is never taken over on the way.
func TestUpstreamEmailMovesToNobody(t *testing.T) {
	s := newStack(t)
	verifyEmail(t, s, "ada")
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	p.person["email"] = "ada@example.com"
	s.browser().get(start).with("corp").through(p).status(http.StatusForbidden).says("already")
}

// The domain of the login leads to the upstream, but never with a password.
func TestUpstreamByDomain(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	b := s.browser().get(start).says("Sign in with Corp")
	b.submit("/sign-in", map[string]string{"login": "ada"}).status(http.StatusUnprocessableEntity).says("enter your password")
	b.submit("/sign-in", map[string]string{"login": "grace@corp.example", "password": "theirs, typed here"}).status(http.StatusUnauthorized)
	b.submit("/sign-in", map[string]string{"login": "grace@CORP.example", "password": ""})
	if hint := b.page.url.Query().Get("login_hint"); hint != "grace@CORP.example" {
		t.Errorf("login_hint = %q", hint)
	}
	b.through(p).backWith("code", "")
}

// An upstream that is down, lies about itself or is gone is a text on the page.
func TestUpstreamDiscoveryFails(t *testing.T) {
	for name, c := range map[string]struct {
		lie    func(p *provider)
		status int
	}{
		"down": {func(p *provider) { p.server.CloseClientConnections(); p.server.Close() }, 503},
		"error": {func(p *provider) {
			p.instead["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
		}, 503},
		"redirect": {func(p *provider) {
			p.instead["/.well-known/openid-configuration"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", 302) }
		}, 503},
		"another issuer": {func(p *provider) { p.lieMetadata = func(m map[string]any) { m["issuer"] = "https://other.example" } }, 503},
		"plain tokens": {func(p *provider) {
			p.lieMetadata = func(m map[string]any) { m["token_endpoint"] = "http://other.example/token" }
		}, 502},
		"plain keys": {func(p *provider) {
			p.lieMetadata = func(m map[string]any) { m["jwks_uri"] = "http://other.example/jwks" }
		}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			p := newProvider(t, s.clock.Now)
			s.federate(p)
			c.lie(p)
			s.browser().get(start).with("corp").status(c.status).says("Corp").signIn().backWith("code", "")
		})
	}
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	b := s.browser().get(start)
	s.offer("corp", p, func(u *federation.Upstream) { u.Enabled = false })
	b.with("corp").status(http.StatusNotFound).says("Not offered here")
}

// An upstream is no way around the second factor that a user has here; what it tells
// is taken over all the same.
func TestUpstreamUserGivesCode(t *testing.T) {
	s := newStack(t)
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	s.browser().get(start).with("corp").through(p).backWith("code", "")
	show := s.enrolAs("grace")
	p.person["family_name"] = "Murray"
	b := s.browser().get(start).with("corp").through(p).at("/sign-in/code")
	if u, err := s.users.ByLogin(t.Context(), "grace"); err != nil || u.FamilyName != "Murray" || s.codes() != 1 {
		t.Errorf("user = %+v, %v; %d codes", u, err, s.codes())
	}
	b.submit("/sign-in/code", map[string]string{"code": show()}).backWith("code", "")
}
