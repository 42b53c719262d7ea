package provisioning_test

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

const toldToWait = "Your manager must approve the account."

// accepts makes the target accept a verb and not do it.
func (w *world) accepts(verb string) { w.failing(verb, sdk.Pending(time.Minute, toldToWait)) }

// does is the target doing what it accepted long ago.
func (w *world) does(user provisioning.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.insert(sdk.Attributes{
		"owner": string(user), "login": string(user), "email": string(user) + "@example.com", "groups": []any{"staff"},
	}, true)
}

// awaits checks that the account waits for the target, due after the given time.
func (l *lab) awaits(user provisioning.UserID, after time.Duration) {
	l.Helper()
	a := l.state(user, provisioning.StateRetrying, "", sdk.KindPending)
	if a.Detail != toldToWait || a.NextAttemptAt.Sub(l.Now()) != after || !a.CreateSent || a.ExternalID != "" {
		l.Errorf("%q, due in %v, create sent %v, id %q; want due in %v", a.Detail, a.NextAttemptAt.Sub(l.Now()), a.CreateSent, a.ExternalID, after)
	}
}

func (l *lab) disabling(user provisioning.UserID) error {
	l.people.edit(user, func(p *provisioning.Profile) { p.Active = false })
	return l.lifecycle.Disabled(l.Context(), user)
}

// gone checks that the target has no account of the user, and the ledger knows.
func (l *lab) gone(user provisioning.UserID) {
	l.Helper()
	l.state(user, provisioning.StateAbsent, provisioning.OutcomeDeleted, "")
	if left := l.world.of(user); len(left) > 0 {
		l.Errorf("the target has %+v", left)
	}
}

// A create that the target has accepted is looked for and never made again. It
// is no success at the gate, and no failure to the breaker.
func TestPendingCreateIsAwaited(t *testing.T) {
	l := liteLab(t)
	l.world.accepts("create")
	l.start("ann")
	l.runDue()
	l.calls(map[string]int{"lookup": 2, "create": 1})
	l.awaits("ann", time.Minute)

	d := l.decided(request("ann"), provisioning.VerdictWait, provisioning.FailureUnavailable)
	f := d.Findings[0]
	if f.Progress != provisioning.ProgressPending || f.Detail != toldToWait || f.Text != provisioning.TextPending {
		t.Errorf("finding %+v", f)
	}
	if h := l.health(); h.Failures != 0 || h.Open() {
		t.Errorf("the target's health is %+v, want well", h)
	}

	waited := time.Duration(0)
	for _, pause := range []time.Duration{time.Minute, time.Minute, 2 * time.Minute, 4 * time.Minute} {
		l.runUntil(l.Now().Add(pause - time.Second))
		l.calls(map[string]int{})
		l.advance(time.Second)
		l.runDue()
		l.calls(map[string]int{"lookup": 2})
		waited += pause
		l.awaits("ann", waited)
	}
	l.world.does("ann")
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	l.mirrors("ann", true)
	if n := l.world.took()["create"]; n != 0 {
		t.Errorf("%d more creates", n)
	}
	l.decided(request("ann"), provisioning.VerdictPermit, "")
}

// Whatever becomes of the user meanwhile, there is no second create, and what
// comes of the first is not forgotten.
func TestPendingCreateOutlivesChanges(t *testing.T) {
	for name, change := range map[string]func(*lab) error{
		"changed":  func(l *lab) error { return l.lifecycle.Changed(l.Context(), "ann") },
		"retried":  func(l *lab) error { return l.lifecycle.Retry(l.Context(), "ann", "dir") },
		"disabled": func(l *lab) error { return l.disabling("ann") },
		"deleted": func(l *lab) error {
			l.people.remove("ann")
			return l.lifecycle.Deleted(l.Context(), "ann")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := liteLab(t)
			l.target(func(x *provisioning.Target) { x.OnUserDelete = provisioning.DeleteDelete })
			l.world.accepts("create")
			l.start("ann")
			l.runDue()
			l.world.took()
			l.world.mend() // a second create would succeed
			l.ok(change(l))
			l.runDue()
			if calls := l.world.took(); calls["create"] != 0 || calls["lookup"] == 0 {
				t.Errorf("calls = %v, want lookups alone", calls)
			}
			if a := l.account("ann"); a.Kind != sdk.KindPending || !a.CreateSent || a.State != provisioning.StateRetrying {
				t.Errorf("account is %s, %q", a.State, a.Kind)
			}
			l.world.does("ann")
			l.drain()
			if name == "deleted" {
				l.gone("ann")
				return
			}
			l.mirrors("ann", name != "disabled")
		})
	}
}

