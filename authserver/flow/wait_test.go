package flow_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func (b *browser) waitStatus(id string) web.WaitStatus {
	b.t.Helper()
	tab := b.twin().get("/wait/status?sign_in=" + id).status(http.StatusOK)
	var status web.WaitStatus
	must(b.t, json.Unmarshal([]byte(tab.page.body), &status))
	return status
}

// waiting signs in and arrives at the wait page for the target "directory".
func waiting(t *testing.T) (*stack, *browser) {
	s := newStack(t)
	s.blocking("directory")
	return s, s.browser().get("/authorize?client_id=payroll").signIn().at("/wait")
}

// Without JavaScript: the page reloads itself and goes on when the account is
// there.
func TestWaitPageContinues(t *testing.T) {
	s, b := waiting(t)
	b.says("Setting up your access to Payroll").says("directory").says("waiting to start")
	noscript := b.page.find(func(n *html.Node) bool { return n.Data == "noscript" })
	if noscript == nil || !strings.Contains(b.page.body, `<noscript><meta http-equiv="refresh" content="2">`) {
		t.Error("the page does not reload without JavaScript")
	}
	id := b.signInID()
	b.get("/wait?sign_in=" + id).at("/wait")
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+id).backWith("code", "")
	if s.ledger.wanted != 1 {
		t.Errorf("work was started %d times, want once", s.ledger.wanted)
	}
}

// Signing in again in another tab changes the session's id; who waits here is not
// asked for the password again.
func TestWaitSurvivesSignInElsewhere(t *testing.T) {
	s := newStack(t)
	s.blocking("directory")
	b := s.browser().get("/authorize?client_id=payroll&prompt=login").signIn().at("/wait")
	b.twin().get("/authorize?client_id=payroll&prompt=login").signIn().at("/wait")
	b.get("/wait?sign_in=" + b.signInID()).at("/wait")
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+b.signInID()).backWith("code", "")
}

// Work that is quick shows no page.
func TestQuickWorkShowsNoPage(t *testing.T) {
	s := newStack(t)
	s.driver.Hold = time.Minute
	s.blocking("directory")
	s.ledger.onWant = func() { s.ledger.inSync("directory") }
	s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
}

func TestNonBlockingWorkShowsNoPage(t *testing.T) {
	s := newStack(t)
	s.ledger.bindings = append(s.ledger.bindings, provisioning.NewBinding("payroll", "crm"))
	s.browser().get("/authorize?client_id=payroll").signIn().backWith("code", "")
	if s.ledger.wanted != 1 {
		t.Error("the work did not become due with the decision")
	}
}

func TestWaitLines(t *testing.T) {
	s, b := waiting(t)
	s.blocking("crm")
	s.ledger.inSync("directory")
	s.ledger.fail("crm", sdk.KindTransient, provisioning.StateRetrying, s.clock.Now().Add(4*time.Second))
	got := b.waitStatus(b.signInID())
	want := []web.WaitLine{
		{Target: "directory", Progress: "done", Text: "ready"},
		{Target: "crm", Progress: "retrying", Text: "trying again in 5 s"},
	}
	if diff := cmp.Diff(want, got.Lines); diff != "" || got.State != web.WaitWorking {
		t.Errorf("state %s, lines (-want +got):\n%s", got.State, diff)
	}
}

// After the deadline the page is honest, offers ways out, and still goes on by
// itself.
func TestDeadline(t *testing.T) {
	s, b := waiting(t)
	id := b.signInID()
	s.clock.advance(provisioning.DefaultTimeout)
	b.get("/wait?sign_in=" + id).at("/wait").says("takes longer than usual").says("Reference for support").says("Try again").says("Back to Payroll")
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+id).backWith("code", "")
}

