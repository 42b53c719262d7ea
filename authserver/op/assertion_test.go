package op_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
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

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
)

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clientKeys are made once: RSA keys are slow to make.
var clientKeys = sync.OnceValue(func() map[jose.SignatureAlgorithm]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[jose.SignatureAlgorithm]crypto.Signer{jose.RS256: rsaKey, jose.PS256: rsaKey, jose.ES256: ecKey, jose.EdDSA: edKey}
})

func publicJWK(t testing.TB, key crypto.Signer, kid, alg string) application.JWK {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: alg})
	if err != nil {
		t.Fatal(err)
	}
	var out application.JWK
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// signer is an application with one key for each algorithm.
func signer(t testing.TB) application.Application {
	t.Helper()
	app := confidential()
	app.AuthMethod, app.SecretHash = application.AuthPrivateKeyJWT, ""
	keys := clientKeys()
	app.JWKS = &application.JWKS{Keys: []application.JWK{
		publicJWK(t, keys[jose.RS256], "rsa", ""), publicJWK(t, keys[jose.ES256], "ec", "ES256"), publicJWK(t, keys[jose.EdDSA], "ed", ""),
	}}
	return app
}

// claimsAt are those of a good assertion; changes replace, nil removes.
func claimsAt(now time.Time, changes map[string]any) map[string]any {
	claims := map[string]any{"iss": "app", "sub": "app", "aud": issuer, "jti": rand.Text(), "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if kid == "" {
		s, err = jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *server) assertion(t testing.TB, changes map[string]any) string {
	t.Helper()
	return signed(t, jose.ES256, clientKeys()[jose.ES256], "ec", claimsAt(s.clock.Now(), changes))
}

func machineForm(assertion string, changes ...string) url.Values {
	return params(url.Values{
		"grant_type": {"client_credentials"}, "scope": {"reports"}, "client_assertion_type": {jwtBearer}, "client_assertion": {assertion},
	}, changes...)
}

func TestPrivateKeyJWT(t *testing.T) {
	s := lite(t)
	s.apps["app"] = signer(t)
	keys := clientKeys()
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		granted(t, s.do(post(op.PathToken, machineForm(signed(t, alg, keys[alg], "", claimsAt(s.clock.Now(), nil))))))
	}
	for name, changes := range map[string]map[string]any{
		"token endpoint":    {"aud": issuer + op.PathToken},
		"list of one":       {"aud": []string{issuer}},
		"list of our names": {"aud": []string{issuer, issuer + op.PathToken}},
		"no iat":            {"iat": nil},
		"clock ahead":       {"iat": s.clock.Now().Add(20 * time.Second).Unix(), "nbf": s.clock.Now().Add(20 * time.Second).Unix()},
		"clock behind":      {"exp": s.clock.Now().Add(-10 * time.Second).Unix()},
		"fraction":          {"exp": float64(s.clock.Now().Unix()) + 59.5},
		"the longest":       {"exp": s.clock.Now().Add(time.Hour).Unix()},
		"client_id as well": {},
	} {
		t.Run(name, func(t *testing.T) {
			granted(t, s.do(post(op.PathToken, machineForm(s.assertion(t, changes), "client_id", "app"))))
		})
	}
}

// Every endpoint that authenticates clients takes an assertion, also one made for
// that endpoint.
func TestPrivateKeyJWTAtEveryEndpoint(t *testing.T) {
	s := lite(t)
	s.apps["app"] = signer(t)
	token := granted(t, s.do(post(op.PathToken, machineForm(s.assertion(t, nil))))).AccessToken
	for _, c := range []struct {
		path string
		form url.Values
		code int
	}{
		{op.PathPushed, authorizeForm(), http.StatusCreated},
		{op.PathIntrospect, url.Values{"token": {token}}, http.StatusOK},
		{op.PathRevoke, url.Values{"token": {token}}, http.StatusOK},
	} {
		for _, aud := range []string{issuer, issuer + c.path} {
			form := params(c.form, "client_assertion_type", jwtBearer, "client_assertion", s.assertion(t, map[string]any{"aud": aud}))
			if w := s.do(post(c.path, form)); w.Code != c.code || c.path == op.PathIntrospect && !strings.Contains(w.Body.String(), `"active":true`) {
				t.Errorf("%s for %s = %d %s", c.path, aud, w.Code, w.Body)
			}
		}
		w := s.do(post(c.path, c.form))
		if w.Code == c.code {
			t.Errorf("%s without an assertion = %d %s", c.path, w.Code, w.Body)
		}
	}
	var form string
	if err := s.db.QueryRow(t.Context(), "SELECT form FROM pushed_request LIMIT 1").Scan(&form); err != nil || strings.Contains(form, "assertion") {
		t.Errorf("the pushed request keeps %s, %v", form, err)
	}
}

