package cel

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table in docs/rules.md anew")

const (
	page            = "../../../docs/rules.md"
	vocabularyBegin = "<!-- vocabulary: written by go test ./provisioning/rules/cel -run TestDocs -update -->\n"
	vocabularyEnd   = "<!-- end of vocabulary -->\n"
)

// TestDocsHaveTheVocabulary holds the page to the code.
func TestDocsHaveTheVocabulary(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), vocabularyBegin)
	old, after, closed := strings.Cut(rest, vocabularyEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the vocabulary", page)
	}
	table := vocabularyTable(t)
	if *update {
		if err := os.WriteFile(page, []byte(before+vocabularyBegin+table+vocabularyEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, old); diff != "" {
		t.Errorf("%s does not say what rules may ask; run with -update (-code +page):\n%s", page, diff)
	}
}

func vocabularyTable(t *testing.T) string {
	env, err := newEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("\n| in CEL | type | in XACML: category | attribute | type |\n|---|---|---|---|---|\n")
	all := vocabulary()
	for _, name := range pathsInOrder() {
		checked, issues := env.Compile(name)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		a := all[name]
		kind := a.Type[strings.LastIndexAny(a.Type, "#:")+1:]
		switch {
		case strings.HasPrefix(a.ID, "urn:anteroom:environment:"):
			fmt.Fprintf(&b, "| `%s` | %s | – | – | – |\n", name, celType(checked))
		case name == pathClaims:
			fmt.Fprintf(&b, "| `%s` | %s | `%s` | the claim's name | %s |\n", name, celType(checked), a.Category, kind)
		default:
			fmt.Fprintf(&b, "| `%s` | %s | `%s` | `%s` | %s |\n", name, celType(checked), a.Category, a.ID, kind)
		}
	}
	return b.String() + "\n"
}

func pathsInOrder() []string {
	names := slices.Collect(maps.Keys(vocabulary()))
	order := []string{"user", "app", "connector", "request", "account", "env"}
	slices.SortFunc(names, func(x, y string) int {
		root := func(name string) int { return slices.Index(order, strings.SplitN(name, ".", 2)[0]) }
		if root(x) != root(y) {
			return root(x) - root(y)
		}
		return strings.Compare(x, y)
	})
	return names
}

func celType(checked *cel.Ast) string {
	return strings.TrimPrefix(strings.ToLower(checked.OutputType().String()), "google.protobuf.")
}
