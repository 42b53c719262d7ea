package provisioning_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

func (l *lab) simulator() *provisioning.Simulator {
	return provisioning.NewSimulator(provisioning.SimulatorOptions{
		Ledger: struct {
			*store.Accounts
			*store.Bindings
		}{l.Accounts, l.Bindings}, Reservations: l.Accounts, SignIns: l.Decisions, Rules: l.rules, Store: l.Targets, Targets: l.world,
		DigestKey: make([]byte, 32), Now: l.Now,
	})
}

// simulate simulates a sign-in of ann, and sees to it that nothing came of it: not a
// row, and in the target nothing but reads.
func (l *lab) simulate(edit func(*provisioning.Scenario)) provisioning.Simulation {
	l.Helper()
	scenario := provisioning.Scenario{Client: "app", User: "ann", Compare: true}
	edit(&scenario)
	before := sqldbtest.Dump(l, l.db)
	l.world.took()
	out, err := l.simulator().Simulate(l.Context(), scenario)
	l.ok(err)
	if diff := cmp.Diff(before, sqldbtest.Dump(l, l.db)); diff != "" {
		l.Errorf("a simulation wrote (-before +after):\n%s", diff)
	}
	for verb := range l.world.took() {
		if verb != "get" && verb != "lookup" {
			l.Errorf("a simulation called %s", verb)
		}
	}
	return out
}

func whatever(*provisioning.Scenario) {}

// situations are what may be the case before a sign-in, with what bringing the account
// in sync then does.
func situations() map[string]struct {
	arrange func(l *lab)
	want    provisioning.SyncAction
} {
	type situation = struct {
		arrange func(l *lab)
		want    provisioning.SyncAction
	}
	behind := func(l *lab, do func(*sdk.Account)) {
		l.here("ann")
		do(l.world.accounts[l.account("ann").ExternalID])
	}
	return map[string]situation{
		"nobody is there": {func(*lab) {}, provisioning.SyncCreate},
		"in sync":         {func(l *lab) { l.here("ann") }, provisioning.SyncNothing},
		"changed": {func(l *lab) {
			l.here("ann")
			l.people.edit("ann", func(p *provisioning.Profile) { p.Email, p.Groups = "new@example.com", nil })
			l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		}, provisioning.SyncUpdate},
		"drifted":                     {func(l *lab) { behind(l, func(a *sdk.Account) { a.Attributes["email"] = "x@example.com" }) }, provisioning.SyncUpdate},
		"deactivated behind our back": {func(l *lab) { behind(l, func(a *sdk.Account) { *a.Active = false }) }, provisioning.SyncUpdate},
		"gone":                        {func(l *lab) { behind(l, func(a *sdk.Account) { delete(l.world.accounts, a.ID) }) }, provisioning.SyncCreate},
		"unclaimed":                   {func(l *lab) { l.world.plant(sdk.Attributes{"login": "Ann", "email": "ann@example.com"}, false) }, provisioning.SyncAdopt},
		"another's":                   {func(l *lab) { l.world.plant(sdk.Attributes{"login": "ann", "owner": "ben"}, true) }, provisioning.SyncConflict},
		"twice": {func(l *lab) {
			l.world.plant(sdk.Attributes{"login": "ann"}, true)
			l.world.plant(sdk.Attributes{"login": "ANN"}, true)
		}, provisioning.SyncConflict},
		"refused":         {func(l *lab) { l.world.failing("lookup", &sdk.Error{Kind: sdk.KindForbidden, Message: "no"}) }, provisioning.SyncFail},
		"without a login": {func(l *lab) { l.people.edit("ann", func(p *provisioning.Profile) { p.Login = "" }) }, provisioning.SyncFail},
		"answer lost": {func(l *lab) {
			l.world.losing("create", &sdk.Error{Kind: sdk.KindOutcomeUnknown, Effect: sdk.EffectUnknown})
			l.world.failing("lookup", nil)
			l.start("ann")
			l.runDue()
			l.world.mend()
		}, provisioning.SyncNothing},
		"disabled": {func(l *lab) {
			l.here("ann")
			l.people.edit("ann", func(p *provisioning.Profile) { p.Active = false })
		}, provisioning.SyncSuspend},
		"unique": {func(l *lab) {
			unique(l)
			l.namesake("ben")
			_, err := l.gate.Start(l.Context(), request("ben"))
			l.ok(err)
			l.drain()
			l.world.plant(sdk.Attributes{"login": "ada2"}, true)
		}, provisioning.SyncCreate},
		"unique and ours": {func(l *lab) {
			unique(l)
			l.world.plant(sdk.Attributes{"login": "ada", "owner": "ann", "email": "ann@example.com"}, true)
		}, provisioning.SyncAdopt},
		"in groups": {func(l *lab) {
			l.target(func(x *provisioning.Target) { x.Groups = map[string][]string{"staff": {"all"}} })
			l.here("ann")
			l.target(func(x *provisioning.Target) { x.Groups = map[string][]string{"staff": {"all", "more"}} })
		}, provisioning.SyncUpdate},
	}
}

