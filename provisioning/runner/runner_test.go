package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
)

// The temporary PostgreSQL cluster lives as long as the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest.startServer.func1"))
}

// slots is how many runs of one target the queue allows.
const slots = 4

// queue is due work in memory.
type queue struct {
	mu       sync.Mutex
	due      map[provisioning.TargetName][]time.Time
	claims   int
	limits   []int
	released int
	err      error
}

// Due implements runner.Queue.
func (q *queue) Due(context.Context) (map[provisioning.TargetName]provisioning.Due, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[provisioning.TargetName]provisioning.Due{}
	for target, times := range q.due {
		for i, at := range times {
			if i == 0 || at.Before(out[target].At) {
				out[target] = provisioning.Due{At: at, Slots: slots}
			}
		}
	}
	return out, q.err
}

// Claim implements runner.Queue.
func (q *queue) Claim(_ context.Context, target provisioning.TargetName, owner string, now, until time.Time, limit int) ([]provisioning.Lease, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claims++
	q.limits = append(q.limits, limit)
	var out []provisioning.Lease
	var rest []time.Time
	for _, at := range q.due[target] {
		if len(out) == limit || at.After(now) {
			rest = append(rest, at)
			continue
		}
		user := provisioning.UserID(fmt.Sprintf("u%d", at.UnixNano()))
		out = append(out, provisioning.Lease{Account: provisioning.Account{User: user, Target: target}, Owner: owner, Until: until})
	}
	q.due[target] = rest
	return out, nil
}

// Release implements runner.Queue.
func (q *queue) Release(context.Context, provisioning.Lease, time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.released++
	return nil
}

func (q *queue) add(target provisioning.TargetName, at ...time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due[target] = append(q.due[target], at...)
}

type workerFunc func(context.Context, provisioning.Lease) error

// Run implements runner.Worker.
func (f workerFunc) Run(ctx context.Context, l provisioning.Lease) error { return f(ctx, l) }

func start(t *testing.T, q *queue, work workerFunc, log *bytes.Buffer) *runner.Runner {
	t.Helper()
	r := runner.New(runner.Options{Queue: q, Worker: work, Owner: "w", Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now})
	r.Start(t.Context())
	return r
}

func stop(t *testing.T, r *runner.Runner) {
	t.Helper()
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func newQueue() *queue { return &queue{due: map[provisioning.TargetName][]time.Time{}} }

func TestSleepsUntilDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		at := time.Now().Add(1234 * time.Millisecond)
		q.add("dir", at)
		ran := make(chan time.Time, 1)
		r := start(t, q, func(context.Context, provisioning.Lease) error { ran <- time.Now(); return nil }, &bytes.Buffer{})
		defer stop(t, r)
		if got := <-ran; !got.Equal(at) {
			t.Errorf("ran at %s, want when it was due, %s", got, at)
		}
	})
}

func TestNudgeAndPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		ran := make(chan time.Time, 1)
		r := start(t, q, func(context.Context, provisioning.Lease) error { ran <- time.Now(); return nil }, &bytes.Buffer{})
		defer stop(t, r)
		synctest.Wait()

		q.add("dir", time.Now())
		began := time.Now()
		r.Nudge()
		if took := (<-ran).Sub(began); took != 0 {
			t.Errorf("ran %s after the nudge, want at once", took)
		}
		synctest.Wait()
		q.add("dir", time.Now()) // another instance's: nobody nudges
		began = time.Now()
		if took := (<-ran).Sub(began); took > runner.DefaultPoll {
			t.Errorf("ran after %s, want within the poll", took)
		}
	})
}

func TestSlotsPerTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for i := range 10 {
			q.add("slow", time.Now().Add(time.Duration(i)))
		}
		q.add("quick", time.Now())
		var mu sync.Mutex
		busy, most, quick := 0, 0, false
		release := make(chan struct{})
		r := start(t, q, func(_ context.Context, l provisioning.Lease) error {
			mu.Lock()
			if l.Account.Target == "quick" {
				quick = true
				mu.Unlock()
				return nil
			}
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-release
			mu.Lock()
			defer mu.Unlock()
			busy--
			return nil
		}, &bytes.Buffer{})
		<-time.After(time.Minute)
		mu.Lock()
		if busy != slots || !quick {
			t.Errorf("%d slow runs, quick ran %v; want %d and true", busy, quick, slots)
		}
		mu.Unlock()
		for range 10 {
			release <- struct{}{}
		}
		stop(t, r)
		if most != slots || len(q.due["slow"]) != 0 {
			t.Errorf("at most %d at a time with %d left, want %d and none", most, len(q.due["slow"]), slots)
		}
	})
}

func TestStopWaitsForTheRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add("dir", time.Now())
		began, ended := make(chan struct{}), false
		r := start(t, q, func(ctx context.Context, _ provisioning.Lease) error {
			close(began)
			<-time.After(3 * time.Second)
			ended = ctx.Err() == nil
			return nil
		}, &bytes.Buffer{})
		<-began
		stop(t, r)
		if !ended {
			t.Error("stop did not wait, or ended the run early")
		}
		stop(t, r) // twice is harmless
	})
}

func TestStopOutOfTimeHandsLeasesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.add("dir", time.Now())
		began := make(chan struct{})
		var log bytes.Buffer
		r := start(t, q, func(ctx context.Context, _ provisioning.Lease) error {
			close(began)
			<-ctx.Done()
			return provisioning.ErrLeaseLost
		}, &log)
		<-began
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || q.released != 1 || log.Len() > 0 {
			t.Errorf("stop = %v, %d released, log %q; want out of time, 1 and nothing", err, q.released, log.String())
		}
	})
}

func TestFailuresAreLoggedAndSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.err = errors.New("database is away")
		var log bytes.Buffer
		ran := make(chan struct{}, 3)
		r := start(t, q, func(_ context.Context, l provisioning.Lease) error {
			ran <- struct{}{}
			switch l.Account.Target {
			case "panics":
				panic("a defect")
			case "lost":
				return provisioning.ErrLeaseLost
			default:
				return nil
			}
		}, &log)
		synctest.Wait()
		q.mu.Lock()
		q.err = nil
		q.mu.Unlock()
		for _, target := range []provisioning.TargetName{"panics", "lost", "fine"} {
			q.add(target, time.Now())
		}
		for range 3 {
			<-ran
		}
		stop(t, r)
		for _, want := range []string{"database is away", "panic: a defect"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log does not say %q:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), "lease lost") {
			t.Errorf("a lost lease is logged as a failure:\n%s", log.String())
		}
	})
}
