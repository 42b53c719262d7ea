package resources

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

const example = `
targets:
  - {name: directory, connector: scim2, config: {base_url: "http://127.0.0.1:1/scim/v2", auth: bearer}, secrets: {token: {env: TOKEN}}}
applications:
  - client_id: payroll
    redirect_uris: [http://127.0.0.1:9090/callback]
    secret: {env: CLIENT}
    registration: true
    outbound_provisioning:
      - {target: directory, blocking: true, enable_rules: false, jit_outbound: true}
users:
  - {login: alice, email: alice@example.com, given_name: Alice, family_name: Ant, password: {file: pw}}
`

func plan(t *testing.T, b *Backend, text string) Plan {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Plan(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, b *Backend, text string) string {
	t.Helper()
	p := plan(t, b, text)
	var out strings.Builder
	if err := errors.Join(Print(&out, p.Changes), b.Apply(t.Context(), p)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// exported returns the export as text.
func exported(t *testing.T, b *Backend) string {
	t.Helper()
	doc, err := b.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := doc.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// appliesAgain returns the export, and checks that applying it changes nothing.
func appliesAgain(t *testing.T, b *Backend) string {
	t.Helper()
	text := exported(t, b)
	if got := apply(t, b, text); got != "no changes\n" {
		t.Errorf("apply of the export:\n%s\nof\n%s", got, text)
	}
	return text
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	b, m := newBackend(t)
	first := apply(t, b, example)
	for _, want := range []string{"+ target directory", "+ application payroll", "outbound_provisioning.directory.blocking: true", "+ user alice", "secrets.token: *** (set)"} {
		if !strings.Contains(first, want) {
			t.Errorf("first apply does not say %q:\n%s", want, first)
		}
	}
	if strings.Contains(first, "tok-1") || strings.Contains(first, "client-secret") || strings.Contains(first, "correct horse") {
		t.Errorf("the difference shows a secret:\n%s", first)
	}
	writes := m.writes
	if second := apply(t, b, example); second != "no changes\n" || m.writes != writes {
		t.Errorf("second apply (%d writes):\n%s", m.writes-writes, second)
	}
}

// What the user store makes of a profile is no difference the next time.
func TestUserIsComparedAsStored(t *testing.T) {
	b, _ := newBackend(t)
	text := "users: [{login: ann, given_name: ' Ann ', family_name: Lee}]"
	if first := apply(t, b, text); !strings.Contains(first, "name: Ann Lee\n") {
		t.Errorf("first apply:\n%s", first)
	}
	if second := apply(t, b, text); second != "no changes\n" {
		t.Errorf("second apply:\n%s", second)
	}
}

func TestExportAppliesWithoutChange(t *testing.T) {
	b, _ := newBackend(t)
	apply(t, b, example)
	text := appliesAgain(t, b)
	if strings.Contains(text, "tok-1") {
		t.Error("the export shows a secret")
	}
}

func TestApplyShowsWhatDiffers(t *testing.T) {
	b, m := newBackend(t)
	apply(t, b, example)
	changed := strings.NewReplacer("blocking: true", "blocking: false", "127.0.0.1:1/", "127.0.0.1:2/", "env: TOKEN}", "env: TOKEN2}", "Alice,", "Alicia,").Replace(example)
	want := `~ target directory
    config.base_url: http://127.0.0.1:1/scim/v2 → http://127.0.0.1:2/scim/v2
    secrets.token: *** → *** (set)
~ application payroll
    outbound_provisioning.directory.blocking: true → false
~ user alice
    given_name: Alice → Alicia
    name: Alice Ant → Alicia Ant
`
	if diff := cmp.Diff(want, apply(t, b, changed)); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if got := m.goals["directory"].Secrets["token"].Reveal(); got != "tok-2" {
		t.Errorf("token = %q, want the new one", got)
	}
}

func TestBindingLeftOutIsRemovedOnlyWhenListed(t *testing.T) {
	b, m := newBackend(t)
	apply(t, b, example)
	apply(t, b, "applications: [{client_id: payroll, redirect_uris: [\"http://127.0.0.1:9090/callback\"], registration: true}]")
	if len(m.bound) != 1 {
		t.Errorf("bindings = %v after an apply that does not speak of them", m.bound)
	}
	apply(t, b, "applications: [{client_id: payroll, redirect_uris: [\"http://127.0.0.1:9090/callback\"], registration: true, outbound_provisioning: []}]")
	if len(m.bound) != 0 {
		t.Errorf("bindings = %v after an empty list", m.bound)
	}
}

// Every option is parsed, shown, stored and exported, and nothing of it changes
// when it is applied again.
func TestEveryOptionOfABinding(t *testing.T) {
	b, m := newBackend(t)
	options := "timeout: 20s, on_create_failure: allow, on_update_failure: allow, on_rule_deny: refuse, on_rule_error: skip, on_refresh: skip, on_loss: delete, report_only: true"
	text := strings.Replace(example, "jit_outbound: true}", "jit_outbound: false, "+options+"}", 1) + "default_bindings: [{target: directory, on_loss: suspend}]\n"
	text = strings.Replace(text, "secrets: {token", "groups: {staff: [all, everybody]}, secrets: {token", 1)
	first := apply(t, b, text)
	for _, option := range strings.Split(options, ", ") {
		if !strings.Contains(first, "outbound_provisioning.directory."+option) {
			t.Errorf("apply does not say %q:\n%s", option, first)
		}
	}
	want := provisioning.Binding{
		Client: "payroll", Target: "directory", Blocking: true, Timeout: 20 * time.Second,
		OnCreateFailure: provisioning.FailureAllow, OnUpdateFailure: provisioning.FailureAllow,
		OnRuleDeny: provisioning.RuleRefuse, OnRuleError: provisioning.RuleSkip, OnRefresh: provisioning.RefreshSkip,
		OnLoss: provisioning.LossDelete, ReportOnly: true,
	}
	if diff := cmp.Diff(want, m.bound["payroll/directory"]); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"staff": {"all", "everybody"}}, m.goals["directory"].Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got := apply(t, b, text); got != "no changes\n" {
		t.Errorf("second apply:\n%s", got)
	}
	appliesAgain(t, b)
}

// The default bindings are removed when they are left out of a list, and left
// alone when there is no list.
func TestDefaultBindings(t *testing.T) {
	b, m := newBackend(t)
	if got := apply(t, b, example+"default_bindings: [{target: directory}]\n"); !strings.Contains(got, "+ bindings (default)") && !strings.Contains(got, "~ bindings (default)") {
		t.Errorf("apply does not speak of the default bindings:\n%s", got)
	}
	there := func() bool { _, ok := m.bound["(default)/directory"]; return ok }
	if !there() {
		t.Fatalf("bindings = %v, want the default one", m.bound)
	}
	if got := apply(t, b, example); got != "no changes\n" || !there() {
		t.Errorf("without a list: %s", got)
	}
	if apply(t, b, example+"default_bindings: []\n"); there() || len(m.bound) != 1 {
		t.Errorf("bindings = %v after an empty list, want the application's alone", m.bound)
	}
}

func TestGeneratedSecretIsToldOnce(t *testing.T) {
	b, _ := newBackend(t)
	text := "applications: [{client_id: crm, redirect_uris: [https://crm.example/cb]}]"
	p := plan(t, b, text)
	if p.Generated["crm"] == "" {
		t.Fatal("no secret was generated for a confidential client")
	}
	if err := b.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if again := plan(t, b, text); len(again.Generated) != 0 || len(again.Changes) != 0 {
		t.Errorf("second plan = %+v, want nothing", again)
	}
}

func TestUserIsDisabledAndEnabled(t *testing.T) {
	b, m := newBackend(t)
	apply(t, b, "users: [{login: Bob, disabled: true}]")
	if m.users["bob"].Status != user.StatusDisabled {
		t.Fatalf("status = %s", m.users["bob"].Status)
	}
	if got := apply(t, b, "users: [{login: Bob}]"); !strings.Contains(got, "disabled: true → (none)") || m.users["bob"].Status != user.StatusActive {
		t.Errorf("status = %s after\n%s", m.users["bob"].Status, got)
	}
}

// Every problem is reported at once, each with its path, and nothing is written.
func TestEveryProblemAtOnce(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"names", "targets: [{connector: scim2}, {name: Bad Name, connector: scim2}, {name: a}]", "targets[0].name targets[1].name targets[2].connector"},
		{"twice", "users: [{login: a}, {login: a}]", "users[1].login"},
		{"refs", "targets: [{name: a, connector: scim2, secrets: {t: {env: X, file: y}}}]\nusers: [{login: a, password: {}}]", "targets[0].secrets.t users[0].password"},
		{"env empty", "targets: [{name: a, connector: scim2, secrets: {t: {env: NOPE}}}]", "targets[0].secrets.t.env"},
		{"file", "users: [{login: ann, password: {file: nope}}]", "users[0].password.file"},
		{"not stored", "targets: [{name: a, connector: scim2, secrets: {t: {stored: true}}}]", "targets[0].secrets.t.stored"},
		{"connector", "targets: [{name: a, connector: nope}]", "targets[0].connector"},
		{"config", "targets: [{name: a, connector: scim2, config: {base_url: bad}}]", "targets[0].config.base_url"},
		{"mapping", "targets: [{name: a, connector: scim2, mapping: [{attribute: nope, source: user.id}]}]", "targets[0].mapping"},
		{"mapping form", "targets: [{name: a, connector: scim2, mapping: [{source: user.id, constant: x}]}]", "targets[0].mapping[0].attribute targets[0].mapping[0]"},
		{"binding", "applications: [{client_id: a, redirect_uris: [https://a/cb], outbound_provisioning: [{target: nope}]}]", "applications[0].outbound_provisioning[0].target"},
		{"policies", "applications: [{client_id: a, outbound_provisioning: [{target: t, timeout: 2h, on_create_failure: maybe, enable_rules: true}, {target: t}]}]",
			"applications[0].outbound_provisioning[0].timeout applications[0].outbound_provisioning[0].on_create_failure applications[0].outbound_provisioning[0].enable_rules applications[0].outbound_provisioning[1].target"},
		{"new policies", "applications: [{client_id: a, outbound_provisioning: [{target: t, on_rule_deny: keep, on_rule_error: keep, on_loss: skip}]}]",
			"applications[0].outbound_provisioning[0].on_rule_deny applications[0].outbound_provisioning[0].on_rule_error applications[0].outbound_provisioning[0].on_loss"},
		{"default bindings", "default_bindings: [{target: t, timeout: 1h}, {target: t}, {}]", "default_bindings[0].timeout default_bindings[1].target default_bindings[2].target"},
		{"default bindings of nothing", "default_bindings: [{target: nope}]", "default_bindings[0].target"},
		{"the default client", "applications: [{client_id: (default), redirect_uris: [https://a/cb]}]", "applications[0].client_id"},
		{"groups", "targets: [{name: a, connector: scim2, groups: {}}, {name: b, connector: scim2, groups: {x: [], y: [\"\"]}}]", "targets[0].groups targets[1].groups.x targets[1].groups.y"},
		{"groups unknown", "targets: [{name: nogroups, connector: scim2, groups: {x: [y]}}]", "targets[0].groups"},
		{"application", "applications: [{client_id: a, redirect_uris: [nope]}]", "applications[0].redirect_uris[0]"},
		{"public secret", "applications: [{client_id: a, auth_method: none, secret: {env: CLIENT}, redirect_uris: [https://a/cb]}]", "applications[0].secret"},
		{"home", "users: [{login: ann, home: nope}]", "users[0].home"},
		{"user", "users: [{login: a b, email: nope, given_name: \"A\\tB\"}]", "users[0].login users[0].email users[0].given_name users[0].name"},
		{"weak password", "users: [{login: ann, password: {env: WEAK}}]", "users[0].password"},
		{"upstream", "upstreams: [{name: x}, {name: y, issuer: http://a.example, client_id: c, secret: {env: CLIENT}, jit: maybe, auth_method: none, scopes: [email], claims: {nope: a, login: \"\"}, domains: [A], editable: [login, groups, login]}]",
			"upstreams[0].issuer upstreams[0].client_id upstreams[0].secret upstreams[1].issuer upstreams[1].auth_method upstreams[1].jit upstreams[1].scopes upstreams[1].claims.login upstreams[1].claims.nope upstreams[1].editable[1] upstreams[1].editable[2] upstreams[1].domains[0]"},
		{"upstream domains", "upstreams: [{name: x, issuer: https://a.example, client_id: c, secret: {env: CLIENT}, domains: [a.example]}, {name: x, issuer: https://a.example, client_id: c, secret: {env: CLIENT}}]", "upstreams[1].name"},
		{"upstream domain of two", "upstreams: [{name: x, issuer: https://a.example, client_id: c, secret: {env: CLIENT}, domains: [a.example]}, {name: y, issuer: https://b.example, client_id: c, secret: {env: CLIENT}, domains: [a.example]}]", "upstreams[1].domains[0]"},
		{"upstream secret", "upstreams: [{name: x, issuer: https://a.example, client_id: c, secret: {env: NOPE}}]", "upstreams[0].secret.env"},
		{"later", "groups: [z]", "groups"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, m := newBackend(t)
			doc, err := Parse([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Plan(t.Context(), doc)
			problems, ok := IsProblems(err)
			if !ok {
				t.Fatalf("Plan = %v, want problems", err)
			}
			var paths []string
			for _, p := range problems {
				paths = append(paths, p.Path)
			}
			if diff := cmp.Diff(tt.want, strings.Join(paths, " ")); diff != "" || m.writes != 0 {
				t.Errorf("paths (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"targets: [{name: a, conector: x}]": "conector",
		"applications:\n  - client_id: [a]": "[2:",
		"targets: {":                        "[1:",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q named", text, err, want)
		}
	}
}

// Half a plan is never kept.
func TestApplyIsOneTransaction(t *testing.T) {
	b, m := newBackend(t)
	p := plan(t, b, example)
	m.fail = errors.New("disk full")
	if err := b.Apply(t.Context(), p); err == nil || !strings.Contains(err.Error(), "target directory") {
		t.Errorf("Apply = %v, want the resource named", err)
	}
	if len(m.goals)+len(m.apps)+len(m.users) != 0 {
		t.Error("a failed apply left something behind")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("targets: [{mapping: [{constant: {a: [1]}}]}]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := Parse(raw)
		if err != nil {
			return
		}
		doc.Check()
		text, err := doc.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("Parse(YAML(doc)): %v\n%s", err, text)
		}
	})
}

// Every change that is applied is recorded; of users without values, and no secret is.
func TestChangesAreRecorded(t *testing.T) {
	b, m := newBackend(t)
	doc := func(name, email string) string {
		return "applications: [{client_id: a, name: " + name + ", redirect_uris: [\"https://a.example/cb\"], secret: {env: CLIENT}}]\nusers: [{login: ada, email: " + email + "}]\n"
	}
	apply(t, b, doc("A", "ada@old.example"))
	m.acts = nil
	apply(t, b, doc(strings.Repeat("B", 100), "ada@new.example"))
	want := []audit.Act{
		{Action: "application.update", Object: audit.Object{Kind: "application", Name: "a"}, Changes: []audit.Change{{Field: "name", Old: "A", New: strings.Repeat("B", 100)}}},
		{Action: "user.update", Object: audit.Object{Kind: "user", Name: "ada"}, Changes: []audit.Change{{Field: "email"}}},
	}
	if diff := cmp.Diff(want, m.acts); diff != "" {
		t.Errorf("acts (-want +got):\n%s", diff)
	}
	m.acts = nil
	apply(t, b, doc(strings.Repeat("B", 100), "ada@new.example"))
	plan(t, b, doc("C", "ada@new.example"))
	if len(m.acts) != 0 {
		t.Errorf("what changed nothing left %+v", m.acts)
	}
}
