package provisioning_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// also binds a second application to the target, with rules of its own; "" asks none.
func (l *lab) also(when string, edit func(*provisioning.Binding)) {
	l.Helper()
	b := provisioning.NewBinding("other", "dir")
	b.Blocking = true
	if when != "" {
		set := native("other-set", when)
		_, err := l.RuleSets.Put(l.Context(), set, l.Now())
		l.ok(err)
		b.EnableRules, b.RuleSets = true, []string{set.Name}
	}
	edit(&b)
	l.ok(l.Bindings.Put(l.Context(), b))
	l.sweep(members{})
}

// elsewhere is a sign-in to the second application.
func elsewhere(user provisioning.UserID) provisioning.Request {
	r := request(user)
	r.Client, r.SignIn, r.Reference = "other", "s2", "R-2"
	return r
}

// signsIn does what a sign-in does: it looks, starts the work, and looks every second
// while the work is done. It returns the last decision and how often work was due.
func (l *lab) signsIn(r provisioning.Request, seconds int) (provisioning.Decision, int) {
	l.Helper()
	d, err := l.gate.Look(l.Context(), r)
	l.ok(err)
	if d.Verdict == provisioning.VerdictPermit {
		return d, 0
	}
	r.WaitingSince = l.Now()
	_, err = l.gate.Start(l.Context(), r)
	l.ok(err)
	runs := 0
	for range seconds {
		runs += l.runDue()
		d, err = l.gate.Look(l.Context(), r)
		l.ok(err)
		if d.Verdict != provisioning.VerdictWait {
			break
		}
		l.advance(time.Second)
	}
	return d, runs
}

// joins changes a user's groups, as an admin would.
func (l *lab) joins(user provisioning.UserID, groups ...string) {
	l.Helper()
	l.people.edit(user, func(p *provisioning.Profile) { p.Groups = groups })
	l.ok(l.lifecycle.Changed(l.Context(), user))
}

// What the rules of one application refuse, another may have made.
func TestRulesOfOneApplicationDoNotHoldUpAnother(t *testing.T) {
	for _, when := range []string{"", inStaff} {
		each(t, func(l *lab) {
			l.rule("false", asIs)
			l.also(when, asIs)
			l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
			l.drain()
			l.state("ann", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
			l.advance(time.Minute)
			if d, runs := l.signsIn(elsewhere("ann"), 9); d.Verdict != provisioning.VerdictPermit || runs > 2 {
				l.Errorf("after %d runs: %+v, want a permit", runs, d)
			}
			l.mirrors("ann", true)
		})
	}
}

// An account stays, and is kept up to date, while one of the target's bindings grants
// it; once none does it ends as the policy says, whichever application it was made
// for.
func TestAccountIsLostOnceNoBindingGrantsIt(t *testing.T) {
	each(t, func(l *lab) {
		suspend := func(b *provisioning.Binding) { b.OnLoss = provisioning.LossSuspend }
		l.rule("'a' in user.groups", suspend)
		l.also("'b' in user.groups", suspend)
		l.joins("ann", "a", "b")
		l.here("ann")
		l.advance(2 * time.Minute)
		l.joins("ann", "b")
		l.drain()
		l.mirrors("ann", true)
		if a := l.account("ann"); a.Client != "other" || !a.Usable() {
			l.Errorf("account = %+v, want it there for the other application", a)
		}
		l.decided(request("ann"), provisioning.VerdictPermit, "") // skipped
		l.drain()
		l.mirrors("ann", true)
		l.joins("ann", "c")
		l.drain()
		l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, "")
	})
}

