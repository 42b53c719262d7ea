package resources

import (
	"reflect"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// everySetting gives every setting of an application a value; a setting without a
// line here fails TestEverySettingOfAnApplication.
const everySetting = `applications:
- client_id: payroll
  redirect_uris: [https://payroll.example/cb]
  post_logout_redirect_uris: [https://payroll.example/out]
  pkce_optional: true
  require_pushed_authorization_requests: true
  dpop_bound_access_tokens: true
  userinfo_signed_response_alg: ES256
  consent: ask
  default_max_age: 300
  contacts: [a@example.com]
  client_uri: https://payroll.example/
  logo_uri: https://payroll.example/logo.png
  policy_uri: https://payroll.example/policy
  tos_uri: https://payroll.example/tos
  refresh_grace: 30s
  access_token_format: jwt
  cors_origins: [https://payroll.example]
  backchannel_logout_uri: https://payroll.example/back
  frontchannel_logout_uri: https://payroll.example/front
- client_id: signer
  redirect_uris: [https://signer.example/cb]
  auth_method: private_key_jwt
  jwks:
    keys:
    - {kty: EC, kid: a, use: sig, alg: ES256, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}
    - {kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}
- client_id: publisher
  redirect_uris: [https://publisher.example/cb]
  auth_method: private_key_jwt
  token_endpoint_auth_signing_alg: ES256
  jwks_uri: https://publisher.example/jwks
- client_id: veiled
  redirect_uris: [https://veiled.example/cb, https://www.veiled.example/cb]
  subject_type: pairwise
  sector_identifier_uri: https://veiled.example/redirects.json
`

func TestEverySettingOfAnApplication(t *testing.T) {
	b, m := newBackend(t)
	if got := apply(t, b, everySetting); !strings.Contains(got, "post_logout_redirect_uris: https://payroll.example/out\n") {
		t.Errorf("the difference is\n%s", got)
	}
	for i := range reflect.TypeFor[application.Settings]().NumField() {
		arrived := false
		for _, app := range m.apps {
			arrived = arrived || !reflect.ValueOf(app.Settings).Field(i).IsZero()
		}
		if !arrived {
			t.Errorf("setting %s did not arrive", reflect.TypeFor[application.Settings]().Field(i).Name)
		}
	}
	about := reflect.ValueOf(m.apps["payroll"].About)
	for i := range about.NumField() {
		if about.Field(i).IsZero() {
			t.Errorf("%s did not arrive", about.Type().Field(i).Name)
		}
	}
	if app := m.apps["signer"]; app.SecretHash != "" || len(app.JWKS.Keys) != 2 {
		t.Errorf("the application with keys is %+v", app)
	}
	appliesAgain(t, b)
	apply(t, b, "applications: [{client_id: payroll, redirect_uris: [\"https://payroll.example/cb\"]}]")
	if got := m.apps["payroll"].Settings; !reflect.DeepEqual(got, application.Settings{}) {
		t.Errorf("settings left out are %+v, want the defaults", got)
	}
}

// A private key is not taken for a public one: it is not to be in this file.
func TestClientKeysAreChecked(t *testing.T) {
	const app = "applications: [{client_id: a, redirect_uris: [\"https://a/cb\"], auth_method: private_key_jwt, "
	for text, want := range map[string]string{
		"jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo, d: AA}]}}]": "d",
		"jwks: {keys: [{kty: oct}]}}]":                           "applications[0].jwks.keys[0]",
		"secret: {stored: true}, jwks_uri: \"https://a/jwks\"}]": "applications[0].secret",
		"jwks_uri: \"http://a/jwks\"}]":                          "applications[0].jwks_uri",
	} {
		b, _ := newBackend(t)
		doc, err := Parse([]byte(app + text))
		if err == nil {
			_, err = b.Plan(t.Context(), doc)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a problem of %s", text, err, want)
		}
	}
}

// Whoever puts an application that registered itself into the file vouches for it: it is
// one like any other then. Until that it is nobody's configuration.
func TestSelfRegisteredApplication(t *testing.T) {
	b, m := newBackend(t)
	own := application.New("own", "Registered itself")
	own.RedirectURIs, own.SecretHash, own.SelfRegistered, own.Revision = []string{"https://own.example/cb"}, application.HashSecret("s"), true, 1
	m.apps["own"] = own
	doc, err := b.Export(t.Context())
	if err != nil || len(doc.Applications) != 0 {
		t.Errorf("exported %+v, %v", doc.Applications, err)
	}
	text := "applications: [{client_id: own, name: Registered itself, redirect_uris: [\"https://own.example/cb\"]}]"
	if got := apply(t, b, text); !strings.Contains(got, "self_registered: true → (none)") {
		t.Errorf("the difference is\n%s", got)
	}
	if app := m.apps["own"]; app.SelfRegistered || app.SecretHash != own.SecretHash {
		t.Errorf("application %+v, want it taken over with its secret", app)
	}
	if got := apply(t, b, text); got != "no changes\n" {
		t.Errorf("the second difference is\n%s", got)
	}
}

// A sector is asked whether it lists the application, and a change of it is no
// small thing.
func TestSectorIsAsked(t *testing.T) {
	b, m := newBackend(t)
	doc := func(more string) string {
		return "applications: [{client_id: a, redirect_uris: [\"https://a.example/cb\"]" + more + "}]"
	}
	_, err := tryPlan(t, b, doc(", subject_type: pairwise, sector_identifier_uri: \"https://refuse.example/r.json\""))
	if err == nil || !strings.Contains(err.Error(), "applications[0].redirect_uris[0]: is not listed") {
		t.Errorf("a sector that lists nobody: %v", err)
	}
	apply(t, b, doc(""))
	p, err := tryPlan(t, b, doc(", subject_type: pairwise"))
	if err != nil || len(p.Warnings) != 1 || p.Warnings[0].Path != "applications[0].subject_type" {
		t.Errorf("warnings of a change of subjects: %v, %v", p.Warnings, err)
	}
	apply(t, b, doc(", subject_type: pairwise"))
	if p, err := tryPlan(t, b, doc(", subject_type: pairwise, name: A")); err != nil || len(p.Warnings) != 0 {
		t.Errorf("warnings of another change: %v, %v", p.Warnings, err)
	}
	if m.apps["a"].Sector() != "a.example" {
		t.Errorf("sector %q", m.apps["a"].Sector())
	}
}

func tryPlan(t *testing.T, b *Backend, text string) (Plan, error) {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b.Plan(t.Context(), doc)
}