// unique gives accounts logins that no other has, after the given name.
func unique(l *lab) {
	l.target(func(x *provisioning.Target) {
		x.Mapping = []provisioning.AttributeMapping{
			{Attribute: "login", Unique: &provisioning.Unique{Candidates: []string{"user.given_name.slug()"}, Suffix: &provisioning.Suffix{Start: 2, Max: 9}}},
			{Attribute: "email", Source: "user.email"},
		}
	})
	l.namesake("ann")
}

// What a simulation says is what the engine then does.
func TestSimulationComesTrue(t *testing.T) {
	for name, s := range situations() {
		t.Run(name, func(t *testing.T) {
			each(t, func(l *lab) {
				s.arrange(l)
				said := l.simulate(whatever).Bindings[0].Sync
				if said.Action != s.want {
					l.Errorf("sync = %+v, want %s", said, s.want)
				}
				l.comesTrue(*said)
			})
		})
	}
}

// comesTrue has the account brought in sync, from what the target has, and compares.
func (l *lab) comesTrue(said provisioning.Sync) {
	l.Helper()
	if _, err := l.gate.Start(l.Context(), request("ann")); err != nil {
		l.Fatal(err)
	}
	_, err := l.Accounts.Retry(l.Context(), "ann", []provisioning.TargetName{"dir"}, l.Now())
	l.ok(err)
	l.runDue()
	a := l.account("ann")
	done := provisioning.Attempt{Kind: a.Kind} // what fails before the first call is no attempt
	if all := l.attempts("ann"); len(all) > 0 {
		done = all[0]
	}
	outcomes := map[provisioning.SyncAction][]provisioning.Outcome{
		provisioning.SyncCreate: {provisioning.OutcomeCreated}, provisioning.SyncAdopt: {provisioning.OutcomeAdopted},
		provisioning.SyncUpdate:  {provisioning.OutcomeUpdated, provisioning.OutcomeReactivated},
		provisioning.SyncNothing: {provisioning.OutcomeUnchanged}, provisioning.SyncSuspend: {provisioning.OutcomeSuspended},
		provisioning.SyncConflict: {""}, provisioning.SyncFail: {""},
	}
	if !slices.Contains(outcomes[said.Action], done.Outcome) || done.Kind != said.Kind {
		l.Errorf("it was %q (%s: %s), and was said to be %+v", done.Outcome, done.Kind, done.Detail, said)
	}
	var changes []string
	for _, c := range said.Changes {
		changes = append(changes, c.Attribute)
	}
	if said.Groups != nil {
		changes = append(changes, "groups")
	}
	if !slices.Equal(changes, done.Changed) {
		l.Errorf("sent %v, and was said to be %v", done.Changed, changes)
	}
	if said.ExternalID != "" && a.ExternalID != said.ExternalID {
		l.Errorf("it is %s, and was said to be %s", a.ExternalID, said.ExternalID)
	}
	var asked, called []string
	for _, c := range said.Calls {
		asked = append(asked, c.Verb+c.Key+c.Result)
	}
	for _, c := range done.Calls[:min(len(asked), len(done.Calls))] {
		called = append(called, c.Verb+c.Key+c.Result)
	}
	if !slices.Equal(asked, called) {
		l.Errorf("the engine called %v where the simulation called %v", called, asked)
	}
}

