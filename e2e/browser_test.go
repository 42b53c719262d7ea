package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestBrowser uses the pages as people do, in one Chromium with a fresh profile
// for each test.
func TestBrowser(t *testing.T) {
	long(t)
	chromium := startChromium(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"recorder sees what it should":        recorderSees,
		"register with bad input":             registerBadInput,
		"wait without a reload":               waitLive,
		"wait in a slow directory":            waitSlow,
		"wait without JavaScript":             waitWithoutScript,
		"unavailable, then it goes on":        failedThenReady,
		"unavailable, back to the app":        failedThenLeave,
		"a form under way":                    formUnderWay,
		"refused":                             denied,
		"second tab joins":                    secondTab,
		"back button after landing":           backButton,
		"wrong password keeps the login":      wrongPassword,
		"keyboard only":                       keyboardOnly,
		"sign out":                            signOutOfBoth,
		"every page by day, by night, narrow": everyPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, chromium)
		})
	}
}

// startChromium starts the browser. Without one on the machine the test is
// skipped, or fails when CI=true.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs chromium")
		}
		t.Skip("needs chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Whatever a page asks for, nothing beyond this machine is reached.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"))
	// The test's own context ends before its cleanups: the tabs must outlive it.
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is one tab that records what its pages do wrong.
type tab struct {
	*testing.T
	ctx context.Context

	mu         sync.Mutex
	documents  []document // in the order of arrival, redirects included
	complaints []string
}

// document is an answer to a navigation.
type document struct {
	url    *url.URL
	status int64
}

// newTab opens a tab with a profile of its own.
func newTab(t *testing.T, chromium context.Context) *tab {
	t.Helper()
	return openTab(t, chromium, chromedp.WithNewBrowserContext())
}

// beside opens a tab that shares the profile.
func (b *tab) beside() *tab {
	b.Helper()
	return openTab(b.T, b.ctx)
}

func openTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{T: t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.record))...)
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range b.complained() {
			t.Errorf("the browser complains: %s", c)
		}
	})
	return b
}

// complained returns what was wrong since the last call.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	complaints := b.complaints
	b.complaints = nil
	return complaints
}

// record runs on the goroutine that reads the browser's messages.
func (b *tab) record(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complain("console.%s", e.Type)
		}
	case *log.EventEntryAdded:
		if !b.isErrorPage(e.Entry) && e.Entry.Level != log.EntryLevelVerbose && e.Entry.Level != log.EntryLevelInfo {
			b.complain("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !onThisMachine(e.Request.URL) {
			b.complain("request to %s", e.Request.URL)
		}
		if e.Type == network.ResourceTypeDocument && e.RedirectResponse != nil {
			b.arrived(e.RedirectResponse)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.arrived(e.Response)
		}
	}
}

func (b *tab) complain(format string, args ...any) {
	b.complaints = append(b.complaints, fmt.Sprintf(format, args...))
}

// arrived takes down a document. Every page must have a content policy.
func (b *tab) arrived(r *network.Response) {
	u, err := url.Parse(r.URL)
	if err != nil {
		b.complain("address %q: %v", r.URL, err)
		return
	}
	b.documents = append(b.documents, document{u, r.Status})
	redirect := r.Status >= 300 && r.Status < 400
	if !redirect && !strings.Contains(header(r.Headers, "Content-Security-Policy"), "default-src 'none'") {
		b.complain("no content policy at %s", u)
	}
}

func header(h network.Headers, name string) string {
	for key, value := range h {
		if strings.EqualFold(key, name) {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// isErrorPage is about the entry Chromium makes for a page whose status is an
// error: the page is what the user should see.
func (b *tab) isErrorPage(e *log.Entry) bool {
	return e.Source == log.EntrySourceNetwork && slices.ContainsFunc(b.documents, func(d document) bool {
		return d.status >= 400 && d.url.String() == e.URL
	})
}

func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "data" || u.Scheme == "about" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// visits counts the documents with that path.
func (b *tab) visits(path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, d := range b.documents {
		if d.url.Path == path {
			n++
		}
	}
	return n
}

// do runs actions, within the patience of every wait.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("%v (at %s)", err, b.where())
	}
}

func (b *tab) open(address string) { b.Helper(); b.do(chromedp.Navigate(address)) }

func (b *tab) click(selector string) { b.Helper(); b.do(chromedp.Click(chromedp.CSS(selector))) }

// submit clicks and waits for the page that follows.
func (b *tab) submit(selector string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.Fatalf("%s: %v (at %s)", selector, err, b.where())
	}
}

// fill types into fields, given as name, text, name, text.
func (b *tab) fill(pairs ...string) {
	b.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		b.do(chromedp.Clear(chromedp.ID(pair[0])), chromedp.SendKeys(chromedp.ID(pair[0]), pair[1]))
	}
}

// where describes the page for a message.
func (b *tab) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// eval returns the value of a JavaScript expression on the page.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v (at %s)", expression, err, b.where())
	}
	return value
}

// until waits for an expression to be true, across pages.
func (b *tab) until(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	met := false
	defer func() {
		if !met {
			b.Logf("at %s", b.where())
		}
	}()
	eventually(b.T, expression, func() bool {
		value, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		met = err == nil && value // between two pages there is nothing to evaluate on
		return met
	})
}

// shows waits for text on the page.
func (b *tab) shows(text string) {
	b.Helper()
	b.until(fmt.Sprintf("document.readyState == 'complete' && document.body.innerText.includes(%q)", text))
}

// text returns the text of the first element.
func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// value returns what is in an input.
func (b *tab) value(id string) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf("document.getElementById(%q).value", id))
}