// A target that never does what it accepted is given up after a week. A retry by
// hand may create.
func TestPendingCreateIsGivenUp(t *testing.T) {
	l := liteLab(t)
	l.world.accepts("create")
	l.start("ann")
	began := l.Now()
	l.runUntil(began.Add(7*24*time.Hour - time.Hour))
	if calls := l.world.took(); calls["create"] != 1 || calls["lookup"] > 400 {
		t.Errorf("calls in a week = %v, want one create, and a poll an hour", calls)
	}
	l.state("ann", provisioning.StateRetrying, "", sdk.KindPending)
	l.runUntil(began.Add(7*24*time.Hour + time.Hour))
	l.state("ann", provisioning.StateFailed, "", sdk.KindOutcomeUnknown)
	l.world.mend()
	l.ok(l.lifecycle.Retry(l.Context(), "ann", "dir"))
	l.drain()
	l.mirrors("ann", true)
}

// To wait is not to fail: a failure after days of waiting has its own week.
func TestPendingDoesNotCountForFailures(t *testing.T) {
	l := liteLab(t)
	l.world.accepts("create")
	l.start("ann")
	l.runUntil(l.Now().Add(6 * 24 * time.Hour))
	l.world.failing("lookup", sdk.Forbidden("no"))
	l.runUntil(l.Now().Add(6 * 24 * time.Hour))
	l.state("ann", provisioning.StateRetrying, "", sdk.KindForbidden)
	l.world.mend()
	l.world.does("ann")
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	l.mirrors("ann", true)
}

// Other writes are asked for again until the account is as wanted.
func TestPendingWritesAreAskedForAgain(t *testing.T) {
	for verb, change := range map[string]func(*lab){
		"update": func(l *lab) {
			l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
			l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		},
		"set_active": func(l *lab) { l.ok(l.disabling("ann")) },
		"delete": func(l *lab) {
			l.people.remove("ann")
			l.ok(l.lifecycle.Deleted(l.Context(), "ann"))
		},
	} {
		t.Run(verb, func(t *testing.T) {
			l := liteLab(t)
			l.target(func(x *provisioning.Target) { x.OnUserDelete = provisioning.DeleteDelete })
			l.start("ann")
			l.drain()
			l.world.took()
			l.world.accepts(verb)
			change(l)
			l.runDue()
			if calls := l.world.took(); calls[verb] != 1 {
				t.Fatalf("calls = %v, want one %s", calls, verb)
			}
			a := l.account("ann")
			if a.State != provisioning.StateRetrying || a.Kind != sdk.KindPending || a.NextAttemptAt.Sub(l.Now()) != time.Minute {
				t.Errorf("account is %s, %q, due in %v", a.State, a.Kind, a.NextAttemptAt.Sub(l.Now()))
			}
			if verb == "update" { // the account is there: only its attributes are behind
				l.decided(request("ann"), provisioning.VerdictWait, provisioning.FailureUnavailable)
			}
			l.world.mend()
			l.drain()
			if verb == "delete" {
				l.gone("ann")
				return
			}
			l.mirrors("ann", verb != "set_active")
		})
	}
}

// Whoever accepts something is there: it ends a row of failures, and an outage.
func TestPendingShowsThatTheTargetIsThere(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	pending := provisioning.Observation{Called: true, Kind: sdk.KindPending, RetryAfter: time.Minute}
	if h := (provisioning.Health{Failures: 4}).After(pending, now); h != (provisioning.Health{}) {
		t.Errorf("after four failures: %+v, want well", h)
	}
	open := provisioning.Health{Kind: sdk.KindTransient, OpenedAt: now.Add(-time.Minute), Openings: 1, ProbeAt: now}.Probing(now.Add(time.Minute))
	pending.Probe = open.Probe
	if h := open.After(pending, now); h.Open() || !h.ReadyAt().IsZero() {
		t.Errorf("after the probe of an outage: %+v, want closed", h)
	}
}
