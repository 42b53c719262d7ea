package wso2_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/wso2"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

// finance is a policy about one application and Example Directory, after changes.
func finance(t *testing.T, oldnew ...string) wso2.Policy {
	t.Helper()
	text := strings.NewReplacer(oldnew...).Replace(string(load(t, "finance.xml")))
	return wso2.Policy{Name: "policies/finance.xml", Text: []byte(text)}
}

// provider is provider.json, with rules enabled for SCIM2.
func provider(t *testing.T) []byte {
	t.Helper()
	return bytes.Replace(load(t, "provider.json"), []byte(`"rulesEnabled": false`), []byte(`"rulesEnabled": true`), 1)
}

func importPolicies(t *testing.T, raw []byte, policies ...wso2.Policy) wso2.Result {
	t.Helper()
	result, err := wso2.Import(raw, policies...)
	if err != nil {
		t.Fatal(err)
	}
	if problems := result.Document.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	return result
}

// ofPolicies are the lines of the report that are about policies and rules.
func ofPolicies(r wso2.Result) []string {
	var out []string
	for _, l := range r.Report {
		if strings.Contains(l.Key, ".xml") || l.Key == "rulesEnabled" {
			out = append(out, strings.TrimRight(fmt.Sprintf("%s %s: %s %s", l.Target, l.Key, l.Verdict, l.To), " "))
		}
	}
	return out
}

// A policy becomes a rule set for each target of its connection, where it decides
// as it did: it names the target, and nothing else of it is another.
func TestPolicyBecomesRuleSets(t *testing.T) {
	result := importPolicies(t, provider(t), finance(t))
	want := []string{
		"example-directory-scim2 rulesEnabled: carried over enable_rules and rule_sets",
		"example-directory-scim2 finance.xml: carried over rule_sets.finance-only-example-directory-scim2",
		"example-directory-salesforce finance.xml: carried over rule_sets.finance-only-example-directory-salesforce",
		"example-directory-salesforce finance.xml: needs your decision",
		" finance.xml: needs your decision",
	}
	if diff := cmp.Diff(want, ofPolicies(result)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]wso2.Proposal{{
		Application: "Payroll & Co", Target: "example-directory-scim2", Blocking: true, EnableRules: true, RuleSets: []string{"finance-only-example-directory-scim2"},
	}}, result.Bindings); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	original := string(load(t, "finance.xml"))
	for i, target := range []string{"example-directory-scim2", "example-directory-salesforce"} {
		s := result.Document.RuleSets[i]
		if s.Source != strings.Replace(original, "Example Directory", target, 1) || s.Compat != "wso2" || s.DefaultDecision != "" {
			t.Errorf("%s: compat %q, default %q, source\n%s", s.Name, s.Compat, s.DefaultDecision, s.Source)
		}
	}
	decides(t, result.Document.RuleSets[0])
}

