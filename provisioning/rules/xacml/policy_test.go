package xacml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "time/tzdata" // zones on a machine that has none

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const testCategory = "urn:test"

// policyOf wraps rules in a policy with an algorithm for rules of XACML 3.0, or
// of a version that stands before a slash.
func policyOf(algorithm, body string) string {
	version, name, ok := strings.Cut(algorithm, "/")
	if !ok {
		version, name = "3.0", algorithm
	}
	return fmt.Sprintf(`<Policy xmlns="%s" PolicyId="p" Version="1.0" RuleCombiningAlgId="%s%s:rule-combining-algorithm:%s">%s</Policy>`, namespace, urn, version, name, body)
}

// ruleWhen is a rule with a condition; "" is none.
func ruleWhen(id, effect, condition string) string {
	if condition != "" {
		condition = "<Condition>" + condition + "</Condition>"
	}
	return fmt.Sprintf(`<Rule RuleId="%s" Effect="%s">%s</Rule>`, id, effect, condition)
}

func lit(t dataType, s string) string {
	return fmt.Sprintf(`<AttributeValue DataType="%s">%s</AttributeValue>`, t.id(), s)
}

func attr(t dataType, id string, must bool) string {
	return fmt.Sprintf(`<AttributeDesignator Category="%s" AttributeId="%s" DataType="%s" MustBePresent="%t"/>`, testCategory, id, t.id(), must)
}

func fn(id string, args ...string) string {
	return fmt.Sprintf(`<Apply FunctionId="%s">%s</Apply>`, id, strings.Join(args, ""))
}

func apply1(name string, args ...string) string { return fn(fn1+name, args...) }

func funcRef(id string) string { return fmt.Sprintf(`<Function FunctionId="%s"/>`, id) }

// Conditions that are true, false, and an error.
var (
	yes   = lit(typeBoolean, "true")
	no    = lit(typeBoolean, "false")
	wrong = apply1("boolean-one-and-only", attr(typeBoolean, "absent", true))
)

