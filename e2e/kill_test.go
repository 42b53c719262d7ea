package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// fate is what became of the create that was in flight when a process died. In
// both cases nobody saw an answer.
type fate struct {
	name    string
	fault   faultproxy.Fault
	applied bool
}

func fates() []fate {
	return []fate{{"create lost", faultproxy.Hang(), false}, {"reply lost", faultproxy.HangReply(), true}}
}

// eachDeployment runs a test for both fates on both databases.
func eachDeployment(t *testing.T, lease time.Duration, f func(t *testing.T, d *deployment, p *process, fate fate)) {
	var cases []testCase
	for _, fate := range fates() {
		cases = append(cases,
			testCase{fate.name + " on sqlite", func(t *testing.T) { runDeployed(t, lease, "", fate, f) }},
			testCase{fate.name + " on postgres", func(t *testing.T) { runDeployed(t, lease, sqldbtest.PostgresURL(t), fate, f) }})
	}
	together(t, cases)
}

type testCase struct {
	name string
	run  func(t *testing.T)
}

// together runs the cases at the same time, however few processors there are:
// they spend their time waiting for leases and time limits.
func together(t *testing.T, cases []testCase) {
	var wg sync.WaitGroup
	for _, c := range cases {
		wg.Go(func() { t.Run(c.name, c.run) })
	}
	wg.Wait()
}

func runDeployed(t *testing.T, lease time.Duration, database string, fate fate, f func(t *testing.T, d *deployment, p *process, fate fate)) {
	address := freeAddress(t)
	d := deploy(t, "http://"+address, database)
	d.lease = lease
	d.proxy.Script(http.MethodPost, "/Users", fate.fault)
	f(t, d, d.serve(t, address), fate)
}

// arrival is one user's way in: they registered and look at the wait page.
type arrival struct {
	rp      *relyingParty
	browser *browser.Browser
	request request
	page    *browser.Page
	login   string
}

// arrive registers a user and stops at the wait page.
func (d *deployment) arrive(t *testing.T, login string) *arrival {
	t.Helper()
	a := &arrival{rp: newRelyingParty(t, d.issuer), browser: newBrowser(), login: login}
	a.request = a.rp.request(promptCreate)
	a.page = register(t, a.browser, a.request.url, login)
	if a.page.Location != nil || a.page.Refresh == 0 {
		t.Fatalf("after the registration: %q at %s, want the wait page: %s", a.page.Title, a.page.URL, a.page.Text)
	}
	return a
}

// quickLease is shorter than the default, for those who wait for its end, and long
// enough for a busy machine to renew it.
const quickLease = 10 * time.Second

// afterLease is enough for what a killed worker held.
const afterLease = quickLease + patience

// getIn reloads the wait page, as it does by itself, until the application has
// the user. It returns the id of the account the application was told of.
func (a *arrival) getIn(t *testing.T, within time.Duration) string {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for a.page.Location == nil {
		if a.page.Refresh == 0 {
			t.Fatalf("page %q at %s does not go on by itself: %s", a.page.Title, a.page.URL, a.page.Text)
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s is not in after %s; the page says: %s", a.login, within, a.page.Text)
		}
		var err error
		if a.page, err = a.browser.Get(t.Context(), a.page.URL.String()); err != nil {
			t.Fatal(err)
		}
	}
	g, err := a.rp.exchange(t.Context(), a.request, a.page.Location)
	if err != nil {
		t.Fatal(err)
	}
	provisioned, _ := g.claims["provisioned"].(map[string]any)
	account, _ := provisioned["directory"].(map[string]any)
	id, _ := account["id"].(string)
	return id
}

// awaitCreate waits until the create is in flight.
func (d *deployment) awaitCreate(t *testing.T, fate fate) {
	t.Helper()
	eventually(t, "the create", func() bool {
		return d.proxy.Count(http.MethodPost, "/Users") == 1 && (len(d.directory.Accounts()) == 1) == fate.applied
	})
}

// checkOneAccount checks that the directory has this one account, active.
func (d *deployment) checkOneAccount(t *testing.T, login, id string) {
	t.Helper()
	type account struct {
		ID, Login string
		Active    bool
	}
	var got []account
	for _, a := range d.directory.Accounts() {
		got = append(got, account{a.ID, a.UserName, a.Active})
	}
	if diff := cmp.Diff([]account{{id, login, true}}, got); diff != "" {
		t.Errorf("accounts in the directory (-want +got):\n%s", diff)
	}
}

