package op_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/clientkeys"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

const (
	issuer      = "http://127.0.0.1:8080"
	callback    = "https://app.example/cb"
	afterLogout = "https://app.example/out"
	appSecret   = sdk.Secret("a-secret-of-the-application")
	alice       = provisioning.UserID("user-alice")
	verifier    = "0123456789012345678901234567890123456789abc"
	givenState  = "state-of-the-application"
	givenNonce  = "nonce-of-the-application"
	everything  = "openid profile email offline_access provisioning"
	formURLType = "application/x-www-form-urlencoded"
)

func challengeOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// clock is real time with an offset: fosite cannot be given another clock.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UTC()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

type applications map[provisioning.ClientID]application.Application

func (a applications) Get(_ context.Context, id provisioning.ClientID) (application.Application, error) {
	app, ok := a[id]
	if !ok {
		return application.Application{}, application.ErrNotFound
	}
	return app, nil
}

type resourceServers map[string]resourceserver.Server

func (r resourceServers) Get(_ context.Context, identifier string) (resourceserver.Server, error) {
	s, ok := r[identifier]
	if !ok {
		return s, resourceserver.ErrNotFound
	}
	return s, nil
}

// ledger is the gate's world: one answer for every user.
type ledger struct {
	mu        sync.Mutex
	standings []provisioning.Standing
	inactive  bool
	decisions []provisioning.Decision
	committed []provisioning.Decision // those whose transaction was kept
	db        *sqldb.DB
	err       error
	wanted    func(*ledger) // what the runner makes of new work at once
}

func (l *ledger) set(change func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *ledger) Standings(context.Context, provisioning.ClientID, provisioning.UserID) ([]provisioning.Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.standings, l.err
}

func (l *ledger) Active(context.Context, provisioning.UserID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.inactive, nil
}

