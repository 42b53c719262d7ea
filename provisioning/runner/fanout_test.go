package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// A sign-in that waits for three targets waits for the slowest, not for the sum.
func TestTargetsRunInParallel(t *testing.T) {
	const pause = 300 * time.Millisecond
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		stores := bind(t, db)
		for _, name := range []provisioning.TargetName{"two", "three"} {
			if _, err := stores.Targets.Put(t.Context(), provisioning.Target{Name: name, Connector: "instant"}, time.Now()); err != nil {
				t.Fatal(err)
			}
			b := provisioning.NewBinding("app", name)
			b.Blocking = true
			if err := stores.Bindings.Put(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		target := &instant{pause: pause, meet: &sync.WaitGroup{}}
		target.meet.Add(3) // one after the other they would wait for ever
		i := newInstance(t, db, target)
		i.runner.Start(t.Context())
		defer stop(t, i.runner)

		r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
		began := time.Now()
		if _, err := i.gate.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		d, err := i.gate.Wait(t.Context(), r)
		took := time.Since(began)
		if err != nil || d.Verdict != provisioning.VerdictPermit || len(d.Findings) != 3 || target.creates.Load() != 3 {
			t.Fatalf("wait = %s of %d targets, %v, %d accounts; want permit, 3 and 3", d.Verdict, len(d.Findings), err, target.creates.Load())
		}
		t.Logf("three targets of %s took %s together", pause, took)
		if took < pause || took >= 3*pause {
			t.Errorf("three targets of %s took %s together, want about %s", pause, took, pause)
		}
	}, store.Migrations())
}

// A backlog does not keep a sign-in waiting: one slot is free for it, and it goes
// ahead.
func TestSignInPassesTheBacklog(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		stores := bind(t, db)
		if _, err := stores.Targets.Put(t.Context(), provisioning.Target{Name: "dir", Connector: "instant", MaxConcurrency: 2}, time.Now()); err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			w := provisioning.Wish{User: provisioning.UserID(fmt.Sprintf("user%03d", n)), Targets: []provisioning.TargetName{"dir"}, Trigger: provisioning.TriggerBackground}
			if err := stores.Accounts.Want(t.Context(), w, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		target := &instant{pause: 100 * time.Millisecond}
		i := newInstance(t, db, target)
		i.runner.Start(t.Context())
		defer stop(t, i.runner)

		r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
		if _, err := i.gate.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		d, err := i.gate.Wait(t.Context(), r)
		if err != nil || d.Verdict != provisioning.VerdictPermit {
			t.Fatalf("wait = %s, %v; want permit", d.Verdict, err)
		}
		if n := target.creates.Load(); n > 50 {
			t.Errorf("%d accounts of the backlog went first", n)
		}
	}, store.Migrations())
}

// A rate keeps work that is due waiting; the runner looks again when there may be
// a token, not at the next poll.
func TestLooksAgainForTheNextToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &metered{queue: newQueue(), every: 700 * time.Millisecond}
		q.add("dir", time.Now().Add(-2), time.Now().Add(-1), time.Now())
		ran := make(chan time.Time, 3)
		r := runner.New(runner.Options{Queue: q, Worker: workerFunc(func(context.Context, provisioning.Lease) error {
			ran <- time.Now()
			return nil
		}), Owner: "w", Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		r.Start(t.Context())
		defer stop(t, r)
		first := <-ran
		for i := 1; i < 3; i++ {
			if after := (<-ran).Sub(first); after != time.Duration(i)*q.every {
				t.Errorf("run %d began %s after the first, want %s", i+1, after, time.Duration(i)*q.every)
			}
		}
	})
}

// metered is a queue that gives one lease per interval.
type metered struct {
	*queue
	every time.Duration
	last  time.Time
}

// Due implements runner.Queue.
func (q *metered) Due(ctx context.Context) (map[provisioning.TargetName]provisioning.Due, error) {
	out, err := q.queue.Due(ctx)
	for target, d := range out {
		d.Every = q.every
		out[target] = d
	}
	return out, err
}

// Claim implements runner.Queue.
func (q *metered) Claim(ctx context.Context, target provisioning.TargetName, owner string, now, until time.Time, limit int) ([]provisioning.Lease, error) {
	if now.Sub(q.last) < q.every {
		return nil, nil
	}
	q.last = now
	return q.queue.Claim(ctx, target, owner, now, until, 1)
}
