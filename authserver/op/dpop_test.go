package op_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/op"
)

// holder is who proves to have a key.
type holder struct {
	key crypto.Signer
	alg jose.SignatureAlgorithm
}

func holderOf(alg jose.SignatureAlgorithm) holder { return holder{clientKeys()[alg], alg} }

func newHolder(t testing.TB) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key, jose.ES256}
}

func (h holder) jkt(t testing.TB) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof makes one for the method and path; changes of header and claims replace, nil
// removes.
func (h holder) proof(t testing.TB, s *server, method, path string, header, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"jti": rand.Text(), "htm": method, "htu": issuer + path, "iat": s.clock.Now().Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return h.sign(t, header, payload)
}

func (h holder) sign(t testing.TB, changes map[string]any, payload []byte) string {
	t.Helper()
	header := map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: h.key.Public()}}
	maps.Copy(header, changes)
	o := &jose.SignerOptions{}
	for name, v := range header {
		if v != nil {
			o.WithHeader(jose.HeaderKey(name), v)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: h.alg, Key: h.key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proving posts a form as the confidential application, with proofs.
func (s *server) proving(path string, form url.Values, proofs ...string) *httptest.ResponseRecorder {
	r := post(path, form)
	r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	r.Header["Dpop"] = proofs
	return s.do(r)
}

var ownForm = url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}}

// proven posts a request of the application for itself.
func (s *server) proven(proofs ...string) *httptest.ResponseRecorder {
	return s.proving(op.PathToken, ownForm, proofs...)
}

func TestDPoPProof(t *testing.T) {
	s := lite(t)
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA} {
		h := holderOf(alg)
		got := granted(t, s.proven(h.proof(t, s, http.MethodPost, op.PathToken, nil, nil)))
		info := s.introspect(t, got.AccessToken)
		if got.TokenType != "DPoP" || info["token_type"] != "DPoP" || fmt.Sprint(info["cnf"]) != fmt.Sprint(map[string]any{"jkt": h.jkt(t)}) {
			t.Errorf("%s: tokens = %+v, introspection = %v", alg, got, info)
		}
	}
	h, now := newHolder(t), s.clock.Now()
	for name, claims := range map[string]map[string]any{
		"query and fragment": {"htu": issuer + op.PathToken + "?a=b#c"},
		"scheme, upper case": {"htu": "HTTP://127.0.0.1:8080/oauth2/token"},
		"dot segments":       {"htu": issuer + "/x/../oauth2/./token"},
		"escaped letter":     {"htu": issuer + "/oauth2/%74oken"},
		"clock ahead":        {"iat": now.Add(20 * time.Second).Unix()},
		"clock behind":       {"iat": now.Add(-80 * time.Second).Unix()},
		"fraction":           {"iat": float64(now.Unix()) + 0.5},
		"nbf and exp":        {"nbf": now.Unix(), "exp": now.Add(time.Minute).Unix()},
		"ath, which is idle": {"ath": "x", "nonce": "y", "more": []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			granted(t, s.proven(h.proof(t, s, http.MethodPost, op.PathToken, nil, claims)))
		})
	}
	granted(t, s.proven(h.proof(t, s, http.MethodPost, op.PathToken, map[string]any{"more": "x", "kid": "k"}, nil)))
	// Some libraries escape the plus sign.
	granted(t, s.proven(h.proof(t, s, http.MethodPost, op.PathToken, map[string]any{"typ": json.RawMessage(`"dpop\u002Bjwt"`)}, nil)))
}

// What a client calls the server is its issuer, whatever a Host header says, with or
// without the port that its scheme implies.
func TestDPoPAddress(t *testing.T) {
	s := lite(t)
	h := newHolder(t)
	ask := func(s *server, host, htu string) *httptest.ResponseRecorder {
		r := post(op.PathToken, ownForm)
		r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
		r.Host = host
		r.Header.Set("DPoP", h.proof(t, s, http.MethodPost, "", nil, map[string]any{"htu": htu}))
		return s.do(r)
	}
	granted(t, ask(s, "internal.example", issuer+op.PathToken))
	refused(t, ask(s, "evil.example", "http://evil.example/oauth2/token"), http.StatusBadRequest, "invalid_dpop_proof")
	secure := newServer(t, s.db, func(o *op.Options) { o.Issuer = "https://id.example" })
	granted(t, ask(secure, "id.example", "https://ID.Example:443/oauth2/token"))
	granted(t, ask(secure, "id.example:443", "https://id.example/oauth2/token"))
	refused(t, ask(secure, "id.example", "http://id.example/oauth2/token"), http.StatusBadRequest, "invalid_dpop_proof")
}

