package e2e

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// disturb kills and stops servers, connectors and, on PostgreSQL, backends until
// the faults are to stop: at random times, and when an answer hangs, which is
// when it hurts. A server that falls asleep while a call leaves it sends the call
// when it wakes, past its lease: that only the target can refuse, so the short form,
// in which nothing may be refused, has no sleeps.
func (c *chaos) disturb(t *testing.T) {
	random := c.stream(1)
	var asleep sync.WaitGroup
	defer asleep.Wait()
	end := time.NewTimer(c.lasts)
	defer end.Stop()
	for {
		wait := time.NewTimer(time.Second + time.Duration(random.Int64N(int64(2*time.Second))))
		n := random.IntN(6)
		select {
		case <-end.C:
			wait.Stop()
			return
		case <-c.lost:
			wait.Stop()
			n += n % 2 * 2 // a sleep in the middle of a run is what a fence is for
		case <-wait.C:
		}
		victim := c.servers[random.IntN(len(c.servers))]
		switch {
		case c.sleeps(victim): // it is to wake up
		case n < 2, n >= 4 && c.lasts <= chaosShort: // sleeps at chosen points have tests of their own
			c.killServer(t, victim)
		case n < 4:
			c.killConnector(t, victim)
		default:
			c.stopServer(victim, &asleep)
		}
		c.killBackend(t, random)
	}
}

func (c *chaos) sleeps(p *process) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sleeping[p]
}

func (c *chaos) asleep(p *process, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleeping[p] = is
}

// stopServer has a server sleep through its leases, while others, or it itself
// when it wakes, find them over.
func (c *chaos) stopServer(p *process, asleep *sync.WaitGroup) {
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		c.wrongs("a server ended by itself: %v", err)
		return
	}
	c.count("server stopped for longer than its lease")
	c.asleep(p, true)
	asleep.Go(func() {
		<-time.After(c.lease * 2)
		if err := p.cmd.Process.Signal(unix.SIGCONT); err != nil {
			c.wrongs("a stopped server ended: %v", err)
		}
		c.asleep(p, false)
	})
}

// killBackend ends one of the servers' connections to PostgreSQL, one time in
// three.
func (c *chaos) killBackend(t *testing.T, random *rand.Rand) {
	if c.mark == "" || random.IntN(3) > 0 {
		return
	}
	db, err := sqldb.Open(t.Context(), strings.Replace(c.database, c.mark, "chaos", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var killed int
	err = db.QueryRow(t.Context(), `SELECT COUNT(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
		WHERE application_name = $1 ORDER BY RANDOM() LIMIT 1) victim`, c.mark).Scan(&killed)
	if err != nil {
		t.Fatal(err)
	}
	if killed > 0 {
		c.count("backend killed")
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
		if r.Method == http.MethodPost && bytes.Contains(sent, []byte(unwelcome)) {
			refuse(w)
			return
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

// unwelcome is what the logins begin with that every place refuses for good.
const unwelcome = "unwelcome"

// refuse answers as SCIM does to a value it does not take (RFC 7644 section 3.12).
func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"userName is not allowed"}`)
}
