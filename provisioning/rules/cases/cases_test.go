package cases

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

// everything is a file in which each field is given.
const everything = `rule_set: {file: policy.xml, language: xacml, policies: [more.xml], default_decision: permit, timezone: Asia/Colombo, compat: wso2}
cases:
  - name: all of it
    user:
      id: u1
      username: ada
      email: ada@example.com
      email_verified: true
      given_name: Ada
      family_name: Lovelace
      name: Ada Lovelace
      locale: en
      phone_number: "+49"
      active: false
      source: corp
      groups: [Engineering, "Doe, Jane"]
      roles: [admin]
      claims: {department: R&D, "http://wso2.org/claims/title": [a, b]}
    application: {name: Payroll, client_id: payroll, labels: [internal]}
    target: {name: directory, type: scim2, binding: b1}
    operation: update
    at: 2026-06-01T09:30
    request: {scopes: [openid], acr: "1", amr: [pwd], ip: 10.1.2.3, trigger: retry, auth_time: "2026-06-01T09:00:00Z"}
    account: {linked: true, remote_id: r1, last_provisioned: "2026-05-01T00:00:00Z"}
    expect: permit
    rule: engineers
  - {name: next to nothing, application: Payroll, target: directory, expect: deny}
`

func TestParse(t *testing.T) {
	got, err := Parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		RuleSet: &Reference{File: "policy.xml", Policies: []string{"more.xml"}, Set: rules.RuleSet{
			Language: rules.LanguageXACML, DefaultDecision: rules.DefaultPermit, Timezone: "Asia/Colombo", WSO2: true,
		}},
		Cases: []Case{
			{Name: "all of it", Line: 3, Column: 5, At: "2026-06-01T09:30", Expect: ExpectPermit, Rule: "engineers", Request: rules.Request{
				User: rules.User{
					ID: "u1", Username: "ada", Email: "ada@example.com", EmailVerified: true, GivenName: "Ada", FamilyName: "Lovelace",
					Name: "Ada Lovelace", Locale: "en", PhoneNumber: "+49", Source: "corp", Groups: []string{"Engineering", "Doe, Jane"},
					Roles: []string{"admin"}, Claims: map[string][]string{"department": {"R&D"}, "http://wso2.org/claims/title": {"a", "b"}},
				},
				App:       rules.App{Name: "Payroll", ClientID: "payroll", Labels: []string{"internal"}},
				Connector: rules.Connector{Name: "directory", Type: "scim2", Binding: "b1"},
				Operation: rules.OperationUpdate, Scopes: []string{"openid"}, ACR: "1", AMR: []string{"pwd"}, IP: netip.MustParseAddr("10.1.2.3"),
				Trigger: rules.TriggerRetry, AuthTime: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC),
				Account: rules.Account{Linked: true, RemoteID: "r1", LastProvisioned: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
			}},
			{Name: "next to nothing", Line: 27, Column: 5, Expect: ExpectDeny, Request: rules.Request{
				User: rules.User{Active: true}, App: rules.App{Name: "Payroll"}, Connector: rules.Connector{Name: "directory"},
				Operation: rules.OperationCreate, Trigger: rules.TriggerJIT,
			}},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Reference{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

// TestEverythingCanBeSaid fails when a request has got a field that no case can give.
func TestEverythingCanBeSaid(t *testing.T) {
	f, err := Parse(strings.Replace(everything, "active: false", "active: true", 1))
	if err != nil {
		t.Fatal(err)
	}
	var look func(path string, v reflect.Value)
	look = func(path string, v reflect.Value) {
		if v.IsZero() && path != "Request.Now" {
			t.Errorf("%s is not in the file", path)
		}
		if v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[rules.Request]().PkgPath() {
			for i := range v.NumField() {
				look(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
	look("Request", reflect.ValueOf(f.Cases[0].Request))
}

func TestEveryTriggerCanBeSaid(t *testing.T) {
	for _, trigger := range rules.Triggers() {
		f, err := Parse(strings.Replace(everything, "trigger: retry", "trigger: "+string(trigger), 1))
		if err != nil || f.Cases[0].Request.Trigger != trigger {
			t.Errorf("%s: %v, %v", trigger, f.Cases, err)
		}
	}
}

// TestProblems shows that everything wrong with a file is found at once, where it is.
func TestProblems(t *testing.T) {
	_, err := Parse(`rule_set: {file: a.yaml, template: group_based, langauge: cel}
extra: 1
cases:
  - {name: a, expect: allow, operation: delete}
  - {name: a, expect: deny, at: noon}
  - {expect: deny, usr: {}}
  - {name: b, user: {emial: x, active: "yes", groups: x, claims: {a: 1}}, request: {ip: 10.1.2, trigger: x, auth_time: x}}
  - {name: c, expect: deny, application: 7, target: {nmae: x}, account: {linked: 1}}
  - name: " "
    expect: deny
`)
	want := `1:11: rule_set: give one of name, file, source and template
1:49: unknown field "langauge"; a rule set has compat, default_decision, file, language, name, parameters, policies, source, template, timezone
2:1: unknown field "extra"; a file of cases has cases, rule_set
4:23: must be permit, deny, not_applicable or indeterminate
4:41: must be create or update: rules are not asked about anything else
5:12: "a" names two cases
5:33: must be a time such as 2026-06-01T09:30 (in the time zone of the rule set) or 2026-06-01T09:30:00Z
6:5: name: required
6:20: unknown field "usr"; a case has account, application, at, expect, name, operation, request, rule, target, user
7:5: expect: required
7:22: unknown field "emial"; a user has active, claims, email, email_verified, family_name, given_name, groups, id, locale, name, phone_number, roles, source, username
7:40: must be true or false
7:55: groups must be a list
7:70: must be a text; put it in quotes
7:89: must be an address such as 10.1.2.3
7:106: must be jit, change, retry, reconcile or simulate
7:120: must be a time such as 2026-06-01T09:30:00Z
8:42: an application must be a mapping
8:54: unknown field "nmae"; a target has binding, name, type
8:82: must be true or false
9:11: must not be empty`
	var problems rules.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("Parse = %v, want problems", err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "1:1: must be one document",
		"rule_set: a\n":               "1:9: cases: required",
		"cases: []\n":                 "1:8: cases: must be a list of 1 to 1000 cases",
		"cases: {}\n":                 "1:8: cases must be a list",
		"rule_set: \"\"\ncases: []\n": "1:11: must name a file",
		"rule_set: {parameters: {a: b}, source: x}\ncases: []\n": "1:11: rule_set: parameters are of a template",
		"rule_set: {name: a, timezone: UTC}\ncases: []\n":        "1:11: rule_set: one that is kept has everything else itself",
		"rule_set: {file: a, language: rego}\ncases: []\n":       "1:31: must be cel or xacml",
		"cases: &a []\n":                                  "1:8: anchors",
		strings.Repeat(" ", MaxSource+1):                  "1:1: is larger than",
		"cases:\n" + strings.Repeat("- {}\n", MaxCases+1): "2:1: cases: must be a list of 1 to 1000 cases",
	} {
		if _, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.50q: %v, want %s", text, err, want)
		}
	}
}

// library has any file and any rule set, but those that are nowhere.
type library struct{}

func (library) File(name string) (string, error) {
	if name == "nowhere" {
		return "", errors.New("no such file")
	}
	return "text of " + name, nil
}

func (library) Kept(name string) (rules.RuleSet, error) {
	if name == "nowhere" {
		return rules.RuleSet{}, errors.New("no such rule set")
	}
	return rules.RuleSet{Name: name, Revision: 7}, nil
}

func TestLoad(t *testing.T) {
	for text, want := range map[string]rules.RuleSet{
		"a.yaml":                              {Language: rules.LanguageCEL, Source: "text of a.yaml"},
		"{name: staff}":                       {Name: "staff", Revision: 7},
		"b.XML":                               {Language: rules.LanguageXACML, Source: "text of b.XML"},
		"{file: b.xml, language: cel}":        {Language: rules.LanguageCEL, Source: "text of b.xml"},
		"{file: b.xml, policies: [c, d]}":     {Language: rules.LanguageXACML, Source: "text of b.xml", Policies: []string{"text of c", "text of d"}},
		"{source: rules, timezone: UTC}":      {Language: rules.LanguageCEL, Source: "rules", Timezone: "UTC"},
		"{template: allow_all}":               {Language: rules.LanguageCEL},
		"{template: allow_all, compat: wso2}": {Language: rules.LanguageCEL, WSO2: true},
		"{template: provisioning_time_based_policy_template, language: xacml, parameters: {timezone: Asia/Colombo}}": {Language: rules.LanguageXACML, Timezone: "Asia/Colombo"},
	} {
		f, err := Parse("rule_set: " + text + "\ncases: [{name: a, expect: deny}]")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := f.RuleSet.Load(library{})
		if f.RuleSet.Template != "" {
			if _, err := language.Compile(rules.RuleSet{Language: got.Language, Source: got.Source}); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			got.Source = ""
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"{name: nowhere}":                  "no such rule set",
		"nowhere":                          "no such file",
		"{source: x, policies: [nowhere]}": "no such file",
		"{template: none}":                 `1:11: rule_set: there is no template "none"`,
		"{template: group_based, parameters: {group: a}}": "1:11: rule_set: template group_based: group: is no parameter of group_based; groups: required",
	} {
		f, err := Parse("rule_set: " + text + "\ncases: [{name: a, expect: deny}]")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := f.RuleSet.Load(library{}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

const officeHours = `timezone: Europe/Berlin
rules:
  - {id: office, effect: permit, when: "env.between('09:00', '17:00')"}
  - {id: broken, effect: permit, when: "'x' in user.claims['nope']"}
`

func compiled(t *testing.T, source string) rules.Compiled {
	t.Helper()
	set, err := language.Compile(rules.RuleSet{Language: rules.LanguageCEL, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestRun shows which cases pass, what is said of the others, and that times without
// a zone are those of the rule set.
func TestRun(t *testing.T) {
	f, err := Parse(`cases:
  - {name: morning, at: "2026-06-01T09:00", user: {claims: {nope: y}}, expect: permit, rule: office}
  - {name: morning of UTC, at: "2026-06-01T07:00:00Z", user: {claims: {nope: y}}, expect: permit}
  - {name: evening, at: "2026-06-01T17:00:00", user: {claims: {nope: y}}, expect: not_applicable}
  - {name: broken, at: "2026-06-01T17:00+02:00", expect: indeterminate}
  - {name: wrong decision, at: "2026-06-01T08:59", user: {claims: {nope: y}}, expect: permit}
  - {name: wrong kind, at: "2026-06-01T08:59", expect: deny}
  - {name: wrong rule, at: "2026-06-01T09:00", user: {claims: {nope: y}}, expect: permit, rule: broken}
  - {name: no rule, at: "2026-06-01T08:00", user: {claims: {nope: y}}, expect: not_applicable, rule: office}
`)
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := f.Run(compiled(t, officeHours))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range outcomes {
		got = append(got, fmt.Sprintf("%d %s: %s", o.Case.Line, o.Case.Name, o.Problem))
		if o.Problem != "" && len(o.Explanation.Policy.Rules) != 2 {
			t.Errorf("%s is not explained", o.Case.Name)
		}
	}
	want := []string{
		"2 morning: ", "3 morning of UTC: ", "4 evening: ", "5 broken: ", "6 wrong decision: want permit, got not_applicable",
		"7 wrong kind: want deny, got indeterminate", `8 wrong rule: want rule "broken" to decide, but it was "office"`,
		`9 no rule: want rule "office" to decide, but it was none`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestTimeIsRequired holds where the rule set asks for it, and only there.
func TestTimeIsRequired(t *testing.T) {
	f, err := Parse("cases:\n  - {name: whenever, expect: permit}\n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Run(compiled(t, officeHours))
	if want := `2:5: case "whenever": at: required, for the rule set asks for the time`; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	outcomes, err := f.Run(compiled(t, `rules: [{id: all, effect: permit, when: "true"}]`))
	if err != nil || len(outcomes) != 1 || outcomes[0].Problem != "" {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// FuzzParse shows that any file is either refused, with places that are in it, or
// can be run.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("rule_set: a.yaml\ncases:\n  - name: |-\n      x\n    expect: permit\n    at: 2026-06-01T17:00+02:00\n")
	f.Add("rule_set: {template: group_based, parameters: {groups: [a]}}\ncases: [{name: a, expect: deny, user: {groups: [\"\\x41\"]}}]")
	set, err := language.Compile(rules.RuleSet{Language: rules.LanguageCEL, Source: officeHours})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(text)
		if err == nil {
			if len(file.Cases) == 0 {
				t.Fatal("a file without cases passes")
			}
			if file.RuleSet != nil {
				_, _ = file.RuleSet.Load(library{})
			}
			if _, err = file.Run(set); err == nil {
				return
			}
		}
		var problems rules.Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("error = %v", err)
		}
		lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("no such place: %v", p)
			}
		}
	})
}
