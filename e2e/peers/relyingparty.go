package peers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The libraries that [StartRelyingParty] knows.
const (
	OpenIDClient = "openid-client"
	OAuth4WebAPI = "oauth4webapi"
	OIDCClientTS = "oidc-client-ts"
)

// RelyingParty is an application, waiting for the end of a sign-in.
type RelyingParty struct {
	// AuthorizeURL is where the user's browser has to go.
	AuthorizeURL string
	process      process
}

// Result is what the relying party got.
type Result struct {
	Claims    map[string]any `json:"claims"` // of the ID token
	UserInfo  map[string]any `json:"userinfo"`
	Granted   Granted        `json:"granted"`
	Refreshed *Refreshed     `json:"refreshed"` // nil without a refresh token
	// LogoutURL is where the browser goes to sign out; "" without --after-logout.
	LogoutURL string `json:"logout_url"`
	Error     *Error `json:"error"`
}

// Granted is a token response without the tokens.
type Granted struct {
	TokenType       string `json:"token_type"`
	ExpiresIn       int    `json:"expires_in"` // seconds
	Scope           string `json:"scope"`
	HasRefreshToken bool   `json:"has_refresh_token"`
	HasIDToken      bool   `json:"has_id_token"`
}

// Refreshed is the answer to a refresh.
type Refreshed struct {
	Granted
	Claims map[string]any `json:"claims"`
}

// Error is why the relying party did not accept the sign-in.
type Error struct {
	Name             string `json:"name"`
	Code             string `json:"code"`
	Message          string `json:"message"`
	OAuthError       string `json:"oauth_error"`
	OAuthDescription string `json:"oauth_error_description"`
	Cause            string `json:"cause"`
}

// Client is how the relying party is registered.
type Client struct {
	Issuer, ID, RedirectURI string
	Secret                  string // "" for a public client
}

// StartRelyingParty runs discovery and begins a sign-in. The flags are those of the
// library's script.
func StartRelyingParty(t testing.TB, library string, c Client, flags ...string) *RelyingParty {
	t.Helper()
	args := append([]string{c.Issuer, c.ID, c.Secret, c.RedirectURI}, flags...)
	p := start(t, library+".mjs", args...)
	line := p.readLine(t)
	var message struct {
		AuthorizeURL string `json:"authorize_url"`
	}
	if err := json.Unmarshal([]byte(line), &message); err != nil || message.AuthorizeURL == "" {
		t.Fatalf("start relying party: it said %s", line)
	}
	return &RelyingParty{AuthorizeURL: message.AuthorizeURL, process: p}
}

// Finish gives it the address the browser was sent to at the end and returns
// what it made of it.
func (r *RelyingParty) Finish(t testing.TB, callbackURL string) Result {
	t.Helper()
	if err := json.NewEncoder(r.process.stdin).Encode(map[string]string{"callback_url": callbackURL}); err != nil {
		t.Fatalf("finish sign-in: %v", err)
	}
	line := r.process.readLine(t)
	var result Result
	if err := json.Unmarshal([]byte(line), &result); err != nil {
		t.Fatalf("finish sign-in: it said %s", line)
	}
	return result
}

// StartAuthJS runs a web application on Auth.js and returns its base URL. It is
// registered with the redirect URI that [AuthJSCallback] returns for it; the
// client's own is ignored. The flags are those of authjs.mjs.
func StartAuthJS(t testing.TB, c Client, flags ...string) (baseURL string) {
	t.Helper()
	return serve(t, "authjs.mjs", append([]string{c.Issuer, c.ID, c.Secret}, flags...)...)
}

// AuthJSCallback is the redirect URI of an application that [StartAuthJS] started.
func AuthJSCallback(baseURL string) string { return baseURL + "/callback/anteroom" }

// BrowserLibrary returns oidc-client-ts as browsers load it. It defines oidc.
func BrowserLibrary(t testing.TB) string {
	t.Helper()
	_, dir := need(t)
	script, err := os.ReadFile(filepath.Join(dir, "node_modules", OIDCClientTS, "dist", "browser", OIDCClientTS+".min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// StartProvider runs an OpenID provider on oidc-provider with one client and
// returns its issuer. Its forms take any login and password.
func StartProvider(t testing.TB, id, secret, redirectURI string) (issuer string) {
	t.Helper()
	return serve(t, "oidc-provider.mjs", id, secret, redirectURI)
}