// Each of them is refused for its own reason.
func TestDPoPProofRefused(t *testing.T) {
	s := lite(t)
	h, now := newHolder(t), s.clock.Now()
	with := func(header, claims map[string]any) string {
		return h.proof(t, s, http.MethodPost, op.PathToken, header, claims)
	}
	good := with(nil, nil)
	jwk := func(key any, changes map[string]any) map[string]any {
		raw, err := json.Marshal(jose.JSONWebKey{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		members := map[string]any{}
		if err := json.Unmarshal(raw, &members); err != nil {
			t.Fatal(err)
		}
		maps.Copy(members, changes)
		return map[string]any{"jwk": members}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := clientKeys()[jose.RS256].(*rsa.PrivateKey)
	encode := base64.RawURLEncoding.EncodeToString
	_, signature, _ := strings.Cut(good[strings.Index(good, ".")+1:], ".")
	none := encode([]byte(`{"alg":"none","typ":"dpop+jwt","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}`))
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))},
		(&jose.SignerOptions{}).WithType("dpop+jwt").WithHeader("jwk", jose.JSONWebKey{Key: h.key.Public()}))
	if err != nil {
		t.Fatal(err)
	}
	symmetric, err := hmac.Sign([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	symmetricText, _ := symmetric.CompactSerialize()
	for name, c := range map[string]struct{ proof, cause string }{
		"empty":             {"", "not a JWT"},
		"not a JWT":         {"x", "not a JWT"},
		"two in one header": {good + ", " + good, "not a JWT signed"},
		"JSON":              {`{"payload":"e30","signatures":[]}`, "not a JWT"},
		"too long":          {with(nil, map[string]any{"pad": strings.Repeat("x", 7000)}), "too long"},
		"no typ":            {with(map[string]any{"typ": nil}, nil), "typ must be"},
		"typ JWT":           {with(map[string]any{"typ": "JWT"}, nil), "typ must be"},
		"alg none":          {none + "." + encode([]byte(`{}`)) + ".", "not a JWT signed"},
		"alg HS256":         {symmetricText, "not a JWT signed"},
		"alg RS512":         {holder{rsaKey, jose.RS512}.proof(t, s, http.MethodPost, op.PathToken, nil, nil), "not a JWT signed"},
		"alg ES384":         {holder{p384, jose.ES384}.proof(t, s, http.MethodPost, op.PathToken, nil, nil), "P-256"},
		"unknown crit":      {with(map[string]any{"crit": []string{"x"}, "x": 1}, nil), "does not verify"},
		"no jwk":            {with(map[string]any{"jwk": nil}, nil), "jwk is missing"},
		"jwk is text":       {with(map[string]any{"jwk": "x"}, nil), "not a key"},
		"jwk is null":       {with(map[string]any{"jwk": json.RawMessage("null")}, nil), "not a valid key"},
		"JWK":               {with(map[string]any{"jwk": nil, "JWK": jose.JSONWebKey{Key: h.key.Public()}}, nil), "jwk is missing"},
		"TYP":               {with(map[string]any{"typ": nil, "TYP": "dpop+jwt"}, nil), "typ must be"},
		"private EC key":    {with(map[string]any{"jwk": jose.JSONWebKey{Key: h.key}}, nil), "private key"},
		"private RSA key":   {holder{rsaKey, jose.PS256}.proof(t, s, http.MethodPost, op.PathToken, map[string]any{"jwk": jose.JSONWebKey{Key: rsaKey}}, nil), "private key"},
		"a prime alone":     {holder{rsaKey, jose.PS256}.proof(t, s, http.MethodPost, op.PathToken, jwk(&rsaKey.PublicKey, map[string]any{"p": "AQ"}), nil), "private key"},
		"symmetric key":     {with(jwk([]byte("secret"), nil), nil), "private key"},
		"key to encrypt":    {with(jwk(h.key.Public(), map[string]any{"use": "enc"}), nil), "use must be sig"},
		"key of RS256":      {holder{rsaKey, jose.PS256}.proof(t, s, http.MethodPost, op.PathToken, jwk(&rsaKey.PublicKey, map[string]any{"alg": "RS256"}), nil), "alg does not belong"},
		"another's key":     {with(jwk(newHolder(t).key.Public(), nil), nil), "does not verify"},
		"key of other type": {with(jwk(&rsaKey.PublicKey, nil), nil), "alg does not belong"},
		"short RSA key":     {with(map[string]any{"jwk": map[string]any{"kty": "RSA", "n": "vRIP-s6Wdqh3mMKFOw7VzQ", "e": "AQAB"}}, nil), "2048 bits"},
		"no point":          {with(map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, nil), "not a valid key"},
		"signature":         {strings.TrimSuffix(good, signature) + with(nil, nil)[len(good)-len(signature):], "does not verify"},
		"claims are a list": {h.sign(t, nil, []byte(`[]`)), "wrong type"},
		"no jti":            {with(nil, map[string]any{"jti": nil}), "jti is missing"},
		"jti too long":      {with(nil, map[string]any{"jti": strings.Repeat("j", 300)}), "too long"},
		"jti is a number":   {with(nil, map[string]any{"jti": 1}), "wrong type"},
		"no htm":            {with(nil, map[string]any{"htm": nil}), "htm is missing"},
		"htm GET":           {with(nil, map[string]any{"htm": "GET"}), "htm is not POST"},
		"htm, lower case":   {with(nil, map[string]any{"htm": "post"}), "htm is not POST"},
		"no htu":            {with(nil, map[string]any{"htu": nil}), "htu is missing"},
		"other endpoint":    {with(nil, map[string]any{"htu": issuer + op.PathPushed}), "htu is not"},
		"other host":        {with(nil, map[string]any{"htu": "http://evil.example:8080/oauth2/token"}), "htu is not"},
		"other port":        {with(nil, map[string]any{"htu": "http://127.0.0.1/oauth2/token"}), "htu is not"},
		"other scheme":      {with(nil, map[string]any{"htu": "https://127.0.0.1:8080/oauth2/token"}), "htu is not"},
		"path alone":        {with(nil, map[string]any{"htu": op.PathToken}), "htu is not"},
		"slash at the end":  {with(nil, map[string]any{"htu": issuer + op.PathToken + "/"}), "htu is not"},
		"escaped slash":     {with(nil, map[string]any{"htu": issuer + "/oauth2%2ftoken"}), "htu is not"},
		"user":              {with(nil, map[string]any{"htu": "http://u@127.0.0.1:8080/oauth2/token"}), "htu is not"},
		"no address":        {with(nil, map[string]any{"htu": "%"}), "htu is not"},
		"no iat":            {with(nil, map[string]any{"iat": nil}), "iat is missing"},
		"iat is text":       {with(nil, map[string]any{"iat": "1"}), "wrong type"},
		"iat absurd":        {with(nil, map[string]any{"iat": 1e300}), "future"},
		"iat ahead":         {with(nil, map[string]any{"iat": now.Add(time.Minute).Unix()}), "future"},
		"iat long ago":      {with(nil, map[string]any{"iat": now.Add(-2 * time.Minute).Unix()}), "too long ago"},
		"nbf ahead":         {with(nil, map[string]any{"nbf": now.Add(time.Minute).Unix()}), "nbf"},
		"expired":           {with(nil, map[string]any{"exp": now.Add(-time.Minute).Unix()}), "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refused(t, s.proven(c.proof), http.StatusBadRequest, "invalid_dpop_proof"); !strings.Contains(got.Description, c.cause) {
				t.Errorf("refused because %q, want %q", got.Description, c.cause)
			}
		})
	}
	if got := refused(t, s.proven(good, with(nil, nil)), http.StatusBadRequest, "invalid_dpop_proof"); !strings.Contains(got.Description, "more than one") {
		t.Errorf("two headers: %q", got.Description)
	}
	if n := s.count(t, "dpop_proof"); n != 0 {
		t.Errorf("refused proofs left %d rows", n)
	}
	granted(t, s.proven(good)) // and none of it used it up
}