func (d *deployment) checkCreates(t *testing.T, fate fate) {
	t.Helper()
	want := 2
	if fate.applied {
		want = 1 // it was found: never a blind second create
	}
	if n := d.proxy.Count(http.MethodPost, "/Users"); n != want {
		t.Errorf("%d creates were sent, want %d", n, want)
	}
}

func TestServerKilledDuringCreate(t *testing.T) {
	long(t)
	t.Parallel()
	eachDeployment(t, quickLease, func(t *testing.T, d *deployment, p *process, fate fate) {
		a := d.arrive(t, "ada")
		d.awaitCreate(t, fate)
		start := time.Now()
		p.kill(t)
		p.start(t)
		t.Logf("ready again after %s", time.Since(start).Round(time.Millisecond))
		id := a.getIn(t, afterLease)
		t.Logf("from the kill of the server to the user in: %s", time.Since(start).Round(time.Millisecond))
		d.checkOneAccount(t, "ada", id)
		d.checkCreates(t, fate)
	})
}

func TestConnectorKilledDuringCreate(t *testing.T) {
	long(t)
	t.Parallel()
	eachDeployment(t, quickLease, func(t *testing.T, d *deployment, p *process, fate fate) {
		a := d.arrive(t, "ada")
		d.awaitCreate(t, fate)
		start := time.Now()
		if err := syscall.Kill(p.connector(t), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		id := a.getIn(t, patience)
		t.Logf("from the kill of the connector to the user in: %s", time.Since(start).Round(time.Millisecond))
		d.checkOneAccount(t, "ada", id)
		d.checkCreates(t, fate)
	})
}

// A server that is told to stop does not wait for a target that hangs, and does
// not make the next one wait for its lease.
func TestServerStoppedDuringCreate(t *testing.T) {
	long(t)
	t.Parallel()
	const lease = provisioning.DefaultLease
	eachDeployment(t, lease, func(t *testing.T, d *deployment, p *process, fate fate) {
		a := d.arrive(t, "ada")
		d.awaitCreate(t, fate)
		t.Logf("from SIGTERM to the end: %s", p.terminate(t).Round(time.Millisecond))
		p.start(t)
		start := time.Now()
		id := a.getIn(t, lease/2)
		t.Logf("from ready to the user in: %s", time.Since(start).Round(time.Millisecond))
		d.checkOneAccount(t, "ada", id)
		d.checkCreates(t, fate)
	})
}

// What a stopping server has under way, it finishes if it can.
func TestServerStoppedFinishesTheCreate(t *testing.T) {
	long(t)
	t.Parallel()
	slow := fate{"slow", faultproxy.Delay(2 * time.Second), false}
	runDeployed(t, quickLease, "", slow, func(t *testing.T, d *deployment, p *process, _ fate) {
		a := d.arrive(t, "ada")
		d.awaitCreate(t, slow)
		p.terminate(t)
		if n := len(d.directory.Accounts()); n != 1 {
			t.Errorf("%d accounts when the server has stopped, want 1", n)
		}
		p.start(t)
		d.checkOneAccount(t, "ada", a.getIn(t, patience))
		if n := d.proxy.Count(http.MethodPost, "/Users"); n != 1 {
			t.Errorf("%d creates were sent, want 1", n)
		}
	})
}

// The work is committed with the registration: a server that is killed before
// anybody began it owes the account nevertheless, whether or not the user comes
// back. Lookups that hang take every slot of the target, so that the last user's
// account is due and nobody works on it. What the dead server held counts
// against the target's bound until its leases end.
func TestServerKilledBeforeFirstCall(t *testing.T) {
	long(t)
	t.Parallel()
	together(t, []testCase{
		{"sqlite", func(t *testing.T) { killedBeforeFirstCall(t, "") }},
		{"postgres", func(t *testing.T) { killedBeforeFirstCall(t, sqldbtest.PostgresURL(t)) }},
	})
}

func killedBeforeFirstCall(t *testing.T, database string) {
	address := freeAddress(t)
	d := deploy(t, "http://"+address, database)
	for range slots {
		d.proxy.Script(http.MethodGet, "/Users", faultproxy.Hang())
	}
	p := d.serve(t, address)
	want := []string{"ada"}
	for i := range slots {
		login := fmt.Sprintf("early%d", i)
		d.arrive(t, login)
		want = append(want, login)
	}
	eventually(t, "every slot taken", func() bool { return d.proxy.Count(http.MethodGet, "/Users") == slots })
	d.arrive(t, "ada")
	start := time.Now()
	p.kill(t)
	p.start(t)
	got := d.awaitAccounts(t, len(want))
	t.Logf("from the kill to every account: %s", time.Since(start).Round(time.Millisecond))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts in the directory (-want +got):\n%s", diff)
	}
}

