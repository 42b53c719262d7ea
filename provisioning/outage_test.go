package provisioning_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// runUntil runs what becomes due until a time, and leaves the clock there.
func (l *lab) runUntil(end time.Time) {
	l.Helper()
	for {
		due, err := l.Accounts.Due(l.Context())
		l.ok(err)
		next, ok := due["dir"]
		if !ok || next.At.After(end) {
			break
		}
		if next.At.After(l.Now()) {
			l.advance(next.At.Sub(l.Now()))
		}
		if l.runDue() == 0 {
			l.Fatal("work that is due cannot be claimed")
		}
	}
	l.advance(end.Sub(l.Now()))
}

func (l *lab) health() provisioning.Health {
	l.Helper()
	s, err := l.Health.Get(l.Context(), "dir")
	l.ok(err)
	return s.Health
}

// away makes every verb fail as an outage does.
func (w *world) away() { w.before = func(string) error { return down() } }

// The target is down for a day, and two hundred people sign in: those who have
// their account notice nothing, the others are held, and afterwards each gets
// exactly one account, no faster than the target's rate.
func TestOutageDrill(t *testing.T) {
	const people, rate, day = 100, 30, 24 * time.Hour
	l := liteLab(t)
	l.target(func(x *provisioning.Target) { x.MaxConcurrency, x.RatePerMinute = 4, rate })
	for i := range people {
		l.person(provisioning.UserID(fmt.Sprintf("old%02d", i)))
		l.person(provisioning.UserID(fmt.Sprintf("new%02d", i)))
		l.start(provisioning.UserID(fmt.Sprintf("old%02d", i)))
	}
	l.runUntil(l.Now().Add(time.Hour))
	l.calls(map[string]int{"lookup": 2 * people, "create": people})

	l.world.away()
	began := l.Now()
	for i := range people {
		l.runUntil(began.Add(day * time.Duration(i) / people))
		l.passesUntouched(provisioning.UserID(fmt.Sprintf("old%02d", i)))
		l.isHeld(provisioning.UserID(fmt.Sprintf("new%02d", i)))
	}
	l.runUntil(began.Add(day))
	if calls := l.world.took(); calls["lookup"] > 250 || calls["lookup"] < 100 || len(calls) != 1 {
		t.Errorf("calls during the outage = %v, want a probe every ten minutes", calls)
	}

	l.world.mend()
	back := l.Now()
	var creates []time.Time
	l.world.before = func(verb string) error {
		if verb == "create" {
			creates = append(creates, l.Now())
		}
		return nil
	}
	l.runUntil(back.Add(10*time.Minute + people/rate*time.Minute + time.Minute))
	l.hasEverybody("new", people)
	if len(creates) != people {
		t.Errorf("%d creates, want one each of %d", len(creates), people)
	}
	for i := rate + rate/10; i < len(creates); i++ {
		if within := creates[i].Sub(creates[i-rate-rate/10]); within < time.Minute {
			t.Errorf("%d creates within %s, at a rate of %d per minute", rate+rate/10+1, within, rate)
		}
	}
}

// passesUntouched checks that a sign-in neither waits nor calls the target.
func (l *lab) passesUntouched(user provisioning.UserID) {
	l.Helper()
	before := l.account(user)
	d := l.start(user)
	permit, _ := l.permit(request(user))
	if d.Verdict != provisioning.VerdictPermit || !permit.Allows("app", user) {
		l.Errorf("%s, who is in sync: %s %+v", user, d.Verdict, d.Failure)
	}
	if after := l.account(user); after.Fence != before.Fence || !after.NextAttemptAt.IsZero() {
		l.Errorf("%s was worked on: %+v", user, after)
	}
}

// isHeld checks that a sign-in waits, and is refused for now when it is out of
// time.
func (l *lab) isHeld(user provisioning.UserID) {
	l.Helper()
	if d := l.start(user); d.Verdict != provisioning.VerdictWait {
		l.Errorf("%s without an account: %s %+v", user, d.Verdict, d.Failure)
	}
	since := l.Now()
	l.runUntil(since.Add(provisioning.DefaultTimeout))
	r := request(user)
	r.WaitingSince = since
	permit, d := l.permit(r)
	if d.Verdict != provisioning.VerdictDeny || d.Failure != provisioning.FailureOf(sdk.KindTransient) || permit.Allows("app", user) {
		l.Errorf("%s out of time: %s %+v, want unavailable", user, d.Verdict, d.Failure)
	}
}

