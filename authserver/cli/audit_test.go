package cli

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// office is where an admin runs commands: a database with two targets and a rule set.
type office struct {
	*testing.T
	env map[string]string
	sys *daemon.System // looks at what commands did
}

func newOffice(t *testing.T) *office {
	dir := t.TempDir()
	o := &office{T: t, env: map[string]string{
		"ANTEROOM_ISSUER": "http://127.0.0.1:8080", "ANTEROOM_LISTEN": "127.0.0.1:8080",
		"ANTEROOM_DATABASE": "sqlite://" + filepath.Join(dir, "db"), "ANTEROOM_SECRETS_KEY_FILE": filepath.Join(dir, "keys.json"),
		"ANTEROOM_CONNECTORS_DIR": dir,
	}}
	o.must(keys.CreateKeysetFile(o.env["ANTEROOM_SECRETS_KEY_FILE"]))
	o.must(os.WriteFile(filepath.Join(dir, "resources.yaml"), []byte(`applications: [{client_id: wiki, redirect_uris: ["https://wiki.example/cb"]}]`), 0o600))
	o.env["DIR"] = dir
	c, err := config.Load("", o.getenv)
	o.must(err)
	s, err := daemon.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	o.must(err)
	for _, name := range []provisioning.TargetName{"crm", "spare"} {
		_, err = s.Targets.Put(t.Context(), provisioning.Target{Name: name, Connector: "scim2", Config: []byte("{}")}, s.Now())
		o.must(err)
	}
	_, err = s.RuleSets.Put(t.Context(), rules.RuleSet{Name: "staff", Language: rules.LanguageCEL, Source: "x"}, s.Now())
	o.must(err)
	t.Cleanup(func() { _ = s.Close() })
	o.sys = s
	return o
}

func (o *office) getenv(name string) string { return o.env[name] }

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// run runs a command and returns what it printed.
func (o *office) run(line string) string {
	o.Helper()
	var out, errs bytes.Buffer
	line = strings.ReplaceAll(line, "DIR", o.env["DIR"])
	Main(o.Context(), Env{Stdin: strings.NewReader("correct horse battery"), Stdout: &out, Stderr: &errs, Getenv: o.getenv}, strings.Fields(line))
	return out.String() + errs.String()
}

func (o *office) events() []auditView {
	o.Helper()
	events, err := o.sys.Audit.Store.List(o.Context(), audit.Filter{Limit: maxList})
	o.must(err)
	return list(events, viewAudit)
}

// readers change nothing an admin could be asked about: they read, write a file where
// they are told to, or run the server.
func readers() []string {
	return []string{
		"serve", "demo", "check", "migrate", "export", "import wso2", "version", "audit list", "admin list",
		"user list", "user show", "application list", "application show", "application registration-token list",
		"target list", "target show", "target mapping", "target check", "binding list", "binding simulate", "account list", "account show",
		"connector list", "connector new", "connector inspect", "connector test", "connector package", "connector history", "connector lock", "connector logs",
		"ruleset list", "ruleset show", "ruleset history", "ruleset templates", "ruleset template", "ruleset check", "ruleset replay", "ruleset test",
		"upstream list", "resource-server list", "resource-server show", "signin explain", "key generate", "key list",
	}
}

// elsewhere are acts that need a connector's program: a script shows their events.
func elsewhere() map[string]string {
	return map[string]string{"connector pin": "connector.pin", "connector rollback": "connector.rollback", "connector unpin": "connector.unpin"}
}

// actors are the commands that change something, in an order in which they can, with
// the event that each must leave. Those that reach beyond the database leave it
// although they fail here.
func actors() []struct{ line, action string } {
	return []struct{ line, action string }{
		{"application create payroll --redirect-uri https://payroll.example/cb", "application.create"},
		{"application secret payroll", "application.replace_secret"},
		{"application disable payroll", "application.disable"},
		{"application enable payroll", "application.enable"},
		{"binding set payroll crm --blocking", "binding.set"},
		{"user create ada --application payroll", "user.create"},
		{"user set ada --locale de", "user.update"},
		{"user password ada", "user.set_password"},
		{"user reset-second-factor ada", "user.reset_second_factor"},
		{"user remove-passkeys ada", "user.remove_passkeys"},
		{"admin grant ada --role operator", "administrator.grant"},
		{"admin revoke ada", "administrator.revoke"},
		{"account retry ada crm", "account.retry"},
		{"account retry --failed", "account.retry_failed"},
		{"target maintenance crm on", "target.maintenance_on"},
		{"target resume crm", "target.resume"},
		{"target approve crm", "target.approve_held"},
		{"target approve crm --reject", "target.reject_held"},
		{"target reconcile crm --repair", "target.repair"},
		{"target delete spare", "target.delete"},
		{"ruleset delete staff", "rule_set.delete"},
		{"key rotate --alg ES256", "key.rotate"},
		{"application registration-token create --note rp", "registration_token.create"},
		{"application registration-token revoke TOKEN", "registration_token.revoke"},
		{"user disable ada", "user.disable"},
		{"user enable ada", "user.enable"},
		{"user delete ada", "user.delete"},
		{"binding delete payroll crm", "binding.delete"},
		{"application delete payroll", "application.delete"},
		{"apply -f DIR/resources.yaml", "application.create"},
		{"connector install DIR/none.tar.gz", "connector.install"},
	}
}