func (l *ledger) Add(ctx context.Context, d provisioning.Decision) error {
	l.db.AfterCommit(ctx, func() { l.set(func(l *ledger) { l.committed = append(l.committed, d) }) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.decisions = append(l.decisions, d)
	return nil
}

func (*ledger) Forfeit(context.Context, provisioning.Loss, time.Time) error { return nil }

func (l *ledger) Want(context.Context, provisioning.Wish, time.Time) error {
	if l.wanted != nil {
		l.set(l.wanted)
	}
	return nil
}

func (l *ledger) Hasten(context.Context, provisioning.UserID, []provisioning.TargetName, time.Time) error {
	return nil
}

func (l *ledger) Retry(context.Context, provisioning.UserID, []provisioning.TargetName, time.Time) (int, error) {
	return 0, nil
}

// signIns is the flow with a fixed answer: by default alice just signed in.
type signIns struct {
	gate *provisioning.Gate
	now  func() time.Time

	mu      sync.Mutex
	step    flow.Step
	prepare func(*flow.SignIn)          // changes a new sign-in
	permit  func(*flow.SignIn) error    // before the gate is asked
	issued  func(context.Context) error // instead of recording
	rows    map[flow.ID]flow.SignIn     // as begun
	begun   []flow.AuthorizeRequest     // in order
	answers map[flow.ID]string          // responses recorded
	ended   map[flow.ID]bool
	out     []flow.SignOutRequest // sign-outs, in order
}

func (s *signIns) SignOut(w http.ResponseWriter, _ *http.Request, req flow.SignOutRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, req)
	_, err := io.WriteString(w, "signed out")
	return err
}

func (s *signIns) Begin(_ http.ResponseWriter, _ *http.Request, req flow.AuthorizeRequest) (*flow.SignIn, flow.Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := flow.SignIn{
		ID: flow.ID(rand.Text()), Reference: "REF-1", Request: req, User: alice, Session: "sso", SID: "sid-1", AMR: []string{"pwd"}, Fresh: true,
		CreatedAt: s.now(), AuthTime: s.now().Add(time.Second), Status: flow.StatusOpen,
	}
	if s.prepare != nil {
		s.prepare(&row)
	}
	s.rows[row.ID] = row
	s.begun = append(s.begun, req)
	return &row, s.step, nil
}

func (s *signIns) Resume(_ http.ResponseWriter, _ *http.Request, id flow.ID) (*flow.SignIn, flow.Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.rows[id]
	if !ok {
		return nil, flow.Step{}, flow.ErrUnknown
	}
	if answer, ok := s.answers[id]; ok {
		return &row, flow.Step{Action: flow.ActionReplay, Response: answer}, nil
	}
	return &row, s.step, nil
}

func (s *signIns) Permit(ctx context.Context, row *flow.SignIn) (provisioning.Permit, error) {
	if s.permit != nil {
		if err := s.permit(row); err != nil {
			return provisioning.Permit{}, err
		}
	}
	permit, decision, err := s.gate.Permit(ctx, provisioning.Request{
		Client: row.Request.Client, User: row.User, Grant: provisioning.GrantAuthorize, SignIn: string(row.ID),
	})
	if err == nil && decision.Verdict != provisioning.VerdictPermit {
		err = flow.ErrNotYet
	}
	return permit, err
}

func (s *signIns) Issued(ctx context.Context, row *flow.SignIn, _ provisioning.Permit, response string) error {
	if s.issued != nil {
		if err := s.issued(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.answers[row.ID]; ok {
		return flow.ErrStale
	}
	s.answers[row.ID] = response
	return nil
}

func (s *signIns) Ended(_ context.Context, row *flow.SignIn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[row.ID] = true
	return nil
}

type users struct{ profile provisioning.Profile }

func (u users) Profile(_ context.Context, id provisioning.UserID) (provisioning.Profile, error) {
	if id != u.profile.ID {
		return provisioning.Profile{}, provisioning.ErrUserNotFound
	}
	return u.profile, nil
}

type accounts struct{}

func (accounts) Provisioned(context.Context, provisioning.ClientID, provisioning.UserID) (map[provisioning.TargetName]op.Account, error) {
	return map[provisioning.TargetName]op.Account{"directory": {ID: "ext-1", State: provisioning.StateInSync}}, nil
}

type pages struct{}

func (pages) Error(w http.ResponseWriter, _ *http.Request, status int, page op.ErrorPage) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "page: "+page.Code+": "+page.Description+" ref "+page.Reference+" back "+page.Link)
}

func (pages) FormPost(w http.ResponseWriter, _ *http.Request, action string, fields url.Values) {
	_, _ = io.WriteString(w, "post to "+action+": "+fields.Encode())
}

// keyStore keeps the one ring all tests share: RSA keys are slow to make.
type keyStore struct{ keys []keys.StoredKey }

func (k *keyStore) InTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (k *keyStore) SigningKeys(context.Context) ([]keys.StoredKey, error) { return k.keys, nil }

func (k *keyStore) AddSigningKey(_ context.Context, key keys.StoredKey) (bool, error) {
	k.keys = append(k.keys, key)
	return true, nil
}

func (k *keyStore) RetireSigningKeys(context.Context, keys.Alg, int, time.Time) error { return nil }

var ring = sync.OnceValue(func() *keys.Ring {
	text, err := keys.GenerateKeyset()
	if err != nil {
		panic(err)
	}
	sealer, err := keys.NewSealer(text)
	if err != nil {
		panic(err)
	}
	r := keys.NewRing(&keyStore{}, sealer, time.Now)
	if err := r.Load(context.Background()); err != nil {
		panic(err)
	}
	return r
})

// server is a provider on a real database with everything else faked.
type server struct {
	http.Handler
	db       *sqldb.DB
	store    *store.OAuth
	clock    *clock
	apps     applications
	servers  resourceServers
	ledger   *ledger
	signIns  *signIns
	users    *users
	subjects *subject.Service
	log      *strings.Builder
}

func confidential() application.Application {
	app := application.New("app", "The application")
	app.RedirectURIs = []string{callback}
	app.SecretHash = application.HashSecret(appSecret)
	app.GrantTypes = append(app.GrantTypes, application.GrantClientCredentials, application.GrantDeviceCode)
	app.Scopes = append(app.Scopes, "provisioning", "reports")
	app.PostLogoutRedirectURIs = []string{afterLogout, afterLogout + "?x=1"}
	return app
}

func public() application.Application {
	app := application.New("native", "The native application")
	app.Type, app.AuthMethod, app.IDTokenAlg = application.TypeNative, application.AuthNone, application.AlgES256
	app.RedirectURIs = []string{"http://127.0.0.1/cb", "com.example.app:/cb"}
	return app
}

func newServer(t testing.TB, db *sqldb.DB, changes ...func(*op.Options)) *server {
	t.Helper()
	clk := &clock{}
	s := &server{db: db, store: &store.OAuth{DB: db}, clock: clk, ledger: &ledger{db: db}, log: &strings.Builder{}}
	s.apps = applications{"app": confidential(), "native": public()}
	s.servers = resourceServers{}
	s.users = &users{provisioning.Profile{
		ID: alice, Login: "alice", Name: "Alice Doe", GivenName: "Alice", FamilyName: "Doe", Locale: "en",
		Email: "alice@example.com", EmailVerified: true, Active: true,
	}}
	s.subjects = &subject.Service{Store: store.Subjects{DB: db}, Key: []byte("sids"), Now: clk.Now}
	gate := provisioning.NewGate(provisioning.GateOptions{
		Ledger: s.ledger, Decisions: s.ledger, Users: s.ledger, Tx: db, Nudge: func() {}, Now: clk.Now,
	})
	s.signIns = &signIns{
		gate: gate, now: clk.Now, step: flow.Step{Action: flow.ActionIssue},
		rows: map[flow.ID]flow.SignIn{}, answers: map[flow.ID]string{}, ended: map[flow.ID]bool{},
	}
	o := op.Options{
		Issuer: issuer, Applications: s.apps, Resources: s.servers, Store: s.store, Pushed: s.store, Assertions: s.store, Proofs: s.store, ClientKeys: &clientkeys.Cache{HTTP: http.DefaultClient, Now: clk.Now}, Keys: ring(), TokenKey: []byte(strings.Repeat("k", 32)),
		SignIns: s.signIns, SignOuts: s.signIns, Gate: gate, Users: s.users, Subjects: s.subjects, Accounts: accounts{}, Pages: pages{},
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)), Now: clk.Now,
		Hold: time.Millisecond, Devices: store.Devices{DB: db}, UserCodes: device.Codes{Key: []byte("user codes")}, Address: func(*http.Request) string { return "192.0.2.77" }, Unavailable: sqldb.IsUnavailable,
	}
	for _, change := range changes {
		change(&o)
	}
	p, err := op.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	s.Handler = mux
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// each runs f on both dialects.
func each(t *testing.T, f func(t *testing.T, s *server)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(t, newServer(t, db)) }, store.Migrations())
}