// awaitAccounts waits, longer than a lease, until the directory has n accounts,
// and returns their logins.
func (d *deployment) awaitAccounts(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.NewTimer(afterLease)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d accounts after %s, want %d", len(d.directory.Accounts()), afterLease, n)
		}
		if accounts := d.directory.Accounts(); len(accounts) >= n {
			var logins []string
			for _, a := range accounts {
				logins = append(logins, a.UserName)
			}
			return logins
		}
	}
}

// slots is how many accounts of a target one server works on at a time.
const slots = 4

// balancer stands in front of several servers, as one address.
type balancer struct {
	address string
	to      atomic.Pointer[url.URL]
}

func startBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(b.to.Load())
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(server.Close)
	b.address = server.URL
	return b
}

func (b *balancer) turn(p *process) { b.to.Store(&url.URL{Scheme: "http", Host: p.listen}) }

// A sign-in belongs to no server: begun on one, it is waited for and finished on
// another while the first does the work.
func TestSignInMovesBetweenServers(t *testing.T) {
	long(t)
	t.Parallel()
	d, lb, first, second := startPair(t)
	const slow = 3 * time.Second
	d.proxy.Script(http.MethodPost, "/Users", faultproxy.Delay(slow))
	a := d.arrive(t, "ada")
	d.awaitCreate(t, fate{})
	start := time.Now()
	_, idle := byWork(t, first, second)
	lb.turn(idle)
	id := a.getIn(t, patience)
	t.Logf("from the create to the user in on the other server: %s, of which the directory takes %s", time.Since(start).Round(time.Millisecond), slow)
	d.checkOneAccount(t, "ada", id)
	if n := d.proxy.Count(http.MethodPost, "/Users"); n != 1 {
		t.Errorf("%d creates were sent, want 1", n)
	}
}

// A server that dies leaves its work to the others.
func TestOtherServerTakesOverFromKilledOne(t *testing.T) {
	long(t)
	t.Parallel()
	var cases []testCase
	for _, fate := range fates() {
		cases = append(cases, testCase{fate.name, func(t *testing.T) { takeOver(t, fate) }})
	}
	together(t, cases)
}

func takeOver(t *testing.T, fate fate) {
	d, lb, first, second := startPair(t)
	d.proxy.Script(http.MethodPost, "/Users", fate.fault)
	a := d.arrive(t, "ada")
	d.awaitCreate(t, fate)
	worker, idle := byWork(t, first, second)
	start := time.Now()
	worker.kill(t)
	lb.turn(idle)
	id := a.getIn(t, afterLease)
	t.Logf("from the kill to the user in on the other server: %s", time.Since(start).Round(time.Millisecond))
	d.checkOneAccount(t, "ada", id)
	d.checkCreates(t, fate)
}

// startPair starts two servers on one PostgreSQL behind a balancer that sends
// everything to the first.
func startPair(t *testing.T) (d *deployment, lb *balancer, first, second *process) {
	t.Helper()
	lb = startBalancer(t)
	d = deploy(t, lb.address, sqldbtest.PostgresURL(t))
	first, second = d.serve(t, freeAddress(t)), d.serve(t, freeAddress(t))
	lb.turn(first)
	return d, lb, first, second
}

// byWork tells the server that does the work, which has a connector running,
// from the other.
func byWork(t *testing.T, first, second *process) (worker, idle *process) {
	t.Helper()
	if len(second.children(t)) > 0 {
		return second, first
	}
	return first, second
}