// Every command is known to change nothing, or leaves an event: one that is new fails
// here until somebody says which it is.
func TestEveryActIsRecorded(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Name("anteroom"))
	if err != nil {
		t.Fatal(err)
	}
	known := readers()
	for _, a := range actors() {
		known = append(known, commandOf(parser, a.line))
	}
	for command, action := range elsewhere() {
		known = append(known, command)
		if scripts := scriptsWith(t, action); scripts == 0 {
			t.Errorf("no script shows the event %s of %q", action, command)
		}
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if !slices.Contains(known, leaf.Path()) {
			t.Errorf("the command %q is new: does it leave an event?", leaf.Path())
		}
	}
	o := newOffice(t)
	var before []auditView
	for _, a := range actors() {
		line := a.line
		if len(before) > 0 {
			line = strings.ReplaceAll(line, "TOKEN", before[0].Object.ID)
		}
		said, events := o.run(line), o.events()
		if len(events) != len(before)+1 {
			t.Fatalf("%s: %d events more, want one; it said %s", a.line, len(events)-len(before), said)
		}
		e := events[0]
		if string(e.Action) != a.action || e.Actor != (audit.Actor{Kind: audit.KindCommand, Name: whoami()}) || e.Reference == "" || e.At.IsZero() {
			t.Errorf("%s: event %+v, want %s by %s", a.line, e, a.action, whoami())
		}
		if text := fmt.Sprint(e); strings.Contains(text, "correct horse") || strings.Contains(text, "ada@") {
			t.Errorf("%s: the event tells too much: %s", a.line, text)
		}
		before = events
	}
}

// commandOf returns the leaf that a line runs.
func commandOf(parser *kong.Kong, line string) string {
	command := ""
	for _, leaf := range parser.Model.Leaves(false) {
		if strings.HasPrefix(line+" ", leaf.Path()+" ") && len(leaf.Path()) > len(command) {
			command = leaf.Path()
		}
	}
	return command
}

func scriptsWith(t *testing.T, action string) int {
	t.Helper()
	files, err := filepath.Glob("../../e2e/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "stdout '"+action) {
			n++
		}
	}
	return n
}

// What did not happen is not recorded.
func TestFailedActsLeaveNoEvent(t *testing.T) {
	o := newOffice(t)
	for _, line := range []string{
		"application create payroll --redirect-uri http://payroll.example/cb", "application delete payroll", "user set nobody --locale de",
		"binding set payroll crm", "target delete none", "target maintenance none on", "ruleset delete none", "apply --dry-run -f DIR/resources.yaml",
	} {
		said := o.run(line)
		if events := o.events(); len(events) != 0 {
			t.Errorf("%s: %+v; it said %s", line, events, said)
		}
	}
}

func TestAuditList(t *testing.T) {
	o := newOffice(t)
	o.run("application create a --redirect-uri https://a.example/cb")
	o.run("user create ada --no-password")
	o.run("user set ada --locale de --email ada@example.com")
	for filter, want := range map[string]int{"": 3, "--object ada": 2, "--actor nobody": 0, "--since 1h": 3, "--since 1ns": 0, "--limit 1": 1} {
		text := o.run("audit list " + filter)
		if got := strings.Count(text, "\n") - 1; got != want {
			t.Errorf("audit list %s: %d events, want %d:\n%s", filter, got, want, text)
		}
	}
	if text := o.run("-o json audit list"); !strings.Contains(text, `"field": "email"`) || strings.Contains(text, "@example.com") {
		t.Errorf("the list is\n%s", text)
	}
	if text := o.run("audit list"); !strings.Contains(text, "email; locale") || strings.Contains(text, "@example.com") {
		t.Errorf("the list is\n%s", text)
	}
}
