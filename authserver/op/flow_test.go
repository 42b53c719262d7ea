package op_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/op"
)

func TestCodeFlow(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		w := s.authorize(authorizeForm())
		q := redirected(t, w)
		if !strings.HasPrefix(w.Header().Get("Location"), callback+"?") || q.Get("state") != givenState || q.Get("iss") != issuer {
			t.Errorf("redirect = %s; want the callback with state and iss", w.Header().Get("Location"))
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("headers = %v; want no-store and no-referrer", w.Header())
		}
		got := granted(t, s.token(codeForm(q.Get("code"))))
		if got.TokenType != "Bearer" || got.RefreshToken == "" || got.Scope != everything || got.ExpiresIn < 3590 || got.ExpiresIn > 3600 {
			t.Errorf("tokens = %+v", got)
		}
		claims := idClaims(t, got.IDToken)
		for name, want := range map[string]any{
			"iss": issuer, "sub": string(alice), "nonce": givenNonce, "sid": "sid-1", "amr": []any{"pwd"}, "acr": "0",
			"provisioned": map[string]any{"directory": map[string]any{"id": "ext-1", "state": "in_sync"}},
		} {
			if diff := cmp.Diff(want, claims[name]); diff != "" {
				t.Errorf("claim %s (-want +got):\n%s", name, diff)
			}
		}
		if diff := cmp.Diff([]any{"app"}, claims["aud"]); diff != "" {
			t.Errorf("aud (-want +got):\n%s", diff)
		}
		for _, name := range []string{"exp", "iat", "auth_time", "at_hash", "jti"} {
			if claims[name] == nil {
				t.Errorf("claim %s is missing", name)
			}
		}
		if claims["rat"] != nil {
			t.Error("the ID token has fosite's claim rat")
		}
		if s.rows(t) != "1 1 1 1" {
			t.Errorf("rows = %s, want 1 each", s.rows(t))
		}
	})
}

// Every row that was issued names the decision it rests on, and that decision
// was recorded.
func TestEvidence(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		recorded := map[string]bool{}
		for _, d := range s.ledger.decisions {
			recorded[string(d.ID)] = true
		}
		for _, table := range []string{"oauth_grant", "oauth_code", "oauth_access", "oauth_refresh"} {
			var id string
			if err := s.db.QueryRow(t.Context(), "SELECT decision_id FROM "+table).Scan(&id); err != nil {
				t.Fatal(err)
			}
			if !recorded[id] {
				t.Errorf("%s rests on decision %q, which the gate did not record", table, id)
			}
		}
	})
}

func TestPublicClientWithES256(t *testing.T) {
	s := lite(t)
	code := redirected(t, s.authorize(nativeForm())).Get("code")
	w := s.do(post(op.PathToken, codeForm(code, "client_id", "native", "redirect_uri", "com.example.app:/cb")))
	got := granted(t, w)
	claims := idClaims(t, got.IDToken)
	if claims["sub"] != string(alice) || !strings.HasPrefix(got.IDToken, "eyJhbGciOiJFUzI1NiI") {
		t.Errorf("ID token = %s; want ES256 for alice", got.IDToken)
	}
}

func TestAuthorizeByPost(t *testing.T) {
	s := lite(t)
	if q := redirected(t, s.do(post(op.PathAuthorize, authorizeForm()))); q.Get("code") == "" {
		t.Errorf("redirect = %v, want a code", q)
	}
}

func TestNoRefreshTokenWithoutOfflineAccess(t *testing.T) {
	s := lite(t)
	if got := granted(t, s.token(codeForm(s.code(t, authorizeForm("scope", "openid"))))); got.RefreshToken != "" {
		t.Error("a refresh token came without offline_access")
	}
	app := s.apps["app"]
	app.GrantTypes = []string{"authorization_code"}
	s.apps["app"] = app
	if got := granted(t, s.token(codeForm(s.code(t, authorizeForm())))); got.RefreshToken != "" || strings.Contains(got.Scope, "offline_access") {
		t.Errorf("an application without the grant got %+v", got)
	}
}

func TestRefresh(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		second := granted(t, s.token(refreshForm(first.RefreshToken)))
		if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.Scope != everything {
			t.Errorf("refreshed = %+v", second)
		}
		before, after := idClaims(t, first.IDToken), idClaims(t, second.IDToken)
		for _, name := range []string{"sub", "auth_time", "iss", "sid", "amr"} {
			if after[name] == nil || !cmp.Equal(before[name], after[name]) {
				t.Errorf("claim %s changed from %v to %v", name, before[name], after[name])
			}
		}
		if after["nonce"] != nil || before["jti"] == after["jti"] {
			t.Errorf("refreshed claims = %v; want no nonce and another jti", after)
		}
		granted(t, s.token(refreshForm(second.RefreshToken)))
	})
}

