package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func sweeps(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("begun, advanced and ended", sweepLife(open))
	t.Run("lose", sweepLose(open))
	t.Run("forfeit", sweepForfeit(open))
	t.Run("admission", admission(open))
	t.Run("admission contended", admissionContended(open))
}

// next returns the sweep that is next, "" as its cause when there is none.
func (f fixture) next() provisioning.Sweep {
	f.Helper()
	s, _, err := f.Sweeps.Next(f.Context())
	f.ok(err)
	return s
}

func sweepLife(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.equal("no sweep", provisioning.Sweep{}, f.next())
		b := provisioning.NewBinding("app", "dir")
		b.OnLoss = provisioning.LossSuspend
		f.ok(f.Bindings.Put(t.Context(), b))
		joined := provisioning.Sweep{Target: "dir", Cause: provisioning.SweepJoined, Client: "app"}
		f.equal("after a new binding", joined, f.next())
		f.ok(f.Sweeps.Reached(t.Context(), joined, "ann"))
		joined.After = "ann"
		f.equal("after a batch", joined, f.next())
		f.ok(f.Bindings.Delete(t.Context(), "app", "dir"))
		lost := provisioning.Sweep{Target: "dir", Cause: provisioning.SweepLost, Client: "app", OnLoss: provisioning.LossSuspend}
		f.equal("after the binding is gone", lost, f.next())
		f.ok(f.Sweeps.Reached(t.Context(), lost, ""))
		f.equal("after the end", provisioning.Sweep{}, f.next())
		b.OnLoss = provisioning.LossKeep
		f.ok(f.Bindings.Put(t.Context(), b))
		f.ok(f.Bindings.Delete(t.Context(), "app", "dir"))
		f.equal("nothing is lost", provisioning.Sweep{}, f.next())
	}
}

func sweepLose(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		lost := provisioning.Sweep{Target: "dir", Cause: provisioning.SweepLost, Client: "app", OnLoss: provisioning.LossDelete}
		for _, user := range []provisioning.UserID{"ann", "ben", "cid"} {
			f.want(user, Epoch())
		}
		f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: "dan", Client: "other", Targets: []provisioning.TargetName{"dir"}}, Epoch()))
		after, err := f.Sweeps.Lose(t.Context(), lost, 2, Epoch())
		f.ok(err)
		f.equal("reached", provisioning.UserID("ben"), after)
		lost.After = after
		after, err = f.Sweeps.Lose(t.Context(), lost, 3, Epoch())
		f.ok(err)
		f.equal("reached", provisioning.UserID(""), after)
		for user, want := range map[provisioning.UserID]bool{"ann": true, "ben": true, "cid": true, "dan": false} {
			a := f.account(user)
			if gone := a.Lost && a.Desired == provisioning.DesiredAbsent && a.DesiredRev == 2; gone != want {
				t.Errorf("%s = %+v, want lost: %v", user, a, want)
			}
		}
		f.want("ann", Epoch())
		if a := f.account("ann"); a.Lost || a.Desired != provisioning.DesiredPresent {
			t.Errorf("asked for again: %+v", a)
		}
	}
}

func sweepForfeit(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		forfeit := func(policy provisioning.LossPolicy) provisioning.Account {
			f.ok(f.Accounts.Forfeit(t.Context(), provisioning.Loss{User: "ann", Target: "dir", Policy: policy, Decision: "d1"}, Epoch()))
			return f.account("ann")
		}
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "dir")))
		f.settle("ann", "x1", Epoch())
		if a := forfeit(provisioning.LossKeep); a.Lost || !a.Usable() {
			t.Errorf("kept: %+v", a)
		}
		if a := forfeit(provisioning.LossSuspend); !a.Lost || a.Desired != provisioning.DesiredSuspended || a.NextAttemptAt.IsZero() || a.Decision != "d1" {
			t.Errorf("suspended: %+v", a)
		}
	}
}

func admission(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.settle("ann", "x1", Epoch())
		f.ok(f.Accounts.Desire(t.Context(), "ann", []provisioning.Desired{provisioning.DesiredPresent}, provisioning.DesiredSuspended, Epoch()))
		l := f.claim("w", Epoch())[0]
		for range provisioning.MinDeprovisions + 2 { // the same account counts once
			ok, err := f.Accounts.Admit(t.Context(), l, Epoch())
			if f.ok(err); !ok {
				t.Fatal("one account was held")
			}
		}
		stale := l
		stale.Fence--
		stale.Account.DesiredRev++
		_, err := f.db.Exec(t.Context(), "UPDATE account SET admitted_at = 0")
		f.ok(err)
		_, err = f.Accounts.Admit(t.Context(), stale, Epoch())
		f.is(err, provisioning.ErrLeaseLost)
		f.ok(f.db.InTx(t.Context(), func(ctx context.Context) error { _, err := f.Accounts.Approve(ctx, "dir", Epoch()); return err }))
	}
}

// However many ask at once, no more are admitted than may go.
func admissionContended(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		for i := range 3 * provisioning.MinDeprovisions {
			f.want(provisioning.UserID(fmt.Sprintf("u%02d", i)), Epoch())
		}
		var leases []provisioning.Lease
		for range 3 * provisioning.MinDeprovisions { // a few at a time, as the target's limit allows
			for _, l := range f.claim("w", Epoch()) {
				leases = append(leases, l)
				_, err := f.db.Exec(t.Context(), "UPDATE account SET next_attempt_at = 0, lease_until = 0 WHERE user_id = $1", l.Account.User)
				f.ok(err)
			}
		}
		f.equal("leases", 3*provisioning.MinDeprovisions, len(leases))
		var admitted atomic.Int64
		errs := make([]error, len(leases))
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for i, l := range leases {
			wg.Go(func() {
				<-begin
				ok, err := f.Accounts.Admit(t.Context(), l, Epoch())
				if errs[i] = err; ok {
					admitted.Add(1)
				}
			})
		}
		close(begin)
		wg.Wait()
		f.ok(errors.Join(errs...))
		f.equal("admitted", int64(provisioning.MinDeprovisions), admitted.Load())
	}
}
