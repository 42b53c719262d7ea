package cel

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func causes(x rules.Explanation) []string {
	var out []string
	for _, r := range x.Policy.Rules {
		for _, c := range r.Condition {
			out = append(out, c.String())
		}
	}
	return out
}

// TestExplain shows that the parts that settled a condition are named, each with
// what it saw, and no other part.
func TestExplain(t *testing.T) {
	for expr, want := range map[string][]string{
		"'Sales' in user.groups && user.email_verified && env.hour < 9": {
			`5:7: "Sales" in user.groups is false, where user.groups = ["Engineering", "Doe, Jane"]`,
			`5:56: env.hour < 9 is false, where env.hour = 10`,
		},
		"user.email.endsWith('@example.com') && user.active": {
			`5:7: user.email.endsWith("@example.com") is true, where user.email = "ada@example.com"`,
			`5:46: user.active is true, where user.active = true`,
		},
		"user.name == 'x' || env.between('22:00', '06:00')": {
			`5:7: user.name == "x" is false, where user.name = ""`,
			`5:27: env.between("22:00", "06:00") is false, where env.minute_of_day = 630`,
		},
		"user.name == 'x' || user.active": {`5:27: user.active is true, where user.active = true`},
		"!(user.active && user.email_verified)": {
			`5:9: user.active is true, where user.active = true`,
			`5:24: user.email_verified is true, where user.email_verified = true`,
		},
		"account.linked ? user.active : user.groups.exists(g, g.startsWith('x'))": {
			`5:7: account.linked is false, where account.linked = false`,
			`5:38: user.groups.exists(g, g.startsWith("x")) is false, where user.groups = ["Engineering", "Doe, Jane"]`,
		},
		"user.active && user.claims['nope'][0] == 'a'": {
			`5:22: user.claims["nope"][0] == "a" is error: there is no such key, where user.claims["nope"] = nothing`,
		},
		"user.claims[user.email] == ['a']": {
			`5:7: user.claims[user.email] == ["a"] is error: there is no such key, where user.claims = {"department": ["R&D"], "http://wso2.org/claims/title": ["a", "b"]}, user.email = "ada@example.com"`,
		},
		"request.ip.in_network('192.168.0.0/16') || env.now < timestamp('2026-01-01T00:00:00Z')": {
			`5:7: request.ip.in_network("192.168.0.0/16") is false, where request.ip = "10.1.2.3"`,
			`5:50: env.now < timestamp("2026-01-01T00:00:00Z") is false, where env.now = 2026-11-25T10:30:00Z`,
		},
		"false": {`5:7: false is false`},
	} {
		t.Run(expr, func(t *testing.T) {
			x := compile(t, one(expr)).Explain(ada(), nil)
			if diff := cmp.Diff(want, causes(x)); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExplainOfTwoRules shows the parts around the causes.
func TestExplainOfTwoRules(t *testing.T) {
	s := compile(t, `combining: first-applicable
rules:
  - {id: late, effect: permit, operations: [update], when: "user.active"}
  - {id: all, effect: permit, when: "user.active"}
  - {id: unreached, effect: deny, when: "user.claims['nope'] == []"}
`)
	x := s.Explain(ada(), nil)
	if diff := cmp.Diff(s.Decide(ada()), x.Result); diff != "" {
		t.Errorf("the explanation decides otherwise:\n%s", diff)
	}
	var got []string
	for _, r := range x.Policy.Rules {
		got = append(got, fmt.Sprintf("%d:%d %s %s %s %t %d %v", r.Line, r.Column, r.ID, r.Effect, r.Decision, r.Reached, len(r.Condition), r.Target))
	}
	want := []string{
		`3:5 late Permit NotApplicable true 0 [3:5: request.operation in [update] is false, where request.operation = "create"]`,
		"4:5 all Permit Permit true 1 []", "5:5 unreached Deny Indeterminate{D} false 1 []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestExplainHides shows that a value that is to be hidden is nowhere in the answer.
func TestExplainHides(t *testing.T) {
	const secret = "s3cret"
	r := ada()
	r.User.Email, r.User.Groups = secret, []string{secret}
	r.User.Claims = map[string][]string{"ssn": {secret}, "open": {"shown"}}
	s := compile(t, `rules:
  - {id: a, effect: permit, when: "user.email == 'x' || user.groups.exists(g, g == 'y') || user.claims['ssn'] == ['z']"}
  - {id: b, effect: permit, when: "user.claims.exists(k, user.claims[k] == ['q'])"}
  - {id: c, effect: permit, when: "timestamp(user.email) > env.now || {'a': 1}[user.claims['ssn'][0]] == 1"}
  - {id: d, effect: permit, when: "env.between(user.email, '10:00') || request.ip.in_network(user.email)"}
`)
	hidden := []string{"http://wso2.org/claims/emailaddress", "http://wso2.org/claims/groups", "ssn"}
	x := s.Explain(r, func(a rules.Attribute) bool {
		for _, id := range hidden {
			if a.ID == id {
				return true
			}
		}
		return false
	})
	all := written(t, x)
	if strings.Contains(all, secret) {
		t.Errorf("the secret is in the explanation: %s", all)
	}
	for _, want := range []string{"user.email = •••", `user.claims["ssn"] = •••`, `{"open": ["shown"], "ssn": •••}`, "user.groups = •••"} {
		if !strings.Contains(strings.Join(causes(x), "\n"), want) {
			t.Errorf("no %s in:\n%s", want, strings.Join(causes(x), "\n"))
		}
	}
	if all := written(t, s.Explain(r, nil)); !strings.Contains(all, secret) {
		t.Error("without a hook, the value is missing too: this test shows nothing")
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

func TestExplainShortens(t *testing.T) {
	r := ada()
	r.User.Groups = nil
	for i := range 500 {
		r.User.Groups = append(r.User.Groups, fmt.Sprintf("group-%03d-%s", i, strings.Repeat("é", 200)))
	}
	got := causes(compile(t, one("'x' in user.groups")).Explain(r, nil))
	if len(got) != 1 || len(got[0]) > 6000 || !strings.Contains(got[0], "and 480 more") {
		t.Errorf("%d causes, the first of %d bytes", len(got), len(got[0]))
	}
}
