package provisioning_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// race runs f in n goroutines at once.
func (l *lab) race(n int, f func() error) {
	l.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	l.ok(errors.Join(errs...))
}

// staff makes n users with accounts and returns them.
func (l *lab) staff(n int) []provisioning.UserID {
	l.Helper()
	users := make([]provisioning.UserID, n)
	for i := range users {
		users[i] = provisioning.UserID(fmt.Sprintf("staff%03d", i))
		l.person(users[i])
		l.start(users[i])
	}
	l.drain()
	return users
}

func (l *lab) disable(users ...provisioning.UserID) {
	l.Helper()
	for _, u := range users {
		l.people.edit(u, func(p *provisioning.Profile) { p.Active = false })
		l.ok(l.lifecycle.Disabled(l.Context(), u))
	}
}

// held returns the accounts that wait for an admin.
func (l *lab) held() []provisioning.Account {
	l.Helper()
	out, err := l.Accounts.List(l.Context(), provisioning.AccountFilter{Held: true, Limit: 1000})
	l.ok(err)
	return out
}

// ended counts the users whose account is inactive in the target.
func (l *lab) ended(users []provisioning.UserID) int {
	n := 0
	for _, u := range users {
		for _, a := range l.world.of(u) {
			if !*a.Active {
				n++
			}
		}
	}
	return n
}

// share checks how many of the users' accounts ended, and how many are held.
func (l *lab) share(users []provisioning.UserID, ended, held int) {
	l.Helper()
	if e, h := l.ended(users), len(l.held()); e != ended || h != held {
		l.Errorf("%d accounts ended and %d are held, want %d and %d", e, h, ended, held)
	}
}

// Over the bound suspensions are held, and nothing else is.
func TestMassDeprovisioningIsHeld(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions + 5)
		l.disable(users[:1]...) // one user is never held
		l.drain()
		l.share(users, 1, 0)
		l.disable(users...)
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 5)
		for _, a := range l.held() {
			if a.State != provisioning.StatePending || a.Desired != provisioning.DesiredSuspended || !a.NextAttemptAt.IsZero() || a.Kind != "" {
				l.Errorf("held account = %+v, want it pending, without a failure or a next try", a)
			}
		}
		l.here("ann")
		l.mirrors("ann", true)
		l.advance(2 * provisioning.DeprovisionWindow) // neither time nor other changes let anything go
		for _, a := range l.held() {
			l.ok(l.lifecycle.Changed(l.Context(), a.User))
		}
		l.target(func(x *provisioning.Target) { x.Config = []byte(`{"a":1}`) })
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 5)
	})
}

// A share of a big target may go.
func TestDeprovisionLimit(t *testing.T) {
	for accounts, want := range map[int]int{0: 10, 1: 10, 200: 10, 219: 10, 220: 11, 100_000: 5000} {
		if got := provisioning.DeprovisionLimit(accounts); got != want {
			t.Errorf("limit of %d accounts = %d, want %d", accounts, got, want)
		}
	}
	l := liteLab(t)
	users := l.staff(240)
	l.disable(users[:20]...)
	l.drain()
	l.share(users, 12, 8)
}

func TestHeldApproved(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions + 5)
		l.disable(users[:len(users)-1]...)
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 4)
		if n, err := l.Accounts.Approve(l.Context(), "dir", l.Now()); err != nil || n != 4 {
			l.Fatalf("approved %d, %v, want 4", n, err)
		}
		l.world.failing("set_active", down()) // what was approved stays so while the target is down
		l.runDue()
		l.advance(2 * time.Hour)
		l.world.mend()
		l.drain()
		l.share(users, provisioning.MinDeprovisions+4, 0)
		l.disable(users[len(users)-1])
		l.drain()
		l.share(users, provisioning.MinDeprovisions+5, 0)
	})
}

// What an admin approved does not count against the next single user.
func TestApprovedDoesNotCount(t *testing.T) {
	l := liteLab(t)
	users := l.staff(2*provisioning.MinDeprovisions + 1)
	last := users[len(users)-1]
	l.disable(users[:len(users)-1]...)
	l.drain()
	l.advance(provisioning.DeprovisionWindow - time.Minute)
	_, err := l.Accounts.Approve(t.Context(), "dir", l.Now())
	l.ok(err)
	l.drain()
	l.advance(2 * time.Minute) // what was admitted by itself is out of the window
	l.disable(last)
	l.drain()
	l.share(users, len(users), 0)
}

