package e2e

import (
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// saying is a rule set that comes to a decision, under the name that
// docs/decisions.md has for it. Without a source no rule set is named.
type saying struct {
	name string
	set  rules.RuleSet
	gone bool // it is removed when bindings name it
}

// The conditions: one that holds, one that does not, one that fails for whoever
// has no such claim, and one that takes too many steps for whoever has 2,000 values
// of two.
const (
	holds  = "true"
	never  = "false"
	fails  = "'x' in user.claims['none']"
	costly = "user.claims['many'].exists(v, v in user.claims['others'])"
)

// sayings are all that rule sets can come to, in one of the languages.
func sayings(language rules.Language) []saying {
	set := nativeSet
	if language == rules.LanguageXACML {
		set = policySet
	}
	broken := rules.RuleSet{Language: language, Source: "<rules"}
	return []saying{
		{name: "Permit", set: set("", rule{"permit", holds})},
		{name: "Deny", set: set("", rule{"deny", holds})},
		{name: "NotApplicable, `default_decision: deny`", set: set("", rule{"permit", never})},
		{name: "NotApplicable, `default_decision: permit`", set: set(rules.DefaultPermit, rule{"permit", never})},
		{name: "Indeterminate{D}", set: set("", rule{"deny", fails})},
		{name: "Indeterminate{P}", set: set("", rule{"permit", fails})},
		{name: "Indeterminate{DP}", set: set("", rule{"permit", fails}, rule{"deny", fails})},
		{name: "Permit with an obligation", set: set("", rule{"permit with duty", holds})},
		{name: "what takes too many steps", set: set("", rule{"permit", costly})},
		{name: "no rule set is named"},
		{name: "the rule set is gone", set: set("", rule{"permit", holds}), gone: true},
		{name: "the rule set does not compile", set: broken},
	}
}

// rule is an effect and one of the conditions.
type rule struct{ effect, when string }

func nativeSet(otherwise rules.DefaultDecision, all ...rule) rules.RuleSet {
	var b strings.Builder
	if otherwise != "" {
		fmt.Fprintf(&b, "default_decision: %s\n", otherwise)
	}
	b.WriteString("rules:\n")
	for i, r := range all {
		effect, duty := strings.CutSuffix(r.effect, " with duty")
		fmt.Fprintf(&b, "  - {id: r%d, effect: %s, when: %q", i, effect, r.when)
		if duty {
			b.WriteString(", obligations: [{id: notify}]")
		}
		b.WriteString("}\n")
	}
	return rules.RuleSet{Language: rules.LanguageCEL, Source: b.String()}
}

const (
	policyHead = `<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="policy" Version="1.0"
	RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides"><Target/>`
	textType  = "http://www.w3.org/2001/XMLSchema#string"
	userClaim = `<AttributeDesignator Category="http://wso2.org/identity/user" AttributeId="%s" DataType="` + textType + `" MustBePresent="true"/>`
)

func policySet(otherwise rules.DefaultDecision, all ...rule) rules.RuleSet {
	var b strings.Builder
	b.WriteString(policyHead)
	for i, r := range all {
		effect, duty := strings.CutSuffix(r.effect, " with duty")
		effect = strings.ToUpper(effect[:1]) + effect[1:]
		fmt.Fprintf(&b, `<Rule RuleId="r%d" Effect="%s"><Condition>%s</Condition>`, i, effect, policyCondition(r.when))
		if duty {
			fmt.Fprintf(&b, `<ObligationExpressions><ObligationExpression ObligationId="notify" FulfillOn="%s"/></ObligationExpressions>`, effect)
		}
		b.WriteString("</Rule>")
	}
	b.WriteString("</Policy>")
	return rules.RuleSet{Language: rules.LanguageXACML, Source: b.String(), DefaultDecision: otherwise}
}

// policyCondition is one of the conditions as XACML has it.
func policyCondition(when string) string {
	claim := func(name string) string { return fmt.Sprintf(userClaim, name) }
	apply := func(function string, arguments ...string) string {
		return fmt.Sprintf(`<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:%s">%s</Apply>`, function, strings.Join(arguments, ""))
	}
	switch when {
	case fails:
		return apply("string-is-in", `<AttributeValue DataType="`+textType+`">x</AttributeValue>`, claim("none"))
	case costly:
		return apply("string-at-least-one-member-of", claim("many"), claim("others"))
	default:
		return `<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#boolean">` + when + `</AttributeValue>`
	}
}
