package resources

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// The example of docs/mapping.md is taken by apply and by the connector, and makes of
// a person what it seems to.
func TestDocsMappingExample(t *testing.T) {
	_, rest, _ := strings.Cut(mappingDoc(t), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	doc, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if problems := doc.Check(); len(problems) != 0 {
		t.Fatal(problems)
	}
	target, err := doc.Targets[0].target(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := target.CompileMapping(scim2.Connector().Describe().Attributes)
	if err != nil {
		t.Fatal(err)
	}
	zoe := mapping.Profile{
		ID: "u1", Login: "zoe", Email: "Zoe.O@Example.com", GivenName: "Zoë", FamilyName: "Österß", Groups: []string{"all", "board"},
		Claims: map[string][]string{"phone": {"+49 30 1"}},
	}
	got, err := m.Apply(zoe, mapping.ForCreate)
	want := sdk.Attributes{
		"externalId": "u1", "name.givenName": "Zoë", "name.familyName": "Österß", "email": "zoe.o@example.com", "title": "Director",
		"locale": "en-US", "phone": "+49301", "displayName": "zoe",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	candidates, err := m.Candidates("userName", zoe)
	if err != nil || len(candidates) != 100 || candidates[0].Value != "zoe.o" || candidates[1].Value != "zosterss" || candidates[99].Value != "zosterss99" {
		t.Errorf("candidates = %v, %v", candidates, err)
	}
	nobody := mapping.Profile{ID: "u2", Login: "x", GivenName: "X"}
	got, err = m.Apply(nobody, mapping.ForUpdate)
	want = sdk.Attributes{"externalId": "u2", "name.givenName": "X", "name.familyName": "-", "email": nil, "displayName": "x"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("of a profile that is almost empty: %v (-want +got):\n%s", err, diff)
	}
}

func mappingDoc(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What docs/mapping.md says of keys and functions is so.
func TestDocsMappingTables(t *testing.T) {
	doc := mappingDoc(t)
	for _, kind := range []mapping.Kind{mapping.KindSource, mapping.KindConstant, mapping.KindExpression, mapping.KindUnique} {
		if !strings.Contains(doc, "| `"+string(kind)+"` |") {
			t.Errorf("docs/mapping.md lacks %s", kind)
		}
	}
	for _, line := range []string{
		"| `apply` | `always`, `on_create`, `on_update` |", "| `on_null` | `clear`, `omit`, `fail`, `default` |", "| `on_error` | `fail`, `omit` |",
		"a user with more than 2,000 groups or 256 KiB", "up to 20 tables of up to 1,000 texts", "(`{}` is 2 to 99", "100,000 steps", "16 KiB of text",
	} {
		if !strings.Contains(doc, line) {
			t.Errorf("docs/mapping.md lacks %q", line)
		}
	}
	for from, to := range map[string]string{
		"`O'Neil` → `" + expression.Slug("O'Neil"): "oneil", "`Zoë Österß` → `" + expression.Normalise("Zoë Österß"): "Zoe Osterss",
		"`Łukasz` → `" + expression.Normalise("Łukasz"): "Lukasz",
	} {
		if !strings.HasSuffix(from, to) || !strings.Contains(doc, from+"`") {
			t.Errorf("docs/mapping.md lacks %s", from)
		}
	}
	if mapping.MaxTables != 20 || mapping.MaxEntries != 1000 || provisioning.DefaultSuffixStart != 2 || provisioning.DefaultSuffixMax != 99 || expression.MaxCost != 100_000 || expression.MaxText != 16<<10 {
		t.Error("docs/mapping.md gives other limits")
	}
}
