package provisioning_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Conditions of the tests' rules.
const (
	inStaff   = "'staff' in user.groups"
	inHours   = "env.between('09:00', '17:00')"
	noClaim   = "'x' in user.claims['none']" // an error: there is no such claim
	ofNetwork = "request.ip == '192.0.2.7' && 'openid' in request.scopes"
)

// native is a rule set with one rule that permits.
func native(name, when string) rules.RuleSet {
	return rules.RuleSet{Name: name, Language: rules.LanguageCEL, Source: fmt.Sprintf("rules:\n  - {id: only, effect: permit, when: %q}\n", when)}
}

// rule has the binding ask one rule set.
func (l *lab) rule(when string, edit func(*provisioning.Binding)) {
	l.Helper()
	_, err := l.RuleSets.Put(l.Context(), native("set", when), l.Now())
	l.ok(err)
	l.bind(func(b *provisioning.Binding) {
		b.EnableRules, b.RuleSets = true, []string{"set"}
		edit(b)
	})
	l.sweep(members{})
}

func asIs(*provisioning.Binding) {}

// Every answer of rules with every policy, blocking and not: what the gate says,
// and whether there is an account in the end.
func TestRulesAtTheGate(t *testing.T) {
	l := liteLab(t)
	policies := []provisioning.RulePolicy{provisioning.RuleSkip, provisioning.RuleRefuse}
	for name, when := range map[string]string{"permit": inStaff, "deny": "false", "error": noClaim} {
		for i := range 8 {
			blocking, onDeny, onError := i&1 > 0, policies[i>>1&1], policies[i>>2]
			user := provisioning.UserID(fmt.Sprintf("%s-%d", name, i))
			l.person(user)
			l.rule(when, func(b *provisioning.Binding) { b.Blocking, b.OnRuleDeny, b.OnRuleError = blocking, onDeny, onError })
			l.here(user)
			refused := blocking && (name == "deny" && onDeny == provisioning.RuleRefuse || name == "error" && onError == provisioning.RuleRefuse)
			verdict, failure := provisioning.VerdictPermit, provisioning.FailureCode("")
			if refused {
				verdict, failure = provisioning.VerdictDeny, provisioning.FailureRefused
			}
			d := l.decided(request(user), verdict, failure)
			if got := l.world.of(user); (len(got) == 1) != (name == "permit") {
				t.Errorf("%s: the target has %+v", user, got)
			}
			if f := d.Findings[0]; string(f.Rule) != name || len(f.Rules) != 1 || f.Rules[0].Set != "set" || f.Rules[0].Revision == 0 {
				t.Errorf("%s: finding %+v does not say what rules said", user, f)
			}
		}
	}
}

// A sign-in's leave holds for a minute. Work that is later asks again, without a
// call of the target when rules say no.
func TestRulesAreAskedAgainWhenWorkIsLate(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(inHours, func(b *provisioning.Binding) { b.OnRuleDeny = provisioning.RuleRefuse })
		l.advance(5*time.Hour - 30*time.Second) // the epoch is at noon
		l.person("ben")
		l.start("ann")
		l.advance(59 * time.Second)
		l.drain()
		l.mirrors("ann", true)
		l.calls(map[string]int{"lookup": 2, "create": 1})
		l.advance(-time.Minute)
		l.start("ben")
		l.advance(2 * time.Minute)
		l.drain()
		a := l.state("ben", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
		if !strings.Contains(a.Detail, "rule set set revision 1: NotApplicable") {
			l.Errorf("detail = %q, want what the set said", a.Detail)
		}
		l.calls(map[string]int{})
		want := []provisioning.Call{{Verb: "rules", Result: "deny", Detail: a.Detail}}
		if diff := cmp.Diff(want, l.attempts("ben")[0].Calls); diff != "" {
			l.Errorf("the record of the attempt (-want +got):\n%s", diff)
		}
		l.decided(request("ben"), provisioning.VerdictDeny, provisioning.FailureRefused)
		l.advance(16 * time.Hour) // the next morning
		if d := l.start("ben"); d.Verdict != provisioning.VerdictWait || d.Findings[0].Reason != "rules permit it now" {
			l.Errorf("decision = %+v, want to wait for the account", d)
		}
		l.drain()
		l.mirrors("ben", true)
		l.decided(request("ben"), provisioning.VerdictPermit, "")
	})
}

// A change of the user ends the leave that a sign-in had.
func TestChangeEndsTheLeave(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(inStaff, asIs)
		l.start("ann")
		l.people.edit("ann", func(p *provisioning.Profile) { p.Groups = nil })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.runDue()
		l.state("ann", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
		l.calls(map[string]int{})
	})
}

