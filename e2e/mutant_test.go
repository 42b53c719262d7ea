package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/faultpoint"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// mutant is the product without one of the things that tests are there for. They are
// worth something if they notice each.
type mutant struct {
	name  string
	edits []edit // none: the server as it is
}

// edit replaces a text that a file, named from the root of the module, has once.
type edit struct{ file, old, new string }

// withoutLease leaves an account that is being worked on as due as it was.
func withoutLease() mutant {
	return mutant{"without the lease", []edit{
		{"provisioning/store/claims.go", "lease_until = $2, next_attempt_at = $2,", "lease_until = $2,"},
		{"provisioning/store/leases.go", "SET lease_until = $1, next_attempt_at = $1", "SET lease_until = $1"},
	}}
}

// withoutFence takes a result from whoever brings it.
func withoutFence() mutant {
	return mutant{"without the fence", []edit{
		{"provisioning/store/leases.go", "AND fence = $%d AND lease_owner = $%d", "AND $%d >= 0 AND $%d <> ''"},
	}}
}

// withoutLookup creates without asking whether there is an account.
func withoutLookup() mutant {
	return mutant{"without the lookup before a create", []edit{{
		"provisioning/find.go",
		"found, err := r.lookup(ctx)\n\tswitch {\n\tcase err != nil:", "found, err := (*sdk.Account)(nil), error(nil)\n\tswitch {\n\tcase err != nil:",
	}}}
}

// overlay tells the compiler to read changed files in place of others: the tree stays
// as it is.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	for i, e := range m.edits {
		original, err := filepath.Abs(filepath.Join("..", filepath.FromSlash(e.file)))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), e.old); n != 1 {
			t.Fatalf("%s has %q %d times: the mutation no longer fits", e.file, e.old, n)
		}
		replace[original] = filepath.Join(dir, fmt.Sprintf("changed%d.go", i))
		writeFile(t, replace[original], strings.Replace(string(source), e.old, e.new, 1))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "overlay.json")
	writeFile(t, out, string(overlay))
	return out
}

// build makes the mutant's binary, with fault points.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "anteroom")
	cmd := exec.Command("go", "build", "-ldflags=-w", "-overlay", m.overlay(t), "-tags", "faultpoints", "-o", out, ".")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", m.name, err, text)
	}
	return out
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// caught runs the mutant's server through what do does, and expects that
// something is found wrong.
func (m mutant) caught(t *testing.T, env []string, do func(t *testing.T, c *chaos, p *process)) {
	address := freeAddress(t)
	c := faultyDeployment(t, address, sqldbtest.PostgresURL(t), []string{address})
	c.binary = m.build(t)
	p := c.prepare(t, address)
	p.env = env
	p.start(t)
	c.rp = c.relyingParty(t)
	do(t, c, p)
	c.oneAtATime(t)
	if found := len(c.wrong)+len(c.blind) > 0; found != (len(m.edits) > 0) {
		t.Errorf("found something wrong with a server %s: %v", m.name, found)
	}
	for _, w := range append(c.wrong, c.blind...) {
		t.Log("found:", w)
	}
}

// Whoever takes out the lease, the fence or the lookup before a create is found
// out by what the tests look at.
func TestMutantsAreCaught(t *testing.T) {
	long(t)
	t.Parallel()
	together(t, []testCase{
		{"lease", func(t *testing.T) {
			crowd := func(t *testing.T, c *chaos, _ *process) {
				c.slow = time.Second // the next arrives while the one before is worked on
				c.arriveTogether(t, 4)
			}
			withoutLease().caught(t, nil, crowd)
			mutant{"as it is", nil}.caught(t, nil, crowd)
		}},
		{"fence", func(t *testing.T) {
			at := faultpoint.Env + "=" + string(faultpoint.After(faultpoint.Create)) + ":stop"
			withoutFence().caught(t, []string{at}, sleepThroughLease)
		}},
		{"lookup", func(t *testing.T) {
			at := faultpoint.Env + "=" + string(faultpoint.After(faultpoint.Create)) + ":kill"
			withoutLookup().caught(t, []string{at}, func(t *testing.T, c *chaos, p *process) {
				c.through(t, p, func(ctx context.Context) { c.walkFor(t, 2*c.lease) })
			})
		}},
	})
}

// walkFor sends a person on their way for some time, and reports whether they got
// in.
func (c *chaos) walkFor(t *testing.T, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	p := c.person(0)
	p.walk(ctx)
	return p.in
}

// arriveTogether sends people on their way, one shortly after the other, and
// notes when one account was worked on more than once: nothing happened that
// would be a reason.
func (c *chaos) arriveTogether(t *testing.T, people int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range people {
		p := c.person(5 * i)
		wg.Go(func() {
			if pause(ctx, time.Duration(i)*500*time.Millisecond) {
				p.walk(ctx)
			}
		})
	}
	wg.Wait()
	accounts, attempts := c.countRows(t, "SELECT COUNT(*) FROM account"), c.countRows(t, "SELECT COUNT(*) FROM attempt")
	if accounts != people || attempts != accounts {
		c.wrongs("%d attempts for %d accounts of %d people", attempts, accounts, people)
	}
}

// sleepThroughLease starts a second server once the first has fallen asleep, and
// wakes the first when the person is in.
func sleepThroughLease(t *testing.T, c *chaos, sleeper *process) {
	second := freeAddress(t)
	waker := c.prepare(t, second)
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		c.walkFor(t, 2*patience)
	}()
	eventually(t, "the server asleep", func() bool { return sleeper.state(t) == "T" })
	waker.start(t)
	c.reach(second)
	<-walked
	sleeper.wake(t)
	c.attemptsEnd(t, 2)
}

// onlyChaos leaves a test that takes minutes to make chaos.
func onlyChaos(t *testing.T) {
	t.Helper()
	if os.Getenv("ANTEROOM_CHAOS") == "" {
		t.Skip("a test that takes minutes: make chaos runs it")
	}
}

// Under chaos, too, each mutant is found out; make chaos runs this.
func TestChaosCatchesMutants(t *testing.T) {
	onlyChaos(t)
	for _, m := range []mutant{withoutLease(), withoutFence(), withoutLookup()} {
		t.Run(m.name, func(t *testing.T) {
			c := startChaos(t, freeAddress(t), sqldbtest.PostgresURL(t), []string{freeAddress(t), freeAddress(t)})
			binary := m.build(t)
			for _, p := range c.servers {
				p.binary = binary
			}
			c.lasts = min(c.lasts, time.Minute)
			c.endure(t)
			if len(c.wrong) == 0 {
				t.Errorf("nothing is wrong with servers %s", m.name)
			}
			for i, w := range c.wrong {
				if i < 5 {
					t.Log("found:", w)
				}
			}
			t.Log(fmt.Sprint(len(c.wrong), " wrongs in all"))
		})
	}
}
