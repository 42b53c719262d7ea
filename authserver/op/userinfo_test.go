package op_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
)

// An application that wants it signed gets the same claims as a JWT for it alone
// (OpenID Connect Core section 5.3.2), which is no ID token.
func TestSignedUserinfo(t *testing.T) {
	s := lite(t)
	var plain map[string]any
	token := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	if err := json.Unmarshal(s.userinfo(token).Body.Bytes(), &plain); err != nil {
		t.Fatal(err)
	}
	plain["iss"], plain["aud"] = issuer, "app"
	for _, alg := range application.SigningAlgs() {
		app := confidential()
		app.UserinfoAlg = alg
		s.apps["app"] = app
		w := s.userinfo(token)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "application/jwt" || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %v", alg, w.Code, w.Header())
		}
		if header := joseHeader(t, w.Body.String()); header["alg"] != alg || header["kid"] == nil {
			t.Errorf("%s: header %v", alg, header)
		}
		if diff := cmp.Diff(plain, idClaims(t, w.Body.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", alg, diff)
		}
		if out := s.do(httptest.NewRequest(http.MethodGet, op.PathLogout+"?id_token_hint="+w.Body.String(), nil)); out.Code != http.StatusBadRequest {
			t.Errorf("%s: signed userinfo passes for an ID token: %d", alg, out.Code)
		}
	}
}

// A token is worth nothing once its application is gone or disabled.
func TestUserinfoOfNoApplication(t *testing.T) {
	s := lite(t)
	token := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	app := s.apps["app"]
	app.Enabled = false
	s.apps["app"] = app
	refused(t, s.userinfo(token), http.StatusUnauthorized, "invalid_token")
	delete(s.apps, "app")
	refused(t, s.userinfo(token), http.StatusUnauthorized, "invalid_token")
}

func joseHeader(t *testing.T, token string) map[string]any {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	var header map[string]any
	if err != nil || json.Unmarshal(raw, &header) != nil {
		t.Fatalf("header %q: %v", raw, err)
	}
	return header
}
