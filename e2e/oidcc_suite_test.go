package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/user"
)

// The clients of the suite; both have the same secret.
const (
	suiteClient      = "suite"
	suiteClient2     = "suite-2" // authenticates with client_secret_post
	suiteBack        = "suite-back"
	suiteFront       = "suite-front"
	suiteAsks        = "suite-asks" // for consent
	suiteDevice      = "suite-device"
	suiteSPA         = "suite-spa"
	suiteCallback    = "http://127.0.0.1:9/test/callback"
	suiteAfterLogout = "http://127.0.0.1:9/test/post_logout_redirect"
)

const suiteResources = `
applications:
  - client_id: suite
    name: The suite
    redirect_uris: [http://127.0.0.1:9/test/callback]
    pkce_optional: true
    scopes: [openid, profile, email, phone, offline_access]
    post_logout_redirect_uris: [http://127.0.0.1:9/test/post_logout_redirect]
    secret: {env: APP_SECRET}
  - client_id: suite-2
    name: The suite's second client
    auth_method: client_secret_post
    pkce_optional: true
    redirect_uris: [http://127.0.0.1:9/test/callback]
    secret: {env: APP_SECRET}
  - client_id: suite-asks
    name: The Very Curious Application
    consent: ask
    scopes: [openid, profile, email, phone, offline_access]
    redirect_uris: ["%[1]s/callback"]
    secret: {env: APP_SECRET}
  - client_id: suite-device
    name: Living Room TV
    auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]
    cors_origins: ["%[1]s"]
  - client_id: suite-spa
    name: Only a page
    auth_method: none
    scopes: [openid, profile, email, offline_access]
    redirect_uris: ["%[1]s/spa"]
    post_logout_redirect_uris: ["%[1]s/out"]
    cors_origins: ["%[1]s"]
  - client_id: suite-back
    name: Hears of logouts at its back
    redirect_uris: [http://127.0.0.1:9/test/callback]
    post_logout_redirect_uris: [http://127.0.0.1:9/test/post_logout_redirect]
    backchannel_logout_uri: %[1]s/backchannel_logout
    secret: {env: APP_SECRET}
  - client_id: suite-front
    name: Hears of logouts at its front
    redirect_uris: [http://127.0.0.1:9/test/callback, "%[1]s/callback"]
    post_logout_redirect_uris: [http://127.0.0.1:9/test/post_logout_redirect, "%[1]s/out"]
    frontchannel_logout_uri: %[1]s/frontchannel_logout
    secret: {env: APP_SECRET}
`

// suite is a server without targets, as the conformance suite would have it, and
// the one user it signs in.
type suite struct {
	*stack
	metadata  map[string]any
	user      user.User
	app       string // where the applications that hear of logouts listen
	heard     chan *http.Request
	posted    chan *http.Request // answers of response_mode form_post
	mode      string             // response_mode of all requests; "" for the default
	deployed  config.Config      // of the server, for another instance
	documents sync.Map           // what applications publish as JSON, by path
	visitor   *browser.Browser   // of somebody who signed in, for modules that need no more
}