// A sign-in takes an account away once no other binding grants it.
func TestSignInTakesAwayWhatNoBindingGrants(t *testing.T) {
	for _, c := range []struct {
		other string
		edit  func(*provisioning.Binding)
		kept  bool
	}{
		{"", asIs, true},
		{inStaff, asIs, true},
		{noClaim, asIs, true}, // nobody can say
		{"false", asIs, false},
		{"false", func(b *provisioning.Binding) { b.ReportOnly = true }, true},
		{"", func(b *provisioning.Binding) { b.JITOutbound = false }, false}, // for whoever belongs there
		{"", func(b *provisioning.Binding) { b.Client = provisioning.DefaultClient }, false},
	} {
		l := liteLab(t)
		l.rule("true", func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
		l.here("ann")
		l.also(c.other, c.edit)
		_, err := l.RuleSets.Put(t.Context(), native("set", "false"), l.Now())
		l.ok(err)
		l.advance(2 * time.Minute)
		l.decided(request("ann"), provisioning.VerdictPermit, "")
		l.drain()
		if got := len(l.world.of("ann")) == 1; got != c.kept {
			t.Errorf("other binding asks %q: the account is kept: %t, want %t", c.other, got, c.kept)
		}
	}
}

// Who has lost an account with a group has it again with the group, without a
// sign-in.
func TestWhatRulesGrantAgainComesBack(t *testing.T) {
	for _, policy := range []provisioning.LossPolicy{provisioning.LossKeep, provisioning.LossSuspend, provisioning.LossDelete} {
		for _, jit := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, jit %t", policy, jit), func(t *testing.T) {
				each(t, func(l *lab) {
					l.rule(inStaff, func(b *provisioning.Binding) { b.OnLoss, b.JITOutbound = policy, jit })
					l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
					l.drain()
					for range 2 {
						l.joins("ann", "former")
						l.drain()
						if a := l.account("ann"); a.Usable() {
							l.Errorf("account of somebody whom rules deny = %+v", a)
						}
						l.joins("ann", "staff")
						l.drain()
						l.mirrors("ann", true)
						if a := l.account("ann"); !a.Usable() || a.Lost {
							l.Errorf("account = %+v, want it in sync", a)
						}
					}
				})
			})
		}
	}
}

// An account that a sign-in lost for what is known of the sign-in alone does not come
// back by what was known of an earlier one.
func TestLossIsJudgedByTheSignInThatLost(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(ofNetwork, func(b *provisioning.Binding) { b.OnLoss = provisioning.LossSuspend })
		near, far := request("ann"), request("ann")
		near.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
		far.Facts = provisioning.Facts{IP: "198.51.100.1", Scopes: []string{"openid"}}
		l.signsIn(near, 5)
		l.mirrors("ann", true)
		l.advance(2 * time.Minute)
		l.decided(far, provisioning.VerdictPermit, "")
		l.drain()
		l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, "")
		l.joins("ann", "any")
		l.drain()
		l.state("ann", provisioning.StateSuspended, provisioning.OutcomeUnchanged, "")
		if d, _ := l.signsIn(near, 5); d.Verdict != provisioning.VerdictPermit {
			l.Errorf("decision = %+v", d)
		}
		l.mirrors("ann", true)
	})
}

// overtaken is a ledger in which something happens before a run's result is written.
type overtaken struct {
	provisioning.Ledger
	by func()
}

// Finish implements provisioning.Ledger.
func (o overtaken) Finish(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	o.by()
	return o.Ledger.Finish(ctx, l, r)
}

// A denial that is no longer true when it is written takes nothing away.
func TestDenialThatIsOvertakenTakesNothingAway(t *testing.T) {
	near := request("ann")
	near.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
	for name, c := range map[string]struct {
		when string
		by   func(*lab)
	}{
		"by the group": {inStaff, func(l *lab) { l.joins("ann", "staff") }},
		"by a sign-in": {"'staff' in user.groups || " + ofNetwork, func(l *lab) { _, err := l.gate.Start(l.Context(), near); l.ok(err) }},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(l *lab) {
				l.rule(c.when, func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
				l.here("ann")
				id := l.account("ann").ExternalID
				l.advance(2 * time.Minute)
				l.joins("ann", "former")
				engine := l.engineOn(overtaken{l.Accounts, func() { c.by(l) }}, l.world)
				for _, lease := range l.claim("w") {
					l.ok(engine.Run(l.Context(), lease))
				}
				if a := l.account("ann"); a.Lost || a.Desired != provisioning.DesiredPresent {
					l.Errorf("account = %+v, want it wanted", a) // at this moment a refresh would be refused
				}
				if d, err := l.gate.Look(l.Context(), near); err != nil || d.Verdict != provisioning.VerdictWait {
					l.Errorf("decision = %+v, %v", d, err)
				}
				l.drain()
				l.mirrors("ann", true)
				if a := l.account("ann"); a.ExternalID != id || !a.Usable() {
					l.Errorf("account = %+v, want the one there was, %s, in sync", a, id)
				}
			})
		})
	}
}

