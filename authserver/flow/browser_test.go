package flow_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium starts a headless browser. Without one on the machine the test is
// skipped, or fails when CI=true.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs chromium")
		}
		t.Skip("needs chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// relyingParty is an application on an origin of its own, whose callback leads on
// to a third origin, as single sign-on front ends do.
func (s *stack) relyingParty() (callback, home string) {
	last := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<title>at home</title>"))
	}))
	first := httptest.NewServer(http.RedirectHandler(last.URL+"/home", http.StatusSeeOther))
	s.t.Cleanup(first.Close)
	s.t.Cleanup(last.Close)
	return first.URL + "/cb", last.URL + "/home"
}

// A real browser follows the form's redirects to the application and beyond,
// and the wait page goes on by its stream.
func TestRealBrowser(t *testing.T) {
	ctx := chromium(t)
	s := newStack(t)
	var home string
	s.callback, home = s.relyingParty()
	s.blocking("directory")
	open := func(path string) { run(t, ctx, chromedp.Navigate(s.server.URL+path)) }
	open("/authorize?client_id=payroll&prompt=create")
	fits(t, ctx)
	open("/authorize?client_id=payroll")
	fits(t, ctx)
	run(t, ctx, chromedp.SendKeys("#login", "ada"))
	run(t, ctx, chromedp.SendKeys("#password", password))
	run(t, ctx, chromedp.Submit("#password"))
	run(t, ctx, chromedp.WaitVisible("[data-wait]"))
	if heading := run(t, ctx, chromedp.Text("h1")); !strings.HasPrefix(heading, "Setting up") {
		t.Errorf("the wait page says %q", heading)
	}
	fits(t, ctx)
	s.ledger.inSync("directory")
	run(t, ctx, chromedp.WaitNotPresent("[data-wait]"))
	if where := run(t, ctx, chromedp.Location()); where != home {
		t.Errorf("from the wait page: ended at %s, want %s", where, home)
	}
	// Now the form itself leads out: the policy must let it.
	open("/authorize?client_id=payroll&prompt=login")
	run(t, ctx, chromedp.SendKeys("#login", "ada"))
	run(t, ctx, chromedp.SendKeys("#password", password+"\r"))
	run(t, ctx, chromedp.WaitNotPresent("#password"))
	if where := run(t, ctx, chromedp.Location()); where != home {
		t.Errorf("from the sign-in form: ended at %s, want %s", where, home)
	}
}

func run[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fits checks that nothing sticks out at the width of a phone and of a desktop.
func fits(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, width := range []int64{390, 1280} {
		run(t, ctx, chromedp.EmulateViewport(width, 844))
		if wide := run(t, ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); wide > width {
			t.Errorf("%s is %d wide at %d", run(t, ctx, chromedp.Location()), wide, width)
		}
	}
}

// A real browser goes to the upstream by its button, and by the domain of a login
// without a password, and comes back.
func TestRealBrowserWithUpstream(t *testing.T) {
	ctx := chromium(t)
	s := newStack(t)
	var home string
	s.callback, home = s.relyingParty()
	p := newProvider(t, s.clock.Now)
	s.federate(p)
	for name, leave := range map[string]func(){
		"button": func() { run(t, ctx, chromedp.Click(".upstreams button")) },
		"domain": func() { run(t, ctx, chromedp.SendKeys("#login", "grace@corp.example\r")) },
	} {
		run(t, ctx, chromedp.Navigate(s.server.URL+"/authorize?client_id=payroll&prompt=login"))
		fits(t, ctx)
		leave()
		run(t, ctx, chromedp.WaitNotPresent("#password"))
		if where := run(t, ctx, chromedp.Location()); where != home {
			t.Errorf("by %s: ended at %s, want %s", name, where, home)
		}
	}
}
