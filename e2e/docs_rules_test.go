package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/resources"
	prules "github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
)

// rulesExample returns the example of docs/rules.md.
func rulesExample(t *testing.T) resources.Document {
	t.Helper()
	_, rest, _ := strings.Cut(readDoc(t, "docs/rules.md"), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/rules.md has no example")
	}
	doc, err := resources.Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if problems := doc.Check(); len(problems) != 0 || len(doc.RuleSets) != 5 {
		t.Fatalf("the example has %d rule sets: %v", len(doc.RuleSets), problems)
	}
	return doc
}

// What docs/rules.md says of its example is what the example says.
func TestDocsExampleOfRulesIsDecided(t *testing.T) {
	var staff prules.Compiled
	for _, s := range rulesExample(t).RuleSets {
		if s.Source == "" {
			continue
		}
		set, err := language.Compile(prules.RuleSet{Language: prules.LanguageCEL, Source: s.Source})
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		} else if s.Name == "staff" {
			staff = set
		}
	}
	rows := regexp.MustCompile(`(?m)^\| ([a-z]+) \| (\S+@\S+) \| (yes|no) \| (create|update) \| (\d\d:\d\d) \| (\w+) \|$`).FindAllStringSubmatch(readDoc(t, "docs/rules.md"), -1)
	if staff == nil || len(rows) != 6 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		now, err := time.ParseInLocation("2006-01-02 15:04", "2026-06-01 "+row[5], staff.Zone())
		if err != nil {
			t.Fatal(err)
		}
		got := staff.Decide(&prules.Request{
			User:      prules.User{Groups: []string{row[1]}, Email: row[2], EmailVerified: row[3] == "yes"},
			Operation: prules.Operation(row[4]), Now: now.UTC(),
		})
		if got.Decision.String() != row[6] {
			t.Errorf("%s: %s %+v", row[0], got.Decision, got.Status)
		}
	}
}

// Every command that the pages about rules show is run by a script.
func TestDocsRulesetCommandsAreRun(t *testing.T) {
	scripts := readDoc(t, "e2e/testdata/ruleset.txt") + readDoc(t, "e2e/testdata/ruleset_files.txt")
	for page, least := range map[string]int{"docs/rules.md": 8, "docs/rules-testing.md": 4} {
		shown := regexp.MustCompile("(?m)^\\| `anteroom ([a-z]+ ?[a-z]*)[^`]*`").FindAllStringSubmatch(readDoc(t, page), -1)
		if len(shown) < least {
			t.Fatalf("%s shows %d commands", page, len(shown))
		}
		for _, c := range shown {
			if !strings.Contains(scripts, "\nexec anteroom "+strings.TrimSpace(c[1])) {
				t.Errorf("%s: no script runs %s", page, c[1])
			}
		}
	}
}
