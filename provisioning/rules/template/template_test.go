package template

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/cel"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

var update = flag.Bool("update", false, "write testdata anew")

// answers fill in each template, with values that a generated user may well have.
func answers() map[string]Values {
	at := func(v Values) Values {
		v["from"], v["until"], v["timezone"] = []string{"22:00"}, []string{"06:30"}, []string{"Europe/Berlin"}
		return v
	}
	claims := []string{"department=R&D", "http://wso2.org/claims/emailaddress=ada@example.com"}
	return map[string]Values{
		"provisioning_role_based_policy_template":                {"roles": {"admin", `O'Neil "x" <y>, \z`}},
		"provisioning_user_claim_based_policy_template":          {"claims": claims},
		"provisioning_time_based_policy_template":                at(Values{}),
		"provisioning_time_and_role_based_policy_template":       at(Values{"roles": {"Ingénieurs", "admin"}}),
		"provisioning_time_and_user_claim_based_policy_template": at(Values{"claims": claims[:1]}),
		"group_based":         {"groups": {"Doe, Jane", "eng"}},
		"email_domain":        {"domains": {"example.com", "example.org"}},
		"verified_email_only": {},
		"exclude_contractors": {"domains": {"contractor.example"}},
		"allow_all":           {},
		"first_login_only":    {},
		"network_cidr":        {"networks": {"10.16.0.0/12", "192.168.7.9/32", "0.0.0.0/1"}},
	}
}

func compiled(t *testing.T, name string, v Values) (inCEL *cel.Set, inXACML *xacml.Set, zone *time.Location) {
	t.Helper()
	form, ok := Find(name)
	if !ok {
		t.Fatalf("no template %s", name)
	}
	set, err := form.Render(rules.LanguageCEL, v)
	if err != nil {
		t.Fatal(err)
	}
	native, err := cel.Compile(set.Source)
	if err != nil {
		t.Fatalf("%v in\n%s", err, set.Source)
	}
	if set, err = form.Render(rules.LanguageXACML, v); err != nil {
		t.Fatal(err)
	}
	policy, err := xacml.Compile(xacml.Options{}, xacml.Document{XML: []byte(set.Source)})
	if err != nil {
		t.Fatalf("%v in\n%s", err, set.Source)
	}
	if want := native.Zone().String(); set.Timezone != want && (set.Timezone != "" || want != "UTC") {
		t.Errorf("%s has the time zone %q in XACML, %s in CEL", name, set.Timezone, want)
	}
	return native, policy, native.Zone()
}

// TestLanguagesAgree decides 10,000 generated requests with both texts of each
// template.
func TestLanguagesAgree(t *testing.T) {
	filled := answers()
	for _, form := range All() {
		t.Run(form.Name, func(t *testing.T) {
			inCEL, inXACML, zone := compiled(t, form.Name, filled[form.Name])
			r := rand.New(rand.NewPCG(1, uint64(len(form.Name))))
			seen := map[rules.Decision]int{}
			for i := range 10_000 {
				request := generated(r, zone)
				a, b := inCEL.Decide(request), inXACML.Decide(request)
				if a.Decision != b.Decision || a.Rule != b.Rule {
					t.Fatalf("CEL %s by %q (%+v), XACML %s by %q (%+v) for %+v", a.Decision, a.Rule, a.Status, b.Decision, b.Rule, b.Status, request)
				}
				seen[a.Decision]++
				if i%100 > 0 {
					continue
				}
				if x, y := inCEL.Explain(request, nil), inXACML.Explain(request, nil); !explains(x, a) || !explains(y, b) {
					t.Fatalf("decided %+v and %+v, explained\n%s\n%s", a, b, x.Text(), y.Text())
				}
			}
			if seen[rules.Permit]+seen[rules.Deny]+seen[rules.NotApplicable] != 10_000 {
				t.Errorf("some are indeterminate: %v", seen)
			}
			if form.Name == "allow_all" {
				return
			}
			if seen[rules.Permit] < 100 || seen[rules.Deny] < 100 {
				t.Errorf("hardly any of a kind: %v", seen)
			}
		})
	}
}

// TestExplanationsHide explains generated requests with every attribute hidden, and
// looks for what they have in the answers.
func TestExplanationsHide(t *testing.T) {
	const secret = "zq8W"
	all := func(rules.Attribute) bool { return true }
	filled := answers()
	for _, form := range All() {
		inCEL, inXACML, zone := compiled(t, form.Name, filled[form.Name])
		r := rand.New(rand.NewPCG(2, 2))
		for range 50 {
			request := generated(r, zone)
			u := &request.User
			u.Email, u.Username, u.Name = secret+u.Email, secret, secret
			for i := range u.Groups {
				u.Groups[i] += secret
			}
			u.Roles = append(u.Roles, secret)
			u.Claims = map[string][]string{"department": {secret}}
			for _, x := range []rules.Explanation{inCEL.Explain(request, all), inXACML.Explain(request, all)} {
				raw, err := json.Marshal(x)
				if err != nil {
					t.Fatal(err)
				}
				if text := string(raw) + x.Text(); strings.Contains(text, secret) {
					t.Fatalf("%s shows a hidden value: %s", form.Name, text)
				}
			}
		}
	}
}

