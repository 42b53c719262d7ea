package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

func dynamicModules() []conformanceModule {
	return []conformanceModule{
		{"oidcc-idtoken-rs256", registeredIDToken},
		{"oidcc-idtoken-unsigned", unsignedIsNotOffered},
		{"oidcc-userinfo-rs256", registeredUserinfo},
		{"oidcc-ensure-redirect-uri-in-authorization-request", redirectRefused("redirect_uri", "")},
		{"oidcc-redirect-uri-query-OK", redirectWithQuery},
		{"oidcc-redirect-uri-query-mismatch", redirectQueryMismatch},
		{"oidcc-redirect-uri-query-added", redirectRefused("redirect_uri", suiteCallback+"?foo=bar")},
		{"oidcc-redirect-uri-regfrag", redirectWithFragment},
		{"oidcc-discovery-endpoint-verification", registrationIsDiscovered},
		{"oidcc-server", registeredHappyFlow},
		{"oidcc-registration-logo-uri", registeredLogo},
		{"oidcc-registration-policy-uri", registeredPage("policy_uri")},
		{"oidcc-registration-tos-uri", registeredPage("tos_uri")},
		{"oidcc-registration-jwks-uri", registeredKeySet},
		{"oidcc-registration-sector-uri", registeredSector(suiteCallback, http.StatusCreated)},
		{"oidcc-registration-sector-bad", registeredSector(suiteCallback+"/other", http.StatusBadRequest)},
		{"oidcc-server-rotate-keys", rotatedServerKeys},
		{"oidcc-refresh-token-rp-key-rotation", rotatedClientKeys},
		{"oidcc-request-uri-unsigned", rejects("request_uri", "https://rp.example/object", "request_uri_not_supported")},
		{"oidcc-request-uri-signed-rs256", rejects("request_uri", "https://rp.example/object", "request_uri_not_supported")},
		{"oidcc-ensure-request-object-with-redirect-uri", rejects("request", "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJ4In0.", "request_not_supported")},
		{"oidcc-refresh-token", registeredRefresh},
		{"oidcc-ensure-client-assertion-with-iss-aud-succeeds", registeredWithIssuerAudience},
	}
}

// rsaKeys are the two that the suite's applications have: they are slow to make.
var rsaKeys = [2]func() *rsa.PrivateKey{newRSAKey(), newRSAKey()}

func newRSAKey() func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
}

// jwkOf is one of them, under an id.
func jwkOf(n int, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: rsaKeys[n](), KeyID: kid, Use: "sig", Algorithm: "RS256"}
}

func publicSet(key jose.JSONWebKey) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
}

