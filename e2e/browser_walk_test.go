package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Without this, a recorder that sees nothing would pass every test.
func recorderSees(t *testing.T, chromium context.Context) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src *")
		}
		switch r.URL.Path {
		case "/app.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, `console.error("oops"); fetch("http://elsewhere.invalid" + location.pathname).catch(() => {}); throw new Error("thrown")`)
		default:
			_, _ = fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><script>1</script><script src="/app.js"></script>`)
		}
	}))
	defer server.Close()
	b := newTab(t, chromium)
	got := ""
	for _, path := range []string{"/", "/bare"} {
		b.open(server.URL + path)
		eventually(t, "the failure of the request of "+path, func() bool { // which comes after the page
			got += strings.Join(append(b.complained(), ""), "\n")
			return strings.Contains(got, "NOT_RESOLVED http://elsewhere.invalid"+path+"\n")
		})
	}
	for _, want := range []string{"security error", "console.error", "request to http://elsewhere.invalid/", "exception", "no content policy at " + server.URL + "/bare"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func registerBadInput(t *testing.T, chromium context.Context) {
	s, b := startSite(t), newTab(t, chromium)
	b.open(s.app + "/login?prompt=create")
	// The browser's own checks would keep some of this from being sent.
	eval[chromedp.Void](b, `document.querySelector("form").noValidate = true`)
	b.fill("login", "a b", "email", "not-an-address", "given_name", "Ada", "family_name", "Lovelace", "password", "short")
	b.click("button.primary")
	b.shows("Please correct the marked fields.")
	for id, want := range map[string]string{"login": "a b", "email": "not-an-address", "given_name": "Ada", "family_name": "Lovelace", "password": ""} {
		if got := b.value(id); got != want {
			t.Errorf("%s holds %q, want %q", id, got, want)
		}
	}
	for id, part := range map[string]string{"login": "2 to 128 letters", "email": "name@example.com", "password": "at least 10"} {
		described := eval[string](b, fmt.Sprintf("document.getElementById(document.getElementById(%q).getAttribute('aria-describedby')).innerText", id))
		if !strings.Contains(described, part) {
			t.Errorf("%s is described by %q, want %q", id, described, part)
		}
	}
	if marked := eval[[]string](b, `[...document.querySelectorAll("[aria-invalid=true]")].map(e => e.id)`); !cmp.Equal(marked, []string{"login", "email", "password"}) {
		t.Errorf("marked %v", marked)
	}
	if at := eval[string](b, "document.activeElement.id"); at != "login" {
		t.Errorf("focus at %q, want the first field with a problem", at)
	}
	b.fill("login", "ada", "email", "ada@example.com", "password", password)
	b.click("button.primary")
	s.landed(b, "ada")
}

// shifts counts what moved on the page without anybody's doing, since it loaded.
const shifts = `new Promise(done => {
	new PerformanceObserver(l => done(l.getEntries().reduce((n, e) => n + e.value, 0))).observe({type: "layout-shift", buffered: true});
	requestAnimationFrame(() => requestAnimationFrame(() => done(0)));
})`

// boxes tells where everything is that must stay where it is.
const boxes = `[...document.querySelectorAll("h1, [data-text], .line, .target, .progress, button")].map(e => {
	const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round).join();
})`

// line is the text of a target's line.
func line(target, text string) string {
	return fmt.Sprintf("document.querySelector('[data-target=%s] .progress')?.innerText == %q", target, text)
}

// The page follows the work by itself: line by line, then to the application,
// and it is the same document all the time.
func waitLive(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 60s"), newTab(t, chromium)
	makeStaff, makeBadge := hold(s.proxy), hold(s.badges)
	s.register(b, "ada")
	b.until(line("directory", "being set up"))
	b.until(line("badges", "being set up"))
	eval[chromedp.Void](b, "window.marker = 'first'")
	before := eval[[]string](b, boxes)
	makeStaff()
	b.until(line("directory", "ready"))
	b.until(line("badges", "being set up"))
	if m := eval[string](b, "window.marker ?? 'gone'"); m != "first" {
		t.Errorf("marker %q: the page was loaded again", m)
	}
	if diff := cmp.Diff(before, eval[[]string](b, boxes)); diff != "" {
		t.Errorf("the page moved when a line changed (-before +after):\n%s", diff)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if moved, err := chromedp.Run(ctx, chromedp.Evaluate[float64](shifts, chromedp.EvalAwaitPromise)); err != nil || moved != 0 {
		t.Errorf("layout shift %v, %v", moved, err)
	}
	makeBadge()
	s.landed(b, "ada")
	if n := b.visits("/wait"); n != 1 {
		t.Errorf("the wait page was loaded %d times, want once", n)
	}
}

// The directory's own slowness, as the demo shows it.
func waitSlow(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 30s"), newTab(t, chromium)
	s.directory.SetMode(directory.Slow)
	s.register(b, "ada")
	b.until(line("directory", "being set up"))
	b.until(line("badges", "ready"))
	s.landed(b, "ada")
	if n := b.visits("/wait"); n != 1 {
		t.Errorf("the wait page was loaded %d times, want once", n)
	}
}

func waitWithoutScript(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 60s"), newTab(t, chromium)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	makeStaff := hold(s.proxy)
	s.register(b, "ada")
	b.until(line("directory", "being set up"))
	eventually(t, "the page to be loaded again", func() bool { return b.visits("/wait") > 1 })
	makeStaff()
	s.landed(b, "ada")
}

// down registers somebody while the directory is away and waits for the page
// that says so.
func down(t *testing.T, chromium context.Context) (*site, *tab) {
	s, b := startSite(t, "timeout: 1s"), newTab(t, chromium)
	s.directory.SetMode(directory.Down)
	s.register(b, "ada")
	b.shows("Payroll is not ready for you yet")
	b.shows("Reference for support:")
	b.until(`document.querySelector("[data-state=failed] button.primary").innerText == "Try again"`)
	b.until(`document.querySelector("[data-target=directory] .progress").innerText.startsWith("trying again")`)
	if n := b.visits("/callback"); n != 0 {
		t.Errorf("the application heard %d answers, want none", n)
	}
	return s, b
}

func failedThenReady(t *testing.T, chromium context.Context) {
	s, b := down(t, chromium)
	s.directory.SetMode(directory.Normal)
	s.landed(b, "ada") // nobody touches the page
}

func failedThenLeave(t *testing.T, chromium context.Context) {
	s, b := down(t, chromium)
	b.submit("button.primary")
	b.shows("Payroll is not ready for you yet")
	b.submit("button.quiet")
	b.shows("Not possible right now")
	b.shows("temporarily_unavailable")
	if strings.Contains(b.text("body"), "503") {
		t.Errorf("the application is told of the target's insides: %s", b.text("body"))
	}
	if got := s.directory.Accounts(); len(got) != 0 {
		t.Errorf("accounts %v in a directory that was down", got)
	}
}

// A form that was sent is on its way: news of the work must not load the page
// again over it.
func formUnderWay(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 2s"), newTab(t, chromium)
	count := page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.EventSource = class extends EventSource {
		constructor(url) { super(url); this.addEventListener("status", e => window.failed = (window.failed ?? 0) + e.data.includes('"state":"failed"')); }
	}`}
	if _, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, count); err != nil {
		t.Fatal(err)
	}
	s.directory.SetMode(directory.Down)
	s.register(b, "ada")
	b.shows("Setting up your access to Payroll")
	eval[chromedp.Void](b, `{
		window.marker = "first";
		const form = document.querySelector("form");
		form.addEventListener("submit", e => e.preventDefault()); // as slow as can be
		form.requestSubmit();
	}`)
	b.until("window.failed > 1")
	if m := eval[string](b, "window.marker ?? 'gone'"); m != "first" {
		t.Errorf("marker %q: the page was loaded again", m)
	}
}

