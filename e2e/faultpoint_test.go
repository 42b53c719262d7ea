package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/provisioning/faultpoint"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// shortLease makes the wait after a kill short, and is long enough for a busy
// machine to extend it.
const shortLease = 3 * time.Second

// outsider is the address that the deployment's rules deny.
const outsider = "outsider@example.com"

// ruleSetYAML describes a rule set with one rule that permits.
func ruleSetYAML(name, when string) string {
	return fmt.Sprintf("rule_sets:\n  - name: %s\n    rules:\n      - {id: only, effect: permit, when: %q}\n", name, when)
}

// chapter is a part of an account's life and the points that only it passes.
type chapter struct {
	name   string
	points []string // what is done; each has a point before and one after
	// begin is the command that begins the chapter for a person, whose login
	// follows; nil for the registration. ended reports whether it is over.
	begin []string
	ended func(found []directory.Account) bool
}

func chapters() []chapter {
	return []chapter{
		{
			name: "registration",
			points: []string{
				faultpoint.CommitSignIn, faultpoint.CommitUser, faultpoint.CommitLifecycle, faultpoint.CommitGate, faultpoint.Claim,
				faultpoint.Lookup, faultpoint.Begin, faultpoint.Creating, faultpoint.Create, faultpoint.Finish, faultpoint.Observe,
				faultpoint.CommitIssue,
			},
		},
		{
			name: "change", points: []string{faultpoint.Get, faultpoint.Update},
			begin: []string{"user", "set", "--email", "new@example.com"},
			ended: func(found []directory.Account) bool { return len(found) == 1 && found[0].Email == "new@example.com" },
		},
		{
			name: "suspension", points: []string{faultpoint.Admit, faultpoint.SetActive}, begin: []string{"user", "disable"},
			ended: func(found []directory.Account) bool { return len(found) == 1 && !found[0].Active },
		},
		{
			name: "denial by rules", points: []string{faultpoint.Begin, faultpoint.Finish, faultpoint.Delete}, begin: []string{"user", "set", "--email", outsider},
			ended: func(found []directory.Account) bool { return len(found) == 0 },
		},
		{
			name: "deletion", points: []string{faultpoint.Delete}, begin: []string{"user", "delete"},
			ended: func(found []directory.Account) bool { return len(found) == 0 },
		},
	}
}

// moment is a point within its chapter.
type moment struct {
	chapter
	at faultpoint.Point
}

func moments() []moment {
	var out []moment
	for _, c := range chapters() {
		for _, what := range c.points {
			out = append(out, moment{c, faultpoint.Before(what)}, moment{c, faultpoint.After(what)})
		}
	}
	return out
}

// A server is killed at every point of an account's life, on both databases.
// Whatever the point, the person gets in, or the change is carried out, there is
// never more than one account, and nothing is left over.
func TestKilledAtEveryPoint(t *testing.T) {
	long(t)
	t.Parallel()
	const shards = 3 // deployments per database, each for its part of the points
	var cases []testCase
	for shard := range shards {
		var mine []moment
		for i, m := range moments() {
			if i%shards == shard {
				mine = append(mine, m)
			}
		}
		cases = append(cases,
			testCase{fmt.Sprintf("sqlite %d", shard), func(t *testing.T) { killAtPoints(t, "", mine) }},
			testCase{fmt.Sprintf("postgres %d", shard), func(t *testing.T) { killAtPoints(t, sqldbtest.PostgresURL(t), mine) }})
	}
	together(t, cases)
}

func killAtPoints(t *testing.T, database string, moments []moment) {
	address := freeAddress(t)
	c := faultyDeployment(t, address, database, []string{address})
	p := c.prepare(t, address)
	p.start(t)
	c.rp = c.relyingParty(t)
	for i, m := range moments {
		t.Run(string(m.at), func(t *testing.T) { c.killAt(t, p, m, i) })
	}
	c.atPeace(t)
}

// faultyDeployment is a chaos without chaos: people with patience, and servers
// that die where they are told to.
func faultyDeployment(t *testing.T, front, database string, servers []string) *chaos {
	t.Helper()
	c := &chaos{deployment: deploy(t, "http://"+front, database), seed: 1, addresses: servers}
	c.places = []place{{"directory", c.directory}}
	c.binary, c.lease = faultyBuild(t), shortLease
	always(c.proxy, func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		<-time.After(c.slow)
		c.watch(upstream).ServeHTTP(w, r)
	})
	c.write(t, "resources.yaml", resourcesYAML(c.proxy.URL, stackOptions{
		target: "on_user_delete: delete", binding: "blocking: true, enable_rules: true, rule_sets: [insiders], on_loss: delete", more: ruleSetYAML("insiders", "user.email != '"+outsider+"'"),
	}))
	c.command(t, "apply", "-f", c.path("resources.yaml"))
	return c
}

// killAt makes one person's account, and its later life as far as the moment's
// chapter, with a server that dies at the moment.
func (c *chaos) killAt(t *testing.T, p *process, m moment, i int) {
	p.env = []string{faultpoint.Env + "=" + string(m.at) + ":kill"}
	person := c.person(5 * i) // none who leaves early, or is refused
	if m.begin == nil {
		p.restart(t)
		died := c.through(t, p, func(ctx context.Context) { person.walk(ctx) })
		c.onlyOne(t, person, died)
		return
	}
	p.env = nil
	p.restart(t)
	person.walk(t.Context())
	p.env = []string{faultpoint.Env + "=" + string(m.at) + ":kill"}
	p.restart(t)
	c.command(t, append(slices.Clone(m.begin), person.login)...)
	died := c.through(t, p, func(ctx context.Context) {
		for !m.ended(c.accountsOf(person.login)) && pause(ctx, 20*time.Millisecond) {
		}
	})
	if found := c.accountsOf(person.login); !m.ended(found) {
		t.Errorf("after the %s the directory has %+v", m.name, found)
	}
	c.settled(t, person, died)
}

