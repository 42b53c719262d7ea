package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

func healthBreaker(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.ok(f.Bindings.Put(t.Context(), provisioning.NewBinding("app", "dir")))
		f.wantMany(3, Epoch())
		waits := f.claims(3, Epoch())[0]
		a := waits.Account
		a.State, a.Kind, a.NextAttemptAt, a.UpdatedAt = provisioning.StateRetrying, sdk.KindTransient, Epoch().Add(24*time.Hour), Epoch()
		f.ok(f.Accounts.Finish(t.Context(), waits, provisioning.Result{Rev: 1, Account: a}))
		f.breakOpen(Epoch())

		at := Epoch().Add(30 * time.Second)
		want := provisioning.Health{Kind: sdk.KindTransient, OpenedAt: Epoch(), Openings: 1, ProbeAt: at}
		f.equal("health", want, f.state().Health)
		list, err := f.Health.List(t.Context())
		f.ok(err)
		f.equal("list", []provisioning.TargetState{f.state()}, list)
		standings, err := f.Bindings.Standings(t.Context(), "app", "ann")
		f.ok(err)
		if hold, until := standings[0].State.Hold(Epoch()); hold != provisioning.HoldOpen || !until.Equal(at) {
			t.Errorf("the gate sees %q until %s, want the open breaker", hold, until)
		}

		f.want("ann", Epoch())
		f.claims(0, at.Add(-time.Microsecond))
		if got := f.readyAt(); !got.Equal(at) {
			t.Errorf("ready at %s, want at the probe's time", got)
		}
		probe := f.claims(1, at)[0]
		f.claims(0, at)
		f.ok(f.Accounts.Extend(t.Context(), probe, at.Add(5*time.Minute)))
		f.want("ben", at)
		f.claims(0, at.Add(4*time.Minute)) // as long as its lease
		f.observe(provisioning.Observation{Kind: ""}, at)
		if !f.state().Health.Open() {
			t.Error("a run that is not the probe closed the breaker")
		}
		f.finish(probe)
		f.observe(provisioning.Observation{Probe: probe.Probe}, at)
		if f.state().Health.Open() {
			t.Error("the probe did not close the breaker")
		}
		if a := f.account(waits.Account.User); !a.NextAttemptAt.Equal(at) {
			t.Errorf("an account that failed by the outage is due at %s, want now that it is over", a.NextAttemptAt)
		}
	}
}

func healthDeadProbe(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.wantMany(2, Epoch())
		f.breakOpen(Epoch())
		at := Epoch().Add(30 * time.Second)
		dead := f.claims(1, at)[0]
		if got := f.readyAt(); !got.Equal(dead.Until) {
			t.Errorf("ready at %s, want when the dead probe's lease ends", got)
		}
		next := f.claims(1, dead.Until)[0]
		f.observe(provisioning.Observation{Probe: dead.Probe}, dead.Until)
		if !f.state().Health.Open() || next.Probe == dead.Probe {
			t.Errorf("probes %d and %d: the result of the one given up counted", dead.Probe, next.Probe)
		}
		f.observe(provisioning.Observation{Probe: next.Probe, Kind: sdk.KindTransient}, dead.Until)
		if got := f.state().Health; !got.ProbeAt.Equal(dead.Until.Add(time.Minute)) || !got.OpenedAt.Equal(Epoch()) {
			t.Errorf("after a failed probe: %+v, want the next after twice the pause", got)
		}
	}
}

func healthReleasedProbe(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		f.breakOpen(Epoch())
		at := Epoch().Add(30 * time.Second)
		f.ok(f.Accounts.Release(t.Context(), f.claims(1, at)[0], at))
		f.claims(1, at) // another may probe at once
	}
}

func healthPause(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		f.observe(provisioning.Observation{Kind: sdk.KindRateLimited, RetryAfter: 24 * time.Hour}, Epoch())
		f.claims(0, Epoch().Add(time.Hour-time.Microsecond))
		if a := f.account("ann"); !a.NextAttemptAt.Equal(Epoch()) || a.Fence != 0 {
			t.Errorf("the pause touched a row: %+v", a)
		}
		if at := f.readyAt(); !at.Equal(Epoch().Add(time.Hour)) {
			t.Errorf("ready after %s, want the pause capped at an hour", at.Sub(Epoch()))
		}
		f.claims(1, Epoch().Add(time.Hour))
	}
}