// decides asks a rule set about users of Payroll.
func decides(t *testing.T, s resources.RuleSet) {
	t.Helper()
	set, err := language.Compile(rules.RuleSet{Language: rules.LanguageXACML, Source: s.Source, WSO2: s.Compat == "wso2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		app    string
		groups []string
		roles  []string
		want   rules.Decision
	}{
		{"Payroll & Co", []string{"finance"}, nil, rules.Permit},
		{"Payroll & Co", []string{"sales"}, []string{"finance"}, rules.Permit},
		{"Payroll & Co", []string{"sales"}, nil, rules.Deny},
		{"Payroll & Co", nil, nil, rules.IndeterminateP}, // the group must be present
		{"Wiki", []string{"finance"}, nil, rules.NotApplicable},
	} {
		got := set.Decide(&rules.Request{
			App: rules.App{Name: c.app}, User: rules.User{Groups: c.groups, Roles: c.roles},
			Connector: rules.Connector{Name: "example-directory-scim2"}, Operation: rules.OperationCreate,
		})
		if got.Decision != c.want {
			t.Errorf("%+v: %s", c, got.Decision)
		}
	}
}

func TestPoliciesAreSorted(t *testing.T) {
	const idp = `<AttributeDesignator AttributeId="http://wso2.org/identity/idp/idp-name" Category="http://wso2.org/identity/idp" `
	for name, c := range map[string]struct {
		policy wso2.Policy
		sets   int
		report string // of the line of the file
		notes  []string
	}{
		"another connection": {finance(t, "Example Directory", "Other"), 0, " finance.xml: not needed", []string{"another connection: Other"}},
		"another action":     {finance(t, ">provisioning<", ">authenticate<"), 0, " finance.xml: not needed", []string{"something else"}},
		"not filled in":      {finance(t, "Payroll &amp; Co", "SP_NAME"), 2, "example-directory-scim2 finance.xml: carried over", []string{"SP_NAME stands for"}},
		"no XACML":           {finance(t, "<Target>", "<Aim>", "</Target>", "</Aim>"), 0, " finance.xml: needs your decision", []string{"not carried over: 2:3: "}},
		"a document type":    {finance(t, "<Policy", "<!DOCTYPE Policy><Policy"), 0, " finance.xml: needs your decision", []string{"not carried over"}},
		"no connection": {finance(t, `Example Directory`, "salesforce", idp,
			`<AttributeDesignator AttributeId="http://wso2.org/identity/idp/connector-type" Category="http://wso2.org/identity/idp" `), 1,
			" finance.xml: carried over rule_sets.finance-only", []string{"connector's type", "MustBePresent"}},
		"a name in pieces":  {finance(t, "Example Directory", "Example <!-- -->Directory"), 2, "example-directory-scim2 finance.xml: carried over", []string{`there is no target "Example Directory"`}},
		"a byte order mark": {finance(t, "<Policy ", "\ufeff<Policy "), 2, "example-directory-scim2 finance.xml: carried over", nil},
		"a name in CDATA":   {finance(t, "Example Directory", "<![CDATA[Example Directory]]>"), 2, "example-directory-scim2 finance.xml: carried over", nil},
		"Windows lines":     {finance(t, "\n", "\r\n"), 2, "example-directory-scim2 finance.xml: carried over", nil},
		"a secret":          {wso2.Policy{Name: "x.xml", Text: []byte("hunter2")}, 0, " x.xml: needs your decision", nil},
	} {
		result := importPolicies(t, provider(t), c.policy)
		all := fmt.Sprintf("%+v", result.Report)
		found := false
		for _, line := range ofPolicies(result) {
			found = found || strings.HasPrefix(line, c.report)
		}
		if !found || len(result.Document.RuleSets) != c.sets {
			t.Errorf("%s: %d rule sets, want %d and %q in\n%s", name, len(result.Document.RuleSets), c.sets, c.report, strings.Join(ofPolicies(result), "\n"))
		}
		for _, note := range c.notes {
			if !strings.Contains(all, note) {
				t.Errorf("%s: no line says %q:\n%s", name, note, all)
			}
		}
		for _, s := range result.Document.RuleSets {
			if strings.Contains(s.Source, "Example Directory") || strings.ContainsAny(s.Source, "\r\ufeff") {
				t.Errorf("%s: %s names the connection still:\n%s", name, s.Name, s.Source)
			}
		}
	}
}

// Policies of one pair go into one binding, each by a name of its own.
func TestPoliciesOfOnePair(t *testing.T) {
	raw := []byte(`{"name": "SCIM2", "rulesEnabled": true, "blockingEnabled": false, "properties": [{"key": "scim2-user-ep", "value": "https://x.example/Users"}]}`)
	result := importPolicies(t, raw, finance(t), finance(t), finance(t, "Payroll &amp; Co", "Wiki"))
	want := []wso2.Proposal{
		{Application: "Payroll & Co", Target: "scim2", EnableRules: true, RuleSets: []string{"finance-only", "finance-only-2"}},
		{Application: "Wiki", Target: "scim2", EnableRules: true, RuleSets: []string{"finance-only-3"}},
	}
	if diff := cmp.Diff(want, result.Bindings); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	text, err := result.YAML()
	if err != nil || !strings.HasSuffix(string(text), "#   Wiki: {target: scim2, blocking: false, enable_rules: true, rule_sets: [finance-only-3]}\n") {
		t.Errorf("%v\n%s", err, text)
	}
	back, err := resources.Parse(text)
	if diff := cmp.Diff(result.Document, back); err != nil || diff != "" {
		t.Errorf("apply would read something else: %v\n%s", err, diff)
	}
}

// FuzzPolicies wants no panic, and rule sets that compile and that apply reads.
func FuzzPolicies(f *testing.F) {
	f.Add(load(f, "finance.xml"))
	f.Add([]byte(`<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="x" Version="1" RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-overrides"><Target/></Policy>`))
	raw := load(f, "provider.json")
	f.Fuzz(func(t *testing.T, policy []byte) {
		result, err := wso2.Import(raw, wso2.Policy{Name: "p.xml", Text: policy})
		if err != nil {
			t.Fatal(err)
		}
		text, err := result.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := resources.Parse(text)
		if err != nil || len(back.Check()) > 0 {
			t.Fatalf("%q gives a file that apply does not read: %v %v\n%s", policy, err, back.Check(), text)
		}
		for _, s := range back.RuleSets {
			if _, err := language.Compile(rules.RuleSet{Language: rules.LanguageXACML, Source: s.Source, WSO2: true}); err != nil {
				t.Errorf("%q becomes what does not compile: %v\n%s", policy, err, s.Source)
			}
		}
	})
}
