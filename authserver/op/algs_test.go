package op_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
)

// RoundTrip lets an HTTP client talk to the server.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) { return s.do(r).Result(), nil }

// relyingParty verifies as an application does: with what discovery says and the
// keys that are published.
func (s *server) relyingParty(t testing.TB) *oidc.IDTokenVerifier {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: s})
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return provider.VerifierContext(ctx, &oidc.Config{ClientID: "app"})
}

// publishedKey returns the key with which a token of that algorithm verifies.
func (s *server) publishedKey(t testing.TB, kid string) jose.JSONWebKey {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.do(httptest.NewRequest(http.MethodGet, op.PathKeys, nil)).Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	found := set.Key(kid)
	if len(found) != 1 {
		t.Fatalf("%d published keys %q, want one", len(found), kid)
	}
	return found[0]
}

// An ID token has the algorithm its application registered, from the code and from
// a refresh token, and libraries verify it with its at_hash.
func TestIDTokenAlgorithms(t *testing.T) {
	s := lite(t)
	rp := s.relyingParty(t)
	for _, alg := range keys.Algs() {
		app := s.apps["app"]
		app.IDTokenAlg = string(alg)
		s.apps["app"] = app
		first := granted(t, s.token(codeForm(s.code(t, authorizeForm()))))
		for _, got := range []tokens{first, granted(t, s.token(refreshForm(first.RefreshToken)))} {
			token, err := rp.Verify(t.Context(), got.IDToken)
			if err != nil {
				t.Errorf("%s: go-oidc: %v", alg, err)
				continue
			}
			if err := token.VerifyAccessToken(got.AccessToken); err != nil || token.Subject != string(alice) {
				t.Errorf("%s: at_hash: %v, subject %s", alg, err, token.Subject)
			}
			signed, err := jose.ParseSignedCompact(got.IDToken, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Errorf("%s: go-jose: %v", alg, err)
				continue
			}
			if _, err := signed.Verify(s.publishedKey(t, signed.Signatures[0].Header.KeyID).Key); err != nil {
				t.Errorf("%s: go-jose: %v", alg, err)
			}
		}
	}
}
