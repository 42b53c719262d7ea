package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/federation"
)

const upstreamDocument = `
upstreams:
  - {name: corp, issuer: "https://login.corp.example", client_id: anteroom, secret: {env: CLIENT}, domains: [corp.example], logout: true, jit: true, claims: {login: preferred_username, groups: roles}}
`

// What is applied is there, its export changes nothing, and no secret shows.
func TestUpstreamRoundTrip(t *testing.T) {
	b, m := newBackend(t)
	if err := b.Apply(t.Context(), plan(t, b, upstreamDocument)); err != nil {
		t.Fatal(err)
	}
	u := m.ups["corp"]
	if !u.Logout {
		t.Error("logout is not taken over")
	}
	if u.JIT != federation.JITOn || u.ClientSecret != "client-secret" || u.AuthMethod != federation.AuthBasic || u.Button != "corp" || !u.Enabled || u.Claims["groups"] != "roles" {
		t.Errorf("upstream = %+v", u)
	}
	if text := appliesAgain(t, b); strings.Contains(text, "client-secret") {
		t.Fatalf("YAML = %s", text)
	}
}

// Whoever confirms may write everything, some things or nothing.
func TestUpstreamConfirm(t *testing.T) {
	for text, want := range map[string][]string{
		"jit: confirm":                             {"login", "email", "given_name", "family_name"},
		"jit: confirm, editable: [email]":          {"email"},
		"jit: confirm, editable: []":               {},
		"jit: confirm, claims: {email: mail}":      {"login", "email", "given_name", "family_name"},
		"jit: true, editable: [login, given_name]": {"login", "given_name"},
	} {
		b, m := newBackend(t)
		document := strings.NewReplacer("jit: true", text, ", claims: {login: preferred_username, groups: roles}", "").Replace(upstreamDocument)
		if err := b.Apply(t.Context(), plan(t, b, document)); err != nil {
			t.Fatal(err)
		}
		if got := m.ups["corp"].Editable; !slices.Equal(got, want) {
			t.Errorf("%s: editable = %v, want %v", text, got, want)
		}
		appliesAgain(t, b)
	}
}

func TestUpstreamSecretIsCompared(t *testing.T) {
	b, m := newBackend(t)
	if err := b.Apply(t.Context(), plan(t, b, upstreamDocument)); err != nil {
		t.Fatal(err)
	}
	p := plan(t, b, strings.ReplaceAll(upstreamDocument, "CLIENT", "TOKEN2"))
	if len(p.Changes) != 1 || len(p.Changes[0].Fields) != 1 || p.Changes[0].Fields[0].String() != "secret: *** → *** (set)" {
		t.Errorf("changes = %+v", p.Changes)
	}
	p = plan(t, b, strings.ReplaceAll(upstreamDocument, "secret: {env: CLIENT}, ", ""))
	if len(p.Changes) != 0 {
		t.Errorf("leaving the secret out changes %+v", p.Changes)
	}
	if err := b.Apply(t.Context(), p); err != nil || m.ups["corp"].ClientSecret != "client-secret" {
		t.Errorf("secret = %v, %v", m.ups["corp"].ClientSecret.Reveal(), err)
	}
}