// Of many uses of a proof one succeeds, whichever server is asked, and another key's
// jti is another. The rows go when no proof of that age is taken.
func TestDPoPReplay(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		h := newHolder(t)
		same := map[string]any{"jti": "same"}
		text := h.proof(t, s, http.MethodPost, op.PathToken, nil, same)
		won := 0
		for _, w := range parallel(4, func() *httptest.ResponseRecorder { return s.proven(text) }) {
			if w.Code == http.StatusOK {
				won++
				continue
			}
			if got := refused(t, w, http.StatusBadRequest, "invalid_dpop_proof"); !strings.Contains(got.Description, "used before") {
				t.Errorf("refused because %q", got.Description)
			}
		}
		if won != 1 {
			t.Errorf("%d of 4 uses at once succeeded, want 1", won)
		}
		refused(t, newServer(t, s.db).proven(text), http.StatusBadRequest, "invalid_dpop_proof")
		granted(t, s.proven(newHolder(t).proof(t, s, http.MethodPost, op.PathToken, nil, same)))
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{80 * time.Second, 2}, {3 * time.Minute, 0}} {
			_, err := s.store.DeleteExpired(t.Context(), s.clock.Now().Add(c.after), 100)
			if n := s.count(t, "dpop_proof"); err != nil || n != c.want {
				t.Errorf("%s later there are %d rows, %v; want %d", c.after, n, err, c.want)
			}
		}
	})
}

