package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/sdk"
)

func health(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("concurrency", healthConcurrency(open))
	t.Run("people first", healthPeopleFirst(open))
	t.Run("rate", healthRate(open))
	t.Run("maintenance", healthMaintenance(open))
	t.Run("breaker", healthBreaker(open))
	t.Run("dead probe", healthDeadProbe(open))
	t.Run("released probe", healthReleasedProbe(open))
	t.Run("pause", healthPause(open))
	t.Run("new credentials", healthRenewed(open))
	t.Run("resume", healthResume(open))
	t.Run("retry of all that failed", healthRetryFailed(open))
	t.Run("contention", healthContention(open))
	t.Run("one probe over all", healthProbeContention(open))
}

// limit sets the limits of dir.
func (f fixture) limit(concurrency, rate int) {
	f.Helper()
	f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", MaxConcurrency: concurrency, RatePerMinute: rate})
}

func (f fixture) wantMany(n int, at time.Time) {
	f.Helper()
	for i := range n {
		f.want(provisioning.UserID(fmt.Sprintf("u%02d", i)), at)
	}
}

// inBackground makes accounts due that nobody waits for.
func (f fixture) inBackground(n int, at time.Time) {
	f.Helper()
	f.wantMany(n, at)
	_, err := f.db.Exec(f.Context(), "UPDATE account SET cause = 'background'")
	f.ok(err)
}

func (f fixture) finish(l provisioning.Lease) {
	f.Helper()
	a := l.Account
	a.State, a.AppliedRev, a.NextAttemptAt = provisioning.StateInSync, a.DesiredRev, time.Time{}
	f.ok(f.Accounts.Finish(f.Context(), l, provisioning.Result{Rev: a.DesiredRev, Account: a}))
}

func (f fixture) observe(o provisioning.Observation, at time.Time) {
	f.Helper()
	o.Called = true
	f.ok(f.Health.Observe(f.Context(), "dir", o, at))
}

// breakOpen opens the breaker at a time.
func (f fixture) breakOpen(at time.Time) {
	f.Helper()
	for range 5 {
		f.observe(provisioning.Observation{Kind: sdk.KindTransient}, at)
	}
}

func (f fixture) state() provisioning.TargetState {
	f.Helper()
	s, err := f.Health.Get(f.Context(), "dir")
	f.ok(err)
	return s
}

// readyAt is when dir's work can be claimed; zero when it has none.
func (f fixture) readyAt() time.Time {
	f.Helper()
	due, err := f.Accounts.Due(f.Context())
	f.ok(err)
	return due["dir"].At
}

func (f fixture) claims(want int, at time.Time) []provisioning.Lease {
	f.Helper()
	got := f.claim("w", at)
	if len(got) != want {
		f.Fatalf("%d accounts claimed at %s, want %d", len(got), at.Sub(Epoch()), want)
	}
	return got
}

func healthConcurrency(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.limit(3, 0)
		f.wantMany(6, Epoch())
		first := f.claims(3, Epoch())
		f.claims(0, Epoch())
		f.finish(first[0])
		f.claims(1, Epoch())
		f.limit(2, 0) // three are under way
		f.finish(first[1])
		f.claims(0, Epoch())
		f.finish(first[2])
		f.claims(1, Epoch())
		f.claims(2, Epoch().Add(time.Hour)) // leases of the dead do not count
	}
}

func healthPeopleFirst(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.limit(3, 0)
		f.inBackground(5, Epoch().Add(-time.Hour))
		backlog := f.claims(2, Epoch()) // one slot is kept
		f.want("ann", Epoch())
		if got := f.claims(1, Epoch()); got[0].Account.User != "ann" {
			t.Errorf("claimed %s, want the one somebody waits for", got[0].Account.User)
		}
		f.want("ben", Epoch())
		f.finish(backlog[0])
		if got := f.claims(1, Epoch()); got[0].Account.User != "ben" {
			t.Errorf("claimed %s, want the one somebody waits for ahead of the backlog", got[0].Account.User)
		}
		_, err := f.db.Exec(t.Context(), "UPDATE account SET cause = 'background' WHERE user_id = 'ben'")
		f.ok(err)
		f.ok(f.Accounts.Hasten(t.Context(), "u04", []provisioning.TargetName{"dir"}, Epoch()))
		f.finish(backlog[1])
		if got := f.claims(1, Epoch()); got[0].Account.User != "u04" {
			t.Errorf("claimed %s, want the one that was put ahead", got[0].Account.User)
		}
		f.limit(1, 0)
		f.inBackground(5, Epoch())
		f.claims(1, Epoch().Add(time.Hour)) // the only slot is the background's, too
	}
}

func healthRate(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.limit(64, 20) // one every 3 s, two at once after a rest
		f.wantMany(5, Epoch())
		f.claims(2, Epoch())
		f.claims(0, Epoch())
		if at := f.readyAt(); !at.Equal(Epoch().Add(3 * time.Second)) {
			t.Errorf("ready after %s, want when there is a token", at.Sub(Epoch()))
		}
		f.claims(0, Epoch().Add(3*time.Second-time.Microsecond))
		f.claims(1, Epoch().Add(3*time.Second))
		f.claims(2, Epoch().Add(30*time.Second))
		due, err := f.Accounts.Due(t.Context())
		f.ok(err)
		f.equal("time between tokens", 3*time.Second, due["dir"].Every)
	}
}

func healthMaintenance(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.is(f.Targets.SetMaintenance(t.Context(), "none", true), provisioning.ErrTargetNotFound)
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "dir")))
		f.want("ann", Epoch())
		f.ok(f.Targets.SetMaintenance(t.Context(), "dir", true))
		f.claims(0, Epoch())
		if at := f.readyAt(); !at.IsZero() {
			t.Errorf("ready at %s although in maintenance", at)
		}
		standings, err := f.Bindings.Standings(t.Context(), "app", "ann")
		f.ok(err)
		if !standings[0].State.Maintenance || !f.state().Maintenance {
			t.Errorf("state = %+v, want maintenance", standings[0].State)
		}
		f.ok(f.Targets.SetMaintenance(t.Context(), "dir", false))
		f.claims(1, Epoch())

		// A binding never drops out of what the gate checks.
		_, err = f.db.Exec(t.Context(), "DELETE FROM target_state")
		f.ok(err)
		standings, err = f.Bindings.Standings(t.Context(), "app", "ann")
		f.ok(err)
		f.equal("bindings", 1, len(standings))
	}
}