func TestHeldRejected(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions + 5)
		l.disable(users...)
		l.drain()
		if n, err := l.Accounts.Reject(l.Context(), "dir", l.Now()); err != nil || n != 5 {
			l.Fatalf("rejected %d, %v, want 5", n, err)
		}
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 0)
		// The next change of such a user is decided anew.
		l.advance(2 * provisioning.DeprovisionWindow)
		for _, u := range users {
			l.ok(l.lifecycle.Changed(l.Context(), u))
		}
		l.drain()
		l.share(users, provisioning.MinDeprovisions+5, 0)
	})
}

// Rejecting what a removed binding would have taken away leaves it in sync.
func TestHeldLossRejected(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions + 5)
		l.bind(func(b *provisioning.Binding) { b.OnLoss = provisioning.LossSuspend })
		l.sweep(members{})
		l.unbind("app")
		l.sweep(members{})
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 5)
		_, err := l.Accounts.Reject(l.Context(), "dir", l.Now())
		l.ok(err)
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 0)
		if n := l.count("state = 'in_sync' AND NOT lost"); n != 5 {
			l.Errorf("%d accounts in sync, want 5", n)
		}
	})
}

// A user who is enabled again is not held: there is nothing to wait for. A retry
// by hand is no way around the admin.
func TestHeldEndsWithTheReason(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions + 2)
		l.disable(users...)
		l.drain()
		first, second := l.held()[0].User, l.held()[1].User
		l.people.edit(first, func(p *provisioning.Profile) { p.Active = true })
		l.ok(l.lifecycle.Enabled(l.Context(), first))
		l.ok(l.lifecycle.Retry(l.Context(), second, "dir"))
		l.drain()
		l.mirrors(first, true)
		l.mirrors(second, true)
		if held := l.held(); len(held) != 1 || held[0].User != second {
			l.Errorf("held = %+v, want %s only", held, second)
		}
	})
}

// Two workers at once do not get past the bound.
func TestHeldWithTwoWorkers(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(3 * provisioning.MinDeprovisions)
		l.disable(users...)
		var claimed atomic.Int64
		l.race(2, func() error {
			for claimed.Load() < int64(len(users)) {
				leases, err := l.Accounts.Claim(l.Context(), "dir", "w", l.Now(), l.Now().Add(provisioning.DefaultLease), 2)
				if err != nil {
					return err
				}
				claimed.Add(int64(len(leases)))
				for _, lease := range leases {
					if err := l.engine.Run(l.Context(), lease); err != nil {
						return err
					}
				}
			}
			return nil
		})
		l.drain()
		l.share(users, provisioning.MinDeprovisions, 2*provisioning.MinDeprovisions)
	})
}

// A worker that died between being admitted and suspending is admitted again, and
// counted once.
func TestAdmittedOnce(t *testing.T) {
	each(t, func(l *lab) {
		users := l.staff(provisioning.MinDeprovisions)
		l.disable(users...)
		l.world.failing("set_active", down())
		l.runDue()
		l.advance(3 * time.Hour) // out of the window, still the same revision
		l.disable(users...)
		l.world.mend()
		l.drain()
		l.share(users, len(users), 0)
		if n := l.count("admitted_rev = desired_rev"); n != len(users) {
			l.Errorf("%d accounts admitted, want %d", n, len(users))
		}
	})
}

func TestEngineNeedsItsParts(t *testing.T) {
	l := liteLab(t)
	for what, leaveOut := range map[string]func(*provisioning.EngineOptions){
		"that nothing bounds the deletions of": func(o *provisioning.EngineOptions) { o.Admission = nil },
		"that asks no rules":                   func(o *provisioning.EngineOptions) { o.Rules = nil },
		"that reserves no values":              func(o *provisioning.EngineOptions) { o.Reservations = nil },
	} {
		o := provisioning.EngineOptions{DigestKey: make([]byte, 32), Rules: l.rules, Admission: l.Accounts, Reservations: l.Accounts}
		if _, err := provisioning.NewEngine(o); err != nil {
			t.Fatal(err)
		}
		leaveOut(&o)
		if _, err := provisioning.NewEngine(o); err == nil {
			t.Errorf("an engine %s was made", what)
		}
	}
}