// resource asks for userinfo with an Authorization header and proofs.
func (s *server) resource(authorization string, proofs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, op.PathUserinfo, nil)
	r.Header.Set("Authorization", authorization)
	r.Header["Dpop"] = proofs
	return s.do(r)
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestDPoPUserinfo(t *testing.T) {
	s := lite(t)
	h := newHolder(t)
	issue := func() tokens {
		return granted(t, s.proving(op.PathToken, codeForm(s.code(t, authorizeForm())), h.proof(t, s, http.MethodPost, op.PathToken, nil, nil)))
	}
	access, other := issue().AccessToken, issue().AccessToken
	free := granted(t, s.token(codeForm(s.code(t, authorizeForm())))).AccessToken
	with := func(h holder, claims map[string]any) string {
		all := map[string]any{"ath": hashOf(access)}
		maps.Copy(all, claims)
		return h.proof(t, s, http.MethodGet, op.PathUserinfo, nil, all)
	}
	used := with(h, nil)
	for _, w := range []*httptest.ResponseRecorder{s.resource("DPoP "+access, used), s.resource("dpop  "+access, with(h, map[string]any{"htu": issuer + op.PathUserinfo + "?x"}))} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), string(alice)) {
			t.Fatalf("userinfo = %d %s", w.Code, w.Body)
		}
	}
	inBody := post(op.PathUserinfo, url.Values{"access_token": {access}})
	inBody.Header.Set("DPoP", h.proof(t, s, http.MethodPost, op.PathUserinfo, nil, map[string]any{"ath": hashOf(access)}))
	for name, c := range map[string]struct {
		w           *httptest.ResponseRecorder
		code, cause string
	}{
		"bearer":           {s.resource("Bearer "+access, with(h, nil)), "invalid_token", "type DPoP"},
		"in the body":      {s.do(inBody), "invalid_token", "type DPoP"},
		"a bearer token":   {s.resource("DPoP "+free, with(h, map[string]any{"ath": hashOf(free)})), "invalid_token", "type Bearer"},
		"unknown token":    {s.resource("DPoP x", with(h, map[string]any{"ath": hashOf("x")})), "invalid_token", "not valid"},
		"no proof":         {s.resource("DPoP " + access), "invalid_dpop_proof", "none came"},
		"two proofs":       {s.resource("DPoP "+access, with(h, nil), with(h, nil)), "invalid_dpop_proof", "more than one"},
		"used before":      {s.resource("DPoP "+access, used), "invalid_dpop_proof", "used before"},
		"another key":      {s.resource("DPoP "+access, with(newHolder(t), nil)), "invalid_dpop_proof", "bound to"},
		"no ath":           {s.resource("DPoP "+access, with(h, map[string]any{"ath": nil})), "invalid_dpop_proof", "ath"},
		"another's ath":    {s.resource("DPoP "+access, with(h, map[string]any{"ath": hashOf(other)})), "invalid_dpop_proof", "ath"},
		"another's method": {s.resource("DPoP "+access, with(h, map[string]any{"htm": "POST"})), "invalid_dpop_proof", "htm"},
		"another's place":  {s.resource("DPoP "+access, with(h, map[string]any{"htu": issuer + op.PathToken})), "invalid_dpop_proof", "htu"},
		"garbage":          {s.resource("DPoP "+access, "x"), "invalid_dpop_proof", "not a JWT"},
	} {
		got := decodeTokens(t, c.w)
		if c.w.Code != http.StatusUnauthorized || got.Error != c.code || !strings.Contains(got.Description, c.cause) {
			t.Errorf("%s: %d %s; want 401 %s because of %q", name, c.w.Code, c.w.Body, c.code, c.cause)
		}
		checkChallenges(t, name, c.w, name == "bearer" || name == "in the body", c.code)
	}
	if w := s.resource("DPoP"); w.Code != http.StatusBadRequest {
		t.Errorf("no token: %d, want 400", w.Code)
	}
	checkChallenges(t, "nothing", s.do(httptest.NewRequest(http.MethodGet, op.PathUserinfo, nil)), true, "")
	if n := s.count(t, "dpop_proof"); n != 4 { // two to redeem, two to ask
		t.Errorf("%d proofs were used up, want 4", n)
	}
}

