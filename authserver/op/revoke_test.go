package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
)

// asApp posts to an endpoint as the confidential application.
func (s *server) asApp(path string, form url.Values) *httptest.ResponseRecorder {
	r := post(path, form)
	r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	return s.do(r)
}

// asOther posts as another confidential application, which it adds.
func (s *server) asOther(path string, form url.Values) *httptest.ResponseRecorder {
	other := confidential()
	other.ClientID = "other"
	s.apps["other"] = other
	r := post(path, form)
	r.SetBasicAuth("other", url.QueryEscape(appSecret.Reveal()))
	return s.do(r)
}

func (s *server) introspect(t testing.TB, token string, more ...string) map[string]any {
	t.Helper()
	w := s.asApp(op.PathIntrospect, params(url.Values{"token": {token}}, more...))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("introspection = %d %v %s", w.Code, w.Header(), w.Body)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// active reports whether the token is, and that one which is not tells nothing.
func (s *server) active(t testing.TB, token string) bool {
	t.Helper()
	got := s.introspect(t, token)
	active, _ := got["active"].(bool)
	if !active && len(got) != 1 {
		t.Errorf("an inactive token tells %v", got)
	}
	return active
}

func TestIntrospection(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		for _, hint := range []string{"", "access_token", "refresh_token", "saml2_token"} {
			got := s.introspect(t, issued.AccessToken, "token_type_hint", hint)
			exp, _ := got["exp"].(float64)
			if left := time.Until(time.Unix(int64(exp), 0)); left < 59*time.Minute || left > time.Hour+time.Second { // rounded up
				t.Errorf("hint %q: exp is in %s, want an hour", hint, left)
			}
			if aud := got["aud"]; aud != issuer {
				t.Errorf("hint %q: aud = %v, want the issuer", hint, aud)
			}
			delete(got, "exp")
			delete(got, "aud")
			want := map[string]any{
				"active": true, "scope": everything, "client_id": "app", "token_type": "Bearer", "sub": string(alice), "iss": issuer,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("hint %q (-want +got):\n%s", hint, diff)
			}
		}
		if got := s.introspect(t, issued.RefreshToken); got["active"] != true || got["token_type"] != nil || got["sub"] != string(alice) {
			t.Errorf("refresh token: %v", got)
		}
		own := granted(t, s.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}}))
		if got := s.introspect(t, own.AccessToken); got["active"] != true || got["sub"] != "app" || got["scope"] != "reports" {
			t.Errorf("client_credentials: %v", got)
		}
		narrowed := granted(t, s.token(refreshForm(issued.RefreshToken, "scope", "openid")))
		if got := s.introspect(t, narrowed.AccessToken); got["scope"] != "openid" {
			t.Errorf("scope of a narrowed token = %v, want openid", got["scope"])
		}
		if s.active(t, issued.RefreshToken) {
			t.Error("a used refresh token is active")
		}
	})
}

func TestInactiveTokens(t *testing.T) {
	s := lite(t)
	issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	for name, token := range map[string]string{"garbage": "x", "cut": issued.AccessToken[1:], "ID token": issued.IDToken} {
		if s.active(t, token) {
			t.Errorf("%s is active", name)
		}
	}
	w := s.asOther(op.PathIntrospect, url.Values{"token": {issued.AccessToken}})
	if w.Code != http.StatusOK || w.Body.String() != `{"active":false}` {
		t.Errorf("another application was told %d %s", w.Code, w.Body)
	}
	s.users.profile.Active = false
	if s.active(t, issued.AccessToken) || s.active(t, issued.RefreshToken) {
		t.Error("a disabled user's tokens are active")
	}
	s.users.profile.Active, s.users.profile.ID = true, "somebody else"
	if s.active(t, issued.AccessToken) {
		t.Error("a deleted user's token is active")
	}
	s.users.profile.ID = alice
	s.clock.advance(time.Hour + time.Second)
	if s.active(t, issued.AccessToken) || !s.active(t, issued.RefreshToken) {
		t.Error("after an hour: want the access token expired and the refresh token not")
	}
}