// The gate's answer is the one a sign-in gets.
func TestSimulationSaysWhatTheGateWould(t *testing.T) {
	l := liteLab(t)
	for _, when := range []string{inStaff, "false", noClaim} {
		for bits := range 8 {
			l.rule(when, func(b *provisioning.Binding) {
				b.Blocking, b.JITOutbound, b.EnableRules = bits&1 > 0, bits&2 > 0, bits&4 > 0
				b.OnRuleDeny = provisioning.RuleRefuse
			})
			said := l.simulate(whatever)
			d, err := l.gate.Look(t.Context(), request("ann"))
			l.ok(err)
			gate := *said.Bindings[0].Gate
			for _, s := range said.Bindings[0].Rules.Sets {
				gate.Rules = append(gate.Rules, s.RuleTrace)
			}
			if diff := cmp.Diff(d.Findings[0], gate); diff != "" || said.Verdict != d.Verdict || said.Failure != d.Failure {
				t.Errorf("%s, %b: %s %v, want %s %v (-gate +simulation):\n%s", when, bits, said.Verdict, said.Failure, d.Verdict, d.Failure, diff)
			}
		}
	}
}

func TestSimulatedRulesSayWhy(t *testing.T) {
	l := liteLab(t)
	l.rule(inStaff+" && "+inHours+" && request.trigger == 'simulate' && request.operation == 'update'", asIs)
	edit := func(s *provisioning.Scenario) {
		s.At, s.Operation = time.Date(2026, 1, 5, 22, 0, 0, 0, time.UTC), rules.OperationUpdate
	}
	said := l.simulate(edit).Bindings[0]
	if said.Rules.Outcome != provisioning.RuleDeny || said.Rules.Operation != rules.OperationUpdate || said.Sync.Action != provisioning.SyncSkip {
		t.Errorf("said %+v, %+v", said.Rules, said.Sync)
	}
	set := said.Rules.Sets[0]
	if text := set.Explanation.Text(); set.Set != "set" || set.Revision != 1 || !strings.Contains(text, `env.between("09:00", "17:00") is false`) {
		t.Errorf("%+v:\n%s", set.RuleTrace, text)
	}
	l.rule("user.email == 'x' && env.hour == 0", asIs)
	hidden := l.simulate(edit).Bindings[0].Rules.Sets[0].Explanation.Text()
	if !strings.Contains(hidden, "user.email = "+rules.Hidden) || !strings.Contains(hidden, "env.hour = 22") {
		t.Errorf("without values:\n%s", hidden)
	}
	shown := l.simulate(func(s *provisioning.Scenario) { edit(s); s.ShowValues = true }).Bindings[0].Rules.Sets[0].Explanation.Text()
	if !strings.Contains(shown, `user.email = "ann@example.com"`) {
		t.Errorf("with values:\n%s", shown)
	}
}

func TestValuesAreHiddenInASimulation(t *testing.T) {
	l := liteLab(t)
	l.target(func(x *provisioning.Target) { x.Groups = map[string][]string{"staff": {"all"}} })
	l.world.plant(sdk.Attributes{"login": "ann", "email": "old@example.com"}, true)
	said := l.simulate(whatever).Bindings[0]
	for _, m := range said.Mapping {
		if m.Value != nil {
			t.Errorf("%s has the value %v", m.Attribute, m.Value)
		}
	}
	for _, c := range said.Sync.Changes {
		if c.Has != nil || c.Gets != nil {
			t.Errorf("change %+v has a value", c)
		}
	}
	if g := said.Sync.Groups; g == nil || g.Count != 1 || g.Names != nil {
		t.Errorf("groups = %+v", g)
	}
	shown := l.simulate(func(s *provisioning.Scenario) { s.ShowValues = true }).Bindings[0]
	want := provisioning.AttributeChange{Attribute: "email", Read: true, Has: "old@example.com", Gets: "ann@example.com"}
	if !slices.Contains(shown.Sync.Changes, want) || !slices.Equal(shown.Sync.Groups.Names, []string{"all"}) {
		t.Errorf("sync = %+v", shown.Sync)
	}
}