// checkChallenges wants both schemes offered, the one that was tried first.
func checkChallenges(t *testing.T, name string, w *httptest.ResponseRecorder, bearerFirst bool, code string) {
	t.Helper()
	said := w.Header().Values("WWW-Authenticate")
	if len(said) != 2 || strings.HasPrefix(said[0], "Bearer ") != bearerFirst || strings.HasPrefix(said[1], "Bearer ") == bearerFirst {
		t.Fatalf("%s: challenges %q", name, said)
	}
	if dpop := strings.Join(said, "\n"); !strings.Contains(dpop, `DPoP realm="userinfo", algs="ES256 RS256 PS256 EdDSA"`) {
		t.Errorf("%s: challenges %q without algorithms", name, said)
	}
	if code != "" && !strings.Contains(said[0], `error="`+code+`"`) || strings.Contains(said[1], "error=") {
		t.Errorf("%s: challenges %q, want %q in the first alone", name, said, code)
	}
}

// FuzzDPoP sends any proof. None of them is signed with a key whose proof it could be:
// a token may come of none.
func FuzzDPoP(f *testing.F) {
	s := quiet(f)
	h := newHolder(f)
	good := h.proof(f, s, http.MethodGet, op.PathToken, nil, nil)
	f.Add("x")
	f.Add(good)
	f.Add(good[:len(good)-2])
	f.Add(h.proof(f, s, http.MethodPost, op.PathToken, map[string]any{"crit": []string{"b64"}, "b64": false}, map[string]any{"iat": 1}))
	f.Add(h.proof(f, s, http.MethodPost, op.PathToken, nil, map[string]any{"iat": 1e300, "htu": "http://[::1/%zz"}))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"RS256","jwk":{"kty":"RSA","n":"AA","e":"AAAA"}}`)) + ".e30.AA")
	f.Fuzz(func(t *testing.T, text string) {
		w := s.proven(text)
		got := decodeTokens(t, w)
		if w.Code != http.StatusBadRequest || got.Error != "invalid_dpop_proof" || strings.ContainsAny(got.Description, "\"\\") {
			t.Fatalf("answer = %d %s", w.Code, w.Body)
		}
	})
}
