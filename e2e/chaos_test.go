package e2e

import (
	"context"
	"fmt"
	"maps"
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

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
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
	slow      time.Duration // how long a place takes to answer, where there is no chaos
	addresses []string      // of the servers; the issuer's stands for all of them
	servers   []*process
	places    []place // every blocking target
	mark      string  // what the servers call themselves at PostgreSQL
	rp        *relyingParty
	people    []*person

	over     atomic.Bool   // the faults have stopped
	lost     chan struct{} // a create was done and its answer hangs
	mu       sync.Mutex
	random   *rand.Rand     // of the places' faults
	faults   map[string]int // by kind
	blind    []string       // bodies of creates that a place refused as doubles
	wrong    []string       // what must not be
	sleeping map[*process]bool
}

// place is a downstream system and its name as a target.
type place struct {
	name string
	*directory.Directory
}

// wrongs notes something that must not be. Whether that fails the test depends on
// what the test is of.
func (c *chaos) wrongs(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

const (
	chaosShort = 12 * time.Second
	// chaosDrain is for the lease of a killed worker, an open breaker after it, and
	// the retries that follow; on a busy machine probes fail, too, and wait longer.
	chaosDrain = 200 * time.Second
	// fewPeople come in the short form, and at least manyPeople in a long one.
	fewPeople, manyPeople = 60, 500
)

func startChaos(t *testing.T, front, database string, servers []string) *chaos {
	t.Helper()
	c := &chaos{seed: rand.Uint64(), lasts: chaosShort, addresses: servers, lost: make(chan struct{}, 1), faults: map[string]int{}, sleeping: map[*process]bool{}}
	c.fromEnvironment(t)
	c.random = c.stream(0)
	if database != "" {
		c.mark = fmt.Sprintf("chaos-%x", rand.Uint64())
		database += "&application_name=" + c.mark
	}
	c.deployment = deploy(t, "http://"+front, database)
	c.lease = shortLease
	c.furnish(t)
	for _, address := range servers {
		c.servers = append(c.servers, c.prepare(t, address))
	}
	return c
}

func (c *chaos) fromEnvironment(t *testing.T) {
	t.Helper()
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
}

// furnish makes two places, both blocking, and has them misbehave.
func (c *chaos) furnish(t *testing.T) {
	t.Helper()
	second := directory.New(directory.Options{Token: scimToken})
	server := httptest.NewServer(second)
	t.Cleanup(server.Close)
	proxy := faultproxy.Start(t, server.URL+directory.SCIMPath)
	c.places = []place{{"directory", c.directory}, {"archive", second}}
	// A short time limit makes the answers that hang many instead of long.
	c.write(t, "resources.yaml", resourcesYAML(c.proxy.URL, stackOptions{
		config:  "timeout: 1s",
		binding: "blocking: true}\n      - {target: archive, blocking: true",
		targets: fmt.Sprintf("  - {name: archive, connector: scim2, config: {base_url: %q, auth: bearer, timeout: 1s}, secrets: {token: {env: SCIM_TOKEN}}}\n", proxy.URL),
	}))
	c.command(t, "apply", "-f", c.path("resources.yaml"))
	always(c.proxy, c.misbehave)
	always(proxy, c.misbehave)
}

// always has every request about users go through the fault.
func always(p *faultproxy.Proxy, f faultproxy.Fault) {
	const forever = 100_000
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut} {
		for _, pattern := range []string{"/Users", "/Users/*"} {
			p.Script(method, pattern, slices.Repeat([]faultproxy.Fault{f}, forever)...)
		}
	}
}

// stream returns the random numbers of one actor, so that what it chooses does
// not depend on who else was scheduled when.
func (c *chaos) stream(actor int) *rand.Rand { return rand.New(rand.NewPCG(c.seed, uint64(actor))) }

func (c *chaos) run(t *testing.T) {
	c.endure(t)
	if len(c.faults) < 3 {
		t.Errorf("hardly anything went wrong: %v", c.faults)
	}
	for _, w := range c.wrong {
		t.Error(w)
	}
}

// endure goes through the chaos and notes what is wrong after it.
func (c *chaos) endure(t *testing.T) {
	t.Helper()
	for _, p := range c.servers {
		p.start(t)
	}
	// Of many people more are still on their way when the faults stop.
	ctx, cancel := context.WithTimeout(t.Context(), c.lasts+chaosDrain+c.lasts/2)
	defer cancel()
	c.rp = c.relyingParty(t)
	people := fewPeople
	if c.lasts > chaosShort {
		people = max(manyPeople, int(c.lasts/time.Second))
	}
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
	c.disturb(t)
	c.over.Store(true)
	start := time.Now()
	wg.Wait()
	c.awaitQuiet(t)
	t.Logf("drained %s after the last fault; %d people; faults:%s", time.Since(start).Round(time.Millisecond), people, c.injected())
	c.check(t)
}

// injected lists the faults by kind.
func (c *chaos) injected() string {
	var out strings.Builder
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(c.faults)) {
		fmt.Fprintf(&out, "\n    %5d  %s", c.faults[kind], kind)
		total += c.faults[kind]
	}
	return fmt.Sprintf("%s\n    %5d  in all", out.String(), total)
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
	return &relyingParty{provider: provider, config: oauth2.Config{
		ClientID: appID, ClientSecret: appSecret, RedirectURL: appCallback, Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, "provisioning"},
	}}
}
