package flow_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func TestSignIn(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll&login_hint=a%22b").at("/sign-in").says("to continue to Payroll")
	if got := b.fill("/sign-in", nil).Get("login"); got != `a"b` {
		t.Errorf("login hint is %q", got)
	}
	b.signIn().backWith("code", "")
	if s.codes() != 1 {
		t.Errorf("%d codes, want 1", s.codes())
	}
}

// With a session and nothing to do there is no page, and no row before the code.
func TestSessionSignsInWithoutPage(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	before := s.rows()
	b.get("/authorize?client_id=payroll").backWith("code", "")
	b.get("/authorize?client_id=payroll&prompt=none").backWith("code", "")
	if got := s.rows() - before; got != 2 {
		t.Errorf("%d rows for two sign-ins, want 2", got)
	}
}

func TestWrongPassword(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	b.submit("/sign-in", map[string]string{"login": "ada", "password": "nonsense"}).status(http.StatusUnauthorized).says("wrong")
	form := b.fill("/sign-in", nil)
	if form.Get("login") != "ada" || form.Get("password") != "" {
		t.Errorf("the form shows %v, want the login and no password", form)
	}
	b.submit("/sign-in", map[string]string{"login": "nobody", "password": "nonsense"}).status(http.StatusUnauthorized).says("wrong")
	b.signIn().backWith("code", "")
}

func TestThrottledGuesses(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	for range 5 {
		b.submit("/sign-in", map[string]string{"login": "ada", "password": "nonsense"}).status(http.StatusUnauthorized)
	}
	b.signIn().status(http.StatusTooManyRequests).says("Too many wrong passwords")
	if b.page.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.clock.advance(time.Minute)
	b.signIn().backWith("code", "")
}

// Strangers who guess a login, behind the owner's own address too, do not keep the
// owner from signing in with the browser they use.
func TestKnownBrowserGetsIn(t *testing.T) {
	s := newStack(t)
	owner := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	stranger := s.browser().get("/authorize?client_id=payroll")
	for range 6 {
		stranger.submit("/sign-in", map[string]string{"login": "ada", "password": "nonsense"})
	}
	stranger.status(http.StatusTooManyRequests)
	owner.get("/authorize?client_id=payroll&prompt=login").signIn().backWith("code", "")
	stranger.signIn().status(http.StatusTooManyRequests)
}

func TestDisabledUser(t *testing.T) {
	s := newStack(t)
	ada, err := s.users.ByLogin(t.Context(), "ada")
	must(t, err)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	must(t, s.users.Disable(t.Context(), ada.ID))
	b.get("/authorize?client_id=payroll&prompt=none").backWith("error", "login_required")
	b.get("/authorize?client_id=payroll").at("/sign-in").signIn().status(http.StatusForbidden).says("disabled")
}

// The session's id changes with every sign-in: one planted before is worth
// nothing after.
func TestSessionFixation(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn()
	first := b.cookie("anteroom")
	b.get("/authorize?client_id=payroll&prompt=login").at("/sign-in").signIn().backWith("code", "")
	second := b.cookie("anteroom")
	if first == "" || first == second {
		t.Fatalf("session id stayed %q", first)
	}
	thief := s.browser()
	base, err := url.Parse(s.server.URL)
	must(t, err)
	thief.client.Jar.SetCookies(base, []*http.Cookie{{Name: "anteroom", Value: first}})
	thief.get("/authorize?client_id=payroll").at("/sign-in")
}

func TestForeignBrowserIsRefused(t *testing.T) {
	s := newStack(t)
	id := s.browser().get("/authorize?client_id=payroll").signInID()
	other := s.browser()
	for _, path := range []string{"/sign-in", "/register", "/wait", "/wait/status", "/wait/events", "/oauth2/authorize/resume"} {
		other.get(path + "?sign_in=" + id).status(http.StatusForbidden).says("begun elsewhere")
	}
	other.get("/authorize?client_id=payroll") // has a key of its own now
	other.get("/sign-in?sign_in=" + id).status(http.StatusForbidden)
	other.get("/sign-in?sign_in=unknown").status(http.StatusNotFound)
	other.get("/sign-in").status(http.StatusNotFound)
}

func TestForgedForms(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	good := b.fill("/sign-in", map[string]string{"login": "ada", "password": password})
	with := func(name, value string) url.Values {
		v := url.Values{}
		for k := range good {
			v.Set(k, good.Get(k))
		}
		v.Set(name, value)
		return v
	}
	other := s.browser().get("/authorize?client_id=payroll")
	for name, got := range map[string]*browser{
		"no token":            b.twin().post("/sign-in", with("token", "")),
		"another's token":     b.twin().post("/sign-in", with("token", other.fill("/sign-in", nil).Get("token"))),
		"token, other flow":   b.twin().post("/sign-in", with("sign_in", other.signInID())),
		"from another site":   b.twin().post("/sign-in", good, "Sec-Fetch-Site", "cross-site"),
		"from another origin": b.twin().post("/sign-in", good, "Origin", "https://evil.example.com"),
		"not a form":          b.twin().post("/sign-in", good, "Content-Type", "text/plain"),
		"no cookie":           s.browser().post("/sign-in", good),
		"too large":           b.twin().post("/sign-in", with("login", strings.Repeat("x", 70<<10))),
	} {
		if got.page.status != http.StatusForbidden || got.cookie("anteroom") != "" {
			t.Errorf("%s: status %d, session %q; want 403 and none", name, got.page.status, got.cookie("anteroom"))
		}
	}
	b.post("/sign-in", good).backWith("code", "")
}

