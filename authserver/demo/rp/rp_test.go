package rp_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/anteroom-id/anteroom/authserver/demo/rp"
)

// issuer is an OpenID provider in miniature: it signs everybody in as Ada. A
// test spoils one of its answers.
type issuer struct {
	t   *testing.T
	URL string
	key ed25519.PrivateKey

	request url.Values            // the last authorization request
	codes   map[string]url.Values // requests by the code they got; each can be used once

	spoilClaims   func(map[string]any) // of the ID token
	spoilUserInfo func(map[string]any)
	spoilCallback func(url.Values)
	tokenError    string // JSON
	down          bool
}

func newIssuer(t *testing.T) *issuer {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	op := &issuer{t: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", op.discovery)
	mux.HandleFunc("/authorize", op.authorize)
	mux.HandleFunc("/token", op.token)
	mux.HandleFunc("/userinfo", op.userinfo)
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		op.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "EdDSA", Use: "sig"}}})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	op.URL = s.URL
	return op
}

func (op *issuer) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		op.t.Error(err)
	}
}

func (op *issuer) discovery(w http.ResponseWriter, r *http.Request) {
	if op.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	op.write(w, map[string]any{
		"issuer": op.URL, "authorization_endpoint": op.URL + "/authorize", "token_endpoint": op.URL + "/token",
		"userinfo_endpoint": op.URL + "/userinfo", "jwks_uri": op.URL + "/jwks",
		"id_token_signing_alg_values_supported": []string{"EdDSA"}, "authorization_response_iss_parameter_supported": true,
	})
}

func (op *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	op.request = r.URL.Query()
	code := fmt.Sprintf("code-%d", len(op.codes))
	op.codes[code] = op.request
	back := url.Values{"code": {code}, "state": {op.request.Get("state")}, "iss": {op.URL}}
	if op.spoilCallback != nil {
		op.spoilCallback(back)
	}
	http.Redirect(w, r, op.request.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (op *issuer) token(w http.ResponseWriter, r *http.Request) {
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	request := op.codes[r.FormValue("code")]
	delete(op.codes, r.FormValue("code"))
	if request.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) || id != "demo" || secret != "s3cret" {
		op.t.Errorf("token request %v by %q", r.Form, id)
		return
	}
	if op.tokenError != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, op.tokenError)
		return
	}
	claims := map[string]any{
		"iss": op.URL, "sub": "user-1", "aud": "demo", "nonce": request.Get("nonce"), "name": "Ada <b>Lovelace</b>",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"provisioned": map[string]any{"directory": map[string]any{"id": "7", "state": "in_sync"}},
	}
	if op.spoilClaims != nil {
		op.spoilClaims(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: op.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		op.t.Error(err)
		return
	}
	idToken, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		op.t.Error(err)
	}
	op.write(w, map[string]any{"access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 60, "id_token": idToken})
}

func (op *issuer) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer canary-access-token" {
		op.t.Errorf("userinfo with %q", r.Header.Get("Authorization"))
	}
	info := map[string]any{"sub": "user-1", "email": "ada@example.com"}
	if op.spoilUserInfo != nil {
		op.spoilUserInfo(info)
	}
	op.write(w, info)
}

// browser is a client with cookies in front of the application.
type browser struct {
	t      *testing.T
	URL    string
	client *http.Client
}

func newBrowser(t *testing.T, op *issuer) *browser {
	var app *rp.App
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	app = rp.New(rp.Options{Issuer: op.URL, ClientID: "demo", ClientSecret: "s3cret", BaseURL: s.URL, Name: "Payroll"})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, URL: s.URL, client: &http.Client{Jar: jar}}
}