// explains reports whether an explanation decides the same, by the same rule, and
// has a cause for each rule that did not apply.
func explains(x rules.Explanation, r rules.Result) bool {
	same := x.Result.Decision == r.Decision && x.Policy.Decision == r.Decision && x.Result.Rule == r.Rule && x.Omitted == 0
	for _, one := range x.Policy.Rules {
		same = same && (one.Decision != rules.NotApplicable || len(one.Condition)+len(one.Target) > 0)
		same = same && (one.Reached || one.ID != r.Rule)
	}
	return same
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func some(r *rand.Rand, from ...string) []string {
	var out []string
	for range r.IntN(4) {
		out = append(out, pick(r, from...))
	}
	return out
}

func generated(r *rand.Rand, zone *time.Location) *rules.Request {
	names := []string{"admin", "eng", "Doe, Jane", "Doe", `O'Neil "x" <y>, \z`, "Ingénieurs", "contractors", "Admin", ""}
	out := &rules.Request{
		User: rules.User{
			Email:         pick(r, "ada@example.com", "ADA@Example.COM", "x@contractor.example", "y@sub.example.com", "example.com", "", "a@example.org"),
			EmailVerified: r.IntN(2) == 0, Groups: some(r, names...), Roles: some(r, names...), Claims: map[string][]string{},
		},
		Operation: pick(r, rules.OperationCreate, rules.OperationUpdate),
		IP: pick(r, netip.Addr{}, netip.MustParseAddr("fd00::1"), netip.MustParseAddr("::ffff:10.20.0.1"),
			netip.AddrFrom4([4]byte{byte(pick(r, 10, 192, 127, 128)), byte(pick(r, 15, 16, 31, 32, 168)), byte(pick(r, 0, 7, 255)), byte(pick(r, 8, 9, 10))})),
		Account: rules.Account{Linked: r.IntN(2) == 0},
		Now:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour)))).In(zone),
	}
	if r.IntN(4) == 0 { // the edges of the windows
		day := out.Now
		out.Now = time.Date(day.Year(), day.Month(), day.Day(), pick(r, 22, 6), pick(r, 0, 30), 0, 0, zone).Add(time.Duration(pick(r, -1, 0, 1)))
	}
	if r.IntN(3) > 0 {
		out.User.Claims["department"] = some(r, "R&D", "Sales", "R", "")
	}
	return out
}