// What was observed under old credentials says nothing of the new ones.
func healthRenewed(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.want("ann", Epoch())
		f.observe(provisioning.Observation{Kind: sdk.KindUnauthorized}, Epoch())
		f.claims(0, Epoch().Add(15*time.Minute-time.Microsecond))
		f.limit(5, 0)
		if !f.state().Health.Open() {
			t.Error("another limit closed the breaker")
		}
		f.putTarget(provisioning.Target{Name: "dir", Connector: "scim2", Secrets: map[string]sdk.Secret{"token": "new"}})
		f.claims(1, Epoch())
	}
}

func healthResume(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.is(f.Health.Resume(t.Context(), "none", Epoch()), provisioning.ErrTargetNotFound)
		f.wantMany(2, Epoch())
		f.breakOpen(Epoch())
		f.observe(provisioning.Observation{Kind: sdk.KindRateLimited, RetryAfter: time.Hour}, Epoch())
		f.ok(f.Health.Resume(t.Context(), "dir", Epoch()))
		f.claims(1, Epoch())
		if !f.state().Health.Open() {
			t.Error("resuming closed the breaker without a probe")
		}
	}
}

// Many claimers together never have more under way than the target allows.
func healthContention(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		const workers, most = 6, 3
		f := setUp(t, open)
		f.limit(most, 0)
		f.wantMany(30, Epoch())
		var mu sync.Mutex
		busy, peak, done := 0, 0, 0
		errs := make([]error, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for range 20 {
					got, err := f.Accounts.Claim(t.Context(), "dir", fmt.Sprint(w), Epoch(), Epoch().Add(time.Hour), 2)
					if err != nil {
						errs[w] = err
						return
					}
					mu.Lock()
					busy += len(got)
					peak = max(peak, busy)
					mu.Unlock()
					for _, l := range got {
						mu.Lock()
						busy--
						done++
						mu.Unlock()
						f.finish(l)
					}
				}
			})
		}
		wg.Wait()
		f.ok(errors.Join(errs...))
		if peak > most || done < most {
			t.Errorf("%d at a time and %d done, want at most %d and more", peak, done, most)
		}
	}
}

// While one claim has not committed, another of the same target waits for it: of
// both exactly one may probe.
func healthProbeContention(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.wantMany(10, Epoch())
		f.breakOpen(Epoch())
		at := Epoch().Add(time.Minute)
		type claimed struct {
			leases []provisioning.Lease
			err    error
		}
		second := make(chan claimed, 1)
		var first []provisioning.Lease
		f.ok(f.db.InTx(t.Context(), func(ctx context.Context) error {
			var err error
			first, err = f.Accounts.Claim(ctx, "dir", "w1", at, at.Add(time.Minute), 4)
			go func() {
				leases, err := f.Accounts.Claim(t.Context(), "dir", "w2", at, at.Add(time.Minute), 4)
				second <- claimed{leases, err}
			}()
			select {
			case got := <-second:
				second <- got
			case <-time.After(100 * time.Millisecond): // it waits, as it should
			}
			return err
		}))
		got := <-second
		f.ok(got.err)
		if len(first) != 1 || len(got.leases) != 0 {
			t.Errorf("%d and %d probes, want one and none", len(first), len(got.leases))
		}
	}
}

func healthRetryFailed(open func(t *testing.T) *sqldb.DB) func(t *testing.T) {
	return func(t *testing.T) {
		f := setUp(t, open)
		f.putTarget(full("b"))
		f.wantMany(2, Epoch())
		f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: "u00", Targets: []provisioning.TargetName{"b"}, Trigger: provisioning.TriggerSignIn}, Epoch()))
		for _, l := range f.claims(2, Epoch()) {
			a := l.Account
			a.State, a.Kind, a.NextAttemptAt, a.FirstFailedAt = provisioning.StateFailed, sdk.KindInvalid, time.Time{}, Epoch()
			f.ok(f.Accounts.Finish(t.Context(), l, provisioning.Result{Rev: 1, Account: a}))
		}
		for _, tt := range []struct {
			target provisioning.TargetName
			want   int
		}{{"b", 0}, {"dir", 2}, {"", 0}} {
			n, err := f.Accounts.RetryFailed(t.Context(), tt.target, Epoch().Add(time.Minute))
			f.ok(err)
			f.equal("failed accounts of "+string(tt.target), tt.want, n)
		}
		a := f.account("u01")
		if a.State != provisioning.StatePending || a.Trigger != provisioning.TriggerBackground || a.Attempts != 0 || a.DesiredRev != 1 || !a.NextAttemptAt.Equal(Epoch().Add(time.Minute)) {
			t.Errorf("account = %+v, want it due in the background at the same revision", a)
		}
	}
}
