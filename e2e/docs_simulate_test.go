package e2e

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

const simulateDoc = "docs/simulate.md"

var updateDocs = flag.Bool("update-docs", false, "write the outputs of commands that pages show")

// TestDocsSimulate runs the commands that docs/simulate.md shows, and compares what
// they print with what it shows. Written by
// go test ./e2e -run TestDocsSimulate -update-docs.
func TestDocsSimulate(t *testing.T) {
	long(t)
	up, _ := startElimity(t)
	doc := readDoc(t, simulateDoc)
	page, err := filepath.Abs("../" + simulateDoc)
	if err != nil {
		t.Fatal(err)
	}
	env := simulateWorld(t, up, doc)
	got := shownCommand.ReplaceAllStringFunc(doc, func(block string) string {
		line := shownCommand.FindStringSubmatch(block)[1]
		return "```\n$ " + line + "\n" + steady(runCommand(t, env, strings.Fields(line)[1:]...)) + "```\n"
	})
	if *updateDocs {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(doc, got); diff != "" {
		t.Errorf("%s differs from what the commands print (-doc +commands):\n%s", simulateDoc, diff)
	}
}

var (
	shownCommand = regexp.MustCompile("(?s)```\n\\$ (anteroom [^\n]*)\n.*?```\n")
	shownYAML    = regexp.MustCompile("(?s)```yaml\n(.*?)```\n")
)

// steady replaces what is another at each run.
func steady(text string) string {
	text = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(text, "01a210f4-6f0b-7cd8-b53e-e1f3517e8286")
	text = regexp.MustCompile(` in \d+m?s`).ReplaceAllString(text, " in 2ms")
	return text
}

// simulateWorld applies the page's resources in a folder of its own, where its other
// file is, too, and has three sign-ins recorded.
func simulateWorld(t *testing.T, up upstream, doc string) map[string]string {
	t.Helper()
	connectors := connectorsDir(t)
	t.Chdir(t.TempDir())
	files := shownYAML.FindAllStringSubmatch(doc, -1)
	for i, name := range []string{"resources.yaml", "draft.yaml"} {
		text := strings.ReplaceAll(files[i][1], "https://directory.example/scim/v2", up.BaseURL)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		"ANTEROOM_ISSUER": "http://127.0.0.1:8080", "ANTEROOM_DATABASE": "sqlite://anteroom.db", "ANTEROOM_CONNECTORS_DIR": connectors,
		"ANTEROOM_SECRETS_KEY_FILE": "keys.json", "SCIM_TOKEN": up.Token,
	}
	for _, line := range []string{
		"key generate --file keys.json", "connector pin scim2", "apply -f resources.yaml",
		"user create ada --email ada@example.com --group staff --no-password", "user create bob --email bob@example.com --no-password",
	} {
		runCommand(t, env, strings.Fields(line)...)
	}
	recordSignIns(t, env)
	return env
}

// recordSignIns records what the gate would have of three sign-ins.
func recordSignIns(t *testing.T, env map[string]string) {
	t.Helper()
	cfg, err := config.Parse(nil, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	s, err := daemon.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	permit := provisioning.RuleTrace{Set: "staff", Revision: 1, Decision: "Permit", Rule: "staff"}
	none := provisioning.RuleTrace{Set: "staff", Revision: 1, Decision: "NotApplicable", Default: true}
	for i, d := range []struct {
		login string
		rule  provisioning.RuleOutcome
		rules []provisioning.RuleTrace
	}{{"bob", "", nil}, {"ada", provisioning.RulePermit, []provisioning.RuleTrace{permit}}, {"bob", provisioning.RuleDeny, []provisioning.RuleTrace{none}}} {
		u, err := s.Users.ByLogin(t.Context(), d.login)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Decisions.Add(t.Context(), provisioning.Decision{
			ID: provisioning.DecisionID(fmt.Sprintf("d%d", i)), Verdict: provisioning.VerdictPermit, DecidedAt: time.Date(2026, 3, 2, 9+i, 0, 0, 0, time.UTC),
			Request: provisioning.Request{
				Client: "payroll", User: u.ID, Grant: provisioning.GrantAuthorize, SignIn: fmt.Sprintf("s%d", i), Reference: fmt.Sprintf("7QX%d-2B4K", i),
			},
			Findings: []provisioning.Finding{{Target: "directory", Blocking: true, Verdict: provisioning.VerdictPermit, Rule: d.rule, Rules: d.rules}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
