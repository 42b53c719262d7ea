package xacml

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// of is a designator of the vocabulary.
func of(category, id string, typ dataType) string {
	return strings.NewReplacer(testCategory, category, `"x"`, `"`+id+`"`).Replace(attr(typ, "x", false))
}

func mail() string   { return of(categoryUser, wso2Claims+"emailaddress", typeString) }
func groups() string { return of(categoryCall, categoryCall+"/claim-group", typeString) }

// matching is a target of one match, on a line of its own.
func matching(literal, designator string) string {
	return "<Target><AnyOf><AllOf>\n<Match MatchId='" + fn1 + "string-equal'>" + lit(typeString, literal) + designator + "</Match></AllOf></AnyOf></Target>"
}

// TestExplain shows that the parts that settled a condition are named, each with
// what it saw, and no other part.
func TestExplain(t *testing.T) {
	late := apply1("time-one-and-only", of(categoryEnvironment, environment+"current-time", typeTime))
	inRange := fn(fn2+"time-in-range", late, lit(typeTime, "09:00:00"), lit(typeTime, "10:00:00"))
	sales, lab := apply1("string-is-in", lit(typeString, "Sales"), groups()), apply1("string-is-in", lit(typeString, "R&amp;D"), groups())
	absent := apply1("string-one-and-only", of(categoryUser, "nope", typeString))
	for name, tt := range map[string]struct {
		condition string
		want      []string
	}{
		"each part that fails": {apply1("and", "\n"+inRange, "\n"+sales, "\n"+lab), []string{
			`2:1: time-in-range(time-one-and-only([current-time]), "09:00:00", "10:00:00") is false, where [current-time] = ["11:02:00+02:00"]`,
			`4:1: string-is-in("R&D", [claim-group]) is false, where [claim-group] = ["R&D, Berlin", "Sales"]`,
		}},
		"all of what holds": {apply1("and", sales, apply1("not", "\n"+lab)), []string{
			`1:N: string-is-in("Sales", [claim-group]) is true, where [claim-group] = ["R&D, Berlin", "Sales"]`,
			`2:1: string-is-in("R&D", [claim-group]) is false, where [claim-group] = ["R&D, Berlin", "Sales"]`,
		}},
		"an or that holds": {apply1("or", lab, "\n"+sales), []string{`2:1: string-is-in("Sales", [claim-group]) is true, where [claim-group] = ["R&D, Berlin", "Sales"]`}},
		"n-of": {apply1("n-of", lit(typeInteger, "2"), lab, sales, "\n"+inRange), []string{
			`1:N: string-is-in("R&D", [claim-group]) is false, where [claim-group] = ["R&D, Berlin", "Sales"]`,
			`2:1: time-in-range(time-one-and-only([current-time]), "09:00:00", "10:00:00") is false, where [current-time] = ["11:02:00+02:00"]`,
		}},
		"n-of too many": {"\n" + apply1("n-of", lit(typeInteger, "3"), lab), []string{
			`2:1: n-of(3, string-is-in("R&D", [claim-group])) is error: n-of wants more arguments than it has, where [claim-group] = ["R&D, Berlin", "Sales"]`,
		}},
		"an error": {apply1("and", sales, apply1("string-equal", "\n"+absent, lit(typeString, "x"))), []string{
			`1:N: string-equal(string-one-and-only([nope]), "x") is error: string-one-and-only of 0 values, where [nope] = nothing`,
		}},
		"an attribute that must be there": {apply1("string-is-in", lit(typeString, "x"), strings.Replace(of(categoryUser, "nope", typeString), `"false"`, `"true"`, 1)), []string{
			`1:N: string-is-in("x", [nope]) is error: attribute nope is missing, where [nope] = nothing`,
		}},
		"a higher function": {"\n" + fn(fn3+"any-of", funcRef(fn1+"string-regexp-match"), lit(typeString, `@example\.org$`), mail()), []string{
			`2:1: any-of string-regexp-match("@example\\.org$", [emailaddress]) is false, where [emailaddress] = ["ann@example.com"]`,
		}},
		"map": {"\n" + fn(fn3+"any-of", funcRef(fn1+"string-equal"), lit(typeString, "x"), fn(fn3+"map", funcRef(fn1+"string-normalize-to-lower-case"), mail())), []string{
			`2:1: any-of string-equal("x", map string-normalize-to-lower-case([emailaddress])) is false, where [emailaddress] = ["ann@example.com"]`,
		}},
		"a constant":       {"\n" + no, []string{"2:1: false is false"}},
		"and of nothing":   {"\n" + apply1("and"), []string{"2:1: and() is true"}},
		"folded constants": {"\n" + apply1("string-equal", lit(typeString, "a"), lit(typeString, "b")), []string{"2:1: false is false"}},
	} {
		set := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", tt.condition)))
		var got []string
		for _, c := range set.Explain(someone(), nil).Policy.Rules[0].Condition {
			line := c.String()
			if _, rest, ok := strings.Cut(line, ": "); ok && c.Line == 1 {
				line = "1:N: " + rest
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestExplainVariables shows that the parts of a variable are named once, with the
// variable.
func TestExplainVariables(t *testing.T) {
	body := "<Target/>" +
		"<VariableDefinition VariableId='lower'>" + fn(fn3+"map", funcRef(fn1+"string-normalize-to-lower-case"), mail()) + "</VariableDefinition>" +
		"<VariableDefinition VariableId='ok'>" + apply1("and", "\n"+apply1("string-is-in", lit(typeString, "x"), "<VariableReference VariableId='lower'/>"), yes) + "</VariableDefinition>" +
		ruleWhen("r", "Permit", apply1("or", "<VariableReference VariableId='ok'/>", "<VariableReference VariableId='ok'/>"))
	set := mustCompile(t, policyOf("deny-overrides", body))
	got := fmt.Sprint(set.Explain(someone(), nil).Policy.Rules[0].Condition)
	want := `[2:1: string-is-in("x", $lower) is false (of variable ok), where $lower = ["ann@example.com"], [emailaddress] = ["ann@example.com"]]`
	if got != want {
		t.Errorf("causes\n%s, want\n%s", got, want)
	}
	hidden := set.Explain(someone(), func(a rules.Attribute) bool { return strings.HasSuffix(a.ID, "emailaddress") })
	if got := fmt.Sprint(hidden.Policy.Rules[0].Condition); !strings.Contains(got, "where $lower = •••, [emailaddress] = •••") {
		t.Errorf("what is made of a hidden value is shown: %s", got)
	}
}

// TestExplainTargets shows that of what failed the matches are named that failed, and
// of what applies those of the first AllOf that does.
func TestExplainTargets(t *testing.T) {
	match := func(literal string) string {
		return "\n<Match MatchId='" + fn1 + "string-equal'>" + lit(typeString, literal) + groups() + "</Match>"
	}
	all := func(literals ...string) string {
		out := "<AllOf>"
		for _, l := range literals {
			out += match(l)
		}
		return out + "</AllOf>"
	}
	wrongMatch := "<AllOf>\n<Match MatchId='" + fn1 + "string-equal'>" + lit(typeString, "x") + strings.Replace(of(categoryUser, "nope", typeString), `"false"`, `"true"`, 1) + "</Match></AllOf>"
	for target, want := range map[string][]string{
		"<AnyOf>" + all("Sales", "x") + "</AnyOf>":                                         {"3:1 false"},
		"<AnyOf>" + all("x") + all("Sales", "y") + "</AnyOf>":                              {"2:1 false", "4:1 false"},
		"<AnyOf>" + all("Sales") + "</AnyOf><AnyOf>" + all("x") + "</AnyOf>":               {"3:1 false"},
		"<AnyOf>" + all("x") + all("Sales", "R&amp;D, Berlin") + all("Sales") + "</AnyOf>": {"3:1 true", "4:1 true"},
		"<AnyOf>" + all("x") + wrongMatch + "</AnyOf>":                                     {"3:1 error"},
		"<AnyOf>" + wrongMatch + all("Sales") + "</AnyOf>":                                 {"3:1 true"},
	} {
		set := mustCompile(t, policyOf("deny-overrides", "<Target>"+target+"</Target>"))
		var got []string
		for _, c := range set.Explain(someone(), nil).Policy.Target {
			got = append(got, fmt.Sprintf("%d:%d %s", c.Line, c.Column, c.Value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// TestExplainPolicies shows the parts around the causes: policies within policies,
// their targets, and what was not reached.
func TestExplainPolicies(t *testing.T) {
	operation := of(categoryCall, attributeCall, typeString)
	other := policyOf("deny-overrides", matching("other", of(categoryApp, attributeApp, typeString))+ruleWhen("never", "Deny", ""))
	crm := policyOf("1.0/first-applicable", matching("crm", of(categoryApp, attributeApp, typeString))+
		strings.Replace(ruleWhen("create", "Permit", ""), `Effect="Permit">`, `Effect="Permit">`+matching("POST", operation), 1)+
		ruleWhen("sales", "Permit", "\n"+apply1("string-is-in", lit(typeString, "Sales"), groups()))+
		ruleWhen("rest", "Deny", ""))
	root := `<PolicySet xmlns="` + namespace + `" PolicySetId="all" Version="2" PolicyCombiningAlgId="` + urn + `1.0:policy-combining-algorithm:first-applicable"><Target/>` +
		strings.Replace(other, `"p"`, `"other"`, 1) + "<PolicyIdReference>crm</PolicyIdReference>" + strings.Replace(other, `"p"`, `"late"`, 1) + `</PolicySet>`
	set, err := Compile(Options{}, Document{Name: "root", XML: []byte(root)}, Document{Name: "crm.xml", XML: []byte(strings.Replace(crm, `"p"`, `"crm"`, 1))})
	if err != nil {
		t.Fatal(err)
	}
	want := `Permit by rule "sales" of policy "crm"
root:1:1: policy "all" (first-applicable): Permit
  root:1:N: policy "other" (deny-overrides): NotApplicable
    target
      root:2:1: string-equal("other", [sp-name]) is false, where [sp-name] = ["crm"]
  crm.xml:1:1: policy "crm" (first-applicable): Permit
    target
      crm.xml:2:1: string-equal("crm", [sp-name]) is true, where [sp-name] = ["crm"]
    crm.xml:2:N: rule "create" (Permit): NotApplicable
      target
        crm.xml:3:1: string-equal("POST", [provision-operation]) is false, where [provision-operation] = ["PUT"]
    crm.xml:3:N: rule "sales" (Permit): Permit
      condition
        crm.xml:4:1: string-is-in("Sales", [claim-group]) is true, where [claim-group] = ["R&D, Berlin", "Sales"]
    crm.xml:4:N: rule "rest" (Deny): not reached, would be Deny
  root:2:N: policy "late" (deny-overrides): not reached, would be NotApplicable
    target
      root:3:1: string-equal("other", [sp-name]) is false, where [sp-name] = ["crm"]
`
	if diff := cmp.Diff(want, columns(set.Explain(someone(), nil).Text())); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// columns makes N of every column but the first: nobody counts them.
func columns(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		place, rest, ok := strings.Cut(line[indent:], ": ")
		if i := strings.LastIndexByte(place, ':'); ok && i > 0 && place[i+1:] != "1" {
			place = place[:i] + ":N"
		}
		if !ok {
			out.WriteString(line)
			continue
		}
		out.WriteString(line[:indent] + place + ": " + rest)
	}
	return out.String()
}

// TestExplainIndeterminate shows that what failed is named: in a target, in an
// obligation.
func TestExplainIndeterminate(t *testing.T) {
	missing := strings.Replace(of(categoryUser, "badge", typeString), `"false"`, `"true"`, 1)
	duty := "<ObligationExpressions><ObligationExpression ObligationId='log' FulfillOn='Permit'>" +
		"<AttributeAssignmentExpression AttributeId='who'>\n" + apply1("string-one-and-only", groups()) + "</AttributeAssignmentExpression></ObligationExpression></ObligationExpressions>"
	set := mustCompile(t, policyOf("deny-overrides", "<Target/>"+
		strings.Replace(ruleWhen("target", "Deny", ""), `Effect="Deny">`, `Effect="Deny">`+matching("7", missing), 1)+
		strings.Replace(ruleWhen("duty", "Permit", ""), "</Rule>", duty+"</Rule>", 1)))
	x := set.Explain(someone(), nil)
	want := `Indeterminate{DP} of policy "p": 2:N: attribute badge is missing (missing-attribute)
1:1: policy "p" (deny-overrides): Indeterminate{DP}: 2:N: attribute badge is missing (missing-attribute)
  1:N: rule "target" (Deny): Indeterminate{D}: 2:N: attribute badge is missing (missing-attribute)
    target
      2:1: string-equal("7", [badge]) is error: attribute badge is missing, where [badge] = nothing
  2:N: rule "duty" (Permit): Indeterminate{P}: 3:1: string-one-and-only of 2 values (processing-error)
    obligations and advice
      3:1: log: who = string-one-and-only([claim-group]) is error: string-one-and-only of 2 values, where [claim-group] = ["R&D, Berlin", "Sales"]
`
	got := strings.ReplaceAll(columns(x.Text()), fmt.Sprintf("2:%d:", x.Result.Status.Column), "2:N:")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// TestExplainHides shows that a value that is to be hidden is nowhere in the answer,
// also not in what a permit obliges to.
func TestExplainHides(t *testing.T) {
	const secret = "s3cret"
	r := someone()
	r.User.Email, r.User.Groups, r.User.Claims = secret, []string{secret}, map[string][]string{"ssn": {secret}}
	duty := func(id, expression string) string {
		return "<ObligationExpression ObligationId='" + id + "' FulfillOn='Permit'><AttributeAssignmentExpression AttributeId='v'>" + expression + "</AttributeAssignmentExpression></ObligationExpression>"
	}
	ssn := of(categoryUser, "ssn", typeString)
	set := mustCompile(t, policyOf("deny-overrides", matching(`x`, groups())+
		"<VariableDefinition VariableId='v'>"+apply1("string-one-and-only", ssn)+"</VariableDefinition>"+
		ruleWhen("r", "Permit", apply1("string-equal", lit(typeString, "s"), fn(fn3+"string-substring", "<VariableReference VariableId='v'/>", lit(typeInteger, "0"), lit(typeInteger, "1"))))+
		ruleWhen("s", "Permit", apply1("or", apply1("string-is-in", lit(typeString, "x"), mail()), yes))+
		"<ObligationExpressions>"+duty("bare", mail())+duty("made", "<VariableReference VariableId='v'/>")+duty("open", of(categoryUser, "urn:anteroom:user:id", typeString))+"</ObligationExpressions>"))
	set.root.target = nil // so that the target is explained in the other half
	hide := func(a rules.Attribute) bool {
		return slices.Contains([]string{"ssn", wso2Claims + "emailaddress", categoryCall + "/claim-group"}, a.ID)
	}
	all := written(t, set.Explain(r, hide))
	if strings.Contains(all, secret) {
		t.Errorf("the secret is in the explanation: %s", all)
	}
	for _, want := range []string{"obligation bare: v = •••", "obligation made: v = •••", "obligation open: v = \"u1\"", "$v = •••, [ssn] = •••"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in: %s", want, all)
		}
	}
	if !strings.Contains(written(t, set.Explain(r, nil)), secret) {
		t.Error("without a hook, the value is missing too: this test shows nothing")
	}
	targeted := mustCompile(t, policyOf("deny-overrides", matching("x", groups())))
	if all := written(t, targeted.Explain(r, hide)); strings.Contains(all, secret) || !strings.Contains(all, "[claim-group] = •••") {
		t.Errorf("a target: %s", all)
	}
}

// TestExplainHidesEveryName shows that what is hidden under the name that native rule
// sets use is hidden under those that only policies have.
func TestExplainHidesEveryName(t *testing.T) {
	r := someone()
	for id, native := range map[string]string{
		categoryCall + "/claim-group": wso2Claims + "groups", wso2Claims + "role": wso2Claims + "roles",
		wso2Claims + "username": categoryUser + "/username", wso2Claims + "department": "department", "department": "department",
	} {
		category := categoryUser
		if strings.HasPrefix(id, categoryCall) {
			category = categoryCall
		}
		set := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", apply1("string-is-in", lit(typeString, "x"), of(category, id, typeString)))))
		shown := set.Explain(r, nil).Policy.Rules[0].Condition[0].Operands[0].Value
		hidden := set.Explain(r, func(a rules.Attribute) bool { return a.ID == native && a.Category == categoryUser }).Policy.Rules[0].Condition[0].Operands[0].Value
		if !strings.HasPrefix(shown, "[") || hidden != rules.Hidden {
			t.Errorf("%s is shown as %s, and as %s when %s is hidden", id, shown, hidden, native)
		}
	}
}

// written is an explanation in both forms.
func written(t testing.TB, x rules.Explanation) string {
	t.Helper()
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + x.Text()
}

// TestExplainIsBounded shows that neither size nor work runs away.
func TestExplainIsBounded(t *testing.T) {
	equal := apply1("string-is-in", lit(typeString, strings.Repeat("n", 1000)), groups())
	r := manyGroups(500)
	for name, set := range map[string]*Set{
		"rules":     mustCompile(t, policyOf("deny-overrides", "<Target/>"+numbered(5000, ruleWhen("%d", "Permit", yes)))),
		"causes":    mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", apply1("and", repeat(500, equal)...)))),
		"variables": mustCompile(t, policyOf("deny-overrides", "<Target/>"+doubling(40)+ruleWhen("r", "Permit", "<VariableReference VariableId='v0'/>"))),
		"steps":     mustCompile(t, policyOf("deny-overrides", "<Target/>"+muchToCompare()+numbered(50, ruleWhen("%d", "Permit", tooMuch())))),
		"long id":   mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen(strings.Repeat("i", 100_000), "Permit", yes))),
	} {
		start := time.Now()
		x := set.Explain(r, nil)
		if all := written(t, x); len(all) > 5<<20 {
			t.Errorf("%s: %d bytes", name, len(all))
		}
		if got := set.Decide(r); x.Result.Decision != got.Decision || x.Policy.Decision != got.Decision {
			t.Errorf("%s: explained %s and %s, decided %s", name, x.Result.Decision, x.Policy.Decision, got.Decision)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s took %s", name, d)
		}
		if omits := x.Omitted > 0; omits != (name == "rules" || name == "steps") {
			t.Errorf("%s: %d left out", name, x.Omitted)
		}
	}
}

// tooMuch is a condition that takes half of the steps there are.
func tooMuch() string {
	return fn(fn3+"any-of-any", funcRef(fn1+"string-equal"), groups(), "<VariableReference VariableId='z'/>")
}

func muchToCompare() string {
	return "<VariableDefinition VariableId='z'>" + apply1("string-bag", repeat(1000, lit(typeString, "z"))...) + "</VariableDefinition>"
}

func numbered(n int, format string) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}

// doubling are variables that refer to the next one twice.
func doubling(n int) string {
	var out strings.Builder
	for i := range n {
		next := fmt.Sprintf("<VariableReference VariableId='v%d'/>", i+1)
		fmt.Fprintf(&out, "<VariableDefinition VariableId='v%d'>%s</VariableDefinition>", i, apply1("and", next, next))
	}
	return out.String() + fmt.Sprintf("<VariableDefinition VariableId='v%d'>%s</VariableDefinition>", n, yes)
}

// TestExplainSurvives shows that a mistake in the engine, or none in the request,
// ends in an answer.
func TestExplainSurvives(t *testing.T) {
	set := mustCompile(t, policyOf("permit-unless-deny", "<Target/>"+ruleWhen("r", "Permit", yes)))
	if x := set.Explain(nil, nil); x.Result.Decision != rules.IndeterminateDP || x.Policy != nil {
		t.Errorf("without a request: %+v", x)
	}
	set.root.children = append(set.root.children, nil)
	if x := set.Explain(someone(), nil); x.Result.Decision != rules.IndeterminateDP || x.Policy != nil {
		t.Errorf("a panic gives %+v", x)
	}
}

// explained fails unless the explanation of a decision decides the same, and has
// a cause for each rule that its condition kept from deciding.
func explained(t *testing.T, set *Set, f facts, now time.Time, got rules.Result) {
	t.Helper()
	x := set.explain(f, now, got, nil)
	if x.Result.Decision != got.Decision || x.Policy.Decision != got.Decision || x.Policy.Status.Code != got.Status.Code {
		t.Errorf("decided %s (%s), explained %s, %s (%s)", got.Decision, got.Status.Code, x.Result.Decision, x.Policy.Decision, x.Policy.Status.Code)
	}
	decides(t, x.Policy)
	_ = written(t, x)
}

// decides fails unless combining what the parts of a policy decided alone gives
// what the policy decided, its target and its duties left aside.
func decides(t *testing.T, p *rules.PolicyExplanation) {
	t.Helper()
	if p.Applies == rules.Match && len(p.Duties) == 0 && p.Status.Code != rules.StatusCostExceeded && p.Algorithm != rules.OnlyOneApplicable {
		var nodes []rules.Node[any]
		for i := range p.Policies {
			nodes = append(nodes, fixed(p.Policies[i].Decision))
		}
		for _, r := range p.Rules {
			nodes = append(nodes, fixed(r.Decision))
			if r.Applies == rules.Match && r.Decision == rules.NotApplicable && len(r.Condition) == 0 {
				t.Errorf("rule %s does not say why it does not apply", r.ID)
			}
		}
		if got := rules.Combine(p.Algorithm, nil, nodes); got.Decision != p.Decision {
			t.Errorf("%s of the parts is %s, of policy %q %s", p.Algorithm, got.Decision, p.ID, p.Decision)
		}
	}
	for i := range p.Policies {
		decides(t, &p.Policies[i])
	}
}

// fixed is a policy or a rule that was asked already.
type fixed rules.Decision

func (fixed) Applies(any) (rules.Applicability, rules.Status) { return rules.Match, rules.Status{} }
func (f fixed) Decide(any) rules.Result                       { return rules.Result{Decision: rules.Decision(f)} }
