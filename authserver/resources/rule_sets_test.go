package resources

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

const (
	nativeRules = "rules:\n  - {id: staff, effect: permit, when: \"'staff' in user.groups\"}\n"
	// officePolicy applies to payroll alone, and refers to no other.
	officePolicy = `<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="office" Version="1.0"
	RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-unless-permit">
	<Target><AnyOf><AllOf><Match MatchId="urn:oasis:names:tc:xacml:1.0:function:string-equal">
		<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">Payroll</AttributeValue>
		<AttributeDesignator Category="http://wso2.org/identity/sp" AttributeId="http://wso2.org/identity/sp/sp-name"
			DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="false"/>
	</Match></AllOf></AnyOf></Target>
	<Rule RuleId="all" Effect="Permit"/>
</Policy>
`
	policySet = `<PolicySet xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicySetId="all" Version="1.0"
	PolicyCombiningAlgId="urn:oasis:names:tc:xacml:3.0:policy-combining-algorithm:deny-overrides">
	<Target/>
	<PolicyIdReference>office</PolicyIdReference>
</PolicySet>
`
)

// everyForm has a rule set in each form.
var everyForm = strings.Replace(`
targets: [{name: dir, connector: scim2}]
rule_sets:
  - name: staff
    language: cel
    source: |
      # who works here
      combining: deny-unless-permit
      rules:
        - {id: staff, effect: permit, when: "'staff' in user.groups"}
  - {name: from-file, file: native.yaml}
  - name: in-place
    # nobody at night
    timezone: Europe/Berlin
    default_decision: permit
    rules:
      # the night
      - id: night
        effect: deny
        when: >-
          env.between("22:00",
          "06:00")
  - name: wso2
    language: xacml
    source: |
      POLICY
    policies: [{file: office.xml}]
    default_decision: permit
    timezone: Asia/Colombo
    compat: wso2
  - {name: form, template: provisioning_role_based_policy_template, parameters: {roles: [a, b]}}
  - {name: clock, template: provisioning_time_based_policy_template, language: xacml, parameters: {from: "08:00", timezone: Europe/Berlin}}
applications:
  - client_id: payroll
    name: Payroll
    redirect_uris: [https://payroll.example/cb]
    auth_method: none
    outbound_provisioning:
      - {target: dir, blocking: true, enable_rules: true, rule_sets: [staff, wso2]}
default_bindings:
  - {target: dir, rule_sets: [form]}
`, "POLICY", strings.ReplaceAll(strings.TrimSpace(policySet), "\n", "\n      "), 1)

func ruleBackend(t *testing.T) (*Backend, *memory) {
	b, m := newBackend(t)
	b.Dir = "conf"
	return b, m
}

