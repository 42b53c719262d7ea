package op_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
)

// withJWTs is a server whose resource server takes JWTs of that algorithm.
func withJWTs(s *server, alg string) *server {
	withResources(s)
	server := reportsServer()
	server.TokenFormat, server.TokenAlg = application.TokenJWT, alg
	s.servers[reports] = server
	return s
}

// readJWT verifies an access token as a resource server does (RFC 9068 section 4).
func (s *server) readJWT(t testing.TB, token string, alg keys.Alg) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%s: %v in %s", alg, err, token)
	}
	header := signed.Signatures[0].Header
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
		t.Errorf("typ = %v, want at+jwt", typ)
	}
	payload, err := signed.Verify(s.publishedKey(t, header.KeyID).Key)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// A resource server reads from a JWT what introspection would say, whatever it is
// signed with; and it is revoked like any other.
func TestJWTAccessToken(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for _, alg := range keys.Algs() {
			withJWTs(s, string(alg))
			before := s.clock.Now()
			issued := granted(t, s.token(codeForm(s.code(t, asking("openid offline_access reports", reports)))))
			claims := s.readJWT(t, issued.AccessToken, alg)
			exp, iat := claims["exp"].(float64), claims["iat"].(float64)
			if int64(exp-iat) < 299 || int64(exp-iat) > 301 || int64(iat) < before.Unix() || claims["jti"] == "" || claims["auth_time"] == nil {
				t.Errorf("%s: exp, iat, jti or auth_time in %v", alg, claims)
			}
			rp := oidc.NewVerifier(issuer, s.keySet(t), &oidc.Config{ClientID: reports, SupportedSigningAlgs: []string{string(alg)}})
			if token, err := rp.Verify(t.Context(), issued.AccessToken); err != nil || token.Subject != string(alice) {
				t.Errorf("%s: go-oidc: %+v, %v", alg, token, err)
			}
			seen := s.introspect(t, issued.AccessToken)
			for _, name := range []string{"iss", "sub", "aud", "client_id", "scope", "exp"} {
				if !cmp.Equal(seen[name], claims[name]) {
					t.Errorf("%s: %s is %v, introspection says %v", alg, name, claims[name], seen[name])
				}
			}
			for _, name := range []string{"exp", "iat", "jti", "auth_time"} {
				delete(claims, name)
			}
			want := map[string]any{"iss": issuer, "sub": string(alice), "aud": reports, "client_id": "app", "scope": "reports", "acr": "0", "amr": []any{"pwd"}}
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("%s (-want +got):\n%s", alg, diff)
			}
			if w := s.userinfo(issued.AccessToken); w.Code != http.StatusUnauthorized {
				t.Errorf("%s: userinfo = %d %s, want 401", alg, w.Code, w.Body)
			}
			s.revokedAlone(t, issued)
		}
	})
}

// revokedAlone revokes the access token, which ends it and nothing else.
func (s *server) revokedAlone(t *testing.T, issued tokens) {
	t.Helper()
	if w := s.asApp(op.PathRevoke, url.Values{"token": {issued.AccessToken}}); w.Code != http.StatusOK || s.active(t, issued.AccessToken) {
		t.Errorf("revocation = %d %s; want the token over", w.Code, w.Body)
	}
	if !s.active(t, issued.RefreshToken) {
		t.Error("the refresh token is over, too")
	}
}

// An application may have JWTs for our own endpoints. Each refresh makes another,
// and the audience is the issuer, so userinfo takes it.
func TestJWTForUserinfo(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		app := s.apps["app"]
		app.AccessTokenFormat, app.IDTokenAlg = application.TokenJWT, application.AlgEdDSA
		s.apps["app"] = app
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm("scope", "openid email offline_access")))))
		second := granted(t, s.token(refreshForm(first.RefreshToken, "scope", "openid email")))
		var ids []any
		for _, got := range []tokens{first, second} {
			claims := s.readJWT(t, got.AccessToken, keys.EdDSA)
			if ids = append(ids, claims["jti"]); claims["aud"] != issuer || claims["scope"] != got.Scope {
				t.Errorf("claims = %v, scope %q", claims, got.Scope)
			}
			if w := s.userinfo(got.AccessToken); w.Code != http.StatusOK {
				t.Errorf("userinfo = %d %s", w.Code, w.Body)
			}
		}
		if ids[0] == ids[1] {
			t.Error("two tokens have one jti")
		}
		s.clock.advance(time.Hour + time.Second)
		if w := s.userinfo(first.AccessToken); w.Code != http.StatusUnauthorized {
			t.Errorf("userinfo with an expired token = %d", w.Code)
		}
	})
}

// A client that acts for itself is the subject of its tokens.
func TestJWTOfClientCredentials(t *testing.T) {
	s := withJWTs(lite(t), "ES256")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {reports}}
	claims := s.readJWT(t, granted(t, s.token(form)).AccessToken, keys.ES256)
	if claims["sub"] != "app" || claims["client_id"] != "app" || claims["aud"] != reports {
		t.Errorf("claims = %v", claims)
	}
	for _, name := range []string{"scope", "auth_time", "acr", "amr", "cnf"} {
		if claims[name] != nil {
			t.Errorf("there is a %s: %v", name, claims[name])
		}
	}
}

// A token of one kind is not taken for one of another (RFC 8725 section 3.11), and
// who can write to the database cannot sign.
func TestJWTsAreNotConfused(t *testing.T) {
	s := lite(t)
	app := s.apps["app"]
	app.AccessTokenFormat, app.IDTokenAlg = application.TokenJWT, application.AlgES256
	s.apps["app"] = app
	issued := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
	if w := s.userinfo(issued.IDToken); w.Code != http.StatusUnauthorized {
		t.Errorf("userinfo with an ID token = %d", w.Code)
	}
	if _, err := ring().VerifyHint(t.Context(), issued.AccessToken); err == nil {
		t.Error("an access token is taken for an id_token_hint")
	}
	for name, forged := range map[string]string{"ID token": issued.IDToken, "not ours": "a.b.c"} {
		hash := op.HashToken(forged)
		if _, err := s.db.Exec(t.Context(), "UPDATE oauth_access SET hash = $1", []byte(hash)); err != nil {
			t.Fatal(err)
		}
		if w := s.userinfo(forged); w.Code != http.StatusUnauthorized {
			t.Errorf("%s with a row = %d %s", name, w.Code, w.Body)
		}
	}
}

// keySet is what is published, for go-oidc.
func (s *server) keySet(t testing.TB) oidc.KeySet {
	t.Helper()
	return oidc.NewRemoteKeySet(oidc.ClientContext(t.Context(), &http.Client{Transport: s}), issuer+op.PathKeys)
}

// A JWT that is bound to a key says so, and whoever holds the key alone can use it.
func TestJWTIsBoundToAKey(t *testing.T) {
	s := withJWTs(lite(t), "ES256")
	w := way{auth: "client_secret_basic", mode: "query", dpop: jose.ES256, resource: reports}
	got := granted(t, s.as(t, w, op.PathToken, codeForm(s.codeOf(t, w))))
	claims := s.readJWT(t, got.AccessToken, keys.ES256)
	if seen := s.introspect(t, got.AccessToken); got.TokenType != "DPoP" || claims["cnf"] == nil || !cmp.Equal(claims["cnf"], seen["cnf"]) {
		t.Errorf("token type %s, cnf = %v, introspection says %v", got.TokenType, claims["cnf"], seen["cnf"])
	}
}