// A parameter never says where the browser goes: that is the request's validated
// redirect URI, or our own pages.
func TestNoOpenRedirect(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	id := b.signInID()
	evil := "&next=https://evil.example.com&redirect_uri=https://evil.example.com&return_to=//evil.example.com"
	b.get("/sign-in?sign_in=" + id + evil)
	if strings.Contains(b.page.body, "evil") {
		t.Error("the page took over a foreign address")
	}
	b.signIn().backWith("code", "")
	for _, path := range []string{"/wait", "/sign-in", "/register"} {
		b.get(path+"?sign_in="+id+evil).backWith("code", "")
	}
	b.get("/sign-in?sign_in=//evil.example.com").status(http.StatusNotFound)
}

func TestExpiredSignIn(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	s.clock.advance(31 * time.Minute)
	b.signIn().status(http.StatusGone).says("over")
	link := b.page.find(func(n *html.Node) bool { return n.Data == "a" })
	if link == nil || attr(link, "href") != "https://payroll.example.com/start" {
		t.Error("the page does not lead back to the application")
	}
	if s.codes() != 0 {
		t.Error("an expired sign-in was issued")
	}
}

// Reload and back button: the same response for a moment, then a page.
func TestReplay(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	id := b.signInID()
	code := b.signIn().page.url.Query().Get("code")
	b.get("/sign-in?sign_in="+id).backWith("code", code)
	s.clock.advance(31 * time.Second)
	b.get("/oauth2/authorize/resume?sign_in=" + id).status(http.StatusGone)
	b.get("/wait?sign_in=" + id).status(http.StatusGone)
	if s.codes() != 1 {
		t.Errorf("%d codes, want 1", s.codes())
	}
}

// Many tabs and double clicks: one response, for everybody the same.
func TestDoubleSubmit(t *testing.T) {
	sqldbtest.Each(t, doubleSubmit, store.Migrations())
}

func doubleSubmit(t *testing.T, db *sqldb.DB) {
	s := newStackOn(t, db)
	b := s.browser().get("/authorize?client_id=payroll")
	id, form := b.signInID(), b.fill("/sign-in", map[string]string{"login": "ada", "password": password})
	tabs := make([]*browser, 4)
	together := func(do func(tab *browser)) {
		var wg sync.WaitGroup
		for i := range tabs {
			tabs[i] = b.twin()
			wg.Go(func() { do(tabs[i]) })
		}
		wg.Wait()
	}
	together(func(tab *browser) { tab.post("/sign-in", form) })
	code := b.get("/oauth2/authorize/resume?sign_in=" + id).page.url.Query().Get("code")
	together(func(tab *browser) { tab.get("/oauth2/authorize/resume?sign_in=" + id) })
	for _, tab := range tabs {
		tab.backWith("code", code)
	}
	if s.codes() != 1 {
		t.Errorf("%d codes, want 1", s.codes())
	}
}

// Two sign-ins in two tabs: signing in once serves both, although the session's
// id changes when the second tab signs in too.
func TestSecondTab(t *testing.T) {
	s := newStack(t)
	one := s.browser().get("/authorize?client_id=payroll")
	two := one.twin().get("/authorize?client_id=payroll")
	three := one.twin().get("/authorize?client_id=payroll&prompt=login")
	one.signIn().backWith("code", "")
	two.get("/sign-in?sign_in="+two.signInID()).backWith("code", "")
	three.get("/sign-in?sign_in=" + three.signInID()).at("/sign-in") // prompt=login means this one
	three.signIn().backWith("code", "")
}

func TestPromptNoneNeverShowsAPage(t *testing.T) {
	s := newStack(t)
	s.blocking("directory")
	b := s.browser()
	b.get("/authorize?client_id=payroll&prompt=none").backWith("error", "login_required")
	b.get("/authorize?client_id=payroll").signIn().at("/wait")
	b.get("/authorize?client_id=payroll&prompt=none").backWith("error", "interaction_required")
	b.get("/authorize?client_id=payroll&prompt=none&max_age=0").backWith("error", "login_required")
	s.ledger.fail("directory", "conflict", provisioning.StateFailed, time.Time{})
	b.get("/authorize?client_id=payroll&prompt=none").backWith("error", "access_denied")
	s.ledger.inSync("directory")
	b.get("/authorize?client_id=payroll&prompt=none").backWith("code", "")
}

func TestMaxAge(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	s.clock.advance(time.Minute)
	b.get("/authorize?client_id=payroll&max_age=60").backWith("code", "")
	b.get("/authorize?client_id=payroll&max_age=59").at("/sign-in").signIn().backWith("code", "")
	b.get("/authorize?client_id=payroll&max_age=0").at("/sign-in").signIn().backWith("code", "")
}