// hasEverybody checks that nothing is left to do and nobody has less or more than
// one account.
func (l *lab) hasEverybody(prefix string, n int) {
	l.Helper()
	due, err := l.Accounts.Due(l.Context())
	l.ok(err)
	if len(due) != 0 || l.health() != (provisioning.Health{Probe: l.health().Probe}) {
		l.Errorf("due %v, health %+v; want nothing left", due, l.health())
	}
	for i := range n {
		user := provisioning.UserID(fmt.Sprintf("%s%02d", prefix, i))
		l.mirrors(user, true)
		if a := l.account(user); !a.Usable() {
			l.Errorf("%s: %s %s", user, a.State, a.Kind)
		}
	}
}

// breakOpen has five people fail.
func (l *lab) breakOpen() {
	l.Helper()
	l.world.away()
	for i := range 5 {
		user := provisioning.UserID(fmt.Sprintf("victim%d", i))
		l.person(user)
		l.start(user)
	}
	l.runDue()
	if !l.health().Open() {
		l.Fatalf("five failures left the breaker closed: %+v", l.health())
	}
}

// Where the policy lets people pass they need not wait out the time; the account
// comes when the target is back.
func TestOpenBreakerLetsPassByPolicy(t *testing.T) {
	l := liteLab(t)
	l.breakOpen()
	l.bind(func(b *provisioning.Binding) { b.OnCreateFailure = provisioning.FailureAllow })
	permit, d := l.permit(request("ann"))
	if !permit.Allows("app", "ann") || d.Findings[0].Reason != "the target is down, allowed by policy" {
		t.Errorf("decision = %+v, want a permit by policy at once", d)
	}
	if n := l.runDue(); n != 0 {
		t.Errorf("%d runs while the breaker is open", n)
	}
	l.world.mend()
	l.drain()
	l.mirrors("ann", true)
}

// One account the target chokes on does not stop the others.
func TestPoisonedAccountOpensNothing(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", down())
	l.start("ann")
	for range 8 {
		l.runDue()
		l.ok(l.gate.Retry(t.Context(), request("ann"))) // and presses Retry each time
	}
	if l.health().Open() {
		t.Errorf("one account opened the breaker: %+v", l.health())
	}
}

// What the target asks of one account's run it asks of all.
func TestRateLimitPausesTheTarget(t *testing.T) {
	l := liteLab(t)
	l.world.failing("create", &sdk.Error{Kind: sdk.KindRateLimited, Effect: sdk.EffectNone, RetryAfter: 10 * time.Minute})
	l.start("ann")
	l.runDue()
	l.person("ben")
	if d := l.start("ben"); d.Failure != provisioning.FailureOf(sdk.KindRateLimited) || !d.Findings[0].RetryAt.Equal(l.Now().Add(10*time.Minute)) {
		t.Errorf("ben's decision = %+v, want a wait for the busy target", d)
	}
	l.advance(10*time.Minute - time.Second)
	if n := l.runDue(); n != 0 {
		t.Errorf("%d runs during the pause", n)
	}
	l.world.mend()
	l.advance(time.Second)
	l.drain()
	l.mirrors("ann", true)
	l.mirrors("ben", true)
}

// Refused credentials stop everything at once, until they are renewed.
func TestUnauthorizedQuarantines(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", &sdk.Error{Kind: sdk.KindUnauthorized, Effect: sdk.EffectNone})
	l.start("ann")
	l.runDue()
	l.person("ben")
	if d := l.start("ben"); d.Failure != provisioning.FailureOf(sdk.KindUnauthorized) {
		t.Errorf("failure = %+v, want the target misconfigured", d.Failure)
	}
	l.advance(14 * time.Minute)
	if n := l.runDue(); n != 0 {
		t.Errorf("%d runs with credentials that are refused", n)
	}
	l.world.mend()
	l.target(func(x *provisioning.Target) { x.Secrets = map[string]sdk.Secret{"token": "new"} })
	if n := l.runDue(); n != 2 {
		t.Errorf("%d runs after the credentials were renewed, want both", n)
	}
	l.mirrors("ann", true)
	l.mirrors("ben", true)
}

