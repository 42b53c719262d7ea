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
