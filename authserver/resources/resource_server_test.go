package resources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

const reportsDocument = `
applications:
  - {client_id: payroll, redirect_uris: ["https://payroll.example/cb"], secret: {env: CLIENT}, scopes: [openid, reports.read]}
resource_servers:
  - {identifier: "https://reports.example/api", scopes: [reports.read], applications: [payroll], introspection: [payroll], token_lifetime: 15m}
  - {identifier: "urn:example:open", applications: ["*"], disabled: true}
`

// What is applied is there, its export changes nothing, and a change is named.
func TestResourceServerRoundTrip(t *testing.T) {
	b, m := newBackend(t)
	if got := apply(t, b, reportsDocument); !strings.Contains(got, "+ resource server https://reports.example/api\n    applications: payroll\n") {
		t.Errorf("apply:\n%s", got)
	}
	want := resourceserver.Server{Identifier: "https://reports.example/api", Settings: resourceserver.Settings{
		Scopes: []string{"reports.read"}, Applications: []provisioning.ClientID{"payroll"}, Introspection: []provisioning.ClientID{"payroll"}, TokenLifetime: "15m",
	}}
	if diff := cmp.Diff(want, m.servers[want.Identifier]); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	appliesAgain(t, b)
	changed := strings.ReplaceAll(reportsDocument, "token_lifetime: 15m", "token_lifetime: 5m")
	if got := apply(t, b, changed); got != "~ resource server https://reports.example/api\n    token_lifetime: 15m → 5m\n" {
		t.Errorf("apply of the change:\n%s", got)
	}
}

func TestResourceServerProblems(t *testing.T) {
	b, m := newBackend(t)
	doc, err := Parse([]byte(`
resource_servers:
  - {identifier: "https://a.example#x", scopes: [a b], applications: [nobody, "*"], introspection: ["*"], token_lifetime: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Plan(t.Context(), doc)
	problems, _ := IsProblems(err)
	var paths []string
	for _, p := range problems {
		paths = append(paths, strings.TrimPrefix(p.Path, "resource_servers[0]."))
	}
	want := []string{"identifier", "scopes[0]", "token_lifetime", "applications[0]", "introspection[0]"}
	if diff := cmp.Diff(want, paths); diff != "" || len(m.servers) != 0 {
		t.Errorf("problems (-want +got):\n%s%v", diff, err)
	}
	for _, text := range []string{"resource_servers: [{identifier: 'urn:a:b'}, {identifier: 'urn:a:b'}]", "resource_servers: [{scopes: [x]}]"} {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if problems := doc.Check(); len(problems) != 1 || !strings.HasSuffix(problems[0].Path, ".identifier") {
			t.Errorf("%s: %v", text, problems)
		}
	}
	if _, err := Parse([]byte("resource_servers: [{identifier: 'urn:a:b', lifetime: 1m}]")); err == nil {
		t.Error("an unknown key is taken")
	}
}
