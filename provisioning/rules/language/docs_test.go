package language_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/rules/xacml"
)

// TestDocsNameAttributesOfBothLanguages holds what docs/rules.md says of XACML to
// XACML: each attribute of its table is one that a policy can have.
func TestDocsNameAttributesOfBothLanguages(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z_]+)` \\| .* \\| (`(.*)`|–) \\| (`(.*)`|–) \\| (.*) \\|$").FindAllStringSubmatch(string(raw), -1)
	if len(rows) < 30 {
		t.Fatalf("the table has %d attributes", len(rows))
	}
	for _, row := range rows {
		path, category, id, kind := row[1], row[3], row[5], row[6]
		if id == "" {
			category, id, kind = "urn:oasis:names:tc:xacml:3.0:attribute-category:environment", "urn:anteroom:environment:"+strings.TrimPrefix(path, "env."), "string"
		}
		if known := knows(t, category, id, kind); known != (row[5] != "") {
			t.Errorf("%s: XACML has %s of type %s: %v", path, id, kind, known)
		}
	}
}

func knows(t *testing.T, category, id, kind string) bool {
	t.Helper()
	dataType := "http://www.w3.org/2001/XMLSchema#" + kind
	if kind == "ipAddress" {
		dataType = "urn:oasis:names:tc:xacml:2.0:data-type:ipAddress"
	}
	set, err := language.Compile(rules.RuleSet{Language: rules.LanguageXACML, Source: fmt.Sprintf(
		`<Policy xmlns="urn:oasis:names:tc:xacml:3.0:core:schema:wd-17" PolicyId="p" Version="1.0"
			RuleCombiningAlgId="urn:oasis:names:tc:xacml:3.0:rule-combining-algorithm:deny-unless-permit"><Target/>
			<Rule RuleId="r" Effect="Permit"><Condition><Apply FunctionId="urn:oasis:names:tc:xacml:1.0:function:integer-greater-than">
				<Apply FunctionId="urn:oasis:names:tc:xacml:%s:function:%s-bag-size">
					<AttributeDesignator Category="%s" AttributeId="%s" DataType="%s" MustBePresent="false"/>
				</Apply>
				<AttributeValue DataType="http://www.w3.org/2001/XMLSchema#integer">0</AttributeValue>
			</Apply></Condition></Rule></Policy>`, map[bool]string{true: "2.0", false: "1.0"}[kind == "ipAddress"], kind, category, id, dataType)})
	if err != nil {
		t.Fatal(err)
	}
	findings := set.(interface {
		Lint(xacml.Known) []xacml.Finding
	}).Lint(xacml.Known{})
	return !slices.ContainsFunc(findings, func(f xacml.Finding) bool { return f.Kind == xacml.FindingUnknownAttribute })
}