// ServeHTTP is those applications. Forms are read; everything else is a page.
func (s *suite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	if strings.HasSuffix(r.URL.Path, "channel_logout") {
		s.heard <- r
	}
	if r.Method == http.MethodPost && r.URL.Path == "/callback" {
		s.posted <- r
	}
	if set, ok := s.documents.Load(r.URL.Path); ok {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(set)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	policy := "default-src 'none'"
	if r.URL.Path == "/spa" {
		policy += "; connect-src " + s.issuer
	}
	w.Header().Set("Content-Security-Policy", policy)
	_, _ = io.WriteString(w, "<title>The application</title><p>"+html.EscapeString(r.URL.Path))
}

func startSuite(t *testing.T) *suite {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{stack: &stack{issuer: "http://" + listener.Addr().String()}}
	dir := t.TempDir()
	keyFile, connectors := filepath.Join(dir, "keys.json"), filepath.Join(dir, "connectors")
	if err := keys.CreateKeysetFile(keyFile); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(connectors, 0o700); err != nil {
		t.Fatal(err)
	}
	s.database = "sqlite://" + filepath.Join(dir, "anteroom.db")
	cfg, err := config.Parse(nil, func(name string) string {
		return map[string]string{
			"ANTEROOM_ISSUER": s.issuer, "ANTEROOM_DATABASE": s.database, "ANTEROOM_CONNECTORS_DIR": connectors, "ANTEROOM_SECRETS_KEY_FILE": keyFile,
			"ANTEROOM_DYNAMIC_REGISTRATION_MODE": "open_to_anyone", "ANTEROOM_DYNAMIC_REGISTRATION_PKCE_OPTIONAL": "true",
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	s.deployed, s.visitor = cfg, newBrowser()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.System, err = daemon.Open(t.Context(), cfg, log); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	s.app, s.heard, s.posted = listening.URL, make(chan *http.Request, 10), make(chan *http.Request, 10)
	s.applyText(t, fmt.Sprintf(suiteResources, s.app))
	s.user = s.importUser(t, "conformance")
	s.serve(t, listener)
	s.metadata = s.discover(t)
	return s
}

func (s *suite) applyText(t *testing.T, text string) {
	t.Helper()
	doc, err := resources.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	backend := s.Resources(func(string) string { return appSecret })
	plan, err := backend.Plan(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Apply(asAdmin(t), plan); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) discover(t *testing.T) map[string]any {
	t.Helper()
	return s.published(t, s.issuer+"/.well-known/openid-configuration")
}

// endpoint returns an endpoint's address from the metadata.
func (s *suite) endpoint(t *testing.T, name string) string {
	t.Helper()
	address, _ := s.metadata[name].(string)
	if !strings.HasPrefix(address, s.issuer+"/") {
		t.Fatalf("the metadata has %s %q", name, address)
	}
	return address
}

// party is the suite in the part of an application, with the browser of its user.
type party struct {
	*testing.T
	*suite
	*relyingParty
	browser *browser.Browser
	mode    string // response_mode; "" for the default
}

func (s *suite) party(t *testing.T) *party {
	t.Helper()
	return s.partyOf(t, suiteClient)
}

func (s *suite) partyOf(t *testing.T, client string) *party {
	t.Helper()
	p := &party{T: t, suite: s, relyingParty: newRelyingPartyOf(t, s.issuer, client), browser: newBrowser()}
	p.config.RedirectURL = suiteCallback
	p.config.Scopes = []string{oidc.ScopeOpenID}
	p.mode = s.mode
	return p
}

// plain is a request as most modules send it: without PKCE. A value "" leaves a
// parameter out.
func (p *party) plain(params ...string) request {
	r := request{state: rand.Text(), nonce: rand.Text()}
	q := url.Values{
		"client_id": {p.config.ClientID}, "redirect_uri": {suiteCallback}, "response_type": {"code"},
		"scope": {strings.Join(p.config.Scopes, " ")}, "state": {r.state}, "nonce": {r.nonce},
	}
	if p.mode != "" {
		q.Set("response_mode", p.mode)
	}
	for pair := range slices.Chunk(params, 2) {
		if q.Set(pair[0], pair[1]); pair[1] == "" {
			q.Del(pair[0])
		}
	}
	r.state, r.nonce = q.Get("state"), q.Get("nonce")
	r.url = p.config.Endpoint.AuthURL + "?" + q.Encode()
	return r
}

// at returns the address the application is called at with the answer, however it
// gets there; nil if the page is another.
func (p *party) at(page *browser.Page) *url.URL {
	if page.Location != nil {
		return page.Location
	}
	if f, err := page.Form(suiteCallback); err == nil && p.mode == "form_post" {
		return &url.URL{Scheme: f.Action.Scheme, Host: f.Action.Host, Path: f.Action.Path, RawQuery: f.Values.Encode()}
	}
	return nil
}

// authenticate fills in the sign-in page, and allows what the application asks for, if
// that is what is shown.
func (p *party) authenticate(page *browser.Page) *browser.Page {
	p.Helper()
	if _, err := page.Form("/sign-in"); err == nil {
		page = p.submit(page, "/sign-in", map[string]string{"login": p.user.Login, "password": password})
	}
	if _, err := page.Form("/consent"); err == nil {
		return p.submit(page, "/consent", nil) // the first form allows
	}
	return page
}

// flow goes through a code flow without PKCE.
func (p *party) flow(params ...string) grant {
	p.Helper()
	r := p.plain(params...)
	g, err := p.exchange(context.WithoutCancel(p.Context()), r, p.answer(r))
	if err != nil {
		p.Fatal(err)
	}
	return g
}

// refusal opens a request that must be answered with an error, and returns it.
func (p *party) refusal(r request) url.Values {
	p.Helper()
	to := p.at(p.open(r.url))
	if to == nil || to.Query().Get("error") == "" || to.Query().Get("state") != r.state || to.Query().Get("iss") != p.issuer() {
		p.Fatalf("at %v, want an error with state and iss", to)
	}
	return to.Query()
}

// userinfo asks for the claims with the access token.
func (p *party) userinfo(g grant) map[string]any {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.endpoint(p.T, "userinfo_endpoint"), nil)
	if err != nil {
		p.Fatal(err)
	}
	g.token.SetAuthHeader(r)
	return p.claims(r)
}

func (p *party) claims(r *http.Request) map[string]any {
	p.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var claims map[string]any
	if err := json.NewDecoder(res.Body).Decode(&claims); err != nil || res.StatusCode != http.StatusOK {
		p.Fatalf("userinfo: %s %v (%v)", res.Status, claims, err)
	}
	return claims
}

// do opens a page.
func (p *party) open(address string) *browser.Page {
	p.Helper()
	page, err := p.browser.Get(p.Context(), address)
	if err != nil {
		p.Fatal(err)
	}
	return page
}

// submit sends a form of the page.
func (p *party) submit(page *browser.Page, action string, fill map[string]string) *browser.Page {
	p.Helper()
	next, err := p.browser.Submit(p.Context(), page, action, fill)
	if err != nil {
		p.Fatal(err)
	}
	return next
}

// answer opens an authorization request, signs in if asked to, and returns where
// the browser is sent.
func (p *party) answer(r request) *url.URL {
	p.Helper()
	page := p.authenticate(p.open(r.url))
	to := p.at(page)
	if to == nil || !strings.HasPrefix(to.String(), suiteCallback+"?") {
		p.Fatalf("at %q %s (%d), want the application: %s", page.Title, page.URL, page.Status, page.Text)
	}
	return to
}

// signIn goes through a whole code flow.
func (p *party) signIn(options ...oauth2.AuthCodeOption) grant {
	p.Helper()
	r := p.request(options...)
	g, err := p.exchange(context.WithoutCancel(p.Context()), r, p.answer(r))
	if err != nil {
		p.Fatal(err)
	}
	return g
}

// idToken is the ID token as it came.
func (g grant) idToken() string {
	raw, _ := g.token.Extra("id_token").(string)
	return raw
}

// signedIn reports whether the browser has a session.
func (p *party) signedIn() bool {
	p.Helper()
	page := p.open(p.request(oauth2.SetAuthURLParam("prompt", "none")).url)
	if page.Location == nil {
		p.Fatalf("prompt=none shows %q", page.Title)
	}
	code, failure := page.Location.Query().Get("code"), page.Location.Query().Get("error")
	if code == "" && failure != "login_required" {
		p.Fatalf("prompt=none answers %s", page.Location)
	}
	return code != ""
}
