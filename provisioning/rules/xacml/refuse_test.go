package xacml

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// refused compiles a document and returns the error, which must have its place.
func refused(t *testing.T, doc string) string {
	t.Helper()
	_, err := Compile(Options{}, Document{Name: "doc", XML: []byte(doc)})
	var e *rules.Error
	if !errors.As(err, &e) {
		t.Errorf("error = %v, want a refusal", err)
		return ""
	}
	if e.Source != "doc" || e.Line == 0 || e.Column == 0 {
		t.Errorf("%v does not name the document and the place", err)
	}
	return e.Error()
}

func TestHostileDocuments(t *testing.T) {
	good := policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", ""))
	lol := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>` + "\n"
	in := func(body string) string { return strings.Replace(good, "<Target/>", "<Target/>\n"+body, 1) }
	tests := map[string]struct{ doc, want string }{
		"document type":       {lol + good, "doc:1:1: document types"},
		"document type later": {good + "\n<!DOCTYPE x>", "doc:2:1: document types"},
		"external entity":     {`<!DOCTYPE x SYSTEM "file:///etc/passwd">` + good, "document types"},
		"undeclared entity":   {in("<Description>&lol;</Description>"), "doc:2:"},
		"stylesheet":          {`<?xml-stylesheet href="x"?>` + good, "doc:1:1: processing"},
		"depth":               {in(ruleWhen("d", "Deny", strings.Repeat("<Apply FunctionId='"+fn1+"not'>", MaxDepth))), "nested more than"},
		"elements":            {in(strings.Repeat("<a/>", MaxElements)), "more than 20000 elements"},
		"attributes":          {in("<Rule " + manyAttributes(MaxAttributes+1) + "/>"), "doc:2:1: element Rule has more than"},
		"an attribute twice":  {in(`<Rule RuleId="a" RuleId="b" Effect="Deny"/>`), "doc:2:1: attribute RuleId of Rule is there twice"},
		"text":                {in("<Description>" + strings.Repeat("x", MaxValue+1) + "</Description>"), "text of more than"},
		"size":                {good + strings.Repeat(" ", MaxDocument), "doc:1:1: the document has"},
		"two roots":           {good + "\n" + good, "doc:2:1: a second root"},
		"text after":          {good + "\nx", "doc:1:"},
		"nothing":             {"", "doc:1:1: the document is empty"},
		"not closed":          {good[:len(good)-3], "not well-formed"},
		"another encoding":    {`<?xml version="1.0" encoding="UTF-7"?>` + good, "not well-formed"},
		"XACML 2.0":           {strings.Replace(good, namespace, "urn:oasis:names:tc:xacml:2.0:policy:schema:os", 1), "doc:1:1: element Policy is in namespace"},
		"no namespace":        {strings.Replace(good, `xmlns="`+namespace+`"`, "", 1), "doc:1:1: element Policy is in namespace"},
		"foreign element":     {in(`<x:Rule xmlns:x="urn:x"/>`), "doc:2:1: element Rule is in namespace"},
		"hidden in content":   {in(`<Content><x:Rule xmlns:x="urn:x"/></Content>`), "doc:2:1: Content is not accepted in Policy"},
		"foreign attribute":   {in(`<Rule xmlns:x="urn:x" x:RuleId="r" Effect="Deny"/>`), "doc:2:1: attribute RuleId"},
	}
	for name, tt := range tests {
		if got := refused(t, tt.doc); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
	}
}

func manyAttributes(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `a%d="" `, i)
	}
	return out.String()
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	in := func(body string) string { return policyOf("deny-overrides", "<Target/>\n"+body) }
	when := func(x string) string {
		return policyOf("deny-overrides", "<Target/><Rule RuleId='r' Effect='Permit'><Condition>\n"+x+"</Condition></Rule>")
	}
	match := func(x string) string {
		return policyOf("deny-overrides", "<Target><AnyOf><AllOf>\n"+x+"</AllOf></AnyOf></Target>")
	}
	text := lit(typeString, "x")
	tests := map[string]struct{ doc, want string }{
		"unknown element":         {in("<Rul/>"), "doc:2:1: Rul is not accepted in Policy"},
		"issued policy":           {in("<PolicyIssuer/>"), "doc:2:1: PolicyIssuer is not accepted"},
		"combiner parameters":     {in("<RuleCombinerParameters/>"), "doc:2:1: RuleCombinerParameters is not accepted"},
		"unknown attribute":       {in("<Rule RuleId='r' Effect='Deny' When='now'/>"), "doc:2:1: Rule has an unknown attribute When"},
		"no id":                   {in("<Rule Effect='Deny'/>"), "doc:2:1: Rule has no RuleId"},
		"effect":                  {in("<Rule RuleId='r' Effect='permit'/>"), "doc:2:1: Effect of Rule"},
		"text among rules":        {in("deny all"), "doc:1:1: Policy has text"},
		"no target":               {policyOf("deny-overrides", ""), "doc:1:1: Policy has no Target"},
		"two targets":             {in("<Target/>"), "doc:2:1: a second Target"},
		"the same rule twice":     {in("<Rule RuleId='r' Effect='Deny'/>\n<Rule RuleId='r' Effect='Deny'/>"), "doc:3:1: a second rule r"},
		"algorithm":               {policyOf("majority", "<Target/>"), "doc:1:1: unknown combining algorithm"},
		"algorithm for policies":  {policyOf("1.0/only-one-applicable", "<Target/>"), "doc:1:1: unknown combining algorithm"},
		"empty AnyOf":             {policyOf("deny-overrides", "<Target>\n<AnyOf/></Target>"), "doc:2:1: AnyOf is empty"},
		"unknown function":        {when(apply1("string-frobnicate", text)), "doc:2:1: unknown function"},
		"too few arguments":       {when(apply1("string-equal", text)), "doc:2:1: function"},
		"type of an argument":     {when(apply1("string-equal", text, "\n"+lit(typeInteger, "1"))), "doc:3:1: argument 2"},
		"a bag for one":           {when(apply1("string-equal", text, "\n"+attr(typeString, "n", true))), "doc:3:1: argument 2"},
		"condition of a string":   {when(text), "doc:2:1: a condition is one boolean, not one string"},
		"two conditions":          {when(yes + yes), "wants one expression, not 2"},
		"or of a string":          {when(apply1("or", yes, "\n"+text)), "doc:3:1: the argument is to be one boolean"},
		"value":                   {when(lit(typeInteger, "ten")), `doc:2:1: "ten" is not a value of type integer`},
		"type":                    {when(`<AttributeValue DataType="urn:x">1</AttributeValue>`), "doc:2:1: data type"},
		"a call that fails":       {when(apply1("integer-equal", lit(typeInteger, "1"), "\n"+apply1("integer-divide", lit(typeInteger, "1"), lit(typeInteger, "0")))), "doc:3:1: this can only fail"},
		"pattern":                 {when(apply1("string-regexp-match", lit(typeString, "(x"), "\n"+text)), "doc:2:1: not a regular expression"},
		"pattern that is long":    {when(apply1("string-regexp-match", lit(typeString, strings.Repeat("x", MaxPattern+1)), text)), "doc:2:1: a regular expression of more"},
		"selector":                {when("<AttributeSelector/>"), "doc:2:1: AttributeSelector is not supported"},
		"function by itself":      {when(funcRef(fn1 + "not")), "doc:2:1: a Function stands only"},
		"any-of of two bags":      {when(fn(fn3+"any-of", funcRef(fn1+"string-equal"), attr(typeString, "n", true), attr(typeString, "n", true))), "doc:2:1: any-of wants exactly one bag"},
		"any-of of no predicate":  {when(fn(fn3+"any-of", funcRef(fn1+"integer-add"), lit(typeInteger, "1"), attr(typeInteger, "n", true))), "cannot apply"},
		"unknown variable":        {when(`<VariableReference VariableId="v"/>`), "doc:2:1: variable v is not defined"},
		"variable of itself":      {in(`<VariableDefinition VariableId="v"><VariableReference VariableId="v"/></VariableDefinition>`), "doc:2:1: variable v refers to itself"},
		"variable twice":          {in("<VariableDefinition VariableId='v'>" + yes + "</VariableDefinition>\n<VariableDefinition VariableId='v'>" + no + "</VariableDefinition>"), "doc:3:1: variable v is defined twice"},
		"match of other types":    {match(fmt.Sprintf("<Match MatchId='%sstring-equal'>%s%s</Match>", fn1, lit(typeInteger, "1"), attr(typeString, "n", true))), "doc:2:1: Match compares"},
		"match of no comparison":  {match(fmt.Sprintf("<Match MatchId='%sinteger-add'>%s%s</Match>", fn1, lit(typeInteger, "1"), attr(typeInteger, "n", true))), "doc:2:1: function"},
		"match the wrong way":     {match(fmt.Sprintf("<Match MatchId='%sstring-equal'>%s%s</Match>", fn1, attr(typeString, "n", true), text)), "doc:2:1: Match wants"},
		"version":                 {strings.Replace(in(""), `"1.0"`, `"one"`, 1), "doc:1:1: Policy has no Version"},
		"must be present, or not": {when(strings.Replace(attr(typeBoolean, "n", true), `"true"`, `"perhaps"`, 1)), "doc:2:1: MustBePresent"},
		"duty without an effect":  {in("<ObligationExpressions><ObligationExpression\nObligationId='o'/></ObligationExpressions>"), "ObligationExpression has no FulfillOn"},
		"request as policy":       {fmt.Sprintf(`<Request xmlns="%s"/>`, namespace), "doc:1:1: Request is neither"},
	}
	for name, tt := range tests {
		if got := refused(t, tt.doc); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %q", name, got, tt.want)
		}
	}
}

func TestRequestsRefused(t *testing.T) {
	request := func(body string) string { return fmt.Sprintf(`<Request xmlns="%s">%s</Request>`, namespace, body) }
	of := func(attribute string) string {
		return request(`<Attributes Category="c">` + "\n" + attribute + "</Attributes>")
	}
	for name, tt := range map[string]struct{ doc, want string }{
		"several decisions":  {request(`<Attributes Category="c"/><Attributes Category="c"/>`), "several decisions"},
		"multiple requests":  {request("\n<MultiRequests/>"), "2:1: MultiRequests is not accepted"},
		"attribute no value": {of(`<Attribute AttributeId="a" IncludeInResult="false"/>`), "2:1: attribute a has no value"},
		"wrong value":        {of(`<Attribute AttributeId="a" IncludeInResult="false">` + lit(typeDate, "tomorrow") + `</Attribute>`), "is not a value of type date"},
		"policy":             {policyOf("deny-overrides", "<Target/>"), "1:1: Policy is not a Request"},
		"deep content":       {request(`<Attributes Category="c"><Content>` + strings.Repeat("<a>", MaxDepth)), "nested more than"},
	} {
		_, err := ParseRequest([]byte(tt.doc))
		var e *rules.Error
		if !errors.As(err, &e) || e.Line == 0 || !strings.Contains(e.Error(), tt.want) {
			t.Errorf("%s: %v, want a place and %q", name, err, tt.want)
		}
	}
}

// TestLargePolicies holds that a policy of nearly the size allowed is read and
// evaluated.
func TestLargePolicies(t *testing.T) {
	one := ruleWhen("r%d", "Permit", apply1("string-is-in", lit(typeString, "nobody"), attr(typeString, "n", true)))
	var body strings.Builder
	n := 0
	for ; body.Len() < MaxDocument-4096; n++ {
		fmt.Fprintf(&body, one, n)
	}
	set := mustCompile(t, policyOf("deny-overrides", "<Target/>"+body.String()))
	got := set.DecideContext(testContext(), nine)
	if got.Decision != rules.NotApplicable || len(set.root.children) != n || n < 1000 {
		t.Errorf("%d rules = %v, %+v", n, got.Decision, got.Status)
	}
	if uses := set.Uses(); len(uses) != 1 || uses[0].ID != "n" {
		t.Errorf("uses %v, want n once", uses)
	}
}

// TestStepsAreBounded holds that what multiplies work runs out of steps.
func TestStepsAreBounded(t *testing.T) {
	groups := strings.NewReplacer(testCategory, categoryCall, `"x"`, `"`+categoryCall+`/claim-group"`).Replace(attr(typeString, "x", true))
	equal := funcRef(fn1 + "string-equal")
	tests := map[string]string{
		"patterns that are asked": fn(fn3+"any-of-any", funcRef(fn1+"string-regexp-match"), groups, lit(typeString, "z")),
		"each with each, often":   apply1("or", repeat(9, fn(fn3+"any-of-any", equal, groups, apply1("string-bag", repeat(500, lit(typeString, "z"))...)))...),
	}
	r := manyGroups(500)
	for name, condition := range tests {
		got := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", condition))).Decide(r)
		if got.Decision != rules.IndeterminateP || got.Status.Code != rules.StatusCostExceeded {
			t.Errorf("%s = %v, %+v; want it stopped", name, got.Decision, got.Status)
		}
	}
	// What is reasonable passes: a hundred groups looked for among five hundred.
	fine := apply1("or", repeat(100, apply1("string-is-in", lit(typeString, "z"), groups))...)
	if got := mustCompile(t, policyOf("deny-overrides", "<Target/>"+ruleWhen("r", "Permit", fine))).Decide(r); got.Decision != rules.NotApplicable {
		t.Errorf("a hundred of five hundred groups = %v, %+v", got.Decision, got.Status)
	}
}

// TestReferencesMultiply holds that sets which each refer to the next one fifty
// times are compiled and looked at once, and evaluated as far as the steps go.
func TestReferencesMultiply(t *testing.T) {
	var docs []Document
	for i := range MaxReferences {
		body := strings.Repeat(fmt.Sprintf("<PolicySetIdReference>s%d</PolicySetIdReference>", i+1), 50)
		if i == MaxReferences-1 {
			body = ""
		}
		docs = append(docs, Document{XML: []byte(fmt.Sprintf(`<PolicySet xmlns="%s" PolicySetId="s%d" Version="1" PolicyCombiningAlgId="%s3.0:policy-combining-algorithm:deny-overrides"><Target/>%s</PolicySet>`, namespace, i, urn, body))})
	}
	set, err := Compile(Options{}, docs[0], docs[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Decide(someone()); got.Status.Code != rules.StatusCostExceeded {
		t.Errorf("50 to the power of 15 policies = %+v", got)
	}
	if found := set.Lint(Known{}); len(found) != 1 || found[0].Kind != FindingNotApplicable {
		t.Errorf("found %v, want not_applicable alone", found)
	}
}

func repeat(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func manyGroups(n int) *rules.Request {
	r := &rules.Request{Now: nine, Operation: rules.OperationCreate}
	for i := range n {
		r.User.Groups = append(r.User.Groups, fmt.Sprint("group ", i))
	}
	return r
}