// A rule set in any form is kept as its source, compiles, comes back from an export
// and is no difference then, nor in its first form.
func TestEveryFormOfARuleSet(t *testing.T) {
	b, m := ruleBackend(t)
	first := apply(t, b, everyForm)
	for _, want := range []string{
		"+ rule_set staff\n    language: cel\n    name: staff\n    source: 4 lines\n", "+ rule_set wso2", "    policies.0.source: 9 lines",
		"outbound_provisioning.dir.rule_sets: staff, wso2",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("apply does not say %q:\n%s", want, first)
		}
	}
	want := map[string]rules.RuleSet{
		"staff":     {Language: "cel", Source: "# who works here\ncombining: deny-unless-permit\nrules:\n  - {id: staff, effect: permit, when: \"'staff' in user.groups\"}\n"},
		"from-file": {Language: "cel", Source: nativeRules},
		"in-place":  {Language: "cel", Source: "# nobody at night\ntimezone: Europe/Berlin\ndefault_decision: permit\nrules:\n  # the night\n  - id: night\n    effect: deny\n    when: >-\n      env.between(\"22:00\",\n      \"06:00\")\n"},
		"wso2":      {Language: "xacml", Source: policySet, Policies: []string{officePolicy}, DefaultDecision: "permit", Timezone: "Asia/Colombo", WSO2: true},
	}
	for name, set := range m.sets {
		if _, err := language.Compile(set.RuleSet); err != nil {
			t.Errorf("%s does not compile: %v", name, err)
		}
		if expected, ok := want[name]; ok {
			expected.Name, expected.Revision = name, 1
			if diff := cmp.Diff(expected, set.RuleSet); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	if got := m.sets["clock"].Timezone; len(m.sets) != 6 || got != "Europe/Berlin" {
		t.Errorf("%d rule sets, the clock's zone is %q", len(m.sets), got)
	}
	binding := m.bound["payroll/dir"]
	if !binding.EnableRules || !slices.Equal(binding.RuleSets, []string{"staff", "wso2"}) || !slices.Equal(m.bound["(default)/dir"].RuleSets, []string{"form"}) {
		t.Errorf("bindings = %+v", m.bound)
	}
	if got := apply(t, b, everyForm); got != "no changes\n" {
		t.Errorf("second apply:\n%s", got)
	}
	text := appliesAgain(t, b)
	if !strings.Contains(text, "source: |\n") {
		t.Errorf("sources are not blocks:\n%s", text)
	}
}

func TestChangedRuleSetShowsItsRevision(t *testing.T) {
	b, m := ruleBackend(t)
	apply(t, b, everyForm)
	changed := strings.NewReplacer("# the night", "# the long night", "timezone: Asia/Colombo", "timezone: UTC", "roles: [a, b]", "roles: [a]").Replace(everyForm)
	want := `~ rule_set in-place
    revision: 1 → 2
    source: 10 lines → 10 lines, another from line 5 on
~ rule_set wso2
    revision: 1 → 2
    timezone: Asia/Colombo → (none)
~ rule_set form
    revision: 1 → 2
    source: 12 lines → 12 lines, another from line 8 on
`
	if diff := cmp.Diff(want, apply(t, b, changed)); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if got := m.sets["wso2"].Revision; got != 2 {
		t.Errorf("revision = %d, want 2", got)
	}
}

// What makes no difference is no other revision.
func TestDefaultsAreNoDifference(t *testing.T) {
	b, m := ruleBackend(t)
	apply(t, b, "rule_sets: [{name: office, file: office.xml}, {name: native, file: native.yaml}]")
	same := "rule_sets: [{name: office, language: xacml, file: office.xml, default_decision: deny, timezone: UTC}, {name: native, language: cel, file: mark.yaml}]"
	if got := apply(t, b, same); got != "no changes\n" || m.sets["office"].Source != officePolicy {
		t.Errorf("apply:\n%s", got)
	}
}

// Texts that a block cannot hold come back all the same.
func TestTextsComeBack(t *testing.T) {
	for _, source := range []string{"rules: \n  - a\n", "a\r\nb\r\n", "  a: 1\n  b: 2", "a\n\n\n", "\n\na", "a\tb\n\tc\n", "a: |\n  x \n", "# only", "'", "a\u2028b\nc", "---\na\n...\n"} {
		doc := Document{RuleSets: []RuleSet{{Name: "a", Language: "cel", Source: source, Policies: []Policy{{Source: source}}}}}
		text, err := doc.YAML()
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		back, err := Parse(text)
		if diff := cmp.Diff(doc, back); err != nil || diff != "" {
			t.Errorf("%q becomes %q: %v\n%s", source, text, err, diff)
		}
	}
}

// Every mistake in every rule set is told at once, with its place, and nothing is
// written.
func TestMistakesInRuleSets(t *testing.T) {
	text := `rule_sets:
  - name: in-place
    rules:
      - {id: a, effect: permit, when: "user.emial == 'x'"}
      - {id: b, effect: allow, when: "true"}
  - name: source
    source: |
      rules:
        - {id: a, effect: permit, when: "user.email"}
  - {name: file, file: absent.yaml}
  - {name: empty, file: empty}
  - {name: huge, file: huge}
  - name: xml
    language: xacml
    source: |
      <Policy/>
  - name: second
    language: xacml
    timezone: Mars/Olympus
    file: office.xml
    policies: [{file: native.yaml}]
  - {name: zone, language: xacml, timezone: Mars/Olympus, file: office.xml}
  - {name: third, language: xacml, file: office.xml, policies: [{source: <x/>}]}
  - {name: form, template: group_based, parameters: {gruops: [a]}}
  - {name: far, template: network_cidr, language: xacml, parameters: {networks: ["2001:db8::/32"]}}
targets: [{name: dir, connector: scim2}]
default_bindings: [{target: dir, enable_rules: true, rule_sets: [in-place, nowhere]}]
`
	want := []string{
		`rule_sets[0].rules: [4:44] undefined field 'emial'`,
		`rule_sets[0].rules: [5:25] must be permit or deny`,
		`rule_sets[1].source: line 2, column 36: must be true or false, not string`,
		`rule_sets[2].file: no such file`,
		`rule_sets[3].file: conf/empty is empty`,
		`rule_sets[4]: is larger than 4 MiB`,
		`rule_sets[5].source: line 1, column 1: `,
		`rule_sets[6].timezone: "Mars/Olympus" is not the name of a time zone, such as Europe/Berlin`,
		`rule_sets[7].timezone: "Mars/Olympus" is not the name of a time zone, such as Europe/Berlin`,
		`rule_sets[8].policies[0].source: line 1, column 1: `,
		`rule_sets[9].parameters.groups: required`,
		`rule_sets[9].parameters.gruops: is no parameter of group_based`,
		`rule_sets[10].template: `,
		`default_bindings[0].rule_sets[1]: there is no rule set "nowhere"`,
	}
	b, m := ruleBackend(t)
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Plan(t.Context(), doc)
	problems, _ := IsProblems(err)
	var got []string
	for i, p := range problems {
		line := p.String()
		if i < len(want) && strings.HasSuffix(want[i], ": ") && len(line) > len(want[i]) {
			line = line[:len(want[i])]
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" || m.writes != 0 {
		t.Errorf("problems (-want +got):\n%s%v", diff, err)
	}
}

func TestForms(t *testing.T) {
	for text, want := range map[string]string{
		"{name: a}":                                                      "source",
		"{name: a, source: x, file: y}":                                  "source",
		"{name: a, rules: [], source: x}":                                "source",
		"{name: a, rules: [{id: x}]}":                                    "rules",
		"{name: a, rules: []}":                                           "rules",
		"{name: a, language: xacml, combining: x}":                       "rules",
		"{source: x}":                                                    "name",
		"{name: A, source: x}":                                           "name",
		"{name: a, language: rego, source: x}":                           "language",
		"{name: a, source: x, compat: wso2}":                             "compat",
		"{name: a, source: x, policies: [{file: y}]}":                    "policies",
		"{name: a, file: x, timezone: UTC}":                              "timezone",
		"{name: a, source: x, default_decision: deny}":                   "default_decision",
		"{name: a, source: x, parameters: {a: b}}":                       "parameters",
		"{name: a, template: nope}":                                      "template",
		"{name: a, template: allow_all, compat: wso2}":                   "compat",
		"{name: a, template: group_based, parameters: {groups: [1]}}":    "parameters.groups",
		"{name: a, template: group_based, parameters: {groups: {a: b}}}": "parameters.groups",
		"{name: a, language: xacml, source: x, policies: [{}]}":          "policies[0]",
		"{name: a, language: xacml, source: x, compat: balana}":          "compat",
		"{name: a, language: xacml, source: x, default_decision: allow}": "default_decision",
		"{name: a, language: xacml, source: x, policies: [" + strings.Repeat("{file: x}, ", 256) + "]}": "policies",
	} {
		doc, err := Parse([]byte("rule_sets: [" + text + "]"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if p := doc.Check(); len(p) != 1 || p[0].Path != "rule_sets[0]."+want {
			t.Errorf("%.80s: %v, want a problem with %q", text, p, want)
		}
	}
	for text, want := range map[string]string{
		"enable_rules: true":                             "enable_rules",
		"rule_sets: [a, b, a]":                           "rule_sets[2]",
		"rule_sets: [" + strings.Repeat("a, ", 17) + "]": "rule_sets",
	} {
		doc, err := Parse([]byte("default_bindings: [{target: t, " + text + "}]"))
		if p := doc.Check(); err != nil || len(p) == 0 || p[0].Path != "default_bindings[0]."+want {
			t.Errorf("%.80s: %v %v, want a problem with %q", text, p, err, want)
		}
	}
}

// What a policy's author should look at is told, and the policy kept.
func TestWarnings(t *testing.T) {
	b, _ := ruleBackend(t)
	p := plan(t, b, "rule_sets:\n  - {name: office, file: office.xml}\n")
	var got []string
	for _, w := range p.Warnings {
		got = append(got, w.String())
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "rule_sets[0].file: office.xml:1:1: there are users") ||
		got[1] != `rule_sets[0].file: office.xml:3:24: there is no application "Payroll"` || len(p.Changes) != 1 {
		t.Errorf("warnings:\n%s\nchanges: %v", strings.Join(got, "\n"), p.Changes)
	}
	p = plan(t, b, "rule_sets: [{name: a, source: \"rules: [{id: x, effect: permit, when: 'true', obligations: [{id: mail}]}, {id: y, effect: deny, when: 'true', obligations: [{id: log}]}]\"}]")
	if len(p.Warnings) != 1 || !strings.HasPrefix(p.Warnings[0].String(), `rule_sets[0].source: a permit obliges to "mail"`) {
		t.Errorf("warnings of an obligation: %v", p.Warnings)
	}
	if p := plan(t, b, everyForm); len(p.Warnings) != 1 {
		t.Errorf("the application is in the document, and the policy warns: %v", p.Warnings)
	}
}

// Rules in place, in any position and style of their keys, mean what the document
// says or are refused: what is kept is what is read.
func TestRulesInPlace(t *testing.T) {
	for text, want := range map[string]string{
		"rule_sets:\n- combining: first-applicable\n  name: a\n  rules: [{id: x}]\n": "combining: first-applicable\n\nrules: [{id: x}]\n",
		"rule_sets:\n  -   rules:\n      - {id: x} # why\n\n      name: a\n# end\n":  "rules:\n- {id: x} # why\n",
		"rule_sets:\r\n  - name: a\r\n    rules:\r\n      - {id: x}\r\nusers: []":    "rules:\n  - {id: x}\n",
		"rule_sets:\n  - name: a\n    rules: [\n  {id: x}\n    ]\n":                  "",
		"rule_sets:\n  - name: a\n    rules: &r [{id: x}]\n":                         "rules: &r [{id: x}]\n",
		// What is merged in is not among its lines.
		"rule_sets:\n  - <<: {default_decision: permit}\n    name: a\n    rules: [{id: x}]\n": "",
		"rule_sets: [{name: a, rules: [{id: x}]}]":                                            "",
		"{rule_sets: [{name: a, rules: [{id: x}]}]}":                                          "",
	} {
		doc, err := Parse([]byte(text))
		if err != nil || len(doc.RuleSets) != 1 {
			t.Errorf("%q: %v", text, err)
			continue
		}
		s := doc.RuleSets[0]
		if s.Source != want || (want == "") != s.inPlace() || (want != "") != (s.InPlace != nil) {
			t.Errorf("%q: source %q, want %q (%+v)", text, s.Source, want, s)
		}
	}
}

func FuzzRulesInPlace(f *testing.F) {
	f.Add([]byte("rule_sets:\n  - name: a\n    rules:\n      - {id: x, when: \"true\"}\n"))
	f.Add([]byte("rule_sets:\n- rules: [{id: x}]\n  name: a\n- {rules: []}\n"))
	if raw, err := os.ReadFile("../../docs/resources.md"); err == nil {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := Parse(raw)
		if err != nil {
			return
		}
		for _, s := range doc.RuleSets {
			if s.InPlace != nil && (s.Source == "" || s.InPlace.Line < 1 || s.InPlace.Column < 1 || s.inPlace()) {
				t.Errorf("%q: %+v", raw, s)
			}
		}
	})
}

// Check looks at what is kept, also at what apply would refuse today.
func TestCheckRules(t *testing.T) {
	b, m := ruleBackend(t)
	apply(t, b, everyForm)
	problems, warnings, err := b.CheckRules(t.Context())
	if err != nil || len(problems) != 0 || len(warnings) != 1 || warnings[0].Path != "rule_sets.wso2.source" {
		t.Errorf("after apply: %v %v, %v", problems, warnings, err)
	}
	broken := m.sets["staff"]
	broken.Source = "rules: [{id: a, effect: permit, when: nope}]"
	m.sets["staff"] = broken
	delete(m.sets, "wso2")
	none := m.bound["(default)/dir"]
	none.EnableRules, none.RuleSets = true, nil
	m.bound["(default)/dir"] = none
	problems, _, err = b.CheckRules(t.Context())
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		"rule_sets.staff.source: line 1, column 39: undeclared reference to 'nope'",
		"default_bindings.dir.enable_rules: " + textNoRuleSet,
		`applications.payroll.outbound_provisioning.dir.rule_sets: there is no rule set "wso2"`,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("problems (-want +got):\n%s%v", diff, err)
	}
}