// Who may ask at all: a bearer token is no credential here, and a client that
// proves nothing learns nothing.
func TestWhoMayIntrospectAndRevoke(t *testing.T) {
	s := lite(t)
	poster := confidential()
	poster.ClientID, poster.AuthMethod = "poster", application.AuthPost
	s.apps["poster"] = poster
	issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	form := url.Values{"token": {issued.AccessToken}}
	for _, path := range []string{op.PathIntrospect, op.PathRevoke} {
		bearer := post(path, form)
		bearer.Header.Set("Authorization", "Bearer "+issued.AccessToken)
		wrong := post(path, form)
		wrong.SetBasicAuth("app", "wrong")
		for name, r := range map[string]*http.Request{
			"bearer": bearer, "wrong secret": wrong, "nobody": post(path, form),
			"confidential without secret": post(path, params(form, "client_id", "app")),
		} {
			w := s.do(r)
			refused(t, w, http.StatusUnauthorized, "invalid_client")
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: no challenge", path, name)
			}
		}
		refused(t, s.asApp(path, url.Values{}), http.StatusBadRequest, "invalid_request")
		refused(t, s.asApp(path, url.Values{"token": {"a", "b"}}), http.StatusBadRequest, "invalid_request")
		inJSON := post(path, form)
		inJSON.Header.Set("Content-Type", "application/json")
		refused(t, s.do(inJSON), http.StatusUnsupportedMediaType, "invalid_request")
		if w := s.do(httptest.NewRequest(http.MethodGet, path+"?"+form.Encode(), nil)); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s = %d, want 405", path, w.Code)
		}
		if w := s.do(post(path, params(form, "token", "x", "client_id", "poster", "client_secret", appSecret.Reveal()))); w.Code != http.StatusOK {
			t.Errorf("%s with client_secret_post = %d, want 200", path, w.Code)
		}
	}
	refused(t, s.do(post(op.PathIntrospect, params(form, "client_id", "native"))), http.StatusUnauthorized, "invalid_client")
	if !s.active(t, issued.AccessToken) {
		t.Error("a refused revocation revoked")
	}
}

func TestRevokeRefreshTokenEndsTheGrant(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		second := granted(t, s.token(refreshForm(first.RefreshToken)))
		bystander := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		for range 2 { // again is fine
			if w := s.asApp(op.PathRevoke, url.Values{"token": {second.RefreshToken}, "token_type_hint": {"access_token"}}); w.Code != http.StatusOK || w.Body.Len() != 0 {
				t.Fatalf("revoke = %d %s", w.Code, w.Body)
			}
		}
		for name, token := range map[string]string{
			"access token": second.AccessToken, "earlier access token": first.AccessToken, "refresh token": second.RefreshToken,
		} {
			if s.active(t, token) {
				t.Errorf("the %s is still active", name)
			}
		}
		if w := s.userinfo(second.AccessToken); w.Code != http.StatusUnauthorized {
			t.Errorf("userinfo = %d, want 401", w.Code)
		}
		refused(t, s.token(refreshForm(second.RefreshToken)), http.StatusBadRequest, "invalid_grant")
		if !s.active(t, bystander.AccessToken) || !s.active(t, bystander.RefreshToken) {
			t.Error("another grant of the same user ended, too")
		}
	})
}

// A used refresh token still names its grant: whoever wants it over gets that.
func TestRevokeUsedRefreshToken(t *testing.T) {
	s := lite(t)
	first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	second := granted(t, s.token(refreshForm(first.RefreshToken)))
	if w := s.asApp(op.PathRevoke, url.Values{"token": {first.RefreshToken}}); w.Code != http.StatusOK || s.active(t, second.AccessToken) {
		t.Errorf("revoke = %d, the grant lives on", w.Code)
	}
}

func TestRevokeAccessTokenAlone(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		if w := s.asApp(op.PathRevoke, url.Values{"token": {issued.AccessToken}}); w.Code != http.StatusOK {
			t.Fatalf("revoke = %d %s", w.Code, w.Body)
		}
		if w := s.userinfo(issued.AccessToken); w.Code != http.StatusUnauthorized || s.active(t, issued.AccessToken) {
			t.Errorf("userinfo = %d, want 401", w.Code)
		}
		granted(t, s.token(refreshForm(issued.RefreshToken)))
		if w := s.asApp(op.PathRevoke, url.Values{"token": {"unknown"}}); w.Code != http.StatusOK {
			t.Errorf("revoke of an unknown token = %d, want 200 (RFC 7009 section 2.2)", w.Code)
		}
	})
}

func TestRevokeOnlyOnesOwn(t *testing.T) {
	s := lite(t)
	issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	for _, token := range []string{issued.AccessToken, issued.RefreshToken} {
		refused(t, s.asOther(op.PathRevoke, url.Values{"token": {token}}), http.StatusBadRequest, "unauthorized_client")
		refused(t, s.do(post(op.PathRevoke, url.Values{"token": {token}, "client_id": {"native"}})), http.StatusBadRequest, "unauthorized_client")
	}
	if !s.active(t, issued.AccessToken) || !s.active(t, issued.RefreshToken) {
		t.Error("somebody else revoked them")
	}
	code := redirected(t, s.authorize(nativeForm())).Get("code")
	own := granted(t, s.do(post(op.PathToken, codeForm(code, "client_id", "native", "redirect_uri", "com.example.app:/cb"))))
	if w := s.do(post(op.PathRevoke, url.Values{"token": {own.RefreshToken}, "client_id": {"native"}})); w.Code != http.StatusOK {
		t.Errorf("a public client revokes its own: %d %s", w.Code, w.Body)
	}
	refused(t, s.do(post(op.PathToken, refreshForm(own.RefreshToken, "client_id", "native"))), http.StatusBadRequest, "invalid_grant")
}
