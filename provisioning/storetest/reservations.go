package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func reservations(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("first free", func(t *testing.T) {
		f := setUp(t, open)
		ann, bob := f.lease("ann"), f.lease("bob")
		f.reserve("ada", ann, "login", "ada", "ada2")
		f.reserve("ada", ann, "login", "ada", "ada2") // its own is no other's
		f.reserve("ada2", bob, "login", "ada", "ada2")
	})
	t.Run("first free, in order", reserveInOrder(open))
	t.Run("folded", func(t *testing.T) {
		f := setUp(t, open)
		f.reserve("Ada", f.lease("ann"), "login", "Ada")
		f.reserve("", f.lease("bob"), "login", "ADA", "aDa")
	})
	t.Run("targets and attributes apart", func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(provisioning.Target{Name: "crm", Connector: "scim2", MaxConcurrency: provisioning.MaxConcurrency})
		f.reserve("ada", f.lease("ann"), "login", "ada")
		bob := f.lease("bob")
		f.reserve("ada", bob, "mail", "ada")
		f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: "bob", Client: "app", Targets: []provisioning.TargetName{"crm"}, Trigger: provisioning.TriggerSignIn}, Epoch()))
		other, err := f.Accounts.Claim(t.Context(), "crm", "w", Epoch(), Epoch().Add(time.Minute), 1)
		f.ok(err)
		f.reserve("ada", other[0], "login", "ada")
	})
	t.Run("lease lost", func(t *testing.T) {
		f := setUp(t, open)
		dead := f.lease("ann")
		later := Epoch().Add(2 * time.Minute)
		alive := f.claim("w2", later)[0]
		_, err := f.Accounts.Reserve(t.Context(), dead, "login", candidates("dead"))
		f.is(err, provisioning.ErrLeaseLost)
		f.reserve("alive", alive, "login", "alive")
		f.equal("reserved", map[string]string{"login": "alive"}, f.reserved("ann"))
	})
	t.Run("released", reserveAndRelease(open))
	t.Run("goes with its target", func(t *testing.T) {
		f := setUp(t, open)
		l := f.lease("ann")
		f.reserve("ada", l, "login", "ada")
		f.ok(f.Accounts.Release(t.Context(), l, Epoch()))
		f.ok(f.Targets.Delete(t.Context(), "dir"))
		f.equal("reserved", map[string]string{}, f.reserved("ann"))
	})
	t.Run("race", reserveRace(open))
}

func reserveInOrder(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		ann, bob := f.lease("ann"), f.lease("bob")
		f.reserve("ada", ann, "login", "ada", "ada2", "ada3")
		f.reserve("ada2", bob, "login", "ada", "ada2", "ada3")
		taken, err := f.Accounts.Taken(t.Context(), "bob", "dir", "login", candidates("ada", "ada2", "ada3"))
		f.ok(err)
		f.equal("taken by others", map[string]bool{"ada": true}, taken)
		none, err := f.Accounts.Taken(t.Context(), "bob", "dir", "login", nil)
		f.ok(err)
		f.equal("taken of none", map[string]bool{}, none)
		f.reserve("ada3", ann, "login", "ada2", "ada3") // in place of ada, which is free now
		f.reserve("ada", bob, "login", "ada")
		f.equal("ann's", map[string]string{"login": "ada3"}, f.reserved("ann"))
		f.equal("bob's", map[string]string{"login": "ada"}, f.reserved("bob"))
	}
}

// A value stays while there may be an account that has it.
func reserveAndRelease(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		for _, c := range []struct {
			state  provisioning.State
			sent   bool
			stands bool
		}{
			{provisioning.StateInSync, false, true}, {provisioning.StateSuspended, false, true}, {provisioning.StateFailed, false, true},
			{provisioning.StateRetrying, false, true}, {provisioning.StateAbsent, true, true}, {provisioning.StateAbsent, false, false},
		} {
			f := setUp(t, open)
			l := f.lease("ann")
			f.reserve("ada", l, "login", "ada")
			a := l.Account
			a.State, a.AppliedRev, a.CreateSent, a.UpdatedAt = c.state, a.DesiredRev, c.sent, Epoch()
			f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: a.DesiredRev, Account: a}))
			if got := len(f.reserved("ann")) > 0; got != c.stands {
				t.Errorf("%s, create sent %v: the value stands %v, want %v", c.state, c.sent, got, c.stands)
			}
		}
	}
}

func reserveRace(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		const people = 20
		var names []string
		var leases []provisioning.Lease
		for i := range people {
			names = append(names, fmt.Sprintf("ada%d", i))
			leases = append(leases, f.lease(provisioning.UserID(fmt.Sprintf("u%d", i))))
		}
		got := make([]string, people)
		var wg sync.WaitGroup
		for i, l := range leases {
			wg.Go(func() {
				var err error
				if got[i], err = f.Accounts.Reserve(t.Context(), l, "login", candidates(names...)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		slices.Sort(got)
		slices.Sort(names)
		f.equal("values", names, got)
	}
}

// lease returns the user's account, leased for a minute.
func (f fixture) lease(user provisioning.UserID) provisioning.Lease {
	f.Helper()
	f.want(user, Epoch())
	for _, l := range f.claim("w", Epoch()) {
		if l.Account.User == user {
			return l
		}
	}
	f.Fatalf("%s is not due", user)
	return provisioning.Lease{}
}

func (f fixture) reserve(want string, l provisioning.Lease, attribute string, values ...string) {
	f.Helper()
	got, err := f.Accounts.Reserve(f.Context(), l, attribute, candidates(values...))
	f.ok(err)
	if got != want {
		f.Errorf("reserved %q of %v, want %q", got, values, want)
	}
}

func (f fixture) reserved(user provisioning.UserID) map[string]string {
	f.Helper()
	out, err := f.Accounts.Reserved(f.Context(), user, "dir")
	f.ok(err)
	return out
}

func candidates(values ...string) []provisioning.Candidate {
	var out []provisioning.Candidate
	for _, v := range values {
		out = append(out, provisioning.NewCandidate(v))
	}
	return out
}
