package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// A typical rule in both languages: in a group, with an address of a domain, in one
// application, at a time of day (here all of it).
const (
	typicalNative = `rules:
  - id: engineers
    effect: permit
    when: "'Engineering' in user.groups && user.email.endsWith('@example.com') && app.client_id == 'app' && env.hour < 24"
`
	typicalPolicy = `<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="p" Version="1.0"
	RuleCombiningAlgId="urn:oasis:names:tc:xacml:1.0:rule-combining-algorithm:first-applicable"><Target/>
	<Rule RuleId="engineers" Effect="Permit"><Condition><Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:and">
		<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:string-is-in">
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">Engineering</AttributeValue>
			<AttributeDesignator Category="http://wso2.org/identity/provisioning" AttributeId="http://wso2.org/identity/provisioning/claim-group"
				DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="false"/>
		</Apply>
		<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:string-regexp-match">
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">@example\.com$</AttributeValue>
			<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:string-one-and-only">
				<AttributeDesignator Category="http://wso2.org/identity/user" AttributeId="http://wso2.org/claims/emailaddress"
					DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="true"/>
			</Apply>
		</Apply>
		<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:string-is-in">
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#string">app</AttributeValue>
			<AttributeDesignator Category="http://wso2.org/identity/sp" AttributeId="urn:anteroom:app:client-id"
				DataType="http://www.w3.org/2001/XMLSchema#string" MustBePresent="true"/>
		</Apply>
		<Apply FunctionId="urn:oasis:names:tc:xacml:2.0:function:time-in-range">
			<Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:time-one-and-only">
				<AttributeDesignator Category="urn:oasis:names:tc:xacml:3.0:attribute-category:environment"
					AttributeId="urn:oasis:names:tc:xacml:1.0:environment:current-time" DataType="http://www.w3.org/2001/XMLSchema#time" MustBePresent="true"/>
			</Apply>
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#time">00:00:00</AttributeValue>
			<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#time">23:59:59.999999999</AttributeValue>
		</Apply>
	</Apply></Condition></Rule>
</Policy>`
)

// gateOf returns the gate of a system, and a request of somebody in sync, whose
// binding asks a typical rule set of the language; "" asks none. An unrecorded gate
// keeps no decision: what is left of a permit is the reading.
func gateOf(t testing.TB, s *System, language rules.Language, recorded bool) (*provisioning.Gate, provisioning.Request) {
	t.Helper()
	ctx := t.Context()
	app := application.New("app", "The application")
	app.RedirectURIs, app.SecretHash = []string{"https://app.example/cb"}, application.HashSecret("a secret")
	_, err := s.Applications.Put(ctx, app)
	must(t, err)
	_, err = s.Targets.Put(ctx, provisioning.Target{Name: "dir", Connector: "scim2"}, s.Now())
	must(t, err)
	b := provisioning.NewBinding("app", "dir")
	b.Blocking, b.EnableRules = true, language != ""
	if b.EnableRules {
		set := rules.RuleSet{Name: "typical", Language: language, Source: typicalNative}
		if language == rules.LanguageXACML {
			set.Source = typicalPolicy
		}
		_, err = s.RuleSets.Put(ctx, set, s.Now())
		must(t, err)
		b.RuleSets = []string{"typical"}
	}
	must(t, s.Bindings.Put(ctx, b))
	person, err := s.Users.Import(ctx, user.User{Login: "ada", Email: "ada@example.com", Groups: []string{"Staff", "Engineering"}}, "")
	must(t, err)
	_, err = s.db.Exec(ctx, `INSERT INTO account (user_id, target, desired, desired_rev, applied_rev, state, external_id, created, outcome, cause, updated_at, client_id)
		VALUES ($1, 'dir', 'present', 1, 1, 'in_sync', 'x1', TRUE, 'created', 'sign_in', 1, 'app')`, person.ID)
	must(t, err)
	o := s.Gate.GateOptions
	if !recorded {
		o.Decisions = unrecorded{}
	}
	return provisioning.NewGate(o), provisioning.Request{
		Client: "app", User: person.ID, Grant: provisioning.GrantAuthorize, SignIn: "s", Reference: "R",
		Facts: provisioning.Facts{Scopes: []string{"openid"}, IP: "192.0.2.7", AuthTime: s.Now()},
	}
}

type unrecorded struct{}

// Add implements provisioning.DecisionRecorder.
func (unrecorded) Add(context.Context, provisioning.Decision) error { return nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func permitted(t testing.TB, gate *provisioning.Gate, r provisioning.Request, ruled bool) {
	t.Helper()
	_, d, err := gate.Permit(t.Context(), r)
	if err != nil || d.Verdict != provisioning.VerdictPermit || (d.Findings[0].Rule == provisioning.RulePermit) != ruled {
		t.Fatalf("permit = %+v, %v", d, err)
	}
}

// kindsOfRules are no rules, and a typical rule set in each language.
var kindsOfRules = []rules.Language{"", rules.LanguageCEL, rules.LanguageXACML}

// A typical rule costs a sign-in the reading of the user, the application and the
// heads of the rule sets, and its evaluation.
func TestAllocationsOfTheRuledGate(t *testing.T) {
	most := map[rules.Language]float64{"": 320, rules.LanguageCEL: 620, rules.LanguageXACML: 620}
	for _, language := range kindsOfRules {
		gate, r := gateOf(t, openSystem(t), language, false)
		permitted(t, gate, r, language != "") // compiles
		got := testing.AllocsPerRun(100, func() { permitted(t, gate, r, language != "") })
		t.Logf("rules %q: %v allocations", language, got)
		if got > most[language] {
			t.Errorf("rules %q: %v allocations, more than %v", language, got, most[language])
		}
	}
}

// BenchmarkRuledGate is the gate's answer for somebody in sync, without rules and
// with a typical rule set: with the decision's commit, and without.
func BenchmarkRuledGate(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, language := range kindsOfRules {
			for _, recorded := range []bool{true, false} {
				name := fmt.Sprintf("%s/rules=%s/recorded=%t", database, language, recorded)
				b.Run(name, func(b *testing.B) {
					dir := newDir(b)
					url := "sqlite://" + filepath.Join(dir, "db")
					if database == "postgres" {
						url = sqldbtest.PostgresURL(b)
					}
					gate, r := gateOf(b, openSystemIn(b, dir, url), language, recorded)
					permitted(b, gate, r, language != "")
					b.ReportAllocs()
					for b.Loop() {
						permitted(b, gate, r, language != "")
					}
				})
			}
		}
	}
}
