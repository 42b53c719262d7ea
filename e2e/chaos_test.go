package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sys/unix"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// People register and sign in while servers and connectors are killed and the
// directory misbehaves, all at random. Whatever happened, nobody has two
// accounts, nobody got a code without one, and no work is left behind.
//
// ANTEROOM_CHAOS is how long the faults last (make chaos), ANTEROOM_CHAOS_SEED
// repeats what was chosen; the machine's own timing is not repeated.
func TestChaosDoublesAndLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	together(t, []testCase{
		{"one server on sqlite", func(t *testing.T) {
			address := freeAddress(t)
			startChaos(t, address, "", []string{address}).run(t)
		}},
		{"two servers on postgres", func(t *testing.T) {
			servers := []string{freeAddress(t), freeAddress(t)}
			startChaos(t, freeAddress(t), sqldbtest.PostgresURL(t), servers).run(t)
		}},
	})
}

// chaos is one deployment and what is done to it.
type chaos struct {
	*deployment
	seed      uint64
	lasts     time.Duration // of the faults
	addresses []string      // of the servers; the issuer's stands for all of them
	servers   []*process
	rp        *relyingParty
	people    []*person

	over   atomic.Bool   // the faults have stopped
	lost   chan struct{} // a create was done and its answer hangs
	mu     sync.Mutex
	random *rand.Rand     // of the directory's faults
	faults map[string]int // by kind
	blind  []string       // bodies of creates that the directory refused as doubles
}

const (
	chaosShort = 12 * time.Second
	// chaosDrain is for the lease of a killed worker, an open breaker after it, and
	// the retries that follow.
	chaosDrain = 2*provisioning.DefaultLease + patience
)

func startChaos(t *testing.T, front, database string, servers []string) *chaos {
	t.Helper()
	c := &chaos{
		deployment: deploy(t, "http://"+front, database), seed: rand.Uint64(), lasts: chaosShort,
		addresses: servers, lost: make(chan struct{}, 1), faults: map[string]int{},
	}
	var err error
	if v := os.Getenv("ANTEROOM_CHAOS"); v != "" {
		if c.lasts, err = time.ParseDuration(v); err != nil {
			t.Fatalf("ANTEROOM_CHAOS: %v", err)
		}
	}
	if v := os.Getenv("ANTEROOM_CHAOS_SEED"); v != "" {
		if c.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("ANTEROOM_CHAOS_SEED: %v", err)
		}
	}
	t.Logf("ANTEROOM_CHAOS_SEED=%d", c.seed)
	c.random = c.stream(0)
	// A short time limit makes the answers that hang many instead of long.
	c.write(t, "resources.yaml", resourcesYAML(c.proxy.URL, stackOptions{config: "timeout: 1s"}))
	c.command(t, "apply", "-f", c.path("resources.yaml"))
	const forever = 100_000
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut} {
		for _, pattern := range []string{"/Users", "/Users/*"} {
			c.proxy.Script(method, pattern, slices.Repeat([]faultproxy.Fault{c.misbehave}, forever)...)
		}
	}
	for _, address := range servers {
		c.servers = append(c.servers, c.serve(t, address))
	}
	return c
}

// stream returns the random numbers of one actor, so that what it chooses does
// not depend on who else was scheduled when.
func (c *chaos) stream(actor int) *rand.Rand { return rand.New(rand.NewPCG(c.seed, uint64(actor))) }

func (c *chaos) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), c.lasts+chaosDrain)
	defer cancel()
	c.rp = c.relyingParty(t)
	people := max(60, int(c.lasts/time.Second))
	var wg sync.WaitGroup
	for i := range people {
		p := c.person(i)
		c.people = append(c.people, p)
		wg.Go(func() {
			arrival := time.Duration(p.random.Int64N(int64(c.lasts * 3 / 4)))
			if pause(ctx, arrival) {
				p.walk(ctx)
			}
		})
	}
	c.killAround(t)
	c.over.Store(true)
	start := time.Now()
	wg.Wait()
	c.awaitQuiet(ctx, t)
	t.Logf("drained %s after the last fault; %d people; faults: %v", time.Since(start).Round(time.Millisecond), people, c.faults)
	c.check(t)
}

