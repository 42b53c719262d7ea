package cel

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// one returns a set of one rule that permits when an expression holds.
func one(expr string) string {
	return "rules:\n  - id: it\n    effect: permit\n    when: |-\n      " + expr + "\n"
}

func compile(t testing.TB, source string) *Set {
	t.Helper()
	s, err := Compile(source)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return s
}

// TestProblems shows that every problem of a document is found at once, where it is.
func TestProblems(t *testing.T) {
	source, err := os.ReadFile("testdata/problems.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := `1:12: must be deny-overrides, permit-overrides, first-applicable, deny-unless-permit or permit-unless-deny
2:1: unknown field "extra"; a rule set has combining, default_decision, rules, timezone
3:11: must be the name of a time zone, such as Europe/Berlin
5:31: unknown field "whne"; a rule has effect, id, obligations, operations, when
5:53: undefined field 'emial'
6:10: "a" names two rules
6:21: must be permit or deny
6:53: invalid matches argument
6:73: must be create or update: rules are not asked about anything else
11:24: found no matching overload for '_==_' applied to '(list(string), string)'
12:69: found no matching overload for '_>_' applied to '(int, string)'
13:36: user cannot be used as a whole; use its fields
13:44: user cannot be used as a whole; use its fields
14:89: comprehension exceeds nesting limit
15:36: must be true or false, not string
16:52: undeclared reference to 'getHours'
17:35: must be a text; put it in quotes
18:36: could take 1241203 steps for one user, more than 100000
19:5: when: required
20:51: Syntax error: mismatched input '<EOF>'
21:48: between needs times such as "09:00"
22:48: between begins and ends at the same time
23:58: in_network needs a network such as "10.0.0.0/8"
24:39: undeclared reference to 'dyn'
25:62: undeclared reference to 'rand'
31:14: undefined field 'nope'
33:9: id: required
33:25: must be a text; put it in quotes
34:51: Syntax error: token recognition error at: 'ä'
35:59: undefined field 'nope'
36:41: must list create, update or both; leave it out for both
36:55: undeclared reference to 'now'`
	for _, source := range []string{string(source), strings.ReplaceAll(string(source), "\n", "\r\n")} {
		_, err = Compile(source)
		var problems rules.Problems
		if !errors.As(err, &problems) {
			t.Fatalf("Compile = %v, want Problems", err)
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	}
}

// TestRefused has sources that are not even looked into.
func TestRefused(t *testing.T) {
	rule := one("true")
	for _, c := range []struct{ name, source, want string }{
		{"empty", "", "1:1: must be one document, and not empty"},
		{"no rules", "timezone: UTC\n", "rules: required"},
		{"empty rules", "rules: []\n", "must be a list of 1 to 200 rules"},
		{"rules of another kind", "rules: {}\n", "rules must be a list"},
		{"a scalar", "yes", "a rule set must be a mapping"},
		{"rule of another kind", "rules: [7]\n", "a rule must be a mapping"},
		{"two documents", rule + "---\n" + rule, "must be one document, and not empty"},
		{"too large", rule + strings.Repeat("#\n", MaxSource/2), "is larger than 262144 bytes"},
		{"a mebibyte", rule + strings.Repeat("x", 1<<20), "is larger than 262144 bytes"},
		{"not UTF-8", rule + "# \xff\n", "is not UTF-8"},
		{"NUL", rule + "# \x00\n", "is not UTF-8"},
		{"deep brackets", "rules: " + strings.Repeat("[", 15_000), "1:40: is nested too deeply"},
		{"deep braces", "rules: " + strings.Repeat("{a: ", 5_000), "is nested too deeply"},
		{"deep items", "rules:\n" + strings.Repeat("- ", 15_000), "is nested too deeply"},
		{"many tokens", "rules:\n" + strings.Repeat("- a\n", 20_000), "has more than 20000"},
		{"anchor", "rules: &a\n  - {}\n", "anchors"},
		{"alias", "rules: *a\n", "anchors"},
		{"tag", "rules: !!set {}\n", "anchors"},
		{"merge", "rules:\n  - {<<: {}, id: a}\n", "anchors"},
		{"same key twice", rule + "rules: []\n", `mapping key "rules" already defined`},
		{"not YAML", "rules: [\n", "1:8: sequence end token"},
		{"long condition", one("'" + strings.Repeat("x", expression.MaxText) + "' == ''"), "is longer than 16384 bytes"},
		{"empty condition", "rules: [{id: a, effect: permit, when: ' '}]", "must be a condition"},
		{"regexp program", one("user.email.matches('(a{0,100}){0,100}')"), "5:26: invalid matches argument"},
		{"recursion", one(strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200)), "recursion"},
		{"many rules", "rules:\n" + strings.Repeat("  - {}\n", MaxRules+1), "must be a list of 1 to 200 rules"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := Compile(c.source); s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %.300v, want one with %q", err, c.want)
			}
		})
	}
}

// TestVocabulary shows that conditions can ask for each field of a request, for
// nothing else, and that each has a name in Uses.
func TestVocabulary(t *testing.T) {
	fields := map[string]bool{}
	for root, v := range map[string]any{
		"user": rules.User{}, "app": rules.App{}, "connector": rules.Connector{},
		"account": rules.Account{}, "request": request{}, "env": clock{},
	} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			fields[root+"."+expression.FieldName(f)] = true
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[rules.Request]()) {
		if _, ok := reflect.TypeFor[request]().FieldByName(f.Name); !ok {
			if _, root := newInput(&rules.Request{}, time.UTC).ResolveName(expression.FieldName(f)); !root && f.Name != "Now" {
				t.Errorf("no condition can ask for the %s of a request", f.Name)
			}
		}
	}
	names := vocabulary()
	for path := range fields {
		a, ok := names[path]
		if !ok {
			t.Errorf("%s has no entry in the vocabulary", path)
			continue
		}
		s := compile(t, one(path+" == "+path))
		if diff := cmp.Diff([]rules.Attribute{a}, s.Uses()); diff != "" {
			t.Errorf("%s is not what the set says it uses:\n%s", path, diff)
		}
	}
	if len(names) != len(fields) {
		t.Errorf("%d names for %d fields", len(names), len(fields))
	}
}

func TestUses(t *testing.T) {
	s := compile(t, `rules:
  - {id: a, effect: permit, when: "user.claims['x'] == ['1'] && 'y' in user.claims && has(user.claims.z)"}
  - {id: b, effect: deny, when: "user.claims[?user.email].orValue([]) == [] || user.groups.exists(user, user == 'a')"}
  - {id: c, effect: deny, when: "env.between('09:00', '17:00') || user.claims[?'x'].hasValue()"}
`)
	var got []string
	for _, a := range s.Uses() {
		got = append(got, a.ID)
	}
	want := []string{"x", "y", "z", "*", "http://wso2.org/claims/emailaddress", "http://wso2.org/claims/groups",
		"urn:oasis:names:tc:xacml:1.0:environment:current-time"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	s := compile(t, one("true"))
	if s.Default() != rules.Deny || s.Zone().String() != "UTC" || s.algorithm != rules.DenyOverrides {
		t.Errorf("default %s, zone %s, %s", s.Default(), s.Zone(), s.algorithm)
	}
	s = compile(t, "timezone: Asia/Colombo\ndefault_decision: permit\ncombining: first-applicable\n"+one("true"))
	if s.Default() != rules.Permit || s.Zone().String() != "Asia/Colombo" || s.algorithm != rules.FirstApplicable {
		t.Errorf("default %s, zone %s, %s", s.Default(), s.Zone(), s.algorithm)
	}
}