// lite runs on SQLite: for tests in which the database decides nothing.
func lite(t testing.TB) *server {
	t.Helper()
	return newServer(t, sqldbtest.SQLite(t, store.Migrations()))
}

// params merges changes into a valid form; an empty value removes.
func params(base url.Values, changes ...string) url.Values {
	form := url.Values{}
	for k, v := range base {
		form[k] = v
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			form.Del(changes[i])
			continue
		}
		form.Set(changes[i], changes[i+1])
	}
	return form
}

func authorizeForm(changes ...string) url.Values {
	return params(url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {everything},
		"state": {givenState}, "nonce": {givenNonce},
		"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}, changes...)
}

func nativeForm(changes ...string) url.Values {
	form := authorizeForm("client_id", "native", "redirect_uri", "com.example.app:/cb", "scope", "openid offline_access")
	return params(form, changes...)
}

func (s *server) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *server) authorize(form url.Values) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, op.PathAuthorize+"?"+form.Encode(), nil))
}

func post(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", formURLType)
	return r
}

// redirected returns the parameters of a redirect to the application.
func redirected(t testing.TB, w *httptest.ResponseRecorder) url.Values {
	t.Helper()
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status = %d, want 303; body %s", w.Code, w.Body)
	}
	u, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func (s *server) code(t testing.TB, form url.Values) string {
	t.Helper()
	q := redirected(t, s.authorize(form))
	if q.Get("code") == "" {
		t.Fatalf("no code in %v", q)
	}
	return q.Get("code")
}

func codeForm(code string, changes ...string) url.Values {
	return params(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}, changes...)
}

// token posts to the token endpoint as the confidential application.
func (s *server) token(form url.Values) *httptest.ResponseRecorder {
	r := post(op.PathToken, form)
	r.SetBasicAuth("app", url.QueryEscape(appSecret.Reveal()))
	return s.do(r)
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func decodeTokens(t testing.TB, w *httptest.ResponseRecorder) tokens {
	t.Helper()
	var got tokens
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("body %q: %v", w.Body, err)
	}
	return got
}

func granted(t testing.TB, w *httptest.ResponseRecorder) tokens {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status = %d, body %s; want 200", w.Code, w.Body)
	}
	return decodeTokens(t, w)
}

// refused checks for an error of RFC 6749 section 5.2.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, code string) tokens {
	t.Helper()
	got := decodeTokens(t, w)
	if w.Code != status || got.Error != code || got.AccessToken != "" {
		t.Errorf("answer = %d %s; want %d %s without tokens", w.Code, w.Body, status, code)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", w.Header().Get("Cache-Control"))
	}
	return got
}

func refreshForm(token string, changes ...string) url.Values {
	return params(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, changes...)
}

func (s *server) userinfo(token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, op.PathUserinfo, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return s.do(r)
}

func idClaims(t testing.TB, token string) map[string]any {
	t.Helper()
	payload, err := ring().VerifyHint(t.Context(), token)
	if err != nil {
		t.Fatalf("ID token: %v", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func (s *server) count(t testing.TB, table string) int {
	t.Helper()
	var n int
	if err := s.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// grantTables are those of what is issued for a grant.
func grantTables() []string {
	return []string{"oauth_grant", "oauth_code", "oauth_access", "oauth_refresh"}
}

// rows returns how many rows there are of everything that can be issued.
func (s *server) rows(t testing.TB) string {
	t.Helper()
	var all []string
	for _, table := range grantTables() {
		all = append(all, strconv.Itoa(s.count(t, table)))
	}
	return strings.Join(all, " ")
}

var errBoom = errors.New("boom")