// Once rules that gave no decision give one, whoever was held up by them goes on: at
// the next sign-in, and in the background.
func TestRulesThatAreMendedLetGoOn(t *testing.T) {
	for name, signsIn := range map[string]bool{"at a sign-in": true, "in the background": false} {
		for _, days := range []int{0, 8} {
			t.Run(fmt.Sprintf("%s after %d days", name, days), func(t *testing.T) {
				each(t, func(l *lab) {
					l.rule(noClaim, asIs)
					l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
					l.runDue()
					for range 24 * days {
						l.advance(time.Hour)
						l.runDue()
					}
					if a := l.account("ann"); a.Kind != "rules" || (a.State == provisioning.StateFailed) != (days > 7) {
						l.Fatalf("account = %+v", a)
					}
					_, err := l.RuleSets.Put(l.Context(), native("set", inStaff), l.Now())
					l.ok(err)
					if !signsIn {
						l.sweep(members{"app": {"ann"}})
						l.runDue()
					} else if d, _ := l.signsIn(request("ann"), 3); d.Verdict != provisioning.VerdictPermit {
						l.Errorf("decision = %+v", d)
					}
					l.mirrors("ann", true)
				})
			})
		}
	}
}

// A page that looks every second makes work due now and then, when the gate's rules
// and those of the work do not agree: nothing is done as often as it looks.
func TestLookingDoesNotAskWithoutEnd(t *testing.T) {
	each(t, func(l *lab) {
		l.rule("request.trigger == 'change'", func(b *provisioning.Binding) { b.Blocking = true })
		l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
		_, err := l.RuleSets.Put(l.Context(), native("set", ofNetwork), l.Now())
		l.ok(err)
		r := request("ann")
		r.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
		l.world.failing("create", provisioning.ErrTargetNotFound)
		l.signsIn(r, 2)
		_, err = l.db.Exec(l.Context(), "DELETE FROM decision")
		l.ok(err)
		l.advance(2 * time.Minute) // the leave is over, and what it was for is not known
		r.WaitingSince = l.Now()
		before, runs := l.account("ann").DesiredRev, 0
		for range 60 {
			runs += l.runDue()
			_, err := l.gate.Look(l.Context(), r)
			l.ok(err)
			l.advance(time.Second)
		}
		if bumps := l.account("ann").DesiredRev - before; bumps > 13 || runs > 14 || bumps == 0 {
			l.Errorf("60 looks made work due %d times, and it was done %d times", bumps, runs)
		}
	})
}

// An account that is lost while a sign-in waits for it is made again for whoever
// waits.
func TestSignInThatWaitsIsNotForgotten(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(ofNetwork, func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
		near, far := request("ann"), request("ann")
		near.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
		far.SignIn, far.Reference = "s2", "R-2"
		_, err := l.gate.Start(l.Context(), near)
		l.ok(err)
		near.WaitingSince = l.Now()
		l.decided(far, provisioning.VerdictPermit, "") // denied, and skipped
		l.drain()
		for range 8 {
			d, err := l.gate.Look(l.Context(), near)
			l.ok(err)
			if d.Verdict == provisioning.VerdictPermit {
				break
			}
			l.runDue()
			l.advance(time.Second)
		}
		l.mirrors("ann", true)
	})
}

// A refresh that ensures accounts gives the work it asks for the leave that a sign-in
// would.
func TestRefreshThatEnsuresGivesLeave(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(ofNetwork, func(b *provisioning.Binding) { b.OnRefresh = provisioning.RefreshEnsure })
		l.rule("request.ip == '' || "+ofNetwork, func(b *provisioning.Binding) { b.OnRefresh = provisioning.RefreshEnsure })
		l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
		l.drain()
		_, err := l.RuleSets.Put(l.Context(), native("set", ofNetwork), l.Now())
		l.ok(err)
		near := request("ann")
		near.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
		d := l.decided(near, provisioning.VerdictPermit, "") // in sync: no work, and nothing to remember
		l.joins("ann", "any")
		l.drain()
		l.state("ann", provisioning.StateInSync, provisioning.OutcomeSkipped, "")
		refresh := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantRefresh, Earlier: d.ID}
		if d, err := l.gate.Start(l.Context(), refresh); err != nil || d.Verdict != provisioning.VerdictWait {
			l.Errorf("decision = %+v, %v", d, err)
		}
		l.drain()
		l.decided(refresh, provisioning.VerdictPermit, "")
		l.mirrors("ann", true)
	})
}