// A unique value is the one that is free now, in our database and in the target; it is
// reserved for nobody. Values that the connector calls secret are never shown.
func TestSimulatedNames(t *testing.T) {
	each(t, func(l *lab) {
		unique(l)
		for i, a := range l.world.declared {
			l.world.declared[i].Secret = a.Name == "email"
		}
		l.namesake("ben")
		l.here("ben")
		l.world.plant(sdk.Attributes{"login": "ada2"}, true)
		said := l.simulate(func(s *provisioning.Scenario) { s.ShowValues = true }).Bindings[0]
		for _, want := range []provisioning.AttributeChange{
			{Attribute: "login", Gets: "ada3", WouldBe: true}, {Attribute: "email", Hidden: true}, {Attribute: "owner", Gets: "ann"},
		} {
			if !slices.Contains(said.Sync.Changes, want) {
				l.Errorf("changes = %+v, want %+v", said.Sync.Changes, want)
			}
		}
		for _, m := range said.Mapping {
			if m.Attribute == "login" && (m.Value != "ada3" || !m.WouldBe) || m.Attribute == "email" && (m.Value != nil || !m.Hidden) {
				l.Errorf("mapping = %+v", m)
			}
		}
		if names := l.reserved("ann"); len(names) != 0 {
			l.Errorf("reserved for ann: %v", names)
		}
	})
}

// A draft is asked in place of the set of its name, or of all, also where no rules are
// enabled; and what it stands for has to be there.
func TestDraftIsAsked(t *testing.T) {
	l := liteLab(t)
	draft := func(name, when string) *provisioning.Draft {
		d, err := l.rules.Draft(native(name, when))
		l.ok(err)
		return d
	}
	with := func(d *provisioning.Draft) provisioning.SimulatedRules {
		return l.simulate(func(s *provisioning.Scenario) { s.Draft = d }).Bindings[0].Rules
	}
	if r := with(nil); r.Outcome != provisioning.RuleNone || r.Supposed || len(r.Sets) != 0 {
		t.Errorf("no rules: %+v", r)
	}
	if r := with(draft("", inStaff)); r.Outcome != provisioning.RulePermit || !r.Supposed || !r.Sets[0].Draft {
		t.Errorf("a draft where rules are off: %+v", r)
	}
	_, err := l.RuleSets.Put(t.Context(), native("other", inStaff), l.Now())
	l.ok(err)
	l.rule(inStaff, func(b *provisioning.Binding) { b.RuleSets = []string{"set", "other"} })
	r := with(draft("set", "false"))
	var got []string
	for _, s := range r.Sets {
		got = append(got, s.Set+" "+s.Decision+map[bool]string{true: " draft"}[s.Draft])
	}
	if want := []string{"set NotApplicable draft", "other Permit"}; !slices.Equal(got, want) || r.Outcome != provisioning.RulePermit || r.Supposed {
		t.Errorf("a draft of one of two: %v %+v, want %v", got, r.Outcome, want)
	}
	if r := with(draft("", "false")); r.Outcome != provisioning.RuleDeny || len(r.Sets) != 1 {
		t.Errorf("a draft of both: %+v", r)
	}
}

// Somebody who is not there yet has no account, whoever has their login.
func TestSimulationOfSomebodyNew(t *testing.T) {
	l := liteLab(t)
	l.rule(inStaff, asIs)
	l.here("ann")
	said := l.simulate(func(s *provisioning.Scenario) {
		s.User, s.ShowValues = "", true
		s.Profile = &provisioning.Profile{ID: "new", Login: "eve", Active: true, Groups: []string{"staff"}}
	})
	if said.Verdict != provisioning.VerdictWait || said.Login != "eve" || said.Bindings[0].Sync.Action != provisioning.SyncCreate {
		t.Errorf("said %+v, %+v", said, said.Bindings[0].Sync)
	}
	taken := l.simulate(func(s *provisioning.Scenario) {
		s.User, s.Profile = "", &provisioning.Profile{ID: "new", Login: "ann", Active: true, Groups: []string{"staff"}}
	}).Bindings[0].Sync
	if taken.Action != provisioning.SyncConflict {
		t.Errorf("somebody with ann's login: %+v", taken)
	}
}

func TestSimulationRefuses(t *testing.T) {
	l := liteLab(t)
	draft, err := l.rules.Draft(native("nowhere", "true"))
	l.ok(err)
	for name, c := range map[string]struct {
		scenario provisioning.Scenario
		want     error
	}{
		"user":   {provisioning.Scenario{Client: "app", User: "none"}, provisioning.ErrUserNotFound},
		"client": {provisioning.Scenario{Client: "none", User: "ann"}, provisioning.ErrBindingNotFound},
		"target": {provisioning.Scenario{Client: "app", User: "ann", Target: "none"}, provisioning.ErrBindingNotFound},
		"draft":  {provisioning.Scenario{Client: "app", User: "ann", Draft: draft}, provisioning.ErrDraftUnused},
	} {
		if _, err := l.simulator().Simulate(t.Context(), c.scenario); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
