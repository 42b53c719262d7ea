package peers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/anteroom-id/anteroom/e2e/peers"
)

// provider is an OpenID provider that grants everything; it is just enough to
// show that the relying party works.
type provider struct {
	t     *testing.T
	URL   string
	key   *ecdsa.PrivateKey
	nonce string // for the next ID token
}

func newProvider(t *testing.T) *provider {
	key := newKey(t)
	p := &provider{t: t, key: key}
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	p.URL = s.URL
	mux.HandleFunc("/.well-known/openid-configuration", p.answer(map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/jwks",
		"id_token_signing_alg_values_supported": []string{"ES256"}, "code_challenge_methods_supported": []string{"S256"},
	}))
	mux.HandleFunc("/jwks", p.answer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}}))
	mux.HandleFunc("/userinfo", p.answer(map[string]any{"sub": "user-1", "name": "Ada"}))
	mux.HandleFunc("/token", p.token)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *provider) answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			p.t.Error(err)
		}
	}
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		p.t.Error(err)
		return
	}
	claims := map[string]any{
		"iss": p.URL, "sub": "user-1", "aud": "demo", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if r.FormValue("grant_type") == "authorization_code" {
		claims["nonce"] = p.nonce
	}
	idToken, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.t.Error(err)
	}
	p.answer(map[string]any{
		"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": idToken, "refresh_token": "r", "scope": "openid",
	})(w, r)
}

// begin starts a sign-in and returns the request it would send the browser with.
func begin(t *testing.T, p *provider, flags ...string) (*peers.RelyingParty, url.Values) {
	t.Helper()
	rp := peers.StartRelyingParty(t, peers.OpenIDClient, peers.Client{
		Issuer: p.URL, ID: "demo", Secret: "s3cret", RedirectURI: "http://127.0.0.1:1/callback",
	}, flags...)
	u, err := url.Parse(rp.AuthorizeURL)
	if err != nil {
		t.Fatal(err)
	}
	p.nonce = u.Query().Get("nonce")
	return rp, u.Query()
}

func TestRelyingPartySignsIn(t *testing.T) {
	p := newProvider(t)
	for _, withState := range []bool{false, true} {
		flags := []string{"--scope", "openid"}
		if withState {
			flags = append(flags, "--state")
		}
		rp, request := begin(t, p, flags...)
		if request.Has("state") != withState || request.Get("code_challenge_method") != "S256" || request.Get("scope") != "openid" {
			t.Errorf("request %v", request)
		}
		back := url.Values{"code": {"c"}}
		if withState {
			back.Set("state", request.Get("state"))
		}
		got := rp.Finish(t, request.Get("redirect_uri")+"?"+back.Encode())
		if got.Error != nil || got.Claims["sub"] != "user-1" || got.UserInfo["name"] != "Ada" || !got.Granted.HasRefreshToken {
			t.Errorf("result %+v, error %+v", got, got.Error)
		}
		if got.Refreshed == nil || !got.Refreshed.HasIDToken {
			t.Errorf("refreshed %+v", got.Refreshed)
		}
	}
}

func TestRelyingPartyReportsWhatIsWrong(t *testing.T) {
	p := newProvider(t)
	rp, request := begin(t, p)
	refused := rp.Finish(t, request.Get("redirect_uri")+"?error=access_denied&error_description=no+seats")
	if refused.Error == nil || refused.Error.OAuthError != "access_denied" || refused.Error.OAuthDescription != "no seats" {
		t.Errorf("error %+v", refused.Error)
	}
	rp, request = begin(t, p)
	p.nonce = "another"
	if wrong := rp.Finish(t, request.Get("redirect_uri")+"?code=c"); wrong.Error == nil || wrong.Claims != nil {
		t.Errorf("it accepted a wrong nonce: %+v", wrong)
	}
	rp, request = begin(t, p)
	p.key = newKey(t)
	if forged := rp.Finish(t, request.Get("redirect_uri")+"?code=c"); forged.Error == nil || forged.Claims != nil {
		t.Errorf("it accepted the signature of another key: %+v", forged)
	}
}