// Signing in with a code and refreshing, as most applications do.
func TestPrivateKeyJWTSignIn(t *testing.T) {
	s := lite(t)
	s.apps["app"] = signer(t)
	with := func(form url.Values) url.Values {
		return params(form, "client_assertion_type", jwtBearer, "client_assertion", s.assertion(t, nil))
	}
	got := granted(t, s.do(post(op.PathToken, with(codeForm(s.code(t, authorizeForm()))))))
	if next := granted(t, s.do(post(op.PathToken, with(refreshForm(got.RefreshToken))))); next.IDToken == "" || got.IDToken == "" {
		t.Errorf("no ID token in %+v", next)
	}
}

func TestPrivateKeyJWTRefused(t *testing.T) {
	s := lite(t)
	s.apps["app"] = signer(t)
	other := signer(t)
	other.ClientID = "other"
	s.apps["other"] = other
	now, keys := s.clock.Now(), clientKeys()
	good := claimsAt(now, nil)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaText, _ := json.Marshal(s.apps["app"].JWKS.Keys[0])
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: stranger}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(good)
	withKey, err := embedded.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	withKeyText, _ := withKey.CompactSerialize()
	encode := base64.RawURLEncoding.EncodeToString
	for name, text := range map[string]string{
		"alg none":           encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + ".",
		"HS256, public key":  signed(t, jose.HS256, rsaText, "rsa", good),
		"alg not of the key": signed(t, jose.PS256, keys[jose.PS256], "ec", good),
		"RS512":              signed(t, jose.RS512, keys[jose.RS256], "rsa", good),
		"stranger's key":     signed(t, jose.ES256, stranger, "ec", good),
		"key in the header":  withKeyText,
		"unknown kid":        signed(t, jose.ES256, keys[jose.ES256], "nope", good),
		"not a JWT":          "x",
		"JSON serialization": `{"payload":"e30","signatures":[]}`,
		"no claims":          signed(t, jose.ES256, keys[jose.ES256], "ec", nil),
		"too long":           s.assertion(t, map[string]any{"pad": strings.Repeat("x", 9000)}),
		"iss":                s.assertion(t, map[string]any{"iss": "other"}),
		"no iss":             s.assertion(t, map[string]any{"iss": nil}),
		"no sub":             s.assertion(t, map[string]any{"sub": nil}),
		"unknown client":     s.assertion(t, map[string]any{"iss": "ghost", "sub": "ghost"}),
		"public client":      s.assertion(t, map[string]any{"iss": "native", "sub": "native"}),
		"no aud":             s.assertion(t, map[string]any{"aud": nil}),
		"empty aud":          s.assertion(t, map[string]any{"aud": []string{}}),
		"other aud":          s.assertion(t, map[string]any{"aud": "https://other.example"}),
		"other endpoint":     s.assertion(t, map[string]any{"aud": issuer + op.PathRevoke}),
		"several aud":        s.assertion(t, map[string]any{"aud": []string{issuer, "https://other.example"}}),
		"aud, slash":         s.assertion(t, map[string]any{"aud": issuer + "/"}),
		"no exp":             s.assertion(t, map[string]any{"exp": nil}),
		"exp is text":        s.assertion(t, map[string]any{"exp": "1"}),
		"expired":            s.assertion(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}),
		"exp too far":        s.assertion(t, map[string]any{"exp": now.Add(time.Hour + time.Minute).Unix()}),
		"exp absurd":         s.assertion(t, map[string]any{"exp": 1e300}),
		"exp negative":       s.assertion(t, map[string]any{"exp": -1e300}),
		"nbf ahead":          s.assertion(t, map[string]any{"nbf": now.Add(time.Minute).Unix()}),
		"iat ahead":          s.assertion(t, map[string]any{"iat": now.Add(time.Minute).Unix()}),
		"no jti":             s.assertion(t, map[string]any{"jti": nil}),
		"jti too long":       s.assertion(t, map[string]any{"jti": strings.Repeat("j", 300)}),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, s.do(post(op.PathToken, machineForm(text))), http.StatusUnauthorized, "invalid_client")
		})
	}
	if n := s.count(t, "client_assertion"); n != 0 {
		t.Errorf("refused assertions used up %d jti", n)
	}
	for name, form := range map[string]url.Values{
		"secret, too":      machineForm(s.assertion(t, nil), "client_secret", appSecret.Reveal()),
		"other client_id":  machineForm(s.assertion(t, nil), "client_id", "other"),
		"assertion, twice": {"grant_type": {"client_credentials"}, "client_assertion_type": {jwtBearer}, "client_assertion": {s.assertion(t, nil), "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, s.do(post(op.PathToken, form)), http.StatusBadRequest, "invalid_request")
		})
	}
	for _, kind := range []string{"urn:ietf:params:oauth:client-assertion-type:saml2-bearer", ""} {
		form := machineForm(s.assertion(t, nil), "client_assertion_type", kind)
		refused(t, s.do(post(op.PathToken, form)), http.StatusUnauthorized, "invalid_client")
	}
	basic := post(op.PathToken, machineForm(s.assertion(t, nil)))
	basic.SetBasicAuth("app", "x")
	refused(t, s.do(basic), http.StatusBadRequest, "invalid_request")
}