// Whoever registers, or joins a group later, gets the account as soon as the rules
// permit it, without a sign-in.
func TestRulesOnTheWayOfALife(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(inStaff, func(b *provisioning.Binding) { b.Blocking, b.JITOutbound = false, false })
		l.people.edit("ann", func(p *provisioning.Profile) { p.Groups = nil })
		l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
		l.drain()
		l.state("ann", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
		l.people.edit("ann", func(p *provisioning.Profile) { p.Groups = []string{"staff"} })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.drain()
		l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
		l.mirrors("ann", true)
	})
}

// A change of the rules reaches those who belong to the application.
func TestRulesThatChangeAreAskedAnew(t *testing.T) {
	each(t, func(l *lab) {
		l.rule("false", asIs)
		l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
		l.drain()
		l.state("ann", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
		_, err := l.RuleSets.Put(l.Context(), native("set", inStaff), l.Now())
		l.ok(err)
		l.sweep(members{"app": {"ann"}})
		l.drain()
		l.mirrors("ann", true)
	})
}

// An account that rules no longer grant is no longer changed, and ends as the
// binding's policy says.
func TestRulesNoLongerGrant(t *testing.T) {
	for _, policy := range []provisioning.LossPolicy{provisioning.LossKeep, provisioning.LossSuspend, provisioning.LossDelete} {
		t.Run(string(policy), func(t *testing.T) {
			each(t, func(l *lab) {
				l.rule("user.email != 'new@example.com'", func(b *provisioning.Binding) { b.OnLoss = policy })
				l.here("ann")
				before := l.world.of("ann")
				l.advance(2 * time.Minute)
				l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
				l.ok(l.lifecycle.Changed(l.Context(), "ann"))
				l.drain()
				switch after := l.world.of("ann"); policy {
				case provisioning.LossKeep:
					l.state("ann", provisioning.StateInSync, provisioning.OutcomeSkipped, "")
					if diff := cmp.Diff(before, after); diff != "" {
						l.Errorf("the account changed although no rule granted that (-want +got):\n%s", diff)
					}
				case provisioning.LossSuspend:
					if l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, ""); *after[0].Active {
						l.Error("the account is active")
					}
				case provisioning.LossDelete:
					if l.state("ann", provisioning.StateAbsent, provisioning.OutcomeDeleted, ""); len(after) != 0 {
						l.Errorf("left of ann: %+v", after)
					}
				}
				l.decided(request("ann"), provisioning.VerdictPermit, "") // deny is skip
			})
		})
	}
}

// What is taken away from an account needs no leave.
func TestRulesDoNotStopLeavers(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(inStaff, asIs)
		l.here("ann")
		l.rule("false", asIs)
		l.advance(2 * time.Minute)
		l.people.edit("ann", func(p *provisioning.Profile) { p.Active = false })
		l.ok(l.lifecycle.Disabled(l.Context(), "ann"))
		l.drain()
		l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, "")
	})
}

// Rules see what is known of the sign-in: at the gate, when its work is done, and
// at the grants after it.
func TestRulesSeeTheSignIn(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(ofNetwork, func(b *provisioning.Binding) { b.OnRuleDeny = provisioning.RuleRefuse })
		l.ok(l.lifecycle.Registered(l.Context(), "ann", "app")) // nobody signs in here
		l.runDue()
		l.state("ann", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
		r := request("ann")
		r.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}, AuthTime: l.Now()}
		_, err := l.gate.Start(l.Context(), r)
		l.ok(err)
		l.advance(10 * time.Minute) // later than the leave
		l.drain()
		l.mirrors("ann", true)
		d := l.decided(r, provisioning.VerdictPermit, "")
		code := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantCode, Earlier: d.ID}
		second := l.decided(code, provisioning.VerdictPermit, "")
		refresh := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantRefresh, Earlier: second.ID}
		l.decided(refresh, provisioning.VerdictPermit, "")
		refresh.Earlier = "gone"
		l.decided(refresh, provisioning.VerdictDeny, provisioning.FailureRefused)
	})
}

// A sign-in that is permitted while the background asks about the same account,
// and is told no there, is not stuck.
func TestSignInOvertakesWhatRulesRefused(t *testing.T) {
	l := liteLab(t)
	l.rule(ofNetwork, asIs)
	l.ok(l.lifecycle.Registered(t.Context(), "ann", "app"))
	leases := l.claim("w")
	r := request("ann")
	r.Facts = provisioning.Facts{IP: "192.0.2.7", Scopes: []string{"openid"}}
	_, err := l.gate.Start(t.Context(), r)
	l.ok(err)
	l.ok(l.engine.Run(t.Context(), leases[0])) // claimed before the leave was there
	l.state("ann", provisioning.StatePending, provisioning.OutcomeSkipped, "")
	if d, err := l.gate.Look(t.Context(), r); err != nil || d.Verdict != provisioning.VerdictWait {
		t.Fatalf("decision = %+v, %v", d, err)
	}
	l.drain()
	l.mirrors("ann", true)
}

