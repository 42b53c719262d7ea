package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func leases(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("claim", leaseClaim(open))
	t.Run("dead worker", leaseExpiry(open))
	t.Run("fence", leaseFence(open))
	t.Run("change while leased", leaseChange(open))
	t.Run("release", func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		l := f.claim("w", Epoch())[0]
		f.ok(f.Accounts.Release(t.Context(), l, Epoch().Add(time.Second)))
		if a := f.account("ann"); a.Attempts != 0 || !a.LeaseUntil.IsZero() || !a.NextAttemptAt.Equal(Epoch().Add(time.Second)) {
			t.Errorf("after release: %+v, want due and no attempt counted", a)
		}
		f.is(f.Accounts.Extend(t.Context(), l, Epoch().Add(time.Hour)), provisioning.ErrLeaseLost)
	})
	t.Run("links are unique per target", leaseLinks(open))
	t.Run("contention", leaseContention(open))
}

func leaseClaim(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("late", Epoch().Add(time.Hour))
		f.want("second", Epoch().Add(-time.Second))
		f.want("first", Epoch().Add(-time.Minute))
		due, err := f.Accounts.Due(t.Context())
		f.ok(err)
		f.equal("due", map[provisioning.TargetName]provisioning.Due{"dir": {At: Epoch().Add(-time.Minute), Slots: provisioning.MaxConcurrency}}, due)
		got, err := f.Accounts.Claim(t.Context(), "dir", "w", Epoch(), Epoch().Add(time.Minute), 1)
		f.ok(err)
		if len(got) != 1 || got[0].Account.User != "first" || got[0].Fence != 1 || got[0].Account.Attempts != 1 || !got[0].Until.Equal(Epoch().Add(time.Minute)) {
			t.Fatalf("claim = %+v, want the longest due one", got)
		}
		if rest := f.claim("w2", Epoch()); len(rest) != 1 || rest[0].Account.User != "second" {
			t.Errorf("second claim = %+v, want the other due one", rest)
		}
	}
}

func leaseExpiry(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		dead := f.claim("dead", Epoch())[0]
		if got := f.claim("w", Epoch().Add(59*time.Second)); len(got) != 0 {
			t.Fatalf("a live lease was claimed: %+v", got)
		}
		f.ok(f.Accounts.Extend(t.Context(), dead, Epoch().Add(2*time.Minute)))
		if got := f.claim("w", Epoch().Add(time.Minute)); len(got) != 0 {
			t.Fatalf("an extended lease was claimed: %+v", got)
		}
		got := f.claim("w", Epoch().Add(2*time.Minute))
		if len(got) != 1 || got[0].Fence != 2 || got[0].Account.Attempts != 2 {
			t.Fatalf("claim after the lease = %+v, want the account with a higher fence", got)
		}
		f.is(f.Accounts.Extend(t.Context(), dead, Epoch().Add(time.Hour)), provisioning.ErrLeaseLost)
	}
}

func leaseFence(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		old := f.claim("w", Epoch())[0]
		attempt := provisioning.Attempt{ID: "a1", User: "ann", Target: "dir", Rev: 1, StartedAt: Epoch()}
		f.ok(f.Accounts.Begin(t.Context(), old, attempt))
		f.claim("w", Epoch().Add(time.Hour)) // the same owner, even

		stale := old.Account
		stale.State, stale.ExternalID = provisioning.StateInSync, "wrong"
		attempt.EndedAt, attempt.Outcome = Epoch(), provisioning.OutcomeCreated
		f.is(f.Accounts.Finish(t.Context(), old, provisioning.Result{Rev: 1, Account: stale, Attempt: &attempt}), provisioning.ErrLeaseLost)
		f.is(f.Accounts.Creating(t.Context(), old), provisioning.ErrLeaseLost)
		f.is(f.Accounts.Begin(t.Context(), old, provisioning.Attempt{ID: "a2"}), provisioning.ErrLeaseLost)
		if a := f.account("ann"); a.ExternalID != "" || a.State != provisioning.StatePending || a.CreateSent {
			t.Errorf("a stale worker changed the account: %+v", a)
		}
		kept, err := f.Attempts.ByAccount(t.Context(), "ann", "dir", 10)
		f.ok(err)
		if len(kept) != 1 || kept[0].EndedAt.IsZero() || kept[0].Detail == "" {
			t.Errorf("attempts = %+v, want the stale one ended with a note", kept)
		}
	}
}

func leaseChange(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		l := f.claim("w", Epoch())[0]
		f.ok(f.Accounts.Change(t.Context(), "ann", Epoch()))
		if again := f.claim("w2", Epoch()); len(again) != 0 {
			t.Fatalf("a change made a leased account due: %+v", again)
		}
		a := l.Account
		a.State, a.AppliedRev, a.ExternalID, a.UpdatedAt = provisioning.StateInSync, 1, "x1", Epoch().Add(time.Second)
		f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 1, Account: a}))
		got := f.account("ann")
		if got.InSync() || got.AppliedRev != 1 || got.ExternalID != "x1" || got.State != provisioning.StatePending || !got.NextAttemptAt.Equal(Epoch().Add(time.Second)) {
			t.Errorf("after the run: %+v, want revision 1 applied and revision 2 due", got)
		}
	}
}

func leaseLinks(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.settle("ann", "x1", Epoch())
		f.want("ben", Epoch())
		l := f.claim("w", Epoch())[0]
		a := l.Account
		a.ExternalID = "x1"
		f.is(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 1, Account: a}), provisioning.ErrLinked)
		a.ExternalID = "X1" // ids differ in case
		f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 1, Account: a}))
		user, err := f.Accounts.LinkedTo(t.Context(), "dir", "x1")
		f.ok(err)
		nobody, err := f.Accounts.LinkedTo(t.Context(), "dir", "")
		f.ok(err)
		if user != "ann" || nobody != "" {
			t.Errorf("linked to %q and %q, want ann and nobody", user, nobody)
		}
	}
}

// Many claimers get every due account, each exactly once.
func leaseContention(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		const users, workers = 60, 6
		f := setUp(t, open)
		for i := range users {
			f.want(provisioning.UserID(fmt.Sprintf("u%02d", i)), Epoch())
		}
		var mu sync.Mutex
		claimed := map[provisioning.UserID]int{}
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for {
					got, err := f.Accounts.Claim(t.Context(), "dir", fmt.Sprint(w), Epoch(), Epoch().Add(time.Hour), 4)
					if err != nil || len(got) == 0 {
						errs[w] = err
						return
					}
					mu.Lock()
					for _, l := range got {
						claimed[l.Account.User]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		f.ok(errors.Join(errs...))
		if left := f.claim("last", Epoch()); len(left) > 0 {
			for _, l := range left { // PostgreSQL may skip rows another is just claiming
				claimed[l.Account.User]++
			}
		}
		for user, n := range claimed {
			if n != 1 {
				t.Errorf("%s was claimed %d times", user, n)
			}
		}
		f.equal("accounts claimed", users, len(claimed))
	}
}