// visit returns the status and text of the page a path leads to.
func (b *browser) visit(path string) (int, string) {
	b.t.Helper()
	resp, err := b.client.Get(b.URL + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (b *browser) wants(page string, parts ...string) {
	b.t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			b.t.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
	if strings.Contains(page, "canary") {
		b.t.Errorf("the page shows a token:\n%s", page)
	}
}

func TestSignInShowsTheClaims(t *testing.T) {
	op := newIssuer(t)
	b := newBrowser(t, op)
	_, before := b.visit("/")
	b.wants(before, "You are not signed in", `href="/login"`, `href="/login?prompt=create"`)

	status, home := b.visit("/login")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	b.wants(home, "Welcome, <strong>Ada &lt;b&gt;Lovelace&lt;/b&gt;</strong>", "<code>user-1</code>", "<code>ada@example.com</code>",
		"{&#34;directory&#34;:{&#34;id&#34;:&#34;7&#34;,&#34;state&#34;:&#34;in_sync&#34;}}", ">ID token<", ">userinfo<", ">both<")
	if op.request.Has("prompt") || op.request.Get("code_challenge_method") != "S256" || len(op.request.Get("nonce")) < 20 || len(op.request.Get("state")) < 20 {
		t.Errorf("authorization request %v", op.request)
	}

	resp, err := b.client.PostForm(b.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, after := b.visit("/")
	b.wants(after, "You are not signed in")
}

func TestCreateAnAccountAsksForIt(t *testing.T) {
	op := newIssuer(t)
	newBrowser(t, op).visit("/login?prompt=create")
	if got := op.request.Get("prompt"); got != "create" {
		t.Errorf("prompt = %q, want create", got)
	}
	newBrowser(t, op).visit("/login?prompt=none") // nothing else is passed on
	if op.request.Has("prompt") {
		t.Errorf("prompt = %q, want none sent", op.request.Get("prompt"))
	}
}

func TestErrorsAreExplained(t *testing.T) {
	cases := []struct {
		name  string
		back  url.Values
		title string
	}{
		{"denied", url.Values{"error": {"access_denied"}, "error_description": {"<i>no</i> seats"}}, "You were not let in"},
		{"later", url.Values{"error": {"temporarily_unavailable"}, "error_description": {"the directory is down"}}, "Not possible right now"},
		{"unknown", url.Values{"error": {"odd"}}, "You are not signed in"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			op := newIssuer(t)
			op.spoilCallback = func(v url.Values) { v.Del("code"); maps.Copy(v, c.back) }
			b := newBrowser(t, op)
			_, page := b.visit("/login")
			b.wants(page, c.title, "<code>"+c.back.Get("error")+"</code>", "Try again", `href="/login"`)
			if d := c.back.Get("error_description"); d != "" {
				b.wants(page, strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(d))
			}
		})
	}
}

// TestRefusesSpoiledAnswers spoils one thing at a time; nobody is signed in.
func TestRefusesSpoiledAnswers(t *testing.T) {
	cases := map[string]struct {
		spoil func(*issuer)
		says  string
	}{
		"state":           {func(op *issuer) { op.spoilCallback = func(v url.Values) { v.Set("state", "x") } }, "not started here"},
		"no state":        {func(op *issuer) { op.spoilCallback = func(v url.Values) { v.Del("state") } }, "not started here"},
		"another issuer":  {func(op *issuer) { op.spoilCallback = func(v url.Values) { v.Set("iss", "https://evil.example") } }, "another service"},
		"no issuer":       {func(op *issuer) { op.spoilCallback = func(v url.Values) { v.Del("iss") } }, "another service"},
		"nonce":           {func(op *issuer) { op.spoilClaims = func(c map[string]any) { c["nonce"] = "x" } }, "did not work"},
		"no nonce":        {func(op *issuer) { op.spoilClaims = func(c map[string]any) { delete(c, "nonce") } }, "did not work"},
		"audience":        {func(op *issuer) { op.spoilClaims = func(c map[string]any) { c["aud"] = "other" } }, "did not work"},
		"token's issuer":  {func(op *issuer) { op.spoilClaims = func(c map[string]any) { c["iss"] = "https://evil.example" } }, "did not work"},
		"expired":         {func(op *issuer) { op.spoilClaims = func(c map[string]any) { c["exp"] = 1 } }, "did not work"},
		"userinfo's user": {func(op *issuer) { op.spoilUserInfo = func(c map[string]any) { c["sub"] = "user-2" } }, "did not work"},
		"signature": {func(op *issuer) {
			_, op.key, _ = ed25519.GenerateKey(nil)
		}, "did not work"},
		"code refused": {func(op *issuer) { op.tokenError = `{"error":"invalid_grant","error_description":"too late"}` }, "too late"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			op := newIssuer(t)
			c.spoil(op)
			b := newBrowser(t, op)
			status, page := b.visit("/login")
			if status < 400 {
				t.Errorf("status %d", status)
			}
			b.wants(page, c.says, "Try again")
			_, home := b.visit("/")
			b.wants(home, "You are not signed in")
		})
	}
}

// TestAnswerBelongsToOneBrowserOnce replays a callback.
func TestAnswerBelongsToOneBrowserOnce(t *testing.T) {
	op := newIssuer(t)
	b := newBrowser(t, op)
	var callback string
	b.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == rp.CallbackPath {
			callback = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.visit("/login")
	first := callback
	b.visit("/login") // a second tab
	b.client.CheckRedirect = nil

	cookies := b.client.Jar
	b.client.Jar = nil
	_, page := b.visit(callback)
	b.wants(page, "not started here")
	b.client.Jar = cookies
	_, page = b.visit(first)
	b.wants(page, "Welcome")
	_, page = b.visit(first)
	b.wants(page, "not started here")
}

func TestIssuerMayStartLater(t *testing.T) {
	op := newIssuer(t)
	op.down = true
	b := newBrowser(t, op)
	status, page := b.visit("/login")
	if status != http.StatusBadGateway {
		t.Errorf("status %d", status)
	}
	b.wants(page, "does not answer", "Try again")
	op.down = false
	_, page = b.visit("/login")
	b.wants(page, "Welcome")
}

func TestLogoutRefusesOtherSites(t *testing.T) {
	op := newIssuer(t)
	b := newBrowser(t, op)
	b.visit("/login")
	r, err := http.NewRequest(http.MethodPost, b.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, home := b.visit("/")
	b.wants(home, "Welcome")
}
