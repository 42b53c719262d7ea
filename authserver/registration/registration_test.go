package registration_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/registration"
)

const publicKey = `{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

// What a client does not say takes the default of the specification, or the safest
// setting there is.
func TestRegister(t *testing.T) {
	each(t, registration.ModeToken, func(t *testing.T, e *endpoint) {
		_, token := e.token(t, 1)
		r := e.made(t, token, wish(nil))
		a := e.app(t, r)
		want := fields{
			"client_id": string(a.ClientID), "client_id_issued_at": float64(e.now.Unix()), "client_secret": r.text("client_secret"),
			"client_secret_expires_at": 0.0, "registration_access_token": r.text("registration_access_token"),
			"registration_client_uri": issuer + "/oauth2/register/" + string(a.ClientID), "redirect_uris": []any{"https://rp.example.com/cb"},
			"response_types": []any{"code"}, "grant_types": []any{"authorization_code"}, "application_type": "web", "client_name": "The RP",
			"scope": "openid profile email offline_access", "subject_type": "public", "token_endpoint_auth_method": "client_secret_basic",
			"id_token_signed_response_alg": "RS256", "require_auth_time": true,
		}
		if diff := cmp.Diff(want, fields(r.body)); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if !a.SelfRegistered || !a.Enabled || a.Consent != application.ConsentAsk || a.PKCEOptional || a.Registration || !verifies(a, r.text("client_secret")) {
			t.Errorf("application %+v", a)
		}
		if r.text("registration_access_token") == r.text("client_secret") || len(r.text("registration_access_token")) != 43 {
			t.Errorf("tokens %v", r.body)
		}
	})
}

// Everything that the server supports is kept, and said.
func TestRegisterEverything(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	sent := wish(fields{
		"grant_types": []any{"authorization_code", "refresh_token", "implicit"}, "response_types": []any{"code", "id_token"},
		"application_type": "native", "redirect_uris": []any{"https://rp.example.com/cb", "com.example.rp:/cb"}, "contacts": []any{"a@example.com"},
		"client_uri": "https://rp.example.com/", "logo_uri": "https://rp.example.com/logo.png", "policy_uri": "https://rp.example.com/policy#us",
		"tos_uri": "https://rp.example.com/tos", "scope": "email openid address", "subject_type": "public",
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "EdDSA", "jwks_uri": "https://rp.example.com/jwks",
		"id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "RS256", "default_max_age": 300, "require_auth_time": false,
		"initiate_login_uri": "https://rp.example.com/begin", "post_logout_redirect_uris": []any{"https://rp.example.com/out"},
		"backchannel_logout_uri": "https://rp.example.com/back", "backchannel_logout_session_required": false,
		"frontchannel_logout_uri": "https://rp.example.com/front", "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
		"software_id": "unknown here", "client_name#de": "Die Anwendung", "request_uris": []any{"https://rp.example.com/r"}, "x": fields{"y": 1},
	})
	got := fields(e.made(t, "", sent).body)
	want := wish(sent)
	for name, v := range (fields{
		"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "scope": "email openid",
		"default_max_age": 300.0, "require_auth_time": true, "backchannel_logout_session_required": true, "frontchannel_logout_session_required": true,
	}) {
		want[name] = v
	}
	for _, name := range []string{"software_id", "client_name#de", "request_uris", "x"} {
		delete(want, name)
	}
	for _, name := range []string{"client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"} {
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// A refusal names the field, registers nothing and leaves the token as it was.
func TestRegisterRefused(t *testing.T) {
	e := lite(t, registration.ModeToken)
	_, token := e.token(t, 1)
	for name, c := range map[string]struct {
		sent any
		code string
		word string
	}{
		"no redirect":         {wish(fields{"redirect_uris": nil}), "invalid_redirect_uri", "redirect_uris"},
		"redirect, fragment":  {wish(fields{"redirect_uris": []string{"https://rp.example.com/cb#x"}}), "invalid_redirect_uri", "redirect_uris[0]"},
		"redirect in clear":   {wish(fields{"redirect_uris": []string{"https://a.example/", "http://rp.example.com/"}}), "invalid_redirect_uri", "redirect_uris[1]"},
		"redirect, script":    {wish(fields{"redirect_uris": []string{"javascript:alert(1)"}}), "invalid_redirect_uri", "redirect_uris[0]"},
		"redirect, type":      {wish(fields{"redirect_uris": "https://rp.example.com/cb"}), "invalid_client_metadata", "redirect_uris"},
		"name, number":        {wish(fields{"client_name": 7}), "invalid_client_metadata", "client_name"},
		"name, long":          {wish(fields{"client_name": strings.Repeat("x", 300)}), "invalid_client_metadata", "client_name"},
		"name, backwards":     {wish(fields{"client_name": "evil\u202efdp"}), "invalid_client_metadata", "client_name"},
		"type":                {wish(fields{"application_type": "browser"}), "invalid_client_metadata", "application_type"},
		"implicit":            {wish(fields{"response_types": []string{"id_token"}}), "invalid_client_metadata", "response_types"},
		"for itself":          {wish(fields{"grant_types": []string{"client_credentials"}}), "invalid_client_metadata", "grant_types"},
		"method":              {wish(fields{"token_endpoint_auth_method": "tls_client_auth"}), "invalid_client_metadata", "token_endpoint_auth_method"},
		"method, shared key":  {wish(fields{"token_endpoint_auth_method": "client_secret_jwt"}), "invalid_client_metadata", "token_endpoint_auth_method"},
		"keys missing":        {wish(fields{"token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata", "jwks"},
		"keys, twice":         {wish(fields{"jwks": fields{"keys": []any{}}, "jwks_uri": "https://rp.example.com/jwks"}), "invalid_client_metadata", "jwks_uri"},
		"keys, none that fit": {wish(fields{"token_endpoint_auth_method": "private_key_jwt", "jwks": fields{"keys": []any{fields{"kty": "new"}}}}), "invalid_client_metadata", "jwks"},
		"keys, private":       {`{"redirect_uris":["https://a.example/"],"jwks":{"keys":[{"kty":"OKP","d":"x"}]}}`, "invalid_client_metadata", "jwks"},
		"keys, shared":        {`{"redirect_uris":["https://a.example/"],"jwks":{"keys":[{"kty":"oct","k":"x"}]}}`, "invalid_client_metadata", "jwks"},
		"keys in clear":       {wish(fields{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://rp.example.com/jwks"}), "invalid_client_metadata", "jwks_uri"},
		"assertion alg":       {wish(fields{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://rp.example.com/", "token_endpoint_auth_signing_alg": "HS256"}), "invalid_client_metadata", "token_endpoint_auth_signing_alg"},
		"id token, none":      {wish(fields{"id_token_signed_response_alg": "none"}), "invalid_client_metadata", "id_token_signed_response_alg"},
		"id token, encrypted": {wish(fields{"id_token_encrypted_response_alg": "RSA-OAEP"}), "invalid_client_metadata", "id_token_encrypted_response_alg"},
		"userinfo, shared":    {wish(fields{"userinfo_signed_response_alg": "HS256"}), "invalid_client_metadata", "userinfo_signed_response_alg"},
		"userinfo, encrypted": {wish(fields{"userinfo_encrypted_response_enc": "A128GCM"}), "invalid_client_metadata", "userinfo_encrypted_response_enc"},
		"subject":             {wish(fields{"subject_type": "ephemeral"}), "invalid_client_metadata", "subject_type"},
		"scopes of others":    {wish(fields{"scope": "provisioning reports"}), "invalid_client_metadata", "scope"},
		"max age":             {wish(fields{"default_max_age": -1}), "invalid_client_metadata", "default_max_age"},
		"logo, script":        {wish(fields{"logo_uri": "javascript:alert(1)"}), "invalid_client_metadata", "logo_uri"},
		"policy, data":        {wish(fields{"policy_uri": "data:text/html,x"}), "invalid_client_metadata", "policy_uri"},
		"contacts":            {wish(fields{"contacts": []string{""}}), "invalid_client_metadata", "contacts[0]"},
		"initiate":            {wish(fields{"initiate_login_uri": "http://rp.example.com/"}), "invalid_client_metadata", "initiate_login_uri"},
		"after logout":        {wish(fields{"post_logout_redirect_uris": []string{"https://a.example/#x"}}), "invalid_client_metadata", "post_logout_redirect_uris[0]"},
		"front, elsewhere":    {wish(fields{"frontchannel_logout_uri": "https://other.example/"}), "invalid_client_metadata", "frontchannel_logout_uri"},
		"no JSON":             {"redirect_uris=x", "invalid_client_metadata", "JSON"},
		"no object":           {`["x"]`, "invalid_client_metadata", "JSON"},
		"two objects":         {`{} {}`, "invalid_client_metadata", "JSON"},
		"nothing":             {"", "invalid_client_metadata", "JSON"},
	} {
		t.Run(name, func(t *testing.T) { e.register(t, token, c.sent).wants(t, http.StatusBadRequest, c.code, c.word) })
	}
	if n := e.count(t); n != 0 {
		t.Errorf("%d applications of refused metadata", n)
	}
	e.made(t, token, wish(nil))
}

// Keys that the server cannot use are left out; those it has no use for as well.
func TestRegisterKeys(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	body := `{"redirect_uris":["https://rp.example.com/cb"],"token_endpoint_auth_method":"private_key_jwt",
		"jwks":{"keys":[{"kty":"new"},` + strings.Replace(publicKey, `"sig"`, `"enc"`, 1) + `,` + publicKey + `]}}`
	r := e.made(t, "", body)
	if a := e.app(t, r); a.JWKS == nil || len(a.JWKS.Keys) != 1 || a.SecretHash != "" || r.body["client_secret"] != nil || a.Name != "rp.example.com" {
		t.Errorf("application %+v of %v", a, r.body)
	}
	if a := e.app(t, e.made(t, "", strings.Replace(body, "private_key_jwt", "client_secret_post", 1))); a.JWKS != nil || a.SecretHash == "" {
		t.Errorf("application %+v", a)
	}
}

// Nothing but a good token, or the very mode, lets anybody in.
func TestWhoMayRegister(t *testing.T) {
	each(t, registration.ModeToken, func(t *testing.T, e *endpoint) {
		id, token := e.token(t, 2)
		e.register(t, "", wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		e.register(t, "", "not even JSON").wants(t, http.StatusUnauthorized, "invalid_token")
		e.register(t, token+"x", wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		own := e.made(t, token, wish(nil)).text("registration_access_token")
		e.register(t, own, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		e.now = e.now.Add(time.Hour)
		e.register(t, token, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		e.now = e.now.Add(-time.Minute)
		if err := e.Tokens.RevokeToken(t.Context(), id, e.now); err != nil {
			t.Fatal(err)
		}
		e.register(t, token, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		for _, mode := range []registration.Mode{"", registration.ModeOff, "open", "true"} {
			e.Policy.Mode = mode
			if e.Policy.On() {
				t.Errorf("mode %q is on", mode)
			}
			e.register(t, "", wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token")
		}
		e.Policy.Mode = registration.ModeOpen
		e.made(t, "", wish(nil))
		e.register(t, token, wish(nil)).wants(t, http.StatusUnauthorized, "invalid_token") // revoked is revoked
	})
}

// at once runs n registrations side by side and returns how many succeeded.
func (e *endpoint) atOnce(t *testing.T, n int, token string) int {
	var wg sync.WaitGroup
	statuses := make([]int, n)
	for i := range n {
		wg.Go(func() { statuses[i] = e.register(t, token, wish(nil)).status })
	}
	wg.Wait()
	made := 0
	for _, s := range statuses {
		if s == http.StatusCreated {
			made++
		} else if s != http.StatusUnauthorized && s != http.StatusForbidden {
			t.Errorf("status %d", s)
		}
	}
	return made
}

// A token for three applications registers three, and no more than the policy allows
// are there in all, however many ask at once.
func TestLimitsHoldAtOnce(t *testing.T) {
	each(t, registration.ModeToken, func(t *testing.T, e *endpoint) {
		_, three := e.token(t, 3)
		if n := e.atOnce(t, 6, three); n != 3 {
			t.Errorf("%d applications with a token for three", n)
		}
		_, many := e.token(t, 100)
		e.Policy.Mode = registration.ModeOpen
		if n := e.atOnce(t, 6, ""); n != 2 || e.count(t) != 5 {
			t.Errorf("%d more, %d in all, want 5", n, e.count(t))
		}
		e.register(t, many, wish(nil)).wants(t, http.StatusForbidden, "access_denied")
		if tokens, err := e.Tokens.Tokens(t.Context()); err != nil || len(tokens) != 2 || tokens[0].Uses+tokens[1].Uses != 3 {
			t.Errorf("tokens %+v, %v: the refused registration was counted", tokens, err)
		}
	})
}

func TestRegisterTooOften(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	e.wait = 1500 * time.Millisecond
	r := e.register(t, "", wish(nil))
	if r.wants(t, http.StatusTooManyRequests, "temporarily_unavailable"); r.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After = %q", r.header.Get("Retry-After"))
	}
}

func TestRegisterBodies(t *testing.T) {
	e := lite(t, registration.ModeOpen)
	e.register(t, "", wish(fields{"x": strings.Repeat("x", 64<<10)})).wants(t, http.StatusRequestEntityTooLarge, "invalid_client_metadata")
	r := httptest.NewRequest(http.MethodPost, registration.Path, strings.NewReader(`{"redirect_uris":["https://rp.example.com/cb"]}`))
	r.Header.Set("Content-Type", "text/plain") // what a page of another site may send
	w := httptest.NewRecorder()
	if e.ServeHTTP(w, r); w.Code != http.StatusUnsupportedMediaType || e.count(t) != 0 {
		t.Errorf("text/plain: %d %s", w.Code, w.Body)
	}
	r.Header.Set("Authorization", "Basic eDp5")
	w = httptest.NewRecorder()
	if e.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("another scheme: %d %s", w.Code, w.Body)
	}
}

func TestIssueTokenBounds(t *testing.T) {
	e := lite(t, registration.ModeToken)
	for _, c := range []struct {
		note string
		uses int
		life time.Duration
	}{{"", 0, time.Hour}, {"", registration.MaxUses + 1, time.Hour}, {"", 1, time.Second}, {"", 1, registration.MaxLifetime + 1}, {strings.Repeat("x", 300), 1, time.Hour}} {
		if _, _, err := e.IssueToken(t.Context(), c.note, c.uses, c.life); err == nil {
			t.Errorf("a token with %+v", c)
		}
	}
	if err := e.Tokens.RevokeToken(t.Context(), "nobody", e.now); err != registration.ErrNotFound {
		t.Errorf("revoke of an unknown token: %v", err)
	}
}

// A sector is asked of those who may register, and what came of it is between it and
// the log.
func TestRegisterSector(t *testing.T) {
	e := lite(t, registration.ModeToken)
	_, token := e.token(t, 1)
	const listed, refusing = "https://sector.example/uris", "https://refuse.example/uris"
	sent := func(uri string) fields { return wish(fields{"subject_type": "pairwise", "sector_identifier_uri": uri}) }
	e.register(t, "", sent(listed)).wants(t, http.StatusUnauthorized, "invalid_token")
	e.register(t, token+"x", sent(listed)).wants(t, http.StatusUnauthorized, "invalid_token")
	if e.asked != 0 {
		t.Error("a stranger made the server ask")
	}
	r := e.register(t, token, sent(refusing))
	if r.wants(t, http.StatusBadRequest, "invalid_client_metadata", "sector_identifier_uri"); strings.Contains(r.text("error_description"), "10.0") {
		t.Errorf("the answer tells of the network: %v", r.body)
	}
	r = e.made(t, token, sent(listed))
	if a := e.app(t, r); a.Sector() != "sector.example" || r.text("subject_type") != "pairwise" || r.text("sector_identifier_uri") != listed {
		t.Errorf("application %+v, %v", a, r.body)
	}
	own := r.text("registration_access_token")
	change := sent(refusing)
	change["client_id"] = r.text("client_id")
	e.send(t, http.MethodPut, path(r), own, change).wants(t, http.StatusBadRequest, "invalid_client_metadata", "sector_identifier_uri")
	if a := e.app(t, r); a.SectorIdentifierURI != listed {
		t.Errorf("application %+v", a)
	}
}
