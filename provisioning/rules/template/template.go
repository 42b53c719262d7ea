package template

import (
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Template makes rule sets of one form.
type Template struct {
	Name       string
	Help       string
	Parameters []Parameter

	build func(Values) []rule
}

// rule is one rule of what a template makes. The first that applies decides.
type rule struct {
	id     string
	effect string // permit or deny
	create bool   // for that operation alone
	when   term
}

// Render makes the rule set of the given answers, without a name. The error is
// [Problems] when an answer is wrong; another one says that the language cannot
// express it.
func (t Template) Render(l rules.Language, given Values) (out rules.RuleSet, err error) {
	values, problems := t.complete(given)
	if len(problems) > 0 {
		return out, problems
	}
	switch out.Language = l; l {
	case rules.LanguageCEL:
		out.Source = t.cel(values)
	case rules.LanguageXACML:
		if zone := values["timezone"]; len(zone) == 1 {
			out.Timezone = zone[0] // CEL has it in its source
		}
		out.Source, err = t.xacml(values)
	default:
		err = fmt.Errorf("no language %q", l)
	}
	return out, err
}

func (t Template) cel(values Values) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\ncombining: first-applicable\ndefault_decision: deny\n", t.Name, t.Help)
	if zone := values["timezone"]; len(zone) == 1 {
		fmt.Fprintf(&b, "timezone: %s\n", quote(zone[0]))
	}
	b.WriteString("rules:\n")
	for _, r := range t.build(values) {
		fmt.Fprintf(&b, "  - id: %s\n    effect: %s\n", r.id, r.effect)
		if r.create {
			b.WriteString("    operations: [create]\n")
		}
		fmt.Fprintf(&b, "    when: |-\n      %s\n", r.when.cel())
	}
	return b.String()
}

const (
	policyHead = `<?xml version="1.0" encoding="UTF-8"?>
<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId=%s Version="1.0"
        RuleCombiningAlgId="urn:oasis:names:tc:xacml:1.0:rule-combining-algorithm:first-applicable">
  <Description>%s</Description>
  <Target/>
`
	ruleOfPolicy = `  <Rule RuleId=%s Effect=%s>
    %s
    <Condition>%s</Condition>
  </Rule>
`
)

func (t Template) xacml(values Values) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, policyHead, attribute(t.Name), escape(t.Help))
	for _, r := range t.build(values) {
		condition, err := r.when.xacml()
		if err != nil {
			return "", err
		}
		effect, target := "Permit", "<Target/>"
		if r.effect == "deny" {
			effect = "Deny"
		}
		if r.create {
			target = "<Target><AnyOf><AllOf><Match MatchId=" + attribute(fn1+"string-equal") + ">" + text("POST") +
				designator(categoryGroups, categoryGroups+"/provision-operation", xsd+"string") + "</Match></AllOf></AnyOf></Target>"
		}
		fmt.Fprintf(&b, ruleOfPolicy, attribute(r.id), attribute(effect), target, condition)
	}
	b.WriteString("</Policy>\n")
	return b.String(), nil
}
