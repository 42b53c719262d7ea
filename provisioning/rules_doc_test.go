package provisioning

import (
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// saying is what the rule sets of a binding can say, under its name in the table.
type saying struct {
	name string
	sets []namedSet
}

func sayings() []saying {
	says := func(f fixed) []namedSet { return []namedSet{{name: "set", revision: 1, set: f}} }
	plain := func(d rules.Decision) []namedSet { return says(fixed{decision: d, otherwise: rules.Deny}) }
	return []saying{
		{"Permit", plain(rules.Permit)},
		{"Deny", plain(rules.Deny)},
		{"NotApplicable, `default_decision: deny`", plain(rules.NotApplicable)},
		{"NotApplicable, `default_decision: permit`", says(fixed{decision: rules.NotApplicable, otherwise: rules.Permit})},
		{"Indeterminate{D}", plain(rules.IndeterminateD)},
		{"Indeterminate{P}", plain(rules.IndeterminateP)},
		{"Indeterminate{DP}", plain(rules.IndeterminateDP)},
		{"Permit with an obligation", says(fixed{decision: rules.Permit, otherwise: rules.Deny, obliges: true})},
		{"what takes too many steps", plain(rules.IndeterminateP)},
		{"no rule set is named", nil},
		{"the rule set is gone", []namedSet{{name: "set", problem: "there is no such rule set"}}},
		{"the rule set does not compile", []namedSet{{name: "set", revision: 1, problem: "1:1: a mistake"}}},
	}
}

// received is the table of what an application receives of a person who has no
// account yet, for everything that rule sets can say.
func received() string {
	var b strings.Builder
	b.WriteString("| the rule sets say | which is | blocking, policy `skip` | blocking, policy `refuse` | not blocking | `report_only: true` |\n|---|---|---|---|---|---|\n")
	for _, said := range sayings() {
		outcome := judgeRules(said.sets, &rules.Request{}).outcome
		at := func(edit func(*Binding)) string {
			s := Standing{Binding: NewBinding("app", "dir"), Rule: outcome}
			s.Binding.EnableRules = true
			edit(&s.Binding)
			return outward(judge(s, Request{Client: "app", User: "ann", Grant: GrantAuthorize}, noon))
		}
		policy := func(p RulePolicy) string {
			return at(func(b *Binding) { b.Blocking, b.OnRuleDeny, b.OnRuleError = true, p, p })
		}
		reported := func(b *Binding) { b.Blocking, b.ReportOnly, b.OnRuleDeny = true, true, RuleRefuse }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", said.name, outcome, policy(RuleSkip), policy(RuleRefuse), at(func(*Binding) {}), at(reported))
	}
	return b.String()
}

// outward is a ruling as the person and the application see it.
func outward(out ruling) string {
	account := map[work]string{workNone: "no account", workWant: "account"}[out.work]
	switch out.Verdict {
	case VerdictWait:
		return account + ", code"
	case VerdictPermit:
		return "code, " + account
	default:
		told := map[FailureCode]string{FailureRefused: "access_denied", FailureUnavailable: "temporarily_unavailable", FailureInternal: "server_error"}
		return fmt.Sprintf("page `%s`, `%s`, %s", out.Text, told[out.Failure], account)
	}
}
