package application_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
)

var edKey = application.JWK{KeyType: "OKP", Curve: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

// signing makes an application authenticate with keys.
func signing(keys application.JWKS, uri string) func(*application.Application) {
	return func(a *application.Application) {
		a.AuthMethod, a.SecretHash, a.JWKSURI = application.AuthPrivateKeyJWT, "", uri
		if keys.Keys != nil {
			a.JWKS = &keys
		}
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*application.Application)
		want   []string
	}{
		"post logout": {func(a *application.Application) {
			a.PostLogoutRedirectURIs = []string{"https://app.example/out", "http://app.example/out", "https://app.example/out"}
		}, []string{"post_logout_redirect_uris[1]", "post_logout_redirect_uris[2]"}},
		"logout, both": {func(a *application.Application) {
			a.BackchannelLogoutURI, a.FrontchannelLogoutURI = "https://backend.example/out", "https://payroll.example.com/front?x=1"
		}, nil},
		"keys":            {signing(application.JWKS{Keys: []application.JWK{edKey}}, ""), nil},
		"keys, uri":       {signing(application.JWKS{}, "https://app.example.com/jwks"), nil},
		"keys, none":      {signing(application.JWKS{}, ""), []string{"jwks"}},
		"keys, both":      {signing(application.JWKS{Keys: []application.JWK{edKey}}, "https://app.example.com/jwks"), []string{"jwks_uri"}},
		"keys, in clear":  {signing(application.JWKS{}, "http://app.example.com/jwks"), []string{"jwks_uri"}},
		"keys, too many":  {signing(application.JWKS{Keys: make([]application.JWK, 21)}, ""), []string{"jwks.keys"}},
		"keys, one wrong": {signing(application.JWKS{Keys: []application.JWK{edKey, {KeyType: "EC", Curve: "P-256", X: "AA", Y: "AA"}, {KeyType: "oct"}, {}}}, ""), []string{"jwks.keys[1]", "jwks.keys[2]", "jwks.keys[3]"}},
		"keys, short RSA": {signing(application.JWKS{Keys: []application.JWK{{KeyType: "RSA", N: "vRIP-s6Wdqh3mMKFOw7VzQ", E: "AQAB"}}}, ""), []string{"jwks.keys[0]"}},
		"keys, use, alg": {func(a *application.Application) {
			enc, hs, named := edKey, edKey, edKey
			enc.Use, hs.Alg, named.KeyID = "enc", "HS256", "k"
			signing(application.JWKS{Keys: []application.JWK{enc, hs, named, named}}, "")(a)
		}, []string{"jwks.keys[0]", "jwks.keys[1]", "jwks.keys[3].kid"}},
		"keys, secret": {func(a *application.Application) {
			a.AuthMethod, a.JWKSURI = application.AuthPrivateKeyJWT, "https://a.example/jwks"
		}, []string{"secret"}},
		"keys, basic": {func(a *application.Application) {
			a.JWKS, a.JWKSURI = &application.JWKS{Keys: []application.JWK{edKey}}, "https://a.example/jwks"
		}, []string{"jwks", "jwks_uri"}},
		"origins": {func(a *application.Application) {
			a.CORSOrigins = []string{"https://app.example", "https://app.example:8443", "http://127.0.0.1:3000", "http://localhost:5173", "http://[::1]:80"}
		}, []string{"cors_origins[4]"}},
		"origins, wrong": {func(a *application.Application) {
			a.CORSOrigins = []string{"*", "null", "https://*.example", "http://app.example", "https://app.example/", "https://App.example", "https://app.example:443", "https://a@app.example", "https://app.example", "https://app.example", "HTTPS://app.example", "https://app.example:", "com.example.app://x"}
		}, []string{
			"cors_origins[0]", "cors_origins[1]", "cors_origins[2]", "cors_origins[3]", "cors_origins[4]", "cors_origins[5]", "cors_origins[6]", "cors_origins[7]",
			"cors_origins[9]", "cors_origins[10]", "cors_origins[11]", "cors_origins[12]",
		}},
		"pairwise": {func(a *application.Application) { a.SubjectType = application.SubjectPairwise }, nil},
		"pairwise, two hosts": {func(a *application.Application) {
			a.SubjectType, a.RedirectURIs = application.SubjectPairwise, []string{"https://a.example/cb", "https://b.example/cb"}
		}, []string{"sector_identifier_uri"}},
		"pairwise, host and loopback": {func(a *application.Application) {
			a.SubjectType, a.RedirectURIs = application.SubjectPairwise, []string{"https://a.example/cb", "http://127.0.0.1/cb"}
		}, []string{"sector_identifier_uri"}},
		"pairwise, two hosts, sector": {func(a *application.Application) {
			a.SubjectType, a.RedirectURIs = application.SubjectPairwise, []string{"https://a.example/cb", "https://b.example/cb"}
			a.SectorIdentifierURI = "https://b.example/redirects"
		}, nil},
		"sector in clear": {func(a *application.Application) { a.SectorIdentifierURI = "http://b.example/redirects" }, []string{"sector_identifier_uri"}},
		"subject type":    {func(a *application.Application) { a.SubjectType = "ephemeral" }, []string{"subject_type"}},
		"consent":         {func(a *application.Application) { a.Consent = application.ConsentAsk }, nil},
		"no consent":      {func(a *application.Application) { a.Consent = "never" }, []string{"consent"}},
		"pushed requests": {func(a *application.Application) { a.RequirePushedRequests = true }, nil},
		"pushed requests, machine": {func(a *application.Application) {
			a.RequirePushedRequests, a.GrantTypes = true, []string{"client_credentials"}
		}, []string{"require_pushed_authorization_requests"}},
		"userinfo":                {func(a *application.Application) { a.UserinfoAlg = "ES256" }, nil},
		"userinfo, unsigned":      {func(a *application.Application) { a.UserinfoAlg = "none" }, []string{"userinfo_signed_response_alg"}},
		"userinfo, shared key":    {func(a *application.Application) { a.UserinfoAlg = "HS256" }, []string{"userinfo_signed_response_alg"}},
		"refresh grace":           {func(a *application.Application) { a.RefreshGrace = "0s" }, nil},
		"refresh grace, too long": {func(a *application.Application) { a.RefreshGrace = "61s" }, []string{"refresh_grace"}},
		"refresh grace, negative": {func(a *application.Application) { a.RefreshGrace = "-1s" }, []string{"refresh_grace"}},
		"refresh grace, no unit":  {func(a *application.Application) { a.RefreshGrace = "10" }, []string{"refresh_grace"}},
		"PKCE optional":           {func(a *application.Application) { a.PKCEOptional = true }, nil},
		"PKCE optional, public": {func(a *application.Application) {
			a.PKCEOptional, a.AuthMethod, a.SecretHash = true, application.AuthNone, ""
		}, []string{"pkce_optional"}},
		"backchannel in clear":    {func(a *application.Application) { a.BackchannelLogoutURI = "http://app.example.com/out" }, []string{"backchannel_logout_uri"}},
		"frontchannel, elsewhere": {func(a *application.Application) { a.FrontchannelLogoutURI = "https://other.example/out" }, []string{"frontchannel_logout_uri"}},
		"frontchannel, port":      {func(a *application.Application) { a.FrontchannelLogoutURI = "https://payroll.example.com:8443/" }, []string{"frontchannel_logout_uri"}},
		"frontchannel, script":    {func(a *application.Application) { a.FrontchannelLogoutURI = "javascript:alert(1)" }, []string{"frontchannel_logout_uri"}},
	} {
		a := valid()
		c.change(&a)
		if diff := cmp.Diff(c.want, fields(t, a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSector(t *testing.T) {
	for want, redirects := range map[application.Sector][]string{
		"app.example":  {"https://APP.example./a", "https://app.example:8443/b"},
		"client:app":   {"http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost/cb", "com.example.app:/cb"},
		"192.0.2.1":    {"https://192.0.2.1/cb"},
		"2001:db8::1":  {"https://[2001:DB8::1]/cb"},
		"client.other": {"https://client.other/cb"},
	} {
		a := application.New("app", "App")
		a.Type, a.RedirectURIs, a.SubjectType = application.TypeNative, redirects, application.SubjectPairwise
		if got := a.Sector(); got != want {
			t.Errorf("sector of %v is %q, want %q", redirects, got, want)
		}
		a.SectorIdentifierURI = "https://Group.example:444/x"
		if got := a.Sector(); got != "group.example" {
			t.Errorf("sector with an identifier is %q", got)
		}
		a.SubjectType = application.SubjectPublic
		if got := a.Sector(); got != "" {
			t.Errorf("sector with public subjects is %q", got)
		}
	}
}