// iat was frozen at the first issue by fosite's own session.
func TestRefreshedTokenIsIssuedNow(t *testing.T) {
	s := lite(t)
	first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	if _, err := s.db.Exec(t.Context(), "UPDATE oauth_grant SET created_at = created_at - 86400000000, auth_time = auth_time - 86400000000"); err != nil {
		t.Fatal(err)
	}
	claims := idClaims(t, granted(t, s.token(refreshForm(first.RefreshToken))).IDToken)
	iat, ok := claims["iat"].(float64)
	if age := time.Since(time.Unix(int64(iat), 0)); !ok || age > time.Minute {
		t.Errorf("iat is %v old, want now", age)
	}
}

func TestScopeNarrowingOnRefresh(t *testing.T) {
	s := lite(t)
	first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	narrowed := granted(t, s.token(refreshForm(first.RefreshToken, "scope", "email openid")))
	if narrowed.Scope != "email openid" {
		t.Errorf("scope = %q, want email openid", narrowed.Scope)
	}
	w := s.userinfo(narrowed.AccessToken)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "given_name") || !strings.Contains(w.Body.String(), "alice@example.com") {
		t.Errorf("userinfo = %d %s; want the email without the profile", w.Code, w.Body)
	}
	if w := s.token(refreshForm(narrowed.RefreshToken, "scope", "openid reports")); w.Code != http.StatusBadRequest || decodeTokens(t, w).Error != "invalid_scope" {
		t.Errorf("scope that was not granted: %d %s; want invalid_scope", w.Code, w.Body)
	}
	if again := granted(t, s.token(refreshForm(narrowed.RefreshToken))); again.Scope != everything {
		t.Errorf("scope after narrowing = %q, want all of the grant", again.Scope)
	}
}

func TestClientCredentials(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}}
		got := granted(t, s.token(form))
		if got.Scope != "reports" || got.RefreshToken != "" || got.IDToken != "" {
			t.Errorf("tokens = %+v", got)
		}
		if w := s.userinfo(got.AccessToken); w.Code != http.StatusForbidden {
			t.Errorf("userinfo without a user = %d, want 403", w.Code)
		}
		refused(t, s.token(params(form, "scope", "openid")), http.StatusBadRequest, "invalid_scope")
		refused(t, s.token(params(form, "scope", "admin")), http.StatusBadRequest, "invalid_scope")
		app := s.apps["app"]
		app.GrantTypes = []string{"authorization_code"}
		s.apps["app"] = app
		refused(t, s.token(form), http.StatusBadRequest, "unauthorized_client")
	})
}

func TestUserinfo(t *testing.T) {
	s := lite(t)
	access := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	want := `{"email":"alice@example.com","email_verified":true,"family_name":"Doe","given_name":"Alice","locale":"en",` +
		`"name":"Alice Doe","preferred_username":"alice","provisioned":{"directory":{"id":"ext-1","state":"in_sync"}},"sub":"user-alice"}`
	body := func(form url.Values, header string) *httptest.ResponseRecorder {
		r := post(op.PathUserinfo, form)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		return s.do(r)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"GET with header":  s.userinfo(access),
		"POST with header": body(nil, "bearer "+access),
		"POST with body":   body(url.Values{"access_token": {access}}, ""),
	} {
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %s; want %s", name, w.Code, w.Body, want)
		}
	}
	query := httptest.NewRequest(http.MethodGet, op.PathUserinfo+"?access_token="+access, nil)
	for name, c := range map[string]struct {
		w      *httptest.ResponseRecorder
		status int
		code   string
	}{
		"header and body": {body(url.Values{"access_token": {access}}, "Bearer "+access), http.StatusBadRequest, "invalid_request"},
		"twice":           {body(url.Values{"access_token": {access, access}}, ""), http.StatusBadRequest, "invalid_request"},
		"other scheme":    {body(nil, "Basic eDp5"), http.StatusBadRequest, "invalid_request"},
		"query":           {s.do(query), http.StatusUnauthorized, ""},
		"none":            {body(nil, ""), http.StatusUnauthorized, ""},
		"garbage":         {s.userinfo("x"), http.StatusUnauthorized, "invalid_token"},
		"cut":             {s.userinfo(access[:len(access)-1]), http.StatusUnauthorized, "invalid_token"},
	} {
		challenge := c.w.Header().Get("WWW-Authenticate")
		if c.w.Code != c.status || decodeTokens(t, c.w).Error != c.code || !strings.HasPrefix(challenge, "Bearer") || strings.Contains(challenge, "error=") != (c.code != "") {
			t.Errorf("%s: %d %s, challenge %q; want %d %q", name, c.w.Code, c.w.Body, challenge, c.status, c.code)
		}
	}
	s.users.profile.Active = false
	if w := s.userinfo(access); w.Code != http.StatusUnauthorized {
		t.Errorf("userinfo of a disabled user = %d, want 401", w.Code)
	}
}

func TestExpiredAccessToken(t *testing.T) {
	s := lite(t)
	access := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	s.clock.advance(time.Hour + time.Minute)
	if w := s.userinfo(access); w.Code != http.StatusUnauthorized || decodeTokens(t, w).Error != "invalid_token" {
		t.Errorf("userinfo = %d %s; want invalid_token", w.Code, w.Body)
	}
}