// What changed between the step and the issue is seen in the transaction.
func TestPermitLooksAgain(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *stack, *flowCase){
		"user disabled": func(t *testing.T, s *stack, c *flowCase) { must(t, s.users.Disable(t.Context(), c.ada.ID)) },
		"user deleted":  func(t *testing.T, s *stack, c *flowCase) { must(t, s.users.Delete(t.Context(), c.ada.ID)) },
		"session ended": func(t *testing.T, s *stack, c *flowCase) { must(t, s.driver.Sessions.EndAllOf(t.Context(), c.ada.ID)) },
		"target lost it": func(_ *testing.T, s *stack, _ *flowCase) {
			s.ledger.fail("directory", "quota", provisioning.StateFailed, time.Time{})
		},
		"sign-in too old":  func(_ *testing.T, s *stack, _ *flowCase) { s.clock.advance(time.Hour) },
		"application gone": func(t *testing.T, s *stack, c *flowCase) { c.rename(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.blocking("directory")
			s.ledger.inSync("directory")
			c := newFlowCase(t, s)
			if _, err := s.driver.Permit(t.Context(), c.signIn); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			change(t, s, c)
			c.wantNotYet(t, s)
		})
	}
}

func TestSignOut(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	b.post("/sign-out", url.Values{}).status(http.StatusForbidden)
	b.get("/authorize?client_id=payroll&prompt=none").backWith("code", "")
	b.get("/sign-out").submit("/sign-out", nil).says("signed out")
	b.get("/authorize?client_id=payroll").at("/sign-in")
}

// Signing out elsewhere ends a sign-in that waits under that session.
func TestSessionEndsWhileWaiting(t *testing.T) {
	s := newStack(t)
	s.blocking("directory")
	b := s.browser().get("/authorize?client_id=payroll").signIn().at("/wait")
	waiting := b.page.url.String()
	b.get("/sign-out").submit("/sign-out", nil)
	s.ledger.inSync("directory")
	b.get(strings.TrimPrefix(waiting, s.server.URL)).at("/sign-in")
	if s.codes() != 0 {
		t.Error("issued without a session")
	}
	b.signIn().backWith("code", "")
}

func TestPagesAreProtected(t *testing.T) {
	s := newStack(t)
	b := s.browser().get("/authorize?client_id=payroll")
	csp := b.page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "base-uri 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy %q lacks %s", csp, part)
		}
	}
	// form-action would stop the redirect to the application.
	if strings.Contains(csp, "form-action") {
		t.Errorf("policy %q has form-action on a page whose form ends at the application", csp)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if got := b.page.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	b.get("/register?client_id=payroll")
	if csp := b.page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self'") {
		t.Errorf("policy %q lets a form that stays here leave", csp)
	}
}

// Every problem the user rules can name has a text.
func TestProblemsHaveTexts(t *testing.T) {
	s := newStack(t)
	texts := s.driver.Pages.Texts(&http.Request{}, "")
	for _, code := range []user.Code{
		user.CodeRequired, user.CodeTooLong, user.CodeLoginSyntax, user.CodeLoginTaken, user.CodeEmailSyntax, user.CodePhoneSyntax,
		user.CodeLocaleSyntax, user.CodeControl, user.CodePasswordShort, user.CodePasswordLong, user.CodePasswordCommon, user.CodePasswordPersonal,
	} {
		if !texts.Has("problem." + string(code)) {
			t.Errorf("no text for problem %s", code)
		}
	}
	for _, key := range []string{
		provisioning.TextUnavailable, provisioning.TextBusy, provisioning.TextMisconfigured, provisioning.TextInvalid, provisioning.TextTaken,
		provisioning.TextAmbiguous, provisioning.TextQuota, provisioning.TextUnsupported, provisioning.TextInternal, provisioning.TextOutOfTime,
		provisioning.TextNoAccount, provisioning.TextRules, provisioning.TextRuleDenied, provisioning.TextDisabled,
	} {
		if !texts.Has(key) {
			t.Errorf("no text for failure %s", key)
		}
	}
}

// Whatever a stranger posts, nobody is signed in and nothing breaks.
func FuzzForms(f *testing.F) {
	s := newStack(f)
	id := s.browser().get("/authorize?client_id=payroll").signInID()
	for _, path := range []string{"/sign-in", "/register", "/wait/retry", "/wait/leave", "/sign-out"} {
		f.Add(path, "sign_in="+id+"&login=ada&password=x&token=y", "anteroom-browser="+strings.Repeat("A", 43))
	}
	f.Add("/register", "client_id=payroll&token=%zz&&;", "anteroom-browser")
	f.Fuzz(func(t *testing.T, path, body, cookie string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.Path = path
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		s.server.Config.Handler.ServeHTTP(w, r)
		if w.Code >= 500 || strings.Contains(strings.Join(w.Header()["Set-Cookie"], ";"), "anteroom=") {
			t.Errorf("POST %q %q: status %d, cookies %q", path, body, w.Code, w.Header()["Set-Cookie"])
		}
	})
}
