package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

func basicModules() []conformanceModule {
	return []conformanceModule{
		{"oidcc-server", happyFlow},
		{"oidcc-response-type-missing", responseTypeMissing},
		{"oidcc-idtoken-signature", idTokenSignature},
		{"oidcc-idtoken-unsigned", unsignedIsNotOffered},
		{"oidcc-userinfo-get", happyFlow},
		{"oidcc-userinfo-post-header", userinfoByPost(true)},
		{"oidcc-userinfo-post-body", userinfoByPost(false)},
		{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", succeedsWith("nonce", "")},
		{"oidcc-scope-profile", scopeReturns("openid profile", "name", "given_name", "family_name", "preferred_username")},
		{"oidcc-scope-email", scopeReturns("openid email", "email", "email_verified")},
		{"oidcc-scope-address", scopeNotOffered("address")},
		{"oidcc-scope-phone", scopeReturns("openid phone", "phone_number")},
		{"oidcc-scope-all", scopeReturns("openid profile email phone", "name", "given_name", "family_name", "preferred_username", "email", "email_verified", "phone_number")},
		{"oidcc-alternate-happy-flow", alternateOrder},
		{"oidcc-display-page", succeedsWith("display", "page")},
		{"oidcc-display-popup", succeedsWith("display", "popup")},
		{"oidcc-prompt-login", promptLoginModule},
		{"oidcc-prompt-none-not-logged-in", promptNoneNotLoggedIn},
		{"oidcc-prompt-none-logged-in", promptNoneLoggedIn},
		{"oidcc-max-age-1", maxAge1},
		{"oidcc-max-age-10000", maxAge10000},
		{"oidcc-ensure-request-with-unknown-parameter-succeeds", succeedsWith("extra", "foobar")},
		{"oidcc-id-token-hint", idTokenHint},
		{"oidcc-login-hint", loginHint},
		{"oidcc-ui-locales", succeedsWith("ui_locales", "se")},
		{"oidcc-claims-locales", succeedsWith("claims_locales", "se")},
		{"oidcc-ensure-request-with-acr-values-succeeds", acrValues},
		{"oidcc-codereuse", codeReuse(0)},
		{"oidcc-codereuse-30seconds", codeReuse(30 * time.Second)},
		{"oidcc-ensure-registered-redirect-uri", unregisteredRedirect},
		{"oidcc-ensure-post-request-succeeds", authorizeByPost},
		{"oidcc-server-client-secret-post", secretPost},
		{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", rejects("request_uri", "https://rp.example/object", "request_uri_not_supported")},
		{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", rejects("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported")},
		{"oidcc-claims-essential", claimsEssential},
		{"oidcc-ensure-request-object-with-redirect-uri", rejects("request", "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJ4In0.", "request_not_supported")},
		{"oidcc-refresh-token", refreshModule},
		{"oidcc-ensure-request-with-valid-pkce-succeeds", validPKCE},
	}
}

func happyFlow(t *testing.T, s *suite) {
	p := s.party(t)
	g := p.flow()
	if info := p.userinfo(g); info["sub"] != g.claims["sub"] || g.claims["sub"] == "" || len(info) != 1 {
		t.Errorf("userinfo %v of ID token %v", info, g.claims)
	}
	if g.token.TokenType != "Bearer" || g.claims["nonce"] == nil || g.claims["auth_time"] == nil || g.claims["at_hash"] == nil {
		t.Errorf("%v %v", g.token, g.claims)
	}
}

func succeedsWith(params ...string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) { s.party(t).flow(params...) }
}

func responseTypeMissing(t *testing.T, s *suite) {
	p := s.party(t)
	if code := p.refusal(p.plain("response_type", "")).Get("error"); code != "invalid_request" && code != "unsupported_response_type" {
		t.Errorf("error %s", code)
	}
}

// The signature is checked in every flow; here that the token says which key.
func idTokenSignature(t *testing.T, s *suite) {
	header, _, _ := strings.Cut(s.party(t).flow().idToken(), ".")
	raw, err := base64.RawURLEncoding.DecodeString(header)
	var got map[string]string
	if err != nil || json.Unmarshal(raw, &got) != nil || got["alg"] != "RS256" || got["kid"] == "" {
		t.Errorf("header %s (%v)", raw, err)
	}
}

// The suite skips what the metadata does not promise.
func unsignedIsNotOffered(t *testing.T, s *suite) {
	if algs, _ := s.metadata["id_token_signing_alg_values_supported"].([]any); len(algs) == 0 || slices.Contains(algs, any("none")) {
		t.Errorf("algorithms %v", algs)
	}
}

func userinfoByPost(header bool) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		g := p.flow()
		form := url.Values{"access_token": {g.token.AccessToken}}
		if header {
			form = nil
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.endpoint(t, "userinfo_endpoint"), strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if header {
			g.token.SetAuthHeader(r)
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if claims := p.claims(r); claims["sub"] != g.claims["sub"] {
			t.Errorf("userinfo %v", claims)
		}
	}
}

// scopeReturns wants exactly the claims at the userinfo endpoint, and none in the
// ID token: there is an access token (OpenID Connect Core section 5.4).
func scopeReturns(scope string, claims ...string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		p.wantScope(p.flow("scope", scope), claims...)
	}
}

func (p *party) wantScope(g grant, claims ...string) {
	p.Helper()
	info := p.userinfo(g)
	for _, c := range claims {
		if info[c] == nil || g.claims[c] != nil {
			p.Errorf("claim %s: userinfo %v, ID token %v", c, info[c], g.claims[c])
		}
	}
	if len(info) != len(claims)+1 && !(len(info) == len(claims)+2 && info["locale"] != nil) {
		p.Errorf("userinfo %v", slices.Sorted(maps.Keys(info)))
	}
}

// The suite skips scopes that the metadata does not name.
func scopeNotOffered(scope string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		if scopes, _ := s.metadata["scopes_supported"].([]any); len(scopes) == 0 || slices.Contains(scopes, any(scope)) {
			t.Errorf("scopes %v", scopes)
		}
	}
}