func mustCompile(t testing.TB, doc string, more ...Document) *Set {
	t.Helper()
	set, err := Compile(Options{}, Document{XML: []byte(doc)}, more...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// testContext has the names "n" (strings), "num" (1, 2, 3) and "one" (1).
func testContext() *Context {
	c := &Context{}
	c.add(testCategory, "n", "ann", "bob", "cy")
	for id, ns := range map[string][]int64{"num": {1, 2, 3}, "one": {1}} {
		a := contextAttribute{category: testCategory, id: id, issuer: "them"}
		for _, n := range ns {
			a.values = append(a.values, integerValue(n))
		}
		c.attributes = append(c.attributes, a)
	}
	return c
}

func TestCombinedRules(t *testing.T) {
	p, d := ruleWhen("p", "Permit", ""), ruleWhen("d", "Deny", "")
	np, nd := ruleWhen("np", "Permit", no), ruleWhen("nd", "Deny", no)
	xp, xd := ruleWhen("xp", "Permit", wrong), ruleWhen("xd", "Deny", wrong)
	tests := []struct {
		algorithm, body string
		want            rules.Decision
	}{
		{"deny-overrides", p + d, rules.Deny},
		{"deny-overrides", np + nd, rules.NotApplicable},
		{"deny-overrides", "", rules.NotApplicable},
		{"deny-overrides", xd, rules.IndeterminateD},
		{"deny-overrides", xd + p, rules.IndeterminateDP},
		{"deny-overrides", xp + p, rules.Permit},
		{"deny-overrides", xp + xd, rules.IndeterminateDP},
		{"ordered-deny-overrides", xp + d, rules.Deny},
		{"1.0/deny-overrides", xd + p, rules.IndeterminateDP},
		{"1.1/ordered-permit-overrides", xp + d, rules.IndeterminateDP},
		{"permit-overrides", xp + d, rules.IndeterminateDP},
		{"permit-overrides", xd + d, rules.Deny},
		{"1.0/first-applicable", np + xp + d, rules.IndeterminateP},
		{"1.0/first-applicable", nd + p + d, rules.Permit},
		{"deny-unless-permit", xp + np, rules.Deny},
		{"permit-unless-deny", xd + nd, rules.Permit},
	}
	for _, tt := range tests {
		got := mustCompile(t, policyOf(tt.algorithm, "<Target/>"+tt.body)).DecideContext(testContext(), nine)
		if got.Decision != tt.want {
			t.Errorf("%s of %s = %v, want %v", tt.algorithm, tt.body, got.Decision, tt.want)
		}
	}
}

func TestCombinedPolicies(t *testing.T) {
	inner := func(id, target, effect, condition string) string {
		p := policyOf("deny-overrides", "<Target>"+target+"</Target>"+ruleWhen("r", effect, condition))
		return strings.Replace(p, `"p"`, `"`+id+`"`, 1)
	}
	matching := func(id string) string {
		return fmt.Sprintf(`<AnyOf><AllOf><Match MatchId="%sstring-equal">%s%s</Match></AllOf></AnyOf>`, fn1, lit(typeString, "ann"), attr(typeString, id, true))
	}
	p, d := inner("p", "", "Permit", ""), inner("d", "", "Deny", "")
	xp, xd := inner("xp", "", "Permit", wrong), inner("xd", "", "Deny", wrong)
	other, broken := inner("o", matching("n")+strings.Replace(matching("n"), "ann", "zoe", 1), "Deny", ""), inner("b", matching("absent"), "Deny", "")
	tests := []struct {
		algorithm, body string
		want            rules.Decision
	}{
		{"3.0:policy-combining-algorithm:deny-overrides", p + xd, rules.IndeterminateDP},
		{"1.0:policy-combining-algorithm:deny-overrides", p + xp, rules.Deny},
		{"1.1:policy-combining-algorithm:ordered-permit-overrides", xp + d, rules.Deny},
		{"1.0:policy-combining-algorithm:permit-overrides", xp, rules.IndeterminateP},
		{"1.0:policy-combining-algorithm:only-one-applicable", other + p, rules.Permit},
		{"1.0:policy-combining-algorithm:only-one-applicable", p + d, rules.IndeterminateDP},
		{"1.0:policy-combining-algorithm:only-one-applicable", broken + p, rules.IndeterminateDP},
		{"1.0:policy-combining-algorithm:only-one-applicable", other, rules.NotApplicable},
		{"3.0:policy-combining-algorithm:deny-overrides", broken, rules.IndeterminateD},
		{"3.0:policy-combining-algorithm:permit-unless-deny", broken, rules.Permit},
	}
	for _, tt := range tests {
		doc := fmt.Sprintf(`<PolicySet xmlns="%s" PolicySetId="s" Version="1" PolicyCombiningAlgId="%s%s"><Target/>%s</PolicySet>`, namespace, urn, tt.algorithm, tt.body)
		if got := mustCompile(t, doc).DecideContext(testContext(), nine); got.Decision != tt.want {
			t.Errorf("%s of %s = %v, want %v", tt.algorithm, tt.body, got.Decision, tt.want)
		}
	}
}

func TestConditions(t *testing.T) {
	n, num := attr(typeString, "n", false), attr(typeInteger, "num", false)
	integer := func(s string) string { return lit(typeInteger, s) }
	greater, equal := funcRef(fn1+"integer-greater-than"), funcRef(fn1+"string-equal")
	tests := map[string]struct {
		condition string
		want      string // true, false, or a status code
	}{
		"true or error":              {apply1("or", wrong, yes), "true"},
		"false or error":             {apply1("or", no, wrong), "missing-attribute"},
		"false and error":            {apply1("and", wrong, no), "false"},
		"true and error":             {apply1("and", yes, wrong), "missing-attribute"},
		"or of nothing":              {apply1("or"), "false"},
		"and of nothing":             {apply1("and"), "true"},
		"2 of true error true":       {apply1("n-of", integer("2"), yes, wrong, yes), "true"},
		"2 of true error false":      {apply1("n-of", integer("2"), yes, wrong, no), "missing-attribute"},
		"2 of true false false":      {apply1("n-of", integer("2"), yes, no, no), "false"},
		"2 of 1":                     {apply1("n-of", integer("2"), yes), "processing-error"},
		"0 of error":                 {apply1("n-of", integer("0"), wrong), "true"},
		"one of three":               {apply1("string-equal", apply1("string-one-and-only", n), lit(typeString, "ann")), "processing-error"},
		"absent, may be":             {apply1("string-is-in", lit(typeString, "x"), attr(typeString, "absent", false)), "false"},
		"absent, must not be":        {apply1("string-is-in", lit(typeString, "x"), attr(typeString, "absent", true)), "missing-attribute"},
		"other type is absent":       {apply1("anyURI-is-in", lit(typeAnyURI, "ann"), attr(typeAnyURI, "n", true)), "missing-attribute"},
		"any of":                     {fn(fn3+"any-of", greater, integer("2"), num), "true"},
		"any of, bag first":          {fn(fn3+"any-of", greater, num, integer("3")), "false"},
		"all of":                     {fn(fn3+"all-of", greater, integer("4"), num), "true"},
		"any of any":                 {fn(fn3+"any-of-any", equal, n, apply1("string-bag", lit(typeString, "dee"), lit(typeString, "cy"))), "true"},
		"all of any":                 {apply1("all-of-any", greater, num, apply1("integer-bag", integer("0"), integer("9"))), "true"},
		"any of all":                 {apply1("any-of-all", greater, num, apply1("integer-bag", integer("0"), integer("2"))), "true"},
		"all of all":                 {apply1("all-of-all", greater, num, apply1("integer-bag", integer("0"), integer("1"))), "false"},
		"all of nothing":             {fn(fn3+"all-of", greater, integer("1"), apply1("integer-bag")), "true"},
		"map":                        {apply1("string-is-in", lit(typeString, "2"), fn(fn3+"map", funcRef(fn3+"string-from-integer"), num)), "true"},
		"map keeps duplicates":       {apply1("integer-equal", integer("3"), apply1("integer-bag-size", fn(fn3+"map", funcRef(fn1+"integer-abs"), num))), "true"},
		"divide by what is asked":    {apply1("integer-equal", integer("1"), apply1("integer-divide", integer("1"), apply1("integer-subtract", apply1("integer-one-and-only", attr(typeInteger, "one", true)), integer("1")))), "processing-error"},
		"overflow":                   {apply1("integer-equal", integer("1"), apply1("integer-add", integer("9223372036854775807"), apply1("integer-one-and-only", attr(typeInteger, "one", true)))), "processing-error"},
		"integer from what is asked": {fn(fn3+"any-of", funcRef(fn1+"integer-equal"), integer("1"), fn(fn3+"map", funcRef(fn3+"integer-from-string"), n)), "syntax-error"},
		"regexp":                     {fn(fn3+"any-of", funcRef(fn1+"string-regexp-match"), lit(typeString, "^[a-c]nn$"), n), "true"},
		"union":                      {apply1("integer-equal", integer("4"), apply1("integer-bag-size", apply1("integer-union", num, num, apply1("integer-bag", integer("7"))))), "true"},
		"set equals":                 {apply1("integer-set-equals", num, apply1("integer-bag", integer("3"), integer("2"), integer("1"), integer("1"))), "true"},
		"subset":                     {apply1("integer-subset", num, apply1("integer-bag", integer("3"))), "false"},
		"issuer":                     {apply1("integer-is-in", integer("1"), strings.Replace(num, "MustBe", `Issuer="them" MustBe`, 1)), "true"},
		"other issuer":               {apply1("integer-is-in", integer("1"), strings.Replace(num, "MustBe", `Issuer="us" MustBe`, 1)), "false"},
		"now":                        {apply1("dateTime-is-in", lit(typeDateTime, "2026-03-02T10:02:00+01:00"), strings.NewReplacer(testCategory, categoryEnvironment, "x", environment+"current-dateTime").Replace(attr(typeDateTime, "x", true))), "true"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", tt.condition))).DecideContext(testContext(), nine)
			got := map[rules.Decision]string{rules.Permit: "true", rules.NotApplicable: "false", rules.IndeterminateP: string(r.Status.Code)}[r.Decision]
			if got != tt.want {
				t.Errorf("%v, %+v; want %s", r.Decision, r.Status, tt.want)
			}
			if r.Decision.Indeterminate() && r.Status.Line == 0 {
				t.Errorf("status %+v has no place", r.Status)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	m := func(value, id string) string {
		return fmt.Sprintf(`<Match MatchId="%sstring-equal">%s%s</Match>`, fn1, lit(typeString, value), attr(typeString, id, true))
	}
	hit, miss, fail := m("bob", "n"), m("dee", "n"), m("x", "absent")
	all := func(ms ...string) string { return "<AllOf>" + strings.Join(ms, "") + "</AllOf>" }
	group := func(as ...string) string { return "<AnyOf>" + strings.Join(as, "") + "</AnyOf>" }
	tests := map[string]struct {
		target string
		want   rules.Decision
	}{
		"one of the values":        {group(all(hit)), rules.Permit},
		"none of them":             {group(all(miss)), rules.NotApplicable},
		"error":                    {group(all(fail)), rules.IndeterminateP},
		"all of: miss over error":  {group(all(fail, miss)), rules.NotApplicable},
		"all of: error over hit":   {group(all(hit, fail)), rules.IndeterminateP},
		"any of: hit over error":   {group(all(fail), all(hit)), rules.Permit},
		"any of: error over miss":  {group(all(fail), all(miss)), rules.IndeterminateP},
		"target: miss over error":  {group(all(fail)) + group(all(miss)), rules.NotApplicable},
		"target: error over match": {group(all(fail)) + group(all(hit)), rules.IndeterminateP},
	}
	for name, tt := range tests {
		policy := policyOf("deny-overrides", "<Target>"+tt.target+"</Target>"+ruleWhen("r", "Permit", ""))
		rule := policyOf("deny-overrides", "<Target/>"+strings.Replace(ruleWhen("r", "Permit", ""), "></", "><Target>"+tt.target+"</Target></", 1))
		for where, doc := range map[string]string{"policy": policy, "rule": rule} {
			if got := mustCompile(t, doc).DecideContext(testContext(), nine); got.Decision != tt.want {
				t.Errorf("%s, in a %s: %v, want %v", name, where, got.Decision, tt.want)
			}
		}
	}
}

func TestObligations(t *testing.T) {
	duty := func(name, id, on, expr string) string {
		kind, when := "Obligation", "FulfillOn"
		if name == "Advice" {
			kind, when = "Advice", "AppliesTo"
		}
		return fmt.Sprintf(`<%[1]sExpressions><%[1]sExpression %[1]sId="%[2]s" %[4]s="%[3]s"><AttributeAssignmentExpression AttributeId="a">%[5]s</AttributeAssignmentExpression></%[1]sExpression></%[1]sExpressions>`, kind, id, on, when, expr)
	}
	with := func(duties string) string {
		return strings.Replace(ruleWhen("r", "Permit", ""), "></", ">"+duties+"</", 1)
	}
	names := attr(typeString, "n", false)
	decide := func(body, after string) rules.Result {
		return mustCompile(t, policyOf("deny-overrides", "<Target/>"+body+after)).DecideContext(testContext(), nine)
	}

	got := decide(with(duty("Obligation", "o", "Permit", names)+duty("Advice", "v", "Permit", lit(typeInteger, "7"))), duty("Obligation", "outer", "Permit", attr(typeString, "absent", false)))
	want := rules.Result{
		Decision: rules.Permit, Policy: "p", Rule: "r",
		Obligations: []rules.Obligation{
			{ID: "o", Assignments: []rules.Assignment{{ID: "a", Type: typeString.id(), Value: "ann"}, {ID: "a", Type: typeString.id(), Value: "bob"}, {ID: "a", Type: typeString.id(), Value: "cy"}}},
			{ID: "outer"},
		},
		Advice: []rules.Obligation{{ID: "v", Assignments: []rules.Assignment{{ID: "a", Type: typeInteger.id(), Value: "7"}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := decide(with(duty("Obligation", "o", "Deny", names)), ""); len(got.Obligations) != 0 {
		t.Errorf("a Permit obliges to what goes with a Deny: %v", got.Obligations)
	}
	for _, kind := range []string{"Obligation", "Advice"} {
		if got := decide(with(duty(kind, "o", "Permit", wrong)), ""); got.Decision != rules.IndeterminateP || len(got.Obligations) != 0 {
			t.Errorf("%s that fails: %v", kind, got.Decision)
		}
		if got := decide(with(""), duty(kind, "o", "Permit", wrong)); got.Decision != rules.IndeterminateP {
			t.Errorf("%s of the policy that fails: %v", kind, got.Decision)
		}
	}
}

func TestMissingAttributesAreNamed(t *testing.T) {
	got := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", wrong))).DecideContext(testContext(), nine)
	want := []rules.Attribute{{Category: testCategory, ID: "absent", Type: typeBoolean.id()}}
	if diff := cmp.Diff(want, got.Status.Missing); diff != "" || got.Status.Code != rules.StatusMissingAttribute {
		t.Errorf("status %s, missing (-want +got):\n%s", got.Status.Code, diff)
	}
}

func TestVariables(t *testing.T) {
	ref := func(id string) string { return fmt.Sprintf(`<VariableReference VariableId="%s"/>`, id) }
	def := func(id, expr string) string {
		return fmt.Sprintf(`<VariableDefinition VariableId="%s">%s</VariableDefinition>`, id, expr)
	}
	doc := policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", ref("a"))+def("a", apply1("not", ref("b")))+def("b", no))
	if got := mustCompile(t, doc).DecideContext(testContext(), nine); got.Decision != rules.Permit {
		t.Errorf("a variable used before it is defined: %v", got.Decision)
	}
	// Each variable uses the one before twice: 2^50 evaluations, were they not kept.
	deep := def("v0", apply1("string-is-in", lit(typeString, "ann"), attr(typeString, "n", true)))
	for i := 1; i <= 50; i++ {
		before := ref(fmt.Sprintf("v%d", i-1))
		deep += def(fmt.Sprintf("v%d", i), apply1("boolean-equal", before, before))
	}
	got := mustCompile(t, policyOf("deny-overrides", "<Target/>"+deep+ruleWhen("r", "Permit", ref("v50")))).DecideContext(testContext(), nine)
	if got.Decision != rules.Permit {
		t.Errorf("variables of variables: %v, %+v", got.Decision, got.Status)
	}
}

func TestReferences(t *testing.T) {
	set := func(id, body string) string {
		return fmt.Sprintf(`<PolicySet xmlns="%s" PolicySetId="%s" Version="1" PolicyCombiningAlgId="%s3.0:policy-combining-algorithm:deny-overrides"><Target/>%s</PolicySet>`, namespace, id, urn, body)
	}
	version := func(v, effect string) Document {
		doc := strings.Replace(policyOf("deny-overrides", "<Target/>"+ruleWhen("r", effect, "")), `"1.0"`, `"`+v+`"`, 1)
		return Document{Name: "p " + v, XML: []byte(doc)}
	}
	library := []Document{version("1.0", "Permit"), version("1.10", "Deny"), version("2.0", "Permit")}
	for attrs, want := range map[string]string{
		"": "Permit", `Version="1.*"`: "Deny", `Version="1.0"`: "Permit", `Version="1.+"`: "Deny", `Version="3"`: "no Policy p",
		`LatestVersion="1.9"`: "Permit", `LatestVersion="1.*"`: "Deny", `EarliestVersion="1.1" LatestVersion="1.99"`: "Deny",
		`EarliestVersion="2.1"`: "no Policy p", `Version="1.x"`: "not a pattern",
	} {
		got := ""
		s, err := Compile(Options{}, Document{XML: []byte(set("s", "<PolicyIdReference "+attrs+">p</PolicyIdReference>"))}, library...)
		if err != nil {
			got = err.Error()
		} else {
			got = s.DecideContext(testContext(), nine).Decision.String()
		}
		if !strings.Contains(got, want) {
			t.Errorf("reference with %s: %s, want %s", attrs, got, want)
		}
	}

	refuse := func(name, want string, docs ...string) {
		t.Helper()
		var more []Document
		for i, d := range docs[1:] {
			more = append(more, Document{Name: fmt.Sprint("doc", i+2), XML: []byte(d)})
		}
		_, err := Compile(Options{}, Document{Name: "doc1", XML: []byte(docs[0])}, more...)
		var e *rules.Error
		if !errors.As(err, &e) || e.Line == 0 || !strings.Contains(e.Text, want) {
			t.Errorf("%s: %v, want a place and %q", name, err, want)
		}
	}
	to := func(id string) string { return "<PolicySetIdReference>" + id + "</PolicySetIdReference>" }
	refuse("itself", "leads back", set("a", to("a")))
	refuse("a circle", "leads back", set("a", to("b")), set("b", to("c")), set("c", to("a")))
	refuse("the other kind", "no PolicySet p", set("a", to("p")), string(library[0].XML))
	refuse("the same twice", "there twice", set("a", to("b")), set("b", ""), set("b", ""))
	refuse("a mistake in what nothing refers to", "neither Permit nor Deny", set("a", ""), policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Maybe", "")))
	chain := []string{}
	for i := range MaxReferences + 1 {
		chain = append(chain, set(fmt.Sprint("s", i), to(fmt.Sprint("s", i+1))))
	}
	refuse("deep", "deep", append(chain, set(fmt.Sprint("s", MaxReferences+1), ""))...)
}

func TestTimesInZones(t *testing.T) {
	current := strings.NewReplacer(testCategory, categoryEnvironment, "x", environment+"current-time").Replace(attr(typeTime, "x", true))
	during := func(from, to string) *Set {
		return mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", fn(fn2+"time-in-range", apply1("time-one-and-only", current), lit(typeTime, from), lit(typeTime, to)))))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		utc, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return utc.In(berlin)
	}
	tests := []struct {
		from, to, now string
		want          bool
	}{
		{"09:00:00", "17:00:00", "2026-01-05T08:00:00Z", true}, // 09:00 in winter, included
		{"09:00:00", "17:00:00", "2026-07-05T07:00:00Z", true}, // 09:00 in summer
		{"09:00:00", "17:00:00", "2026-07-05T15:00:00Z", true}, // 17:00, included
		{"09:00:00", "17:00:00", "2026-07-05T15:00:01Z", false},
		{"22:00:00", "06:00:00", "2026-01-05T22:59:59Z", true}, // 23:59:59, over midnight
		{"22:00:00", "06:00:00", "2026-01-05T23:00:00Z", true},
		{"22:00:00", "06:00:00", "2026-01-05T05:00:01Z", false},
		{"22:00:00", "06:00:00", "2026-01-05T20:59:59Z", false},
		{"02:00:00", "02:59:59", "2026-03-29T00:59:59Z", false}, // 01:59:59; the hour from 2 is left out
		{"02:00:00", "02:59:59", "2026-03-29T01:00:00Z", false}, // 03:00:00
		{"02:00:00", "02:59:59", "2026-10-25T00:30:00Z", true},  // 02:30, in summer time
		{"02:00:00", "02:59:59", "2026-10-25T01:30:00Z", true},  // 02:30 again, in winter time
		{"02:00:00", "02:59:59", "2026-10-25T02:00:00Z", false},
		{"08:00:00Z", "08:30:00Z", "2026-07-05T08:15:00Z", true}, // bounds with a zone of their own
	}
	for _, tt := range tests {
		got := during(tt.from, tt.to).Decide(&rules.Request{Now: at(tt.now)})
		if (got.Decision == rules.Permit) != tt.want {
			t.Errorf("%s to %s at %s = %v, want %t", tt.from, tt.to, tt.now, got.Decision, tt.want)
		}
	}
}

// TestZoneOfTheRuleSet holds which zone times without one are in: that of the time
// they are compared with in time-in-range, else that of the request.
func TestZoneOfTheRuleSet(t *testing.T) {
	permits := func(condition string, now time.Time) bool {
		set := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", condition)))
		return set.Decide(&rules.Request{Now: now}).Decision == rules.Permit
	}
	east := nine.In(time.FixedZone("", 2*3600))
	same := apply1("dateTime-equal", lit(typeDateTime, "2026-01-01T02:00:00"), lit(typeDateTime, "2026-01-01T00:00:00Z"))
	if permits(same, nine) || !permits(same, east) {
		t.Error("a time without a zone is not in the request's zone")
	}
	later := apply1("time-greater-than", lit(typeTime, "02:00:01"), lit(typeTime, "00:00:00Z"))
	if !permits(later, nine) || !permits(later, east) {
		t.Error("the order of times depends on more than the zone")
	}
	within := fn(fn2+"time-in-range", lit(typeTime, "10:00:00+05:00"), lit(typeTime, "09:00:00"), lit(typeTime, "11:00:00"))
	if !permits(within, nine) || !permits(within, east) {
		t.Error("bounds without a zone are not in that of the time")
	}
}