// pause reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// killAround kills servers and connectors until the faults are to stop: at
// random times, and when an answer hangs, which is when it hurts.
func (c *chaos) killAround(t *testing.T) {
	random := c.stream(1)
	end := time.NewTimer(c.lasts)
	defer end.Stop()
	for {
		wait := time.NewTimer(time.Second + time.Duration(random.Int64N(int64(2*time.Second))))
		select {
		case <-end.C:
			wait.Stop()
			return
		case <-c.lost:
			wait.Stop()
		case <-wait.C:
		}
		victim := c.servers[random.IntN(len(c.servers))]
		if random.IntN(2) == 0 {
			c.killServer(t, victim)
		} else {
			c.killConnector(t, victim)
		}
	}
}

func (c *chaos) killServer(t *testing.T, p *process) {
	select {
	case <-p.exited:
		t.Fatalf("a server ended by itself: %v", p.err)
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	c.count("server killed")
	p.start(t)
}

// killConnector kills the server's connector if one runs.
func (c *chaos) killConnector(t *testing.T, p *process) {
	for _, pid := range p.children(t) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it ended meanwhile
		}
		// Only now is it certain that the number is still the child's.
		if slices.Contains(p.children(t), pid) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			c.count("connector killed")
		}
		_ = unix.Close(fd)
	}
}

func (c *chaos) count(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[kind]++
}

// misbehave passes most requests and spoils some. Creates suffer more: lookups
// that fail keep creates from happening.
func (c *chaos) misbehave(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
	upstream = c.watch(upstream)
	kind, fault := c.choose(r.Method)
	if kind == "hang reply" && r.Method == http.MethodPost {
		upstream = c.telling(upstream)
	}
	fault(w, r, upstream)
}

func (c *chaos) choose(method string) (string, faultproxy.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	percent := 10
	if method != http.MethodGet {
		percent = 35
	}
	if c.over.Load() || c.random.IntN(100) >= percent {
		return "", faultproxy.Pass()
	}
	kinds := []struct {
		name  string
		fault faultproxy.Fault
	}{
		{"drop reply", faultproxy.DropReply()},
		{"hang reply", faultproxy.HangReply()},
		{"reset", faultproxy.Reset()},
		{"503", faultproxy.Status(http.StatusServiceUnavailable, nil, "")},
		{"429", faultproxy.Status(http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}, "")},
	}
	k := kinds[c.random.IntN(len(kinds))]
	c.faults[k.name+" of "+method]++
	return k.name, k.fault
}

// telling tells the killer when the upstream has done the work.
func (c *chaos) telling(upstream http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upstream.ServeHTTP(w, r)
		select {
		case c.lost <- struct{}{}:
		default:
		}
	})
}

// watch notes creates of names the directory has. That it refuses them hides
// what would be a second account in a system that does not.
func (c *chaos) watch(upstream http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client died while it sent
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		answer := httptest.NewRecorder()
		upstream.ServeHTTP(answer, r)
		if r.Method == http.MethodPost && answer.Code == http.StatusConflict {
			c.mu.Lock()
			c.blind = append(c.blind, string(sent))
			c.mu.Unlock()
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// client reaches the servers as somebody at a loopback address of their own
// does, through a balancer that knows nothing of what it passes on and is slow
// to notice who died.
func (c *chaos) client(i int, random *rand.Rand) *http.Transport {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(2+i/250), byte(1+i%250))}}
	var mu sync.Mutex
	front := strings.TrimPrefix(c.issuer, "http://")
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == front {
				servers := c.reachable()
				mu.Lock()
				address = servers[random.IntN(len(servers))]
				mu.Unlock()
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
}

func (c *chaos) reachable() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addresses
}

// reach makes the balancer know these servers alone.
func (c *chaos) reach(addresses ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addresses = addresses
}

func (c *chaos) relyingParty(t *testing.T) *relyingParty {
	t.Helper()
	client := &http.Client{Transport: c.client(0, c.stream(2)), Timeout: patience}
	provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), client), c.issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &relyingParty{provider, oauth2.Config{
		ClientID: appID, ClientSecret: appSecret, RedirectURL: appCallback, Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, "provisioning"},
	}}
}

