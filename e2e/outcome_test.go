package e2e

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// scimError is a SCIM server's refusal.
func scimError(status int, scimType string) faultproxy.Fault {
	body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"scimType":"` + scimType + `","detail":"no"}`
	return faultproxy.Status(status, http.Header{"Content-Type": {"application/scim+json"}}, body)
}

// hurried is a Blocking binding that nobody waits long for.
const hurried = "blocking: true, timeout: 1s"

// A target that is down: no code, our page with a reference, and the error only
// when the user goes back. The account appears by itself once the target is
// there again.
func TestBlockingWithoutTargetGivesNoCodeAndMakesTheAccountLater(t *testing.T) {
	long(t)
	t.Parallel()
	down := map[string]func(t *testing.T, database string) (s *stack, end func()){
		"answers 503": func(t *testing.T, database string) (*stack, func()) {
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{database: database, binding: hurried})
			// The next try is kept back, or the one after it would be seconds away.
			next, end := held()
			s.proxy.Script(http.MethodGet, "/Users", faultproxy.Status(http.StatusServiceUnavailable, nil, ""), next)
			return s, end
		},
		"hangs": func(t *testing.T, database string) (*stack, func()) {
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{database: database, binding: hurried, config: "timeout: 2s"})
			return s, s.until(http.MethodGet, "/Users", faultproxy.Hang())
		},
		"refuses connections": refusesConnections,
	}
	for name, start := range down {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, database string) {
				t.Parallel()
				s, end := start(t, database)
				rp, b := newRelyingParty(t, s.issuer), newBrowser()
				r := rp.request(promptCreate)
				page := failed(t, b, register(t, b, r.url, "ada"))
				if n := s.issued(t); n != 0 {
					t.Errorf("%d grants, codes and tokens without an account", n)
				}
				ref := reference(page)
				callback := leave(t, b, page)
				refused(t, s, r, callback, "temporarily_unavailable")
				if text := callback.Query().Get("error_description"); !strings.Contains(text, ref) {
					t.Errorf("error_description %q does not have the reference %s", text, ref)
				}
				s.concluded(t, ref, provisioning.VerdictDeny, "out of time")
				end()
				a := s.account(t, "ada", inSync)
				if found := s.up.find(t, "ada"); len(found) != 1 || found[0]["id"] != a.ExternalID {
					t.Errorf("the server has %v, want the one account %s", found, a.ExternalID)
				}
			})
		})
	}
}

// refusesConnections is a target at an address where nobody listens yet.
func refusesConnections(t *testing.T, database string) (*stack, func()) {
	up, d := startElimity(t)
	address := freeAddress(t)
	s := startStack(t, up, stackOptions{
		database: database, binding: hurried, baseURL: "http://" + address + "/scim/v2",
	})
	return s, func() {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(d)
		_ = server.Listener.Close()
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
	}
}

// concluded checks what the decisions with the reference came to, and that the
// last one says why.
func (s *stack) concluded(t *testing.T, ref string, verdict provisioning.Verdict, reason string) provisioning.Decision {
	t.Helper()
	decisions, err := s.Decisions.ByReference(t.Context(), ref)
	if err != nil || len(decisions) == 0 {
		t.Fatalf("decisions with reference %q: %v, %v", ref, decisions, err)
	}
	last := decisions[len(decisions)-1]
	if last.Verdict != verdict || len(last.Findings) != 1 || last.Findings[0].Reason != reason {
		t.Errorf("decision %s = %s %+v, want %s because %q", ref, last.Verdict, last.Findings, verdict, reason)
	}
	return last
}

// issuedBy returns the decision the newest code rests on, found by its reference.
func (s *stack) issuedBy(t *testing.T, verdict provisioning.Verdict, reason string) provisioning.Decision {
	t.Helper()
	var id provisioning.DecisionID
	err := s.db(t).QueryRow(t.Context(), "SELECT decision_id FROM oauth_grant ORDER BY created_at DESC LIMIT 1").Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Decisions.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	last := s.concluded(t, d.Request.Reference, verdict, reason)
	if diff := cmp.Diff(d, last); diff != "" {
		t.Errorf("the code's decision is not the last with its reference:\n%s", diff)
	}
	return last
}

func TestBlockingRefusalIsAccessDenied(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		s.proxy.Script(http.MethodPost, "/Users", scimError(http.StatusBadRequest, "invalidValue"))
		rp, b := newRelyingParty(t, s.issuer), newBrowser()
		r := rp.request(promptCreate)
		page := failed(t, b, register(t, b, r.url, "ada"))
		ref := reference(page)
		refused(t, s, r, leave(t, b, page), "access_denied")
		d := s.concluded(t, ref, provisioning.VerdictDeny, "failed")
		if d.Findings[0].Kind != sdk.KindInvalid || d.Failure.Code != provisioning.FailureRefused {
			t.Errorf("decision %+v, want refused for an invalid value", d)
		}
		if n := s.issued(t); n != 0 {
			t.Errorf("%d grants, codes and tokens for a refused user", n)
		}
	})
}

// The Retry button starts afresh, whether the work has failed for good or only
// waits for its next try, and the sign-in that pressed it gets its code.
func TestRetryOnTheWaitPageGoesOn(t *testing.T) {
	t.Parallel()
	faults := map[string]faultproxy.Fault{
		"after a refusal":    scimError(http.StatusBadRequest, "invalidValue"),
		"while it waits":     faultproxy.Status(http.StatusServiceUnavailable, nil, ""),
		"after lost answers": faultproxy.Reset(),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{binding: hurried})
			end := s.until(http.MethodPost, "/Users", fault)
			rp, b := newRelyingParty(t, s.issuer), newBrowser()
			r := rp.request(promptCreate)
			page := failed(t, b, register(t, b, r.url, "ada"))
			end()
			page, err := b.Submit(t.Context(), page, "/wait/retry", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rp.exchange(t.Context(), r, arrive(t, b, page)); err != nil {
				t.Error(err)
			}
			s.issuedBy(t, provisioning.VerdictPermit, "in sync")
			if found := up.find(t, "ada"); len(found) != 1 {
				t.Errorf("the server has %v, want one account", found)
			}
		})
	}
}

func TestRetryWithTheTargetStillDownStaysOnThePage(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	s.proxy.Script(http.MethodPost, "/Users", scimError(http.StatusBadRequest, "invalidValue"), scimError(http.StatusBadRequest, "invalidValue"))
	b := newBrowser()
	page := failed(t, b, register(t, b, newRelyingParty(t, s.issuer).request(promptCreate).url, "ada"))
	page, err := b.Submit(t.Context(), page, "/wait/retry", nil)
	if err != nil {
		t.Fatal(err)
	}
	failed(t, b, page)
	if n := s.proxy.Count(http.MethodPost, "/Users"); n != 2 {
		t.Errorf("%d creates after one Retry, want 2", n)
	}
}

func TestWithoutBlockingTheSignInGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database, binding: "blocking: false"})
		hang, release := held()
		s.proxy.Script(http.MethodPost, "/Users", hang)
		s.importUser(t, "ada")
		rp, b := newRelyingParty(t, s.issuer), newBrowser()
		r := rp.request()
		page := signIn(t, b, r.url, "ada")
		if page.Location == nil {
			t.Fatalf("page %q, want the application at once", page.Title)
		}
		if _, err := rp.exchange(t.Context(), r, page.Location); err != nil {
			t.Error(err)
		}
		s.issuedBy(t, provisioning.VerdictPermit, "not blocking")
		if found := up.find(t, "ada"); len(found) != 0 {
			t.Errorf("the server has %v although it hangs", found)
		}
		release()
		a := s.account(t, "ada", inSync)
		if found := up.find(t, "ada"); len(found) != 1 || found[0]["id"] != a.ExternalID {
			t.Errorf("the server has %v, want the account %s", found, a.ExternalID)
		}
	})
}

// JIT Outbound off: a sign-in makes nothing, registering with the application
// does.
func TestWithoutJITOutboundOnlyRegistrationMakesAccounts(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{binding: "blocking: false, jit_outbound: false"})
	stranger := s.importUser(t, "ada")
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	r := rp.request()
	if _, err := rp.exchange(t.Context(), r, arrive(t, b, signIn(t, b, r.url, "ada"))); err != nil {
		t.Error(err)
	}
	arrive(t, newBrowser(), register(t, newBrowser(), rp.request(promptCreate).url, "bob"))
	s.account(t, "bob", inSync)
	if _, err := s.Accounts.Get(t.Context(), stranger.ID, "directory"); !errors.Is(err, provisioning.ErrAccountNotFound) {
		t.Errorf("ledger row of somebody who does not belong to the application: %v, want none", err)
	}
	if found := up.find(t, "ada"); len(found) != 0 || s.proxy.Count(http.MethodPost, "/Users") != 1 {
		t.Errorf("the server has %v, and %d creates; want one, for the user who registered", found, s.proxy.Count(http.MethodPost, "/Users"))
	}
}

func TestBlockingWithoutJITOutboundAdmitsOnlyUsersWithAccounts(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{binding: "blocking: true, jit_outbound: false"})
	s.importUser(t, "ada")
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	r := rp.request()
	page := failed(t, b, signIn(t, b, r.url, "ada"))
	ref := reference(page)
	refused(t, s, r, leave(t, b, page), "access_denied")
	s.concluded(t, ref, provisioning.VerdictDeny, "no account, and not made at sign-in")
	if n := len(s.proxy.Requests()); n != 0 || s.issued(t) != 0 {
		t.Errorf("%d calls of the target, and %d rows issued; want none", n, s.issued(t))
	}
	r, b = rp.request(promptCreate), newBrowser()
	if _, err := rp.exchange(t.Context(), r, arrive(t, b, register(t, b, r.url, "bob"))); err != nil {
		t.Error(err)
	}
	s.issuedBy(t, provisioning.VerdictPermit, "in sync")
}

// The policies that let a sign-in pass say so in the decision.
func TestPoliciesThatLetPassAreRecorded(t *testing.T) {
	t.Parallel()
	unavailable := faultproxy.Status(http.StatusServiceUnavailable, nil, "")
	invalid := scimError(http.StatusBadRequest, "invalidValue")
	hang := faultproxy.Hang()
	create := map[string]struct {
		binding string
		fault   faultproxy.Fault
		reason  string
		would   provisioning.Verdict
	}{
		"on_create_failure allow, target down":  {"blocking: true, on_create_failure: allow", unavailable, "failed so far, allowed by policy", ""},
		"on_create_failure allow, target hangs": {hurried + ", on_create_failure: allow", hang, "out of time, allowed by policy", ""},
		"on_create_failure allow, user refused": {"blocking: true, on_create_failure: allow", invalid, "failed, allowed by policy", ""},
		"report_only, target hangs":             {hurried + ", report_only: true", hang, "report only: work is under way", provisioning.VerdictWait},
	}
	for name, c := range create {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{binding: c.binding, config: "timeout: 2s"})
			s.until(http.MethodPost, "/Users", c.fault)
			rp, b := newRelyingParty(t, s.issuer), newBrowser()
			r := rp.request(promptCreate)
			g, err := rp.exchange(t.Context(), r, arrive(t, b, register(t, b, r.url, "ada")))
			if err != nil {
				t.Fatal(err)
			}
			d := s.issuedBy(t, provisioning.VerdictPermit, c.reason)
			if d.Findings[0].Would != c.would {
				t.Errorf("it would have been %q, want %q", d.Findings[0].Would, c.would)
			}
			if accounts, _ := g.claims["provisioned"].(map[string]any); accounts["directory"] == nil || len(up.find(t, "ada")) != 0 {
				t.Errorf("claim provisioned %v, want the account under way", accounts)
			}
		})
	}
}

func TestOnUpdateFailureDecidesAboutAnAccountThatIsThere(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		policy, reason string
		allowed        bool
	}{
		"allow": {"on_update_failure: allow", "failed, allowed by policy", true},
		"deny":  {"on_update_failure: deny", "failed", false},
		// An account that is there is not covered by what is said of missing ones.
		"create policy": {"on_create_failure: allow", "failed", false},
		"report only":   {"report_only: true", "report only: failed", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, _ := startElimity(t)
			s := startStack(t, up, stackOptions{binding: "blocking: true, " + c.policy})
			rp, b := newRelyingParty(t, s.issuer), newBrowser()
			arrive(t, b, register(t, b, rp.request(promptCreate).url, "ada"))
			s.account(t, "ada", inSync)
			s.until(http.MethodPatch, "/Users/*", scimError(http.StatusBadRequest, "invalidValue"))
			if _, err := s.Users.Update(t.Context(), s.user(t, "ada").ID, func(u *user.User) error {
				u.GivenName = "Grace"
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			s.account(t, "ada", func(a provisioning.Account) bool { return a.State == provisioning.StateFailed })
			r := rp.request()
			page, err := b.Get(t.Context(), r.url)
			if err != nil {
				t.Fatal(err)
			}
			if !c.allowed {
				page = failed(t, b, page)
				s.concluded(t, reference(page), provisioning.VerdictDeny, c.reason)
				refused(t, s, r, leave(t, b, page), "access_denied")
				return
			}
			if _, err := rp.exchange(t.Context(), r, arrive(t, b, page)); err != nil {
				t.Error(err)
			}
			s.issuedBy(t, provisioning.VerdictPermit, c.reason)
		})
	}
}

// withSession imports a user and signs them in to the application that needs no
// account: what follows meets a session and an empty target.
func (s *stack) withSession(t *testing.T, login string) *browser.Browser {
	t.Helper()
	s.importUser(t, login)
	rp, b := newRelyingPartyOf(t, s.issuer, otherAppID), newBrowser()
	r := rp.request()
	if _, err := rp.exchange(t.Context(), r, arrive(t, b, signIn(t, b, r.url, login))); err != nil {
		t.Fatal(err)
	}
	return b
}

// silently sends a request that forbids pages and checks that none is shown.
func silently(t *testing.T, b *browser.Browser, rp *relyingParty, options ...oauth2.AuthCodeOption) (request, *url.URL) {
	t.Helper()
	r := rp.request(append(options, promptNone)...)
	page, err := b.Get(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	if page.Location == nil {
		t.Fatalf("prompt=none shows %q at %s: %s", page.Title, page.URL, page.Text)
	}
	return r, page.Location
}

func TestPromptNoneNeedsASessionFreshEnough(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{binding: "blocking: false"})
	rp := newRelyingParty(t, s.issuer)
	r, callback := silently(t, newBrowser(), rp)
	refused(t, s, r, callback, "login_required")
	b := s.withSession(t, "ada")
	s.ageSessions(t, time.Hour)
	before := s.issued(t)
	r, callback = silently(t, b, rp, oauth2.SetAuthURLParam("max_age", "60"))
	refused(t, s, r, callback, "login_required")
	r, callback = silently(t, b, rp, oauth2.SetAuthURLParam("max_age", "0"))
	refused(t, s, r, callback, "login_required")
	if err := s.Users.Disable(t.Context(), s.user(t, "ada").ID); err != nil {
		t.Fatal(err)
	}
	r, callback = silently(t, b, rp)
	refused(t, s, r, callback, "login_required")
	if n := s.issued(t) - before; n != 0 {
		t.Errorf("%d rows issued to refused requests", n)
	}
}

// ageSessions makes every session's authentication older.
func (s *stack) ageSessions(t *testing.T, by time.Duration) {
	t.Helper()
	if _, err := s.db(t).Exec(t.Context(), "UPDATE sessions SET auth_time = auth_time - $1", by.Microseconds()); err != nil {
		t.Fatal(err)
	}
}

func TestPromptNoneInSyncGivesACodeWithoutCalls(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	arrive(t, b, register(t, b, rp.request(promptCreate).url, "ada"))
	before := len(s.proxy.Requests())
	r, callback := silently(t, b, rp)
	if _, err := rp.exchange(t.Context(), r, callback); err != nil {
		t.Error(err)
	}
	if n := len(s.proxy.Requests()) - before; n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

// prompt=none starts the work, may not wait for it to end, and the next
// interactive sign-in joins it.
func TestPromptNoneStartsWorkThatTheNextSignInJoins(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		s := startStack(t, up, stackOptions{database: database})
		b := s.withSession(t, "ada")
		slow, release := held()
		s.proxy.Script(http.MethodPost, "/Users", slow)
		before := s.issued(t)
		rp := newRelyingParty(t, s.issuer)
		r, callback := silently(t, b, rp)
		refused(t, s, r, callback, "interaction_required")
		if n := s.issued(t) - before; n != 0 {
			t.Errorf("%d rows issued without the account", n)
		}
		r = rp.request()
		page, err := b.Get(t.Context(), r.url)
		if err != nil || page.URL.Path != "/wait" {
			t.Fatalf("page %+v, %v; want the wait page", page, err)
		}
		release()
		if _, err := rp.exchange(t.Context(), r, arrive(t, b, page)); err != nil {
			t.Error(err)
		}
		if n := s.proxy.Count(http.MethodPost, "/Users"); n != 1 || len(up.find(t, "ada")) != 1 {
			t.Errorf("%d creates, want 1", n)
		}
	})
}

func TestPromptNoneDeniedIsAccessDeniedWithAReference(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	b := s.withSession(t, "ada")
	s.proxy.Script(http.MethodPost, "/Users", scimError(http.StatusBadRequest, "invalidValue"))
	before := s.issued(t)
	rp := newRelyingParty(t, s.issuer)
	// The first starts the work, which may end after the request; the second
	// finds that it has failed.
	if _, callback := silently(t, b, rp); callback.Query().Has("code") {
		t.Errorf("a code without the account: %s", callback)
	}
	s.account(t, "ada", func(a provisioning.Account) bool { return a.State == provisioning.StateFailed })
	r, callback := silently(t, b, rp)
	refused(t, s, r, callback, "access_denied")
	_, ref, _ := strings.Cut(callback.Query().Get("error_description"), "(reference ")
	s.concluded(t, strings.TrimSuffix(ref, ")"), provisioning.VerdictDeny, "failed")
	if n := s.issued(t) - before; n != 0 || s.proxy.Count(http.MethodPost, "/Users") != 1 {
		t.Errorf("%d rows issued, %d creates; want none and 1", n, s.proxy.Count(http.MethodPost, "/Users"))
	}
}

// A request that wants a fresh sign-in gets one, session or not, and the ID
// token tells when.
func TestPromptLoginAndMaxAgeForceANewSignIn(t *testing.T) {
	t.Parallel()
	up, _ := startElimity(t)
	s := startStack(t, up, stackOptions{})
	rp, b := newRelyingParty(t, s.issuer), newBrowser()
	arrive(t, b, register(t, b, rp.request(promptCreate).url, "ada"))
	for name, option := range map[string]oauth2.AuthCodeOption{
		"prompt=login": promptLogin, "max_age=0": oauth2.SetAuthURLParam("max_age", "0"), "max_age=60": oauth2.SetAuthURLParam("max_age", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			s.ageSessions(t, time.Hour)
			r := rp.request()
			page, err := b.Get(t.Context(), r.url)
			if err != nil || page.Location == nil {
				t.Fatalf("page %+v, %v; want the application", page, err)
			}
			checkAuthTime(t, rp, r, page.Location, time.Hour)
			r = rp.request(option)
			page, err = b.Get(t.Context(), r.url)
			if err != nil || page.URL.Path != "/sign-in" {
				t.Fatalf("page %+v, %v; want the sign-in page", page, err)
			}
			checkAuthTime(t, rp, r, arrive(t, b, signIn(t, b, r.url, "ada")), 0)
		})
	}
}

// checkAuthTime redeems the code and checks how long ago the user proved
// themselves.
func checkAuthTime(t *testing.T, rp *relyingParty, r request, callback *url.URL, ago time.Duration) {
	t.Helper()
	g, err := rp.exchange(t.Context(), r, callback)
	if err != nil {
		t.Fatal(err)
	}
	seconds, ok := g.claims["auth_time"].(float64)
	const slack = time.Minute
	if age := time.Since(time.Unix(int64(seconds), 0)); !ok || age < ago || age > ago+slack {
		t.Errorf("auth_time %v is %s ago, want %s", g.claims["auth_time"], age, ago)
	}
}
