package xacml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lintOf(t *testing.T, doc string, k Known) []string {
	t.Helper()
	set, err := Compile(Options{}, Document{XML: []byte(doc)})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range set.Lint(k) {
		out = append(out, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Kind))
		if f.Text == "" {
			t.Errorf("%s at %d:%d has no text", f.Kind, f.Line, f.Column)
		}
	}
	return out
}

func TestLintNamesTheThingAndThePlace(t *testing.T) {
	const apps = `<Match MatchId="urn:oasis:names:tc:xacml:1.0:function:string-equal"><AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">%s</AttributeValue>` + "\n" + `<AttributeDesignator AttributeId="%s" Category="%s" DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="false"/></Match>`
	on := func(value, id, category string) string {
		return "<Target><AnyOf><AllOf>\n" + fmt.Sprintf(apps, value, id, category) + "</AllOf></AnyOf></Target>"
	}
	obliges := func(effect string) string {
		return "<Rule RuleId='o' Effect='" + effect + "'><ObligationExpressions><ObligationExpression ObligationId='mail' FulfillOn='" + effect + "'/></ObligationExpressions></Rule>"
	}
	permit := "\n<Rule RuleId='p' Effect='Permit'/>"
	tests := []struct {
		name, body string
		algorithm  string
		want       []string
	}{
		{"nothing", "<Target/>" + permit, "deny-overrides", nil},
		{"unknown application", on("portal", attributeApp, categoryApp) + permit, "deny-overrides",
			[]string{"1:1 not_applicable", "2:1 unknown_app"}},
		{"known application", on("crm", attributeApp, categoryApp) + permit, "deny-overrides", []string{"1:1 not_applicable"}},
		{"unknown target", on("sales", attributeIDP, categoryIDP) + permit, "deny-overrides",
			[]string{"1:1 not_applicable", "2:1 unknown_target"}},
		{"placeholder", on("SP_NAME", attributeApp, categoryApp) + permit, "deny-overrides",
			[]string{"1:1 not_applicable", "2:1 placeholder"}},
		{"placeholder of a claim", on("LK", "CLAIM_URI_1", categoryUser) + permit, "deny-overrides",
			[]string{"1:1 not_applicable", "3:1 placeholder"}},
		{"unknown attribute", on("x", "urn:x:y", "urn:x") + permit, "deny-overrides",
			[]string{"1:1 not_applicable", "3:1 unknown_attribute"}},
		{"DELETE alone", "<Target/>\n<Rule RuleId='d' Effect='Deny'>" + on("DELETE", attributeCall, categoryCall) + "</Rule>" + permit, "deny-overrides",
			[]string{"2:1 operation"}},
		{"PUT", "<Target/>\n<Rule RuleId='d' Effect='Deny'>" + on("PUT", attributeCall, categoryCall) + "</Rule>" + permit, "deny-overrides", nil},
		{"after a rule for everything", "<Target/>\n<Rule RuleId='d' Effect='Deny'/>" + permit, "first-applicable", []string{"3:1 unreachable"}},
		{"before it", "<Target/>" + permit + "\n<Rule RuleId='d' Effect='Deny'/>", "first-applicable", nil},
		{"Deny wins", "<Target/>" + permit + "\n<Rule RuleId='d' Effect='Deny'/>", "deny-overrides", []string{"2:1 unreachable"}},
		{"Permit wins later", "<Target/>\n<Rule RuleId='d' Effect='Deny'/>" + permit, "permit-overrides", nil},
		{"an obligation of a Permit", "<Target/>\n" + obliges("Permit"), "deny-unless-permit", []string{"2:1 obligation"}},
		{"an obligation of a Deny", "<Target/>\n" + obliges("Deny"), "deny-unless-permit", nil},
		{"Permit wins", "<Target/>" + permit + "\n<Rule RuleId='d' Effect='Deny'/>", "permit-overrides", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			version := "3.0"
			if tt.algorithm == "first-applicable" {
				version = "1.0"
			}
			doc := fmt.Sprintf(`<Policy xmlns="%s" PolicyId="p" Version="1" RuleCombiningAlgId="%s%s:rule-combining-algorithm:%s">%s</Policy>`, namespace, urn, version, tt.algorithm, tt.body)
			got := lintOf(t, doc, Known{Apps: []string{"crm"}})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLintOfExpressions holds that names and attributes are looked at wherever
// they may stand.
func TestLintOfExpressions(t *testing.T) {
	of := func(category, id string, typ dataType) string {
		return strings.NewReplacer(testCategory, category, `"x"`, `"`+id+`"`).Replace(attr(typ, "x", true))
	}
	app, ip := of(categoryApp, attributeApp, typeString), of("urn:anteroom:request", "urn:anteroom:request:ip", typeIPAddress)
	one := func(x string) string { return apply1("string-one-and-only", x) }
	tests := map[string]struct {
		condition string
		want      []string
	}{
		"known name":           {apply1("string-equal", one(app), lit(typeString, "crm")), nil},
		"unknown name":         {apply1("string-equal", one(app), "\n"+lit(typeString, "hr")), []string{"2:1 unknown_app"}},
		"unknown in a bag":     {apply1("and", apply1("string-is-in", "\n"+lit(typeString, "hr"), app), yes), []string{"2:1 unknown_app"}},
		"no comparison":        {apply1("string-greater-than-or-equal", one(app), lit(typeString, "hr")), nil},
		"placeholder in a bag": {apply1("string-at-least-one-member-of", "\n"+apply1("string-bag", lit(typeString, "ROLE_1")), app), []string{"2:1 placeholder"}},
		"in a function":        {fn(fn3+"any-of", funcRef(fn1+"string-equal"), "\n"+lit(typeString, "GROUP_12"), app), []string{"2:1 placeholder"}},
		"in n-of":              {apply1("n-of", lit(typeInteger, "1"), apply1("string-is-in", lit(typeString, "a"), "\n"+of(categoryApp, "urn:x", typeString))), []string{"2:1 unknown_attribute"}},
		"the right type":       {fn(fn3+"any-of", funcRef(fn2+"ipAddress-regexp-match"), lit(typeString, "^10"), ip), nil},
		"another type":         {apply1("string-is-in", lit(typeString, "a"), "\n"+of("urn:anteroom:request", "urn:anteroom:request:ip", typeString)), []string{"2:1 unknown_attribute"}},
		"a claim as a date":    {apply1("date-is-in", lit(typeDate, "2026-01-01"), "\n"+of(categoryUser, "birthday", typeDate)), []string{"2:1 unknown_attribute"}},
		"an issuer":            {apply1("string-is-in", lit(typeString, "crm"), "\n"+strings.Replace(app, "MustBe", `Issuer="x" MustBe`, 1)), []string{"2:1 unknown_attribute"}},
		"never":                {no, []string{"1:0 unreachable"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rule := ruleWhen("r", "Permit", tt.condition)
			got := lintOf(t, policyOf("deny-unless-permit", "<Target/>"+rule), Known{Apps: []string{"crm"}})
			if len(got) == 1 && strings.HasPrefix(got[0], "1:") {
				got[0] = "1:0 " + strings.Fields(got[0])[1]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			duty := `<ObligationExpressions><ObligationExpression ObligationId="o" FulfillOn="Deny"><AttributeAssignmentExpression AttributeId="a">` + tt.condition + `</AttributeAssignmentExpression></ObligationExpression></ObligationExpressions>`
			if name == "never" {
				return
			}
			got = lintOf(t, policyOf("deny-unless-permit", "<Target/>"+duty), Known{Apps: []string{"crm"}})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("in an obligation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLintOfTemplates(t *testing.T) {
	files := readArchive(t, "wso2-xacml-templates.tar.gz")
	known := Known{Apps: []string{"travelocity"}, Targets: []string{"SalesforceIdP"}}
	for _, name := range templates {
		raw := ""
		for file, b := range files {
			if strings.HasSuffix(file, "/"+name+".xml") {
				raw = string(b)
			}
		}
		empty := lintOf(t, raw, known)
		if has := strings.Contains(strings.Join(empty, " "), "placeholder"); has != (name != "sample-provisioning-policy") {
			t.Errorf("%s as shipped: %v", name, empty)
		}
		if done := lintOf(t, filled.Replace(raw), known); len(done) != 1 || !strings.HasSuffix(done[0], "not_applicable") {
			t.Errorf("%s filled in: %v, want not_applicable alone", name, done)
		}
	}
}
