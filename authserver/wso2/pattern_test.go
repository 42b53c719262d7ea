package wso2_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/authserver/wso2"
	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// login evaluates what the pattern was turned into.
func login(t interface{ Fatal(...any) }, p wso2.Pattern, user string) string {
	rule, _, err := p.Mapping("login")
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.Compile([]mapping.Rule{{Attribute: rule.Attribute, Expression: rule.Expression, Apply: mapping.When(rule.Apply)}}, nil,
		[]sdk.Attribute{{Name: "login", Type: sdk.AttributeString, Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Apply(mapping.Profile{ID: "u1", Login: user}, mapping.ForCreate)
	if err != nil {
		t.Fatal(err)
	}
	return out.String("login")
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern    wso2.Pattern
		user, want string
	}{
		{wso2.Pattern{}, "Ada", "ada"},
		{wso2.Pattern{Parts: "{UN}", Domain: "acme.com"}, "Ada", "ada@acme.com"},
		{wso2.Pattern{Parts: "UN", Domain: "Acme.com"}, "ada@ACME.com", "ada@acme.com"},
		{wso2.Pattern{Domain: "acme.com"}, "john@example.com", "john.example.com@acme.com"},
		{wso2.Pattern{Domain: "acme.com"}, "john@evilacme.com", "john.evilacme.com@acme.com"}, // WSO2 leaves this one as it is
		{wso2.Pattern{Parts: "{UD, UN,TD,IDP}", Provider: "Google's"}, "Ada", "primary_ada_carbon.super_google's"},
		{wso2.Pattern{Parts: "{UD,UN}", Separator: "."}, "Ada", "primary.ada"}, // WSO2 takes it for a regular expression
		{wso2.Pattern{Parts: "{UN,IDP}", Separator: "+", Domain: "acme.com", Provider: `a\b`}, "Ada", `ada+a\b@acme.com`},
	} {
		if got := login(t, c.pattern, c.user); got != c.want {
			t.Errorf("%+v of %s = %q, want %q", c.pattern, c.user, got, c.want)
		}
	}
}

// TestPatternsAgree compares expressions with the rule that they stand for.
func TestPatternsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.Permutation([]string{"UN", "UD", "TD", "IDP"}).Draw(t, "tokens")
		p := wso2.Pattern{
			Separator: rapid.SampledFrom([]string{"-", ".", "_", "+", `\`, "'"}).Draw(t, "separator"),
			Domain:    rapid.SampledFrom([]string{"", "acme.com"}).Draw(t, "domain"), Provider: rapid.String().Draw(t, "provider"),
		}
		tokens = tokens[:rapid.IntRange(slices.Index(tokens, "UN")+1, 4).Draw(t, "parts")]
		p.Parts = "{" + strings.Join(tokens, ",") + "}"
		user := rapid.StringMatching(`[A-Za-z0-9@.]{1,20}`).Draw(t, "user")
		parts := map[string]string{"UN": user, "UD": "PRIMARY", "TD": "carbon.super", "IDP": p.Provider}
		var words []string
		for _, token := range tokens {
			words = append(words, parts[token])
		}
		want := strings.ToLower(strings.Join(words, p.Separator))
		if p.Domain != "" && !strings.HasSuffix(want, "@"+p.Domain) {
			want = strings.ReplaceAll(want, "@", ".") + "@" + p.Domain
		}
		if got := login(t, p, user); got != want {
			t.Errorf("%+v of %q = %q, want %q", p, user, got, want)
		}
	})
}

func TestPatternsRefused(t *testing.T) {
	for parts, want := range map[string]string{"{UN,XX}": `"XX" is no part of a pattern`, "{UD,TD}": "has no UN", "{UN,}": `"" is no part`} {
		if _, _, err := (wso2.Pattern{Parts: parts}).Mapping("login"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", parts, err, want)
		}
	}
}

// TestPatternsFitTheConnector imports a pattern for each connector that has them: the
// mapping is the whole one, and the connector takes it.
func TestPatternsFitTheConnector(t *testing.T) {
	for name, c := range map[string]struct {
		xml       string
		connector sdk.Connector
	}{
		"google":     {"<Name>googleapps</Name><ProvisioningProperties><Property><Name>google_prov_domain_name</Name><Value>acme.com</Value></Property></ProvisioningProperties>", google.Connector()},
		"salesforce": {"<Name>salesforce</Name><ProvisioningProperties><Property><Name>sf-prov-pattern</Name><Value>{UN,IDP}</Value></Property></ProvisioningProperties>", salesforce.Connector()},
	} {
		result, err := wso2.Import([]byte("<IdentityProvider><IdentityProviderName>acme</IdentityProviderName><ProvisioningConnectorConfigs><ProvisioningConnectorConfig>" + c.xml + "</ProvisioningConnectorConfig></ProvisioningConnectorConfigs></IdentityProvider>"))
		if err != nil {
			t.Fatal(err)
		}
		var rules []mapping.Rule
		mapped := map[string]bool{}
		for _, m := range result.Document.Targets[0].Mapping {
			rules = append(rules, mapping.Rule{Attribute: m.Attribute, Source: m.Source, Expression: m.Expression, Apply: mapping.When(m.Apply)})
			mapped[m.Attribute] = true
		}
		declared := c.connector.Describe().Attributes
		if _, err := mapping.Compile(rules, nil, declared); err != nil || len(rules) == 0 {
			t.Errorf("%s: %v of %d rules", name, err, len(rules))
		}
		for _, a := range declared {
			if a.Source != "" && !a.Owner && !mapped[a.Name] {
				t.Errorf("%s: %s has lost its default", name, a.Name)
			}
		}
	}
}
