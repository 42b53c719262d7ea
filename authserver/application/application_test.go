package application_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/sdk"
)

func valid() application.Application {
	a := application.New("payroll", "Payroll")
	a.RedirectURIs = []string{"https://payroll.example.com/cb"}
	a.SecretHash = application.HashSecret("s")
	return a
}

func fields(t *testing.T, a application.Application) []string {
	t.Helper()
	err := a.Validate()
	var problems application.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("Validate = %v, want Problems", err)
	}
	var out []string
	for _, p := range problems {
		if p.Text == "" {
			t.Errorf("%s has no text", p.Field)
		}
		out = append(out, p.Field)
	}
	return out
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*application.Application)
		want   []string
	}{
		"valid":           {func(*application.Application) {}, nil},
		"id":              {func(a *application.Application) { a.ClientID = "a b" }, []string{"client_id"}},
		"id, path":        {func(a *application.Application) { a.ClientID = "../x" }, []string{"client_id"}},
		"name":            {func(a *application.Application) { a.Name = " " }, []string{"name"}},
		"type":            {func(a *application.Application) { a.Type = "" }, []string{"type"}},
		"no redirect":     {func(a *application.Application) { a.RedirectURIs = nil }, []string{"redirect_uris"}},
		"no secret":       {func(a *application.Application) { a.SecretHash = "" }, []string{"secret"}},
		"secret in clear": {func(a *application.Application) { a.SecretHash = "hunter2" }, []string{"secret"}},
		"public, secret":  {func(a *application.Application) { a.AuthMethod = application.AuthNone }, []string{"secret"}},
		"public":          {func(a *application.Application) { a.AuthMethod, a.SecretHash = application.AuthNone, "" }, nil},
		"method":          {func(a *application.Application) { a.AuthMethod = "tls_client_auth" }, []string{"auth_method"}},
		"the console":     {func(a *application.Application) { a.ClientID = application.Console }, []string{"client_id"}},
		"no grant":        {func(a *application.Application) { a.GrantTypes = nil }, []string{"grant_types"}},
		"unknown grant":   {func(a *application.Application) { a.GrantTypes = []string{"password"} }, []string{"grant_types[0]"}},
		"grant twice":     {func(a *application.Application) { a.GrantTypes = append(a.GrantTypes, "refresh_token") }, []string{"grant_types[2]"}},
		"refresh alone":   {func(a *application.Application) { a.GrantTypes = []string{"refresh_token"} }, []string{"grant_types"}},
		"machine":         {func(a *application.Application) { a.GrantTypes, a.RedirectURIs = []string{"client_credentials"}, nil }, nil},
		"public machine": {func(a *application.Application) {
			a.GrantTypes, a.AuthMethod, a.SecretHash = []string{"client_credentials"}, "none", ""
		}, []string{"grant_types"}},
		"scope":    {func(a *application.Application) { a.Scopes = []string{"openid", "a b", "openid"} }, []string{"scopes[1]", "scopes[2]"}},
		"Ed25519":  {func(a *application.Application) { a.IDTokenAlg = application.AlgEdDSA }, nil},
		"alg":      {func(a *application.Application) { a.IDTokenAlg = "none" }, []string{"id_token_alg"}},
		"initiate": {func(a *application.Application) { a.InitiateLoginURI = "javascript:alert(1)" }, []string{"initiate_login_uri"}},
		"everything at once": {func(a *application.Application) { *a = application.Application{} }, []string{
			"client_id", "name", "type", "auth_method", "grant_types", "id_token_alg"}},
	} {
		a := valid()
		c.change(&a)
		if diff := cmp.Diff(c.want, fields(t, a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRedirectURIs(t *testing.T) {
	for uri, c := range map[string]struct{ web, native bool }{
		"https://app.example.com/cb?x=1":     {true, true},
		"http://127.0.0.1:9090/cb":           {true, true},
		"http://[::1]/cb":                    {true, true},
		"http://localhost/cb":                {true, true},
		"com.example.app:/cb":                {false, true},
		"com.example.app://cb":               {false, true},
		"http://app.example.com/cb":          {false, false},
		"http://localhost.example.com/cb":    {false, false},
		"https://app.example.com/cb#":        {false, false},
		"https://app.example.com/cb#x":       {false, false},
		"https://user@app.example.com/cb":    {false, false},
		"https://*.example.com/cb":           {false, false},
		"https:///cb":                        {false, false},
		"https:app.example.com":              {false, false},
		"/cb":                                {false, false},
		"//app.example.com/cb":               {false, false},
		"":                                   {false, false},
		"javascript:alert(1)":                {false, false},
		"data:text/html,x":                   {false, false},
		"app:/cb":                            {false, false},
		"https://app.example.com/ cb":        {false, false},
		"https://app.example.com\\@evil.com": {false, false},
		"https://äpp.example.com/cb":         {false, false},
		"https://app.example.com/\r\nX: y":   {false, false},
	} {
		for typ, want := range map[application.Type]bool{application.TypeWeb: c.web, application.TypeNative: c.native} {
			a := valid()
			a.Type, a.RedirectURIs = typ, []string{"https://app.example.com/ok", uri}
			got := fields(t, a)
			if ok := len(got) == 0; ok != want {
				t.Errorf("%s for a %s application: problems %v, want allowed = %v", uri, typ, got, want)
			} else if !ok && got[0] != "redirect_uris[1]" {
				t.Errorf("%s: problem of %v, want redirect_uris[1]", uri, got)
			}
		}
	}
}

func TestSecrets(t *testing.T) {
	one, two := application.GenerateSecret(), application.GenerateSecret()
	if len(one.Reveal()) != 43 || one == two {
		t.Fatalf("secrets of %d characters", len(one.Reveal()))
	}
	hash := application.HashSecret(one)
	for name, c := range map[string]struct {
		hash   string
		secret sdk.Secret
		want   bool
	}{
		"right":            {hash, one, true},
		"wrong":            {hash, two, false},
		"empty":            {hash, "", false},
		"no hash":          {"", "", false},
		"no hash, secret":  {"", one, false},
		"hash as secret":   {hash, sdk.Secret(hash), false},
		"tag alone":        {"sha256:", "", false},
		"unknown tag":      {"md5:" + hash[7:], one, false},
		"clear text store": {one.Reveal(), one, false},
	} {
		if got := application.VerifySecret(c.hash, c.secret); got != c.want {
			t.Errorf("%s: VerifySecret = %v, want %v", name, got, c.want)
		}
	}
}
