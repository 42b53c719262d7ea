package provisioning

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// fixed is a rule set that always says the same.
type fixed struct {
	decision  rules.Decision
	otherwise rules.Decision
	obliges   bool
}

func (f fixed) Decide(*rules.Request) rules.Result {
	out := rules.Result{Decision: f.decision, Rule: "r"}
	if f.obliges {
		out.Obligations = []rules.Obligation{{ID: "urn:example:notify"}}
	}
	return out
}
func (f fixed) Uses() []rules.Attribute { return nil }
func (f fixed) Default() rules.Decision { return f.otherwise }
func (f fixed) Zone() *time.Location    { return time.UTC }
func (f fixed) Explain(r *rules.Request, _ func(rules.Attribute) bool) rules.Explanation {
	return rules.Explanation{Result: f.Decide(r)}
}

func TestRuleSetsAreJoined(t *testing.T) {
	const permit, deny, none = rules.Permit, rules.Deny, rules.NotApplicable
	for _, c := range []struct {
		name string
		sets []fixed
		want RuleOutcome
	}{
		{"no set", nil, RuleError},
		{"permit", []fixed{{decision: permit}}, RulePermit},
		{"deny", []fixed{{decision: deny}}, RuleDeny},
		{"one that denies denies", []fixed{{decision: permit}, {decision: deny}}, RuleDeny},
		{"an error is no permit", []fixed{{decision: permit}, {decision: rules.IndeterminateDP}}, RuleError},
		{"an error that could have denied", []fixed{{decision: permit}, {decision: rules.IndeterminateD}}, RuleError},
		{"an error that could only have denied, alone", []fixed{{decision: rules.IndeterminateD}}, RuleDeny},
		{"an error that could have permitted", []fixed{{decision: rules.IndeterminateP}}, RuleError},
		{"an error beside a denial", []fixed{{decision: rules.IndeterminateDP}, {decision: deny}}, RuleDeny},
		{"one does not apply", []fixed{{decision: none, otherwise: deny}, {decision: permit}}, RulePermit},
		{"default deny", []fixed{{decision: none, otherwise: deny}}, RuleDeny},
		{"default permit", []fixed{{decision: none, otherwise: permit}}, RulePermit},
		{"defaults differ", []fixed{{decision: none, otherwise: permit}, {decision: none, otherwise: deny}}, RuleDeny},
		{"no default", []fixed{{decision: none}}, RuleDeny},
		{"an obligation nobody knows", []fixed{{decision: permit, obliges: true}}, RuleError},
		{"an obligation with a denial", []fixed{{decision: deny, obliges: true}}, RuleDeny},
	} {
		var sets []namedSet
		for _, s := range c.sets {
			sets = append(sets, namedSet{name: "s", revision: 1, set: s})
		}
		if got := judgeRules(sets, &rules.Request{}); got.outcome != c.want || len(got.traces) != len(c.sets) {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}