// person registers and wants to get in, with the patience of a saint.
type person struct {
	chaos   *chaos
	login   string
	leaves  bool // closes the browser once registered
	random  *rand.Rand
	browser *browser.Browser
	client  *http.Client // of the application

	known    bool // the login is theirs
	request  request
	page     *browser.Page // nil: begin anew
	in       bool          // has a token
	subject  string        // of the ID token
	without  string        // what the directory had when a code came without an active account
	last     error
	problems int // requests that failed
}

func (c *chaos) person(i int) *person {
	p := &person{chaos: c, login: fmt.Sprintf("person%03d", i), leaves: i%5 == 4, random: c.stream(100 + i), browser: newBrowser()}
	transport := c.client(i+1, c.stream(100_000+i))
	p.browser.Client.Transport, p.browser.Client.Timeout = transport, patience
	p.client = &http.Client{Transport: transport, Timeout: patience}
	return p
}

// walk goes on until the person is in, has left, or ctx ends.
func (p *person) walk(ctx context.Context) {
	for !p.in {
		if p.page, p.last = p.next(ctx); p.last != nil {
			p.problems++
		}
		if p.leaves && p.known || p.in {
			return
		}
		between := 200*time.Millisecond + time.Duration(p.random.Int64N(int64(400*time.Millisecond)))
		if !pause(ctx, between) {
			return
		}
	}
}

// next does what the page asks for. A page that did not load is begun anew.
func (p *person) next(ctx context.Context) (*browser.Page, error) {
	page := p.page
	switch {
	case page == nil:
		p.request = p.chaos.rp.request()
		if !p.known {
			p.request = p.chaos.rp.request(promptCreate)
		}
		return p.browser.Get(ctx, p.request.url)
	case page.Location != nil:
		return nil, p.enter(ctx)
	case page.Refresh > 0:
		return p.browser.Get(ctx, page.URL.String())
	case page.URL.Path == "/register":
		return p.register(ctx)
	case page.URL.Path == "/sign-in":
		return p.browser.Submit(ctx, page, "/sign-in", map[string]string{"login": p.login, "password": password})
	case page.URL.Path == "/wait":
		return p.browser.Submit(ctx, page, "/wait/retry", nil)
	default:
		return nil, fmt.Errorf("page %q at %s: %s", page.Title, page.URL, page.Text)
	}
}

func (p *person) register(ctx context.Context) (*browser.Page, error) {
	page, err := p.browser.Submit(ctx, p.page, "/register", map[string]string{
		"login": p.login, "email": p.login + "@example.com", "given_name": "Ada", "family_name": "Example", "password": password,
	})
	switch {
	case err != nil:
		return nil, err
	case page.Location == nil && page.Status == http.StatusUnprocessableEntity:
		p.known = true // the first time did count: nobody else takes this login
		return nil, nil
	case page.Location == nil && page.Status != http.StatusOK:
		return nil, fmt.Errorf("registration: status %d: %s", page.Status, page.Text)
	}
	p.known = true
	return page, nil
}

// enter is the application's part. By now the account must be there.
func (p *person) enter(ctx context.Context) error {
	callback := p.page.Location
	if callback.Query().Has("code") {
		if found := p.chaos.accountsOf(p.login); len(found) != 1 || !found[0].Active {
			p.without = fmt.Sprintf("%+v", found)
		}
	}
	g, err := p.chaos.rp.exchange(oidc.ClientContext(ctx, p.client), p.request, callback)
	if err != nil {
		return err
	}
	p.subject, _ = g.claims["sub"].(string)
	p.in = true
	return nil
}

func (c *chaos) accountsOf(login string) []directory.Account {
	return slices.DeleteFunc(c.directory.Accounts(), func(a directory.Account) bool { return a.UserName != login })
}