func denied(t *testing.T, chromium context.Context) {
	s, b := startSite(t), newTab(t, chromium)
	s.directory.SetMode(directory.Refuse)
	s.register(b, "ada")
	b.shows("You cannot continue to Payroll")
	b.shows("Reference for support:")
	s.account(t, "ada", func(a provisioning.Account) bool { return a.State == provisioning.StateFailed })
	b.submit("button.quiet")
	b.shows("You were not let in")
	b.shows("access_denied")
}

// Two tabs of one person wait for the same work.
func secondTab(t *testing.T, chromium context.Context) {
	s, first := startSite(t, "timeout: 60s"), newTab(t, chromium)
	makeStaff := hold(s.proxy)
	s.register(first, "ada")
	first.until(line("directory", "being set up"))
	second := first.beside()
	second.open(s.app + "/login")
	second.until(line("directory", "being set up"))
	makeStaff()
	s.landed(first, "ada")
	s.landed(second, "ada")
	if n := s.proxy.Count(http.MethodPost, "/Users"); n != 1 {
		t.Errorf("%d creates, want 1", n)
	}
}

// Going back, from the wait page or after landing, shows no form that could be
// sent again.
func backButton(t *testing.T, chromium context.Context) {
	s, b := startSite(t, "timeout: 60s"), newTab(t, chromium)
	makeStaff := hold(s.proxy)
	s.register(b, "ada")
	b.until(line("directory", "being set up"))
	b.do(chromedp.NavigateBack())
	b.until(line("directory", "being set up"))
	makeStaff()
	s.landed(b, "ada")
	b.do(chromedp.NavigateBack())
	if eval[bool](b, `!!document.querySelector("form input[type=password]")`) {
		t.Errorf("going back shows a form: %s", b.where())
	}
	b.open(s.app)
	s.landed(b, "ada")
	if n := s.proxy.Count(http.MethodPost, "/Users"); n != 1 {
		t.Errorf("%d creates, want 1", n)
	}
}

