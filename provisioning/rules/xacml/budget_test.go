package xacml

import (
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// typicalRule is: in a group, with a mail address of a domain, for one
// application, in office hours.
func typicalRule(t testing.TB) *Set {
	t.Helper()
	of := func(category, id string, typ dataType) string {
		return strings.NewReplacer(testCategory, category, `"x"`, `"`+id+`"`).Replace(attr(typ, "x", true))
	}
	condition := apply1("and",
		apply1("string-is-in", lit(typeString, "Engineering"), of(categoryCall, categoryCall+"/claim-group", typeString)),
		apply1("string-regexp-match", lit(typeString, `@example\.com$`), apply1("string-one-and-only", of(categoryUser, wso2Claims+"emailaddress", typeString))),
		apply1("string-is-in", lit(typeString, "c1"), of(categoryApp, "urn:anteroom:app:client-id", typeString)),
		fn(fn2+"time-in-range", apply1("time-one-and-only", of(categoryEnvironment, environment+"current-time", typeTime)), lit(typeTime, "09:00:00"), lit(typeTime, "17:00:00")),
	)
	return mustCompile(t, policyOf("1.0/first-applicable", "<Target/>"+ruleWhen("allow", "Permit", condition)+ruleWhen("deny", "Deny", "")))
}

func engineer() *rules.Request {
	r := someone()
	r.User.Groups = []string{"Staff", "Engineering"}
	r.Now = nine
	return r
}

// maxAllocations is the budget of one decision: the evaluation, what it remembers,
// and a bag for each attribute.
const maxAllocations = 12

func TestAllocationsOfATypicalRule(t *testing.T) {
	set, r := typicalRule(t), engineer()
	if got := set.Decide(r); got.Decision != rules.Permit || got.Rule != "allow" {
		t.Fatalf("the rule = %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { set.Decide(r) }); n > maxAllocations {
		t.Errorf("%.0f allocations, more than %d", n, maxAllocations)
	}
}

func BenchmarkTypicalRule(b *testing.B) {
	set, r := typicalRule(b), engineer()
	b.ReportAllocs()
	for b.Loop() {
		if set.Decide(r).Decision != rules.Permit {
			b.Fatal("not permitted")
		}
	}
}

func BenchmarkTemplateOfWSO2(b *testing.B) {
	set := goldenSets(b)[3]
	r := goldenRows[0].asOurs()
	b.ReportAllocs()
	for b.Loop() {
		if set.Decide(r).Decision != rules.Permit {
			b.Fatal("not permitted")
		}
	}
}

func BenchmarkCompileTemplateOfWSO2(b *testing.B) {
	doc := Document{XML: []byte(goldenSource(b, readArchive(b, "wso2-xacml-templates.tar.gz"), templates[3]))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(Options{}, doc); err != nil {
			b.Fatal(err)
		}
	}
}