// alternateOrder reverses the scopes and the parameters.
func alternateOrder(t *testing.T, s *suite) {
	p := s.party(t)
	r := p.plain("scope", "email openid")
	address, query, _ := strings.Cut(r.url, "?")
	params := strings.Split(query, "&")
	slices.Reverse(params)
	r.url = address + "?" + strings.Join(params, "&")
	g, err := p.exchange(context.WithoutCancel(t.Context()), r, p.answer(r))
	if err != nil {
		t.Fatal(err)
	}
	p.wantScope(g, "email", "email_verified")
}

func authTime(g grant) int64 {
	at, _ := g.claims["auth_time"].(float64)
	return int64(at)
}

// asksAgain wants the sign-in page in a browser that has a session.
func (p *party) asksAgain(r request) grant {
	p.Helper()
	page := p.open(r.url)
	if _, err := page.Form("/sign-in"); err != nil {
		p.Fatal(err)
	}
	g, err := p.exchange(context.WithoutCancel(p.Context()), r, p.at(p.authenticate(page)))
	if err != nil {
		p.Fatal(err)
	}
	return g
}

// age makes the browser's sessions older than they are, and returns what an
// application then hears of them: auth_time has no finer grain than a second.
func (p *party) age(by time.Duration) grant {
	p.Helper()
	if _, err := p.db(p.T).Exec(p.Context(), `UPDATE sessions SET auth_time = auth_time - $1`, by.Microseconds()); err != nil {
		p.Fatal(err)
	}
	return p.silent("prompt", "none")
}

func promptLoginModule(t *testing.T, s *suite) {
	p := s.party(t)
	p.flow()
	first := p.age(time.Second)
	second := p.asksAgain(p.plain("prompt", "login"))
	if first.claims["sub"] != second.claims["sub"] || authTime(second) <= authTime(first) {
		t.Errorf("first %v, second %v", first.claims, second.claims)
	}
}

func promptNoneNotLoggedIn(t *testing.T, s *suite) {
	p := s.party(t)
	if code := p.refusal(p.plain("prompt", "none")).Get("error"); code != "login_required" {
		t.Errorf("error %s", code)
	}
}

func promptNoneLoggedIn(t *testing.T, s *suite) {
	p := s.party(t)
	p.sameAuthentication(p.flow(), p.silent("prompt", "none"))
}

// silent goes through a flow that shows no page.
func (p *party) silent(params ...string) grant {
	p.Helper()
	r := p.plain(params...)
	to := p.at(p.open(r.url))
	if to == nil {
		p.Fatal("a page is shown")
	}
	g, err := p.exchange(context.WithoutCancel(p.Context()), r, to)
	if err != nil {
		p.Fatal(err)
	}
	return g
}

func (p *party) sameAuthentication(first, second grant) {
	p.Helper()
	if first.claims["sub"] != second.claims["sub"] || authTime(first) != authTime(second) || authTime(first) == 0 {
		p.Errorf("first %v, second %v", first.claims, second.claims)
	}
}

func maxAge1(t *testing.T, s *suite) {
	p := s.party(t)
	p.flow()
	first := p.age(2 * time.Second)
	if second := p.asksAgain(p.plain("max_age", "1")); authTime(second) <= authTime(first) {
		t.Errorf("first %v, second %v", first.claims, second.claims)
	}
}

func maxAge10000(t *testing.T, s *suite) {
	p := s.party(t)
	p.sameAuthentication(p.flow(), p.silent("max_age", "10000"))
}

func idTokenHint(t *testing.T, s *suite) {
	p := s.party(t)
	first := p.flow()
	p.sameAuthentication(first, p.silent("prompt", "none", "id_token_hint", first.idToken()))
}