func wrongPassword(t *testing.T, chromium context.Context) {
	s, b := startSite(t), newTab(t, chromium)
	s.importUser(t, "ada")
	b.open(s.app + "/login")
	b.fill("login", "ada", "password", "not the password")
	b.click("button.primary")
	b.shows("Login or password is wrong.")
	if login, secret := b.value("login"), b.value("password"); login != "ada" || secret != "" {
		t.Errorf("the form holds %q and %q, want the login and no password", login, secret)
	}
	if at := eval[string](b, "document.activeElement.id"); at != "password" {
		t.Errorf("focus at %q, want the password", at)
	}
	b.fill("password", password)
	b.click("button.primary")
	b.shows("Welcome, Ada Example")
}

// keyboardOnly signs in without a mouse: the order of the page, a focus that is
// to be seen, and Enter.
func keyboardOnly(t *testing.T, chromium context.Context) {
	s, b := startSite(t), newTab(t, chromium)
	s.importUser(t, "ada")
	b.open(s.app + "/login")
	b.shows("to continue to Payroll")
	b.focusOn("input login")
	b.keys("ada\t")
	b.focusOn("input password")
	b.keys("\t")
	b.focusOn("button Sign in")
	b.keys("\t")
	b.focusOn("a Create an account")
	b.keys("\r")
	b.shows("to use Payroll")
	for _, field := range []string{"login", "email", "given_name", "family_name", "password"} {
		b.focusOn("input " + field)
		b.keys("\t")
	}
	b.focusOn("button Create account")
	b.keys("\t")
	b.focusOn("a Sign in")
	b.keys("\r")
	b.shows("to continue to Payroll")
	b.keys("ada\t" + password + "\r")
	b.shows("Welcome, Ada Example")
}

func (b *tab) keys(keys string) { b.Helper(); b.do(chromedp.KeyEvent(keys)) }

// focusOn checks where the keyboard is and that this is to be seen.
func (b *tab) focusOn(want string) {
	b.Helper()
	got := eval[[]string](b, `(() => {
		const e = document.activeElement, s = getComputedStyle(e);
		return [e.localName + " " + (e.id || e.innerText), s.outlineStyle, s.outlineWidth];
	})()`)
	if !slices.Equal(got, []string{want, "solid", "3px"}) {
		b.Errorf("focus on %q, want %q with an outline", got, want)
	}
}

func signOutOfBoth(t *testing.T, chromium context.Context) {
	s, b := startSite(t), newTab(t, chromium)
	s.register(b, "ada")
	s.landed(b, "ada")
	b.open(s.issuer + "/sign-out")
	b.shows("Sign out")
	b.click("button.primary")
	b.shows("You are signed out")
	b.open(s.app + "/login")
	b.shows("to continue to Payroll") // no session is left: a password is asked for
}