// awaitQuiet waits until nobody works on an account and none is overdue.
func (c *chaos) awaitQuiet(ctx context.Context, t *testing.T) {
	t.Helper()
	db, err := sqldb.Open(ctx, c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const grace = 2 * time.Second // between due and claimed
	for {
		var leased, overdue int
		now := time.Now()
		err := db.QueryRow(t.Context(), `SELECT
			(SELECT count(*) FROM account WHERE lease_until > $1),
			(SELECT count(*) FROM account WHERE next_attempt_at > 0 AND next_attempt_at < $2)`,
			now.UnixMicro(), now.Add(-grace).UnixMicro()).Scan(&leased, &overdue)
		if err != nil {
			t.Fatal(err)
		}
		if leased+overdue == 0 {
			return
		}
		if !pause(ctx, 100*time.Millisecond) {
			t.Fatalf("%s after the faults %d accounts are leased and %d overdue", chaosDrain, leased, overdue)
		}
	}
}

// ledgerRow is what `account list` prints of an account.
type ledgerRow struct {
	User, Login, State, Kind, Detail string
	ExternalID                       string `json:"external_id"`
	Working                          bool
}

func (c *chaos) ledger(t *testing.T) map[string]ledgerRow {
	t.Helper()
	var rows []ledgerRow
	out := c.command(t, "account", "list", "-o", "json", "--limit", "100000")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	byLogin := map[string]ledgerRow{}
	for _, row := range rows {
		byLogin[row.Login] = row
	}
	return byLogin
}

// oneAtATime checks that no two workers' results count for the same time of the
// same account: of two that overlap, one was dropped because its lease was over.
func (c *chaos) oneAtATime(t *testing.T) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query(t.Context(), `SELECT a.user_id, a.id, a.detail, b.id, b.detail FROM attempt a
		JOIN attempt b ON b.user_id = a.user_id AND b.target = a.target AND b.id <> a.id
		WHERE a.ended_at > 0 AND b.ended_at > 0 AND a.detail NOT LIKE 'lease lost%' AND b.detail NOT LIKE 'lease lost%'
			AND a.started_at <= b.started_at AND b.started_at < a.ended_at`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var user, a, detailA, b, detailB string
		if err := rows.Scan(&user, &a, &detailA, &b, &detailB); err != nil {
			t.Fatal(err)
		}
		t.Errorf("two workers at once had the account of %s: attempt %s (%s) and attempt %s (%s)", user, a, detailA, b, detailB)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func (c *chaos) check(t *testing.T) {
	t.Helper()
	if len(c.faults) < 3 {
		t.Errorf("hardly anything went wrong: %v", c.faults)
	}
	for _, body := range c.blind {
		t.Errorf("a create of an account that was there: %s", body)
	}
	names, owners := map[string]int{}, map[string]int{}
	for _, a := range c.directory.Accounts() {
		names[a.UserName]++
		owners[a.ExternalID]++
		if names[a.UserName] > 1 || owners[a.ExternalID] > 1 {
			t.Errorf("doubled: %+v", a)
		}
	}
	ledger := c.ledger(t)
	for _, p := range c.people {
		if !p.in && !p.leaves || !p.known {
			t.Errorf("%s is not in after %d failed requests; at last %v, %s", p.login, p.problems, p.last, p.where())
		}
		c.checkPerson(t, p, ledger[p.login])
	}
}

// where is the page the person is at.
func (p *person) where() string {
	if p.page == nil {
		return "no page"
	}
	return p.page.URL.Path + ": " + p.page.Text
}

func (c *chaos) checkPerson(t *testing.T, p *person, row ledgerRow) {
	t.Helper()
	if p.without != "" {
		t.Errorf("%s got a code with these accounts in the directory: %s", p.login, p.without)
	}
	found := c.accountsOf(p.login)
	if p.in && (len(found) != 1 || !found[0].Active || found[0].ExternalID != p.subject) {
		t.Errorf("%s has a token as %s, and the accounts %+v", p.login, p.subject, found)
	}
	switch {
	case row.Working:
		t.Errorf("%s: somebody still works on %+v", p.login, row)
	case row.State == string(provisioning.StateInSync):
		if len(found) != 1 || found[0].ID != row.ExternalID || found[0].ExternalID != row.User {
			t.Errorf("%s: the ledger says %+v, the directory has %+v", p.login, row, found)
		}
	case row.State == string(provisioning.StateRetrying) && row.Kind != "" && !p.in:
	default: // faults that pass fail no account
		t.Errorf("%s: ledger %+v", p.login, row)
	}
}
