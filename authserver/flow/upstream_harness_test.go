package flow_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// provider is an OpenID provider in this process that signs its person in without
// asking, and lies where it is told to.
type provider struct {
	t      testing.TB
	server *httptest.Server
	key    *ecdsa.PrivateKey
	now    func() time.Time

	mu     sync.Mutex
	person map[string]any // claims of the ID token
	info   map[string]any // claims of UserInfo
	codes  map[string]url.Values

	lieToken    func(claims map[string]any)   // changes an ID token before it is signed
	lieSign     func(payload []byte) string   // signs it some other way
	lieAnswer   func(q url.Values)            // changes the answer to the browser
	lieMetadata func(metadata map[string]any) // changes the discovery document
	instead     map[string]http.HandlerFunc   // answers a path in its place
	asked       url.Values                    // the last authorization request
}

func newProvider(t testing.TB, now func() time.Time) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	p := &provider{
		t: t, key: key, now: now, codes: map[string]url.Values{}, info: map[string]any{"sub": "g-1"}, instead: map[string]http.HandlerFunc{},
		person: map[string]any{"sub": "g-1", "preferred_username": "grace", "email": "grace@corp.example", "email_verified": true, "given_name": "Grace", "family_name": "Hopper", "amr": []string{"pwd", "otp"}, "roles": []string{"staff"}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /jwks", p.jwks)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { p.json(w, p.info) })
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if h, ok := p.instead[r.URL.Path]; ok {
			h(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) discovery(w http.ResponseWriter, _ *http.Request) {
	metadata := map[string]any{
		"issuer": p.server.URL, "authorization_endpoint": p.server.URL + "/authorize", "token_endpoint": p.server.URL + "/token",
		"jwks_uri": p.server.URL + "/jwks", "userinfo_endpoint": p.server.URL + "/userinfo", "end_session_endpoint": p.server.URL + "/logout?tenant=1",
		"id_token_signing_alg_values_supported": []string{"ES256", "none"}, "authorization_response_iss_parameter_supported": true,
	}
	if p.lieMetadata != nil {
		p.lieMetadata(metadata)
	}
	p.json(w, metadata)
}

func (p *provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.json(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.asked = r.URL.Query()
	code := base64.RawURLEncoding.EncodeToString([]byte(p.asked.Get("state")))[:20]
	p.codes[code] = p.asked
	answer := url.Values{"code": {code}, "state": {p.asked.Get("state")}, "iss": {p.server.URL}}
	if p.lieAnswer != nil {
		p.lieAnswer(answer)
	}
	http.Redirect(w, r, p.asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

// token checks what an honest provider would: client, code, redirect URI and PKCE.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.codes[r.PostFormValue("code")]
	id, secret, _ := r.BasicAuth()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || id != "anteroom" || secret != "s3cret" || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge") || asked.Get("code_challenge_method") != "S256" {
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]any{"error": "invalid_grant"})
		return
	}
	delete(p.codes, r.PostFormValue("code"))
	p.json(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": p.idToken(asked.Get("nonce"))})
}

func (p *provider) idToken(nonce string) string {
	now := p.now()
	claims := map[string]any{"iss": p.server.URL, "aud": "anteroom", "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(claims, p.person)
	if p.lieToken != nil {
		p.lieToken(claims)
	}
	payload, err := json.Marshal(claims)
	must(p.t, err)
	if p.lieSign != nil {
		return p.lieSign(payload)
	}
	return signed(p.t, jose.ES256, p.key, payload)
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	must(t, err)
	jws, err := signer.Sign(payload)
	must(t, err)
	text, err := jws.CompactSerialize()
	must(t, err)
	return text
}

func unsigned(payload []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."
}

// federate offers the provider as upstream "corp".
func (s *stack) federate(p *provider, change ...func(*federation.Upstream)) {
	s.t.Helper()
	s.driver.Upstreams = &federation.Service{
		Issuer: s.server.URL, Upstreams: store.Upstreams{DB: s.db, Sealer: plainSealer{}}, Attempts: store.Attempts{DB: s.db, Sealer: plainSealer{}},
		Links: store.Links{DB: s.db}, Users: s.users, Emails: store.Users{DB: s.db}, Departures: store.Departures{DB: s.db, Sealer: plainSealer{}}, HTTP: &http.Client{Transport: http.DefaultTransport}, Now: s.clock.Now,
	}
	s.offer("corp", p, change...)
}

func (s *stack) offer(name string, p *provider, change ...func(*federation.Upstream)) {
	s.t.Helper()
	u := federation.New(name)
	u.Issuer, u.ClientID, u.ClientSecret, u.Button, u.JIT = p.server.URL, "anteroom", "s3cret", "Corp", federation.JITOn
	u.Domains, u.Claims["groups"] = []string{name + ".example"}, "roles"
	for _, f := range change {
		f(&u)
	}
	if problems := u.Check(); len(problems) > 0 {
		s.t.Fatal(problems)
	}
	must(s.t, store.Upstreams{DB: s.db, Sealer: plainSealer{}}.Put(s.t.Context(), u))
}

// with presses the upstream's button.
func (b *browser) with(name string) *browser {
	b.t.Helper()
	form := b.fill("/sign-in/with", nil)
	form.Set("upstream", name)
	return b.post("/sign-in/with", form)
}

// answer is where the provider sends the browser, which is at its door.
func (b *browser) answer(p *provider) string {
	b.t.Helper()
	if !strings.HasPrefix(b.page.url.String(), p.server.URL+"/authorize?") {
		b.t.Fatalf("at %s (%d), want the upstream\n%s", b.page.url, b.page.status, b.page.text())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.page.url.String(), nil)
	must(b.t, err)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	must(b.t, err)
	defer func() { _ = res.Body.Close() }()
	to, err := res.Location()
	must(b.t, err)
	return to.RequestURI()
}

// through lets the provider sign its person in and follows it back.
func (b *browser) through(p *provider) *browser {
	b.t.Helper()
	return b.get(b.answer(p))
}

// people is what a refused sign-in must leave as it was.
func people(t testing.TB, db *sqldb.DB) (users, links, sessions int) {
	t.Helper()
	for query, into := range map[string]*int{
		`SELECT COUNT(*) FROM users`: &users, `SELECT COUNT(*) FROM federated_identity`: &links, `SELECT COUNT(*) FROM sessions`: &sessions,
	} {
		must(t, db.QueryRow(t.Context(), query).Scan(into))
	}
	return users, links, sessions
}