// register posts metadata to the registration endpoint: those of every module, and
// changes.
func (s *suite) register(t *testing.T, changes map[string]any) answer {
	t.Helper()
	sent := map[string]any{
		"client_name": "registers itself " + rand.Text(), "grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "private_key_jwt", "jwks": publicSet(jwkOf(0, "")), "redirect_uris": []string{suiteCallback},
		"contacts": []string{"certification@oidf.org"},
	}
	maps.Copy(sent, changes)
	if sent["jwks_uri"] != nil {
		delete(sent, "jwks")
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.endpoint(t, "registration_endpoint"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return s.do(t, r)
}

// registered is an application that registered itself, and unregisters at the end.
func (s *suite) registered(t *testing.T, changes map[string]any) *party {
	t.Helper()
	a := s.register(t, changes)
	if a.status != http.StatusCreated || a.text("client_id") == "" || a.text("registration_access_token") == "" {
		t.Fatalf("registering: %d %v", a.status, a.body)
	}
	t.Cleanup(func() { s.unregister(t, a) })
	p := s.partyOf(t, a.text("client_id"))
	p.browser = s.visitor
	p.config.ClientSecret, p.config.Endpoint.AuthStyle = "", oauth2.AuthStyleInParams
	p.provesBy(jwkOf(0, ""), p.config.Endpoint.TokenURL)
	return p
}

func (s *suite) unregister(t *testing.T, a answer) {
	t.Helper()
	r, err := http.NewRequest(http.MethodDelete, a.text("registration_client_uri"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.text("registration_access_token"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusNoContent {
		t.Errorf("unregistering: %s", res.Status)
	}
}

// provesBy makes the party authenticate with assertions for that audience.
func (p *party) provesBy(key jose.JSONWebKey, audience string) {
	p.prove = func() []oauth2.AuthCodeOption {
		var options []oauth2.AuthCodeOption
		for name, value := range p.assertion(key, audience) {
			options = append(options, oauth2.SetAuthURLParam(name, value[0]))
		}
		return options
	}
}

// assertion is a form with a client assertion (RFC 7523).
func (p *party) assertion(key jose.JSONWebKey, audience string) url.Values {
	p.Helper()
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": p.config.ClientID, "sub": p.config.ClientID, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		p.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		p.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		p.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		p.Fatal(err)
	}
	return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {text}}
}

// instance is another server of the deployment, which starts now. What one that runs
// does anew once a minute, the modules wait for.
func (s *suite) instance(t *testing.T) string {
	t.Helper()
	other, err := daemon.Open(t.Context(), s.deployed, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := other.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(handler)
	t.Cleanup(func() {
		listening.Close()
		if err := other.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return listening.URL
}

func registeredHappyFlow(t *testing.T, s *suite) {
	p := s.registered(t, nil)
	g := p.flow()
	if info := p.userinfo(g); info["sub"] != g.claims["sub"] || g.claims["sub"] == "" || len(info) != 1 {
		t.Errorf("userinfo %v of ID token %v", info, g.claims)
	}
}

func registeredIDToken(t *testing.T, s *suite) {
	g := s.registered(t, map[string]any{"id_token_signed_response_alg": "RS256"}).flow()
	token, err := jose.ParseSignedCompact(g.idToken(), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || token.Signatures[0].Header.KeyID == "" {
		t.Errorf("ID token %v, %v", g.idToken(), err)
	}
}

// registeredUserinfo lets go-oidc verify the answer, and looks at what it does not.
func registeredUserinfo(t *testing.T, s *suite) {
	if algs, _ := s.metadata["userinfo_signing_alg_values_supported"].([]any); !slices.Contains(algs, any("RS256")) {
		t.Errorf("algorithms %v", algs)
	}
	p := s.registered(t, map[string]any{"userinfo_signed_response_alg": "RS256"})
	g := p.flow()
	info, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(g.token))
	if err != nil || info.Subject != g.claims["sub"] {
		t.Fatalf("userinfo %+v, %v", info, err)
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil || claims["iss"] != s.issuer || claims["aud"] != p.config.ClientID || claims["nonce"] != nil {
		t.Errorf("userinfo %v, %v", claims, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.endpoint(t, "userinfo_endpoint"), nil)
	if err != nil {
		t.Fatal(err)
	}
	g.token.SetAuthHeader(r)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if _ = res.Body.Close(); err != nil || res.Header.Get("Content-Type") != "application/jwt" {
		t.Errorf("content %q", res.Header.Get("Content-Type"))
	}
	if _, err := jose.ParseSignedCompact(string(raw), []jose.SignatureAlgorithm{jose.RS256}); err != nil {
		t.Errorf("answer %s: %v", raw, err)
	}
}

// redirectRefused wants an error page: the browser is sent nowhere.
func redirectRefused(params ...string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		p := s.registered(t, nil)
		if page := p.open(p.plain(params...).url); page.Location != nil || page.Status != http.StatusBadRequest {
			t.Errorf("at %s (%d): %s", page.URL, page.Status, page.Text)
		}
	}
}

func (s *suite) withQuery(t *testing.T) *party {
	t.Helper()
	p := s.registered(t, map[string]any{"redirect_uris": []string{suiteCallback + "?foo=bar"}})
	p.config.RedirectURL = suiteCallback + "?foo=bar"
	return p
}

func redirectWithQuery(t *testing.T, s *suite) {
	p := s.withQuery(t)
	r := p.plain("redirect_uri", p.config.RedirectURL)
	to := p.answer(r)
	if to.Query().Get("foo") != "bar" {
		t.Errorf("at %s", to)
	}
	if _, err := p.exchange(t.Context(), r, to); err != nil {
		t.Error(err)
	}
}

func redirectQueryMismatch(t *testing.T, s *suite) {
	p := s.withQuery(t)
	if page := p.open(p.plain("redirect_uri", suiteCallback+"?bar=foo").url); page.Location != nil || page.Status != http.StatusBadRequest {
		t.Errorf("at %s (%d): %s", page.URL, page.Status, page.Text)
	}
}

func redirectWithFragment(t *testing.T, s *suite) {
	a := s.register(t, map[string]any{"redirect_uris": []string{suiteCallback + "#foobar"}})
	if a.status != http.StatusBadRequest || a.text("error") != "invalid_redirect_uri" || !strings.Contains(a.text("error_description"), "redirect_uris[0]") {
		t.Errorf("answer %d %v", a.status, a.body)
	}
}

// registeredPage wants a link where people sign in.
func registeredPage(field string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		address := "https://rp.example/" + field
		p := s.registered(t, map[string]any{field: address})
		p.browser = newBrowser()
		page := p.open(p.plain().url)
		if _, err := page.Form("/sign-in"); err != nil || !strings.Contains(page.HTML, `href="`+address+`"`) {
			t.Errorf("at %q, no link to %s: %v", page.Title, address, err)
		}
	}
}

// registeredLogo shows that a logo is kept; nothing fetches it.
func registeredLogo(t *testing.T, s *suite) {
	a := s.register(t, map[string]any{"logo_uri": "https://rp.example/logo.png"})
	t.Cleanup(func() { s.unregister(t, a) })
	if a.status != http.StatusCreated || a.text("logo_uri") != "https://rp.example/logo.png" {
		t.Errorf("answer %d %v", a.status, a.body)
	}
}

// publishing registers an application that publishes its keys, and returns how it
// publishes others.
func (s *suite) publishing(t *testing.T, changes map[string]any) (*party, func(jose.JSONWebKey)) {
	t.Helper()
	path := "/jwks/" + rand.Text()
	publish := func(key jose.JSONWebKey) { s.documents.Store(path, publicSet(key)) }
	key := jwkOf(0, "first")
	publish(key)
	sent := map[string]any{"jwks_uri": s.app + path}
	maps.Copy(sent, changes)
	p := s.registered(t, sent)
	p.provesBy(key, p.config.Endpoint.TokenURL)
	return p, publish
}

func registeredKeySet(t *testing.T, s *suite) {
	p, _ := s.publishing(t, nil)
	p.flow()
}

// registeredSector registers for a sector that lists one redirect URI.
func registeredSector(listed string, want int) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		if types, _ := s.metadata["subject_types_supported"].([]any); !slices.Contains(types, any("pairwise")) {
			t.Errorf("subject types %v", types)
		}
		path := "/redirect_uris.json/" + rand.Text()
		s.documents.Store(path, []string{listed})
		a := s.register(t, map[string]any{"subject_type": "pairwise", "sector_identifier_uri": s.app + path})
		if a.status != want || want == http.StatusBadRequest && a.text("error") != "invalid_client_metadata" {
			t.Errorf("answer %d %v, want %d", a.status, a.body, want)
		}
		if a.status == http.StatusCreated {
			s.unregister(t, a)
		}
	}
}

func (s *suite) keyIDs(t *testing.T, issuer string) []string {
	t.Helper()
	raw, err := json.Marshal(s.published(t, issuer+"/oauth2/jwks"))
	var set jose.JSONWebKeySet
	if err != nil || json.Unmarshal(raw, &set) != nil {
		t.Fatalf("key set %s: %v", raw, err)
	}
	var ids []string
	for _, k := range set.Keys {
		if !k.IsPublic() || k.KeyID == "" || slices.Contains(ids, k.KeyID) {
			t.Errorf("key %q", k.KeyID)
		}
		ids = append(ids, k.KeyID)
	}
	return ids
}

// rotatedServerKeys compares the key set before and after a rotation: the old keys are
// still there, and a new one.
func rotatedServerKeys(t *testing.T, s *suite) {
	before := s.keyIDs(t, s.issuer)
	if err := s.RotateSigningKeys(t.Context(), []keys.Alg{keys.ES256}); err != nil {
		t.Fatal(err)
	}
	after := s.keyIDs(t, s.instance(t))
	for _, id := range before {
		if !slices.Contains(after, id) {
			t.Errorf("key %s is gone", id)
		}
	}
	if len(after) != len(before)+1 {
		t.Errorf("%d keys after %d", len(after), len(before))
	}
}

// rotatedClientKeys refreshes with a key that its application published after the first
// had been used.
func rotatedClientKeys(t *testing.T, s *suite) {
	p, publish := s.publishing(t, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
	g := p.flow("scope", "openid offline_access", "prompt", "consent")
	old, fresh := jwkOf(0, "first"), jwkOf(1, "second")
	publish(fresh)
	address := s.instance(t) + "/oauth2/token"
	if a := p.refreshes(address, old, g.token.RefreshToken); !a.is(http.StatusUnauthorized, "invalid_client") {
		t.Errorf("with the key that is no longer published: %d %v", a.status, a.body)
	}
	a := p.refreshes(address, fresh, g.token.RefreshToken)
	if a.status != http.StatusOK {
		t.Fatalf("with the new key: %d %v", a.status, a.body)
	}
	if info := p.userinfo(grant{token: &oauth2.Token{AccessToken: a.text("access_token"), TokenType: "Bearer"}}); info["sub"] != g.claims["sub"] {
		t.Errorf("userinfo %v", info)
	}
}

// refreshes asks for a refresh with an assertion.
func (p *party) refreshes(address string, key jose.JSONWebKey, token string) answer {
	p.Helper()
	form := p.assertion(key, p.config.Endpoint.TokenURL)
	form.Set("grant_type", "refresh_token")
	form.Set("refresh_token", token)
	r, err := http.NewRequestWithContext(p.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(p.T, r)
}

// registeredRefresh refreshes, which another application cannot with the same token.
func registeredRefresh(t *testing.T, s *suite) {
	both := map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}}
	p, other := s.registered(t, both), s.registered(t, both)
	g := p.flow("scope", "openid offline_access", "prompt", "consent")
	address := p.config.Endpoint.TokenURL
	if a := other.refreshes(address, jwkOf(0, ""), g.token.RefreshToken); !a.is(http.StatusBadRequest, "invalid_grant") {
		t.Errorf("another application: %d %v", a.status, a.body)
	}
	if a := p.refreshes(address, jwkOf(0, ""), g.token.RefreshToken); a.status != http.StatusOK || a.text("access_token") == "" {
		t.Errorf("refresh: %d %v", a.status, a.body)
	}
}

func registrationIsDiscovered(t *testing.T, s *suite) {
	discoveryVerification(t, s)
	s.endpoint(t, "registration_endpoint")
}

func registeredWithIssuerAudience(t *testing.T, s *suite) {
	p := s.registered(t, nil)
	p.provesBy(jwkOf(0, ""), s.issuer)
	p.flow()
}
