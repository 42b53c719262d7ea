package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func accounts(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("want", func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		f.want("ann", Epoch().Add(time.Hour)) // asked for already: nothing changes
		f.equal("account", provisioning.Account{
			User: "ann", Target: "dir", Desired: provisioning.DesiredPresent, DesiredRev: 1, State: provisioning.StatePending,
			Sent: map[string]string{}, NextAttemptAt: Epoch(), Trigger: provisioning.TriggerSignIn, UpdatedAt: Epoch(), Client: "app",
		}, f.account("ann"))
		_, err := f.Accounts.Get(t.Context(), "ANN", "dir")
		f.is(err, provisioning.ErrAccountNotFound)
	})
	t.Run("desire", accountDesire(open))
	t.Run("change", func(t *testing.T) {
		f := setUp(t, open)
		f.settle("ann", "x1", Epoch())
		f.settle("ben", "x2", Epoch())
		f.ok(f.Accounts.Change(t.Context(), "ann", Epoch().Add(time.Second)))
		if a := f.account("ann"); a.InSync() || a.DesiredRev != 2 || !a.NextAttemptAt.Equal(Epoch().Add(time.Second)) {
			t.Errorf("ann = %+v, want due at revision 2", a)
		}
		if a := f.account("ben"); !a.InSync() {
			t.Errorf("ben = %+v, want untouched", a)
		}
	})
	t.Run("retry and hasten", accountRetry(open))
	t.Run("list", accountList(open))
}

func accountDesire(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.settle("ann", "x1", Epoch())
		desire := func(to provisioning.Desired, from ...provisioning.Desired) {
			f.ok(f.Accounts.Desire(t.Context(), "ann", from, to, Epoch()))
		}
		desire(provisioning.DesiredPresent, provisioning.DesiredSuspended)
		if a := f.account("ann"); a.DesiredRev != 1 {
			t.Errorf("enabling a user who was not disabled made work due: %+v", a)
		}
		desire(provisioning.DesiredSuspended, provisioning.DesiredPresent)
		if a := f.account("ann"); a.DesiredRev != 2 || a.Desired != provisioning.DesiredSuspended || a.NextAttemptAt.IsZero() {
			t.Errorf("after disable: %+v", a)
		}
		desire(provisioning.DesiredAbsent, provisioning.DesiredPresent, provisioning.DesiredSuspended)
		if a := f.account("ann"); a.DesiredRev != 3 || a.Desired != provisioning.DesiredAbsent {
			t.Errorf("after delete: %+v", a)
		}
		f.ok(f.Accounts.Change(t.Context(), "ann", Epoch()))
		if a := f.account("ann"); a.DesiredRev != 3 {
			t.Errorf("a change made an absent account due: %+v", a)
		}
		f.want("ann", Epoch())
		if a := f.account("ann"); a.DesiredRev != 4 || a.Desired != provisioning.DesiredPresent {
			t.Errorf("after wanting it again: %+v", a)
		}
	}
}

func accountRetry(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		dir := []provisioning.TargetName{"dir"}
		f.want("ann", Epoch())
		l := f.claim("w", Epoch())[0]
		failed := l.Account
		failed.State, failed.NextAttemptAt, failed.FirstFailedAt, failed.UpdatedAt = provisioning.StateRetrying, Epoch().Add(time.Hour), Epoch(), Epoch()
		f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 1, Account: failed}))

		later := Epoch().Add(time.Minute)
		f.ok(f.Accounts.Hasten(t.Context(), "ann", dir, later))
		if a := f.account("ann"); !a.NextAttemptAt.Equal(later) || a.Attempts != 1 || a.State != provisioning.StateRetrying {
			t.Errorf("after hasten: %+v, want due, still retrying its first attempt", a)
		}
		n, err := f.Accounts.Retry(t.Context(), "ann", dir, later)
		f.ok(err)
		if a := f.account("ann"); n != 1 || a.DesiredRev != 1 || a.Attempts != 0 || a.State != provisioning.StatePending || !a.FirstFailedAt.IsZero() {
			t.Errorf("after retry of %d: %+v, want the same revision as if it had never failed", n, a)
		}
		n, err = f.Accounts.Retry(t.Context(), "nobody", dir, later)
		f.ok(err)
		f.equal("accounts of nobody", 0, n)
		f.settle("ben", "x2", Epoch())
		_, err = f.Accounts.Retry(t.Context(), "ben", dir, later)
		f.ok(err)
		if a := f.account("ben"); a.InSync() || len(a.Sent) != 0 || a.NextAttemptAt.IsZero() {
			t.Errorf("after retry of one in sync: %+v, want due with nothing sent", a)
		}
	}
}

func accountList(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(full("a"))
		for i := range 5 {
			user := provisioning.UserID(fmt.Sprintf("u%d", i))
			f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: user, Targets: []provisioning.TargetName{"dir", "a"}, Trigger: provisioning.TriggerSignIn}, Epoch()))
		}
		var got []string
		filter := provisioning.AccountFilter{Limit: 3}
		for {
			page, err := f.Accounts.List(t.Context(), filter)
			f.ok(err)
			if len(page) == 0 {
				break
			}
			for _, a := range page {
				got = append(got, string(a.User)+"/"+string(a.Target))
			}
			last := page[len(page)-1]
			filter.AfterUser, filter.AfterTarget = last.User, last.Target
		}
		f.equal("pages", []string{"u0/a", "u0/dir", "u1/a", "u1/dir", "u2/a", "u2/dir", "u3/a", "u3/dir", "u4/a", "u4/dir"}, got)
		some, err := f.Accounts.List(t.Context(), provisioning.AccountFilter{User: "u1", Target: "dir", State: provisioning.StatePending})
		f.ok(err)
		none, err := f.Accounts.List(t.Context(), provisioning.AccountFilter{State: provisioning.StateFailed})
		f.ok(err)
		if len(some) != 1 || len(none) != 0 {
			t.Errorf("filters selected %d and %d accounts, want 1 and 0", len(some), len(none))
		}
	}
}
