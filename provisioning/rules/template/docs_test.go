package template

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	page           = "../../../docs/rules.md"
	templatesBegin = "<!-- templates: written by go test ./provisioning/rules/template -run TestDocs -update -->\n"
	templatesEnd   = "<!-- end of templates -->\n"
)

// TestDocsHaveTheTemplates holds the page to the code.
func TestDocsHaveTheTemplates(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), templatesBegin)
	old, after, closed := strings.Cut(rest, templatesEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the templates", page)
	}
	table := templatesTable()
	if *update {
		if err := os.WriteFile(page, []byte(before+templatesBegin+table+templatesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, old); diff != "" {
		t.Errorf("%s does not say which templates there are; run with -update (-code +page):\n%s", page, diff)
	}
}

func templatesTable() string {
	var b strings.Builder
	b.WriteString("\n| template | parameters (default) | |\n|---|---|---|\n")
	for _, t := range All() {
		var parameters []string
		for _, p := range t.Parameters {
			text := "`" + p.Name + "`"
			if p.Default != "" {
				text += " (" + p.Default + ")"
			}
			parameters = append(parameters, text)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", t.Name, strings.Join(parameters, ", "), t.Help)
	}
	return b.String() + "\n"
}