func loginHint(t *testing.T, s *suite) {
	p := s.party(t)
	r := p.plain("login_hint", s.user.Login)
	page := p.open(r.url)
	f, err := page.Form("/sign-in")
	if err != nil || f.Values.Get("login") != s.user.Login {
		t.Errorf("the form has %v (%v)", f.Values, err)
	}
	if _, err := p.exchange(context.WithoutCancel(t.Context()), r, p.at(p.authenticate(page))); err != nil {
		t.Error(err)
	}
}

func acrValues(t *testing.T, s *suite) {
	if g := s.party(t).flow("acr_values", "1 2"); g.claims["acr"] == nil {
		t.Errorf("claims %v; the suite warns without acr", g.claims)
	}
}

// codeReuse redeems a code twice, the second time after a pause that the test does
// not wait for: the code is used, and how long ago makes no difference.
func codeReuse(pause time.Duration) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		r := p.plain()
		to := p.answer(r)
		g, err := p.exchange(context.WithoutCancel(t.Context()), r, to)
		if err != nil {
			t.Fatal(err)
		}
		if pause > 0 {
			if _, err := s.db(t).Exec(t.Context(), `UPDATE oauth_code SET used_at = used_at - $1 WHERE used_at > 0`, pause.Microseconds()); err != nil {
				t.Fatal(err)
			}
		}
		_, err = p.exchange(context.WithoutCancel(t.Context()), r, to)
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
			t.Errorf("the second use: %v", err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.endpoint(t, "userinfo_endpoint"), nil)
		if err != nil {
			t.Fatal(err)
		}
		g.token.SetAuthHeader(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the access token of the first use is still good: %v %v", res, err)
		}
		if err == nil {
			_ = res.Body.Close()
		}
	}
}

func unregisteredRedirect(t *testing.T, s *suite) {
	p := s.party(t)
	if page := p.open(p.plain("redirect_uri", suiteCallback+"/other").url); page.Location != nil || page.Status != http.StatusBadRequest {
		t.Errorf("at %s (%d)", page.URL, page.Status)
	}
}

// authorizeByPost posts the request from the application's own page.
func authorizeByPost(t *testing.T, s *suite) {
	p := s.party(t)
	p.flow()
	r := p.plain()
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	form := browser.Form{Method: http.MethodPost, Values: u.Query(), Action: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}}
	from := &browser.Page{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9"}, Forms: []browser.Form{form}}
	to := p.at(p.submit(from, u.Path, nil))
	if to == nil {
		t.Fatal("the session is not seen")
	}
	if _, err := p.exchange(context.WithoutCancel(t.Context()), r, to); err != nil {
		t.Error(err)
	}
}

func secretPost(t *testing.T, s *suite) {
	p := s.partyOf(t, suiteClient2)
	p.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	p.flow()
}

func rejects(name, value, want string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.party(t)
		if s.metadata[name+"_parameter_supported"] != false {
			t.Errorf("the metadata promises %s", name)
		}
		if code := p.refusal(p.plain(name, value)).Get("error"); code != want {
			t.Errorf("error %s, want %s", code, want)
		}
	}
}

func claimsEssential(t *testing.T, s *suite) {
	p := s.party(t)
	g := p.flow("claims", `{"userinfo": {"name": {"essential": true}}}`)
	if info := p.userinfo(g); info["name"] == nil || info["email"] != nil || g.claims["name"] != nil {
		t.Errorf("userinfo %v, ID token %v", info, g.claims)
	}
}

func refreshModule(t *testing.T, s *suite) {
	p := s.party(t)
	g := p.flow("scope", "openid offline_access", "prompt", "consent")
	if g.token.RefreshToken == "" {
		t.Fatal("no refresh token")
	}
	expired := *g.token
	expired.Expiry = time.Now().Add(-time.Hour)
	fresh, err := p.config.TokenSource(context.WithoutCancel(t.Context()), &expired).Token()
	if err != nil || fresh.AccessToken == g.token.AccessToken {
		t.Fatalf("refresh: %v", err)
	}
	again := grant{token: fresh}
	if info := p.userinfo(again); info["sub"] != g.claims["sub"] {
		t.Errorf("userinfo %v", info)
	}
	// A refresh token of one client is nothing to another.
	other := s.partyOf(t, suiteClient2)
	other.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	stolen := *fresh
	stolen.Expiry = time.Now().Add(-time.Hour)
	if _, err := other.config.TokenSource(context.WithoutCancel(t.Context()), &stolen).Token(); err == nil {
		t.Error("another client refreshed with it")
	}
}

func validPKCE(t *testing.T, s *suite) {
	p := s.party(t)
	if p.mode == "" {
		p.signIn()
		return
	}
	p.signIn(oauth2.SetAuthURLParam("response_mode", p.mode))
}
