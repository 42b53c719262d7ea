package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The docs say of each combination what the command says.
func TestDocsExplainTheEightCombinations(t *testing.T) {
	doc := readDoc(t, "docs/resources.md")
	mark := map[bool]string{true: "yes", false: "–"}
	for i := range 8 {
		b := provisioning.Binding{Blocking: i&1 != 0, EnableRules: i&2 != 0, JITOutbound: i&4 != 0}
		line := fmt.Sprintf("| %s | %s | %s | %s |", mark[b.Blocking], mark[b.EnableRules], mark[b.JITOutbound], b.Explain())
		if !strings.Contains(doc, line) {
			t.Errorf("docs/resources.md lacks the line\n%s", line)
		}
	}
}

// The example in the docs is a document that apply takes.
func TestDocsExampleParses(t *testing.T) {
	_, rest, _ := strings.Cut(readDoc(t, "docs/resources.md"), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/resources.md has no example")
	}
	doc, err := resources.Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if problems := doc.Check(); len(problems) != 0 || len(doc.Targets) != 1 || len(doc.Applications) != 1 || len(doc.Users) != 1 {
		t.Errorf("the example has problems: %v", problems)
	}
}

// Every command that an admin is told of is run by a script, with the options
// that are shown.
func TestDocsConnectorCommandsAreRun(t *testing.T) {
	scripts := ""
	for _, name := range []string{"connector", "connector_upgrade", "connector_lock"} {
		scripts += readDoc(t, "e2e/testdata/"+name+".txt")
	}
	shown := regexp.MustCompile(`(?m)^anteroom connector ([a-z]+)([^#\n]*)`).FindAllStringSubmatch(readDoc(t, "docs/connectors.md"), -1)
	if len(shown) < 12 {
		t.Fatalf("docs/connectors.md shows %d commands", len(shown))
	}
	for _, c := range shown {
		run := regexp.MustCompile(`(?m)^exec anteroom connector `+c[1]+`.*$`).FindAllString(scripts, -1)
		if len(run) == 0 {
			t.Errorf("no script runs connector %s", c[1])
		}
		for _, flag := range regexp.MustCompile(` --?[a-z]+ `).FindAllString(c[2], -1) {
			if !strings.Contains(strings.Join(run, "\n"), flag) {
				t.Errorf("no script runs connector %s with %s", c[1], flag)
			}
		}
	}
}