// Work about which rules give no decision is tried again, and says nothing about
// the target.
func TestRulesWithoutADecision(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(noClaim, asIs)
		for i := range 8 { // more than open the breaker
			user := provisioning.UserID(fmt.Sprintf("u%d", i))
			l.person(user)
			l.ok(l.lifecycle.Registered(l.Context(), user, "app"))
		}
		l.runDue()
		a := l.state("u7", provisioning.StateRetrying, "", "rules")
		if !strings.Contains(a.Detail, `rule "only": there is no such key`) {
			l.Errorf("detail = %q", a.Detail)
		}
		l.calls(map[string]int{})
		if state, err := l.Health.Get(l.Context(), "dir"); err != nil || state.Health.Failures != 0 || state.Health.Open() {
			l.Errorf("the target's health is %+v, %v", state, err)
		}
		l.people.edit("u7", func(p *provisioning.Profile) { p.Claims = map[string][]string{"none": {"x"}} })
		l.ok(l.lifecycle.Changed(l.Context(), "u7"))
		l.runDue()
		l.mirrors("u7", true)
		l.rule(noClaim, func(b *provisioning.Binding) { b.OnRuleError = provisioning.RuleSkip })
		l.advance(time.Hour)
		l.runDue()
		l.state("u6", provisioning.StateAbsent, provisioning.OutcomeSkipped, "")
	})
}

// A binding that only reports records what rules say and goes on as if they had
// permitted.
func TestRulesOnlyReported(t *testing.T) {
	for _, blocking := range []bool{true, false} {
		l := liteLab(t)
		l.rule("false", func(b *provisioning.Binding) {
			b.ReportOnly, b.Blocking, b.OnRuleDeny, b.OnLoss = true, blocking, provisioning.RuleRefuse, provisioning.LossDelete
		})
		l.start("ann")
		l.advance(5 * time.Minute)
		l.drain()
		l.mirrors("ann", true)
		d := l.decided(request("ann"), provisioning.VerdictPermit, "")
		if f := d.Findings[0]; f.Rule != provisioning.RuleDeny || (f.Would == provisioning.VerdictDeny) != blocking {
			t.Errorf("finding = %+v, want that rules deny", f)
		}
		l.drain()
		l.mirrors("ann", true)
	}
}

// Without a rule set, with one that is gone or does not compile, nobody gets in.
func TestRulesThatCannotBeAsked(t *testing.T) {
	l := liteLab(t)
	l.rule(inStaff, asIs)
	broken := native("set", inStaff)
	broken.Source = "rules: 1"
	for name, spoil := range map[string]func(){
		"none":   func() { l.bind(func(b *provisioning.Binding) { b.EnableRules = true }) },
		"broken": func() { l.rule("true", asIs); _, err := l.RuleSets.Put(t.Context(), broken, l.Now()); l.ok(err) },
		"gone": func() {
			l.rule("true", asIs)
			_, err := l.db.Exec(t.Context(), "UPDATE rule_set SET deleted = TRUE WHERE name = 'set'")
			l.ok(err)
		},
	} {
		spoil()
		user := provisioning.UserID("user-" + name)
		l.person(user)
		d := l.start(user)
		if d.Verdict != provisioning.VerdictDeny || d.Findings[0].Rule != provisioning.RuleError || d.Failure.Text != provisioning.TextRules {
			t.Errorf("%s: decision = %+v, want a refusal", name, d)
		}
		l.ok(l.lifecycle.Registered(t.Context(), user, "app"))
		l.runDue()
		l.state(user, provisioning.StateRetrying, "", "rules")
		l.calls(map[string]int{})
	}
}

// A sign-in is asked about what it set out to do: a rule for those who have no
// account does not refuse whom it just gave one.
func TestRulesForTheFirstSignIn(t *testing.T) {
	each(t, func(l *lab) {
		l.rule("!account.linked && request.operation == 'create'", func(b *provisioning.Binding) { b.OnRuleDeny = provisioning.RuleRefuse })
		r := request("ann")
		r.WaitingSince = l.Now()
		_, err := l.gate.Start(l.Context(), r)
		l.ok(err)
		l.advance(time.Second)
		l.drain()
		d := l.decided(r, provisioning.VerdictPermit, "")
		l.advance(time.Hour)
		for _, grant := range []provisioning.Grant{provisioning.GrantCode, provisioning.GrantRefresh} {
			d = l.decided(provisioning.Request{Client: "app", User: "ann", Grant: grant, Earlier: d.ID}, provisioning.VerdictPermit, "")
		}
		l.decided(request("ann"), provisioning.VerdictDeny, provisioning.FailureRefused) // the second has an account
		l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.drain()
		l.state("ann", provisioning.StateInSync, provisioning.OutcomeSkipped, "") // an update, whoever asked first
	})
}