// An application with a key has no secret, not even an empty one, and one with a
// secret cannot use a key.
func TestPrivateKeyJWTIsTheOnlyWay(t *testing.T) {
	s := lite(t)
	withSecret := s.apps["app"]
	s.apps["app"] = signer(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	for _, secret := range []string{"", "x", appSecret.Reveal()} {
		r := post(op.PathToken, form)
		r.SetBasicAuth("app", secret)
		refused(t, s.do(r), http.StatusUnauthorized, "invalid_client")
		refused(t, s.do(post(op.PathToken, params(form, "client_id", "app", "client_secret", secret))), http.StatusUnauthorized, "invalid_client")
	}
	withSecret.JWKS = s.apps["app"].JWKS
	s.apps["app"] = withSecret
	refused(t, s.do(post(op.PathToken, machineForm(s.assertion(t, nil)))), http.StatusUnauthorized, "invalid_client")
}

// Of many uses of an assertion one succeeds, and the name of one client's is not
// used up by another's.
func TestPrivateKeyJWTReplay(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.apps["app"] = signer(t)
		other := signer(t)
		other.ClientID = "other"
		s.apps["other"] = other
		text := s.assertion(t, map[string]any{"jti": "same"})
		codes := make([]int, 4)
		var wg sync.WaitGroup
		for i := range codes {
			wg.Go(func() { codes[i] = s.do(post(op.PathToken, machineForm(text))).Code })
		}
		wg.Wait()
		slices.Sort(codes)
		if !slices.Equal(codes, []int{200, 401, 401, 401}) {
			t.Errorf("answers = %v, want one 200", codes)
		}
		granted(t, s.do(post(op.PathToken, machineForm(s.assertion(t, map[string]any{"jti": "same", "iss": "other", "sub": "other"})))))
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{0, 2}, {2 * time.Minute, 0}} {
			_, err := s.store.DeleteExpired(t.Context(), s.clock.Now().Add(c.after), 100)
			if n := s.count(t, "client_assertion"); err != nil || n != c.want {
				t.Errorf("%s later there are %d rows, %v; want %d", c.after, n, err, c.want)
			}
		}
	})
}

// A new key at jwks_uri is found by its kid.
func TestPrivateKeyJWTFromJWKSURI(t *testing.T) {
	s := lite(t)
	app := signer(t)
	set := application.JWKS{Keys: app.JWKS.Keys[:1]}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(set) }))
	defer web.Close()
	rotated := app.JWKS.Keys
	app.JWKS, app.JWKSURI = nil, web.URL
	s.apps["app"] = app
	keys := clientKeys()
	granted(t, s.do(post(op.PathToken, machineForm(signed(t, jose.RS256, keys[jose.RS256], "rsa", claimsAt(s.clock.Now(), nil))))))
	set.Keys = rotated
	refused(t, s.do(post(op.PathToken, machineForm(s.assertion(t, nil)))), http.StatusUnauthorized, "invalid_client")
	s.clock.advance(time.Minute)
	granted(t, s.do(post(op.PathToken, machineForm(s.assertion(t, nil)))))
}

// FuzzAssertion sends any assertion. None of them is signed with the application's
// key, so nothing may come of it.
func FuzzAssertion(f *testing.F) {
	s := quiet(f)
	s.apps["app"] = signer(f)
	f.Add("x")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	good := s.assertion(f, map[string]any{"aud": "https://other.example"})
	f.Add(good)
	f.Add(good[:len(good)-2])
	f.Add("eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"app","sub":"app","aud":[{}],"exp":1e999}`)) + ".AA")
	f.Fuzz(func(t *testing.T, text string) {
		if w := s.do(post(op.PathToken, machineForm(text))); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
			t.Fatalf("answer = %d %s", w.Code, w.Body)
		}
	})
}