// TestTexts compares every text with the one that is kept in testdata.
func TestTexts(t *testing.T) {
	filled := answers()
	for _, form := range All() {
		for _, l := range []rules.Language{rules.LanguageCEL, rules.LanguageXACML} {
			set, err := form.Render(l, filled[form.Name])
			if err != nil {
				t.Errorf("%s in %s: %v", form.Name, l, err)
				continue
			}
			got := set.Source
			path := filepath.Join("testdata", form.Name+map[rules.Language]string{rules.LanguageCEL: ".yaml", rules.LanguageXACML: ".xml"}[l])
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

func TestNames(t *testing.T) {
	var names []string
	for _, form := range All() {
		names = append(names, form.Name)
		for _, p := range form.Parameters {
			if p.Name == "" || p.Kind == "" || p.Help == "" || form.Help == "" {
				t.Errorf("%s has a parameter that a form could not ask for: %+v", form.Name, p)
			}
		}
	}
	if len(names) != 12 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 12 {
		t.Errorf("templates: %v", names)
	}
	if _, ok := Find("nope"); ok {
		t.Error("found a template that is not there")
	}
}

// TestLargeAnswers shows that what a form takes can be compiled and decided.
func TestLargeAnswers(t *testing.T) {
	var many []string
	for i := range maxValues {
		many = append(many, fmt.Sprintf("%02d%s", i, strings.Repeat("é", (maxValue-2)/2)))
	}
	inCEL, inXACML, _ := compiled(t, "provisioning_role_based_policy_template", Values{"roles": many})
	r := &rules.Request{}
	for i := range rules.MaxListValues {
		r.User.Groups = append(r.User.Groups, fmt.Sprintf("group-%d", i))
	}
	r.User.Roles = []string{many[maxValues-1]}
	if a, b := inCEL.Decide(r), inXACML.Decide(r); a.Decision != rules.Permit || b.Decision != rules.Permit {
		t.Errorf("CEL %+v, XACML %+v", a, b)
	}
}

func TestWrongAnswers(t *testing.T) {
	long := strings.Repeat("x", maxValue+1)
	for _, c := range []struct {
		template string
		values   Values
		want     string
	}{
		{"group_based", nil, "groups: required"},
		{"group_based", Values{"groups": {""}}, "groups: must not be empty or begin or end with a blank"},
		{"group_based", Values{"groups": {" a"}}, "groups: must not be empty or begin or end with a blank"},
		{"group_based", Values{"groups": {"a\x00"}}, "groups: must be printable text"},
		{"group_based", Values{"groups": {"a\xff"}}, "groups: must be printable text"},
		{"group_based", Values{"groups": {long}}, "groups: must not be longer than 100 bytes"},
		{"group_based", Values{"groups": slices.Repeat([]string{"a"}, maxValues+1)}, "groups: takes 20 values at most"},
		{"group_based", Values{"groups": {"a"}, "more": {"b"}}, "more: is no parameter of group_based"},
		{"allow_all", Values{"groups": {"a"}}, "groups: is no parameter of allow_all"},
		{"email_domain", Values{"domains": {"Example.com"}}, `domains: "Example.com" must be a domain such as example.com, in lower case`},
		{"email_domain", Values{"domains": {"@example.com"}}, `domains: "@example.com" must be a domain such as example.com, in lower case`},
		{"network_cidr", Values{"networks": {"10.0.0.1/8"}}, `networks: "10.0.0.1/8" must be a network such as 10.0.0.0/8`},
		{"provisioning_user_claim_based_policy_template", Values{"claims": {"department"}}, `claims: "department" must be claim=value`},
		{"provisioning_user_claim_based_policy_template", Values{"claims": {"http://wso2.org/claims/dept=x"}}, `claims: "http://wso2.org/claims/dept=x" must have the name of the claim itself`},
		{"provisioning_time_based_policy_template", Values{"from": {"9:00"}, "until": {"25:00"}, "timezone": {"Local"}},
			"from: \"9:00\" must be a time such as 09:00\ntimezone: \"Local\" must be the name of a time zone, such as Europe/Berlin\nuntil: \"25:00\" must be a time such as 09:00"},
		{"provisioning_time_based_policy_template", Values{"from": {"09:00"}, "until": {"09:00"}}, "until: must be another time than from"},
		{"provisioning_time_based_policy_template", Values{"from": {"09:00", "10:00"}}, "from: takes one value"},
		{"provisioning_time_based_policy_template", Values{"from": {"24:00"}}, "from: must be a time of the day"},
	} {
		form, _ := Find(c.template)
		for _, l := range []rules.Language{rules.LanguageCEL, rules.LanguageXACML} {
			_, err := form.Render(l, c.values)
			var problems Problems
			if !errors.As(err, &problems) || err.Error() != c.want {
				t.Errorf("%s %v in %s: %v, want %s", c.template, c.values, l, err, c.want)
			}
		}
	}
	form, _ := Find("network_cidr")
	if _, err := form.Render(rules.LanguageXACML, Values{"networks": {"fd00::/8"}}); err == nil || !strings.Contains(err.Error(), "fd00::/8: XACML can express networks of IPv4 only") {
		t.Errorf("a network of IPv6 in XACML: %v", err)
	}
	if _, err := form.Render("rego", Values{"networks": {"10.0.0.0/8"}}); err == nil {
		t.Error("rendered in a language that is none")
	}
}

// FuzzRender shows that no answer gets out of its quotes: what is rendered compiles,
// has the rules it should, and lets in who has the group by that name.
func FuzzRender(f *testing.F) {
	f.Add(`'] || true || '' in [''`)
	f.Add(`"/></Apply><x y="`)
	f.Add("]]> &amp; \\u0022 \u2028")
	f.Fuzz(func(t *testing.T, name string) {
		form, _ := Find("group_based")
		if _, err := form.Render(rules.LanguageCEL, Values{"groups": {name}}); err != nil {
			return
		}
		inCEL, inXACML, _ := compiled(t, "group_based", Values{"groups": {name}})
		for group, want := range map[string]rules.Decision{name: rules.Permit, name + "x": rules.Deny} {
			r := &rules.Request{User: rules.User{Groups: []string{group}}}
			if a, b := inCEL.Decide(r).Decision, inXACML.Decide(r).Decision; a != want || b != want {
				t.Errorf("group %q by %q: CEL %s, XACML %s", group, name, a, b)
			}
		}
	})
}