// restart ends the server and starts it again with its new environment.
func (p *process) restart(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Kill()
	<-p.exited
	p.start(t)
}

// through does what is to be done while the server dies once and is started
// again without a fault. It returns when the server died.
func (c *chaos) through(t *testing.T, p *process, do func(ctx context.Context)) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	var died time.Time
	select {
	case <-p.exited:
	case <-done: // the point may be behind what the person sees
		select {
		case <-p.exited:
		case <-time.After(patience):
			t.Fatal("the server never came to the point")
		}
	}
	died = time.Now()
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the server ended with %v, want it killed at the point", p.err)
	}
	p.env = nil
	p.start(t)
	<-done
	return died
}

// onlyOne checks that the person is in and has one account.
func (c *chaos) onlyOne(t *testing.T, p *person, died time.Time) {
	t.Helper()
	found := c.accountsOf(p.login)
	if !p.in || p.without != "" || len(found) != 1 || !found[0].Active || found[0].ExternalID != p.subject {
		t.Errorf("in: %v, without an account: %q; at last %v, %s; the directory has %+v", p.in, p.without, p.last, p.where(), found)
	}
	c.settled(t, p, died)
}

// settled checks that nothing is left to do for the person's account, and that
// what the dead server had in hand was taken up again within two leases.
func (c *chaos) settled(t *testing.T, p *person, died time.Time) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	eventually(t, "nothing left to do", func() bool {
		var open int
		err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM account a JOIN users u ON u.id = a.user_id
			WHERE u.login = $1 AND (a.next_attempt_at > 0 OR a.lease_until > 0 OR a.applied_rev < a.desired_rev)`, p.login).Scan(&open)
		return err == nil && open == 0
	})
	var again int64
	err = db.QueryRow(t.Context(), `SELECT COALESCE(MIN(t.started_at), 0) FROM attempt t JOIN users u ON u.id = t.user_id
		WHERE u.login = $1 AND t.started_at >= $2`, p.login, died.UnixMicro()).Scan(&again)
	if err != nil {
		t.Fatal(err)
	}
	if again == 0 {
		return // the point was outside of a run
	}
	waited := time.UnixMicro(again).Sub(died)
	t.Logf("the work went on %s after the kill; a lease is %s", waited.Round(time.Millisecond), c.lease)
	if waited > 2*c.lease {
		t.Errorf("the work went on %s after the kill, want two leases of %s at most", waited, c.lease)
	}
}

// A server that sleeps through its lease, in the middle of a run, does not undo
// or repeat what another did meanwhile. The machines' clocks are hours apart.
func TestStoppedServerDoublesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	points := []faultpoint.Point{
		faultpoint.After(faultpoint.Begin), faultpoint.After(faultpoint.Lookup), faultpoint.After(faultpoint.Creating),
		faultpoint.Before(faultpoint.Create), faultpoint.After(faultpoint.Create),
	}
	var cases []testCase
	for i, at := range points {
		cases = append(cases, testCase{string(at), func(t *testing.T) { stopAt(t, at, i) }})
	}
	together(t, cases)
}

func stopAt(t *testing.T, at faultpoint.Point, i int) {
	first, second := freeAddress(t), freeAddress(t)
	c := faultyDeployment(t, freeAddress(t), sqldbtest.PostgresURL(t), []string{first})
	sleeper, waker := c.prepare(t, first), c.prepare(t, second)
	sleeper.env = []string{faultpoint.Env + "=" + string(at) + ":stop", faultpoint.SkewEnv + "=3h"}
	waker.env = []string{faultpoint.SkewEnv + "=-3h"}
	sleeper.start(t)
	c.rp = c.relyingParty(t)
	person := c.person(5 * i)
	walked := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	go func() {
		defer close(walked)
		person.walk(ctx)
	}()
	eventually(t, "the server asleep", func() bool { return sleeper.state(t) == "T" })
	slept := time.Now()
	waker.start(t)
	c.reach(second)
	<-walked
	if took := time.Since(slept); took > 2*c.lease+patience/2 {
		t.Errorf("the person was in %s after the server fell asleep", took)
	}
	sleeper.wake(t)
	c.attemptsEnd(t, 2)
	c.onlyOne(t, person, slept)
	c.atPeace(t)
}

// atPeace checks what must be true whatever died or slept.
func (c *chaos) atPeace(t *testing.T) {
	t.Helper()
	c.oneAtATime(t)
	for _, body := range c.blind {
		c.wrongs("a create of an account that was there: %s", body)
	}
	for _, w := range c.wrong {
		t.Error(w)
	}
}

// wake lets a stopped process go on.
func (p *process) wake(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// state returns the process's state as the kernel names it: "T" when stopped.
func (p *process) state(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return rest[:1]
}

// attemptsEnd waits until as many attempts have ended: until the sleeper has
// said its last word, too.
func (c *chaos) attemptsEnd(t *testing.T, n int) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	eventually(t, "the end of every attempt", func() bool {
		var all, ended int
		err := db.QueryRow(t.Context(), "SELECT COUNT(*), SUM(CASE WHEN ended_at > 0 THEN 1 ELSE 0 END) FROM attempt").Scan(&all, &ended)
		return err == nil && all >= n && ended == all
	})
}