// A run that we stopped ourselves says nothing of the target, and a probe that
// was stopped leaves its place to another.
func TestStoppedRunsOpenNothing(t *testing.T) {
	l := liteLab(t)
	for i := range 6 {
		user := provisioning.UserID(fmt.Sprintf("user%d", i))
		l.person(user)
		l.start(user)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.world.before = func(string) error { cancel(); return context.Canceled }
	for _, lease := range l.claim("w") {
		_ = l.engine.Run(ctx, lease) // how it ends is the runner's concern
	}
	if h := l.health(); h != (provisioning.Health{}) {
		t.Errorf("stopped runs changed the health: %+v", h)
	}
}

// A change of the target cuts off the runs that began before it. That is no outage,
// and they are tried again soon.
func TestChangedTargetOpensNothing(t *testing.T) {
	each(t, func(l *lab) {
		const people = 8
		for i := range people {
			user := provisioning.UserID(fmt.Sprintf("user%d", i))
			l.person(user)
			l.start(user)
		}
		var begun, ended sync.WaitGroup
		begun.Add(people)
		changed := make(chan struct{})
		l.world.before = func(string) error {
			begun.Done()
			<-changed
			return down()
		}
		for _, lease := range l.claim("w") {
			ended.Go(func() {
				if err := l.engine.Run(l.Context(), lease); err != nil {
					l.Error(err)
				}
			})
		}
		begun.Wait()
		l.target(func(t *provisioning.Target) { t.Config = []byte(`{"timeout":"9s"}`) })
		close(changed)
		ended.Wait()
		if h := l.health(); h != (provisioning.Health{}) {
			l.Errorf("runs that a change cut off changed the health: %+v", h)
		}
		if wait := l.account("user0").NextAttemptAt.Sub(l.Now()); wait > 5*time.Second {
			l.Errorf("tried again in %s", wait)
		}
	})
}

// Who waits at a sign-in waits through one retry, ahead of the background; after
// that the work is the background's, until a sign-in asks for it again.
func TestFirstRetryIsStillTheSignIns(t *testing.T) {
	l := liteLab(t)
	l.world.failing("lookup", down())
	l.start("ann")
	for i, want := range []provisioning.Trigger{provisioning.TriggerSignIn, provisioning.TriggerBackground, provisioning.TriggerBackground} {
		l.runDue()
		if a := l.account("ann"); a.Trigger != want {
			t.Errorf("after failure %d the trigger is %s, want %s", i+1, a.Trigger, want)
		}
		l.advance(l.account("ann").NextAttemptAt.Sub(l.Now()))
	}
	l.runDue()
	l.advance(10 * time.Second)
	l.start("ann")
	if a := l.account("ann"); a.Trigger != provisioning.TriggerSignIn || a.NextAttemptAt.After(l.Now()) {
		t.Errorf("after another sign-in: %s, due at %s; want it due for that", a.Trigger, a.NextAttemptAt)
	}
}

// A sign-in puts work that waits in a backlog ahead of it.
func TestSignInRaisesBackgroundWork(t *testing.T) {
	l := liteLab(t)
	for i := range 20 {
		user := provisioning.UserID(fmt.Sprintf("user%02d", i))
		l.person(user)
		l.ok(l.lifecycle.Registered(t.Context(), user, "app"))
		l.advance(time.Second)
	}
	l.start("user19")
	leases, err := l.Accounts.Claim(t.Context(), "dir", "w", l.Now(), l.Now().Add(provisioning.DefaultLease), 1)
	l.ok(err)
	if len(leases) != 1 || leases[0].Account.User != "user19" {
		t.Errorf("claimed %+v, want the one that a sign-in waits for", leases)
	}
}