// Support must find by the reference why the user could not go on, not only that
// they waited; and a page that reloads itself must not fill the records.
func TestDenialAfterWaitingIsRecordedOnce(t *testing.T) {
	for name, after := range map[string]func(b *browser, id string){
		"shown":            func(b *browser, id string) { b.get("/wait?sign_in=" + id).get("/wait?sign_in=" + id) },
		"unseen":           func(b *browser, _ string) { b.submit("/wait/leave", nil).backWith("error", "access_denied") },
		"shown, then left": func(b *browser, id string) { b.get("/wait?sign_in="+id).submit("/wait/leave", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s, b := waiting(t)
			s.ledger.fail("directory", sdk.KindInvalid, provisioning.StateFailed, time.Time{})
			after(b, b.signInID())
			var verdicts []provisioning.Verdict
			for _, d := range s.decisions.all {
				verdicts = append(verdicts, d.Verdict)
			}
			if diff := cmp.Diff([]provisioning.Verdict{provisioning.VerdictWait, provisioning.VerdictDeny}, verdicts); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	s, b := waiting(t)
	s.ledger.fail("directory", sdk.KindQuota, provisioning.StateFailed, time.Time{})
	b.get("/wait?sign_in=" + b.signInID()).says("Payroll is not ready for you yet").says("no free licence")
	b.submit("/wait/retry", nil).at("/wait").says("Setting up your access")
	if s.ledger.retried != 1 {
		t.Errorf("the work became due %d times, want once", s.ledger.retried)
	}
	s.ledger.inSync("directory")
	b.get("/wait?sign_in="+b.signInID()).backWith("code", "")
}

func TestLeave(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*stack)
		want   string
	}{
		"while it works": {func(*stack) {}, "access_denied"},
		"out of time":    {func(s *stack) { s.clock.advance(provisioning.DefaultTimeout) }, "temporarily_unavailable"},
		"refused":        {func(s *stack) { s.ledger.fail("directory", sdk.KindInvalid, provisioning.StateFailed, time.Time{}) }, "access_denied"},
		"defect":         {func(s *stack) { s.ledger.fail("directory", sdk.KindUnsupported, provisioning.StateFailed, time.Time{}) }, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := waiting(t)
			id := b.signInID()
			c.change(s)
			b.submit("/wait/leave", nil).backWith("error", c.want)
			s.ledger.inSync("directory")
			b.get("/oauth2/authorize/resume?sign_in=" + id).status(http.StatusGone) // it is over, whatever happens now
			if s.codes() != 0 {
				t.Error("a code after the user left")
			}
		})
	}
}

// An application that sends the user straight back meets our page, not a loop.
func TestDeniedUserSeesOurPageFirst(t *testing.T) {
	s := newStack(t)
	s.blocking("directory")
	s.ledger.fail("directory", sdk.KindConflict, provisioning.StateFailed, time.Time{})
	b := s.browser().get("/authorize?client_id=payroll").signIn().at("/wait").says("belongs to somebody else")
	b.submit("/wait/leave", nil).backWith("error", "access_denied")
	b.get("/authorize?client_id=payroll").at("/wait")
	if len(s.decisions.all) != 2 {
		t.Errorf("%d decisions recorded, want one per sign-in", len(s.decisions.all))
	}
}

func TestWaitFormsAreProtected(t *testing.T) {
	s, b := waiting(t)
	s.ledger.fail("directory", sdk.KindQuota, provisioning.StateFailed, time.Time{})
	b.get("/wait?sign_in=" + b.signInID())
	other := s.browser().get("/authorize?client_id=payroll")
	for _, path := range []string{"/wait/retry", "/wait/leave"} {
		form := b.fill(path, nil)
		other.post(path, form).status(http.StatusForbidden)
		form.Set("token", "")
		b.twin().post(path, form).status(http.StatusForbidden)
	}
	if s.ledger.retried != 0 {
		t.Error("a forged form started work")
	}
	b.get("/wait?sign_in=" + b.signInID()).at("/wait")
}

// The target's name is all the page says of it.
func TestWaitPageNamesNoInternals(t *testing.T) {
	s, b := waiting(t)
	a := provisioning.Account{
		Target: "directory", Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StateFailed,
		Kind: sdk.KindUnauthorized, Detail: "401 from scim.internal", Field: "userName",
	}
	s.ledger.set(a)
	b.get("/wait?sign_in=" + b.signInID())
	for _, secret := range []string{"401", "scim.internal", "userName", "unauthorized"} {
		if strings.Contains(b.page.body, secret) {
			t.Errorf("the page says %q", secret)
		}
	}
}

func TestWaitEvents(t *testing.T) {
	s, b := waiting(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+"/wait/events?sign_in="+b.signInID(), nil)
	must(t, err)
	res, err := b.client.Do(r)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q", got)
	}
	var states []web.WaitState
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var status web.WaitStatus
		must(t, json.Unmarshal([]byte(data), &status))
		states = append(states, status.State)
		s.ledger.inSync("directory") // the first one is out
		if status.State == web.WaitContinue && !strings.HasPrefix(status.Next, "/oauth2/authorize/resume?") {
			t.Errorf("next is %q", status.Next)
		}
	}
	if diff := cmp.Diff([]web.WaitState{web.WaitWorking, web.WaitContinue}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
