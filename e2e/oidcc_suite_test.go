package e2e

import (
	"context"
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
	"strings"
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
	suiteCallback    = "http://127.0.0.1:9/test/callback"
	suiteAfterLogout = "http://127.0.0.1:9/test/post_logout_redirect"
)

const suiteResources = `
applications:
  - client_id: suite
    name: The suite
    redirect_uris: [http://127.0.0.1:9/test/callback]
    post_logout_redirect_uris: [http://127.0.0.1:9/test/post_logout_redirect]
    secret: {env: APP_SECRET}
  - client_id: suite-2
    name: The suite's second client
    auth_method: client_secret_post
    redirect_uris: [http://127.0.0.1:9/test/callback]
    secret: {env: APP_SECRET}
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
	metadata map[string]any
	user     user.User
	app      string // where the applications that hear of logouts listen
	heard    chan *http.Request
}

// ServeHTTP is those applications. Forms are read; everything else is a page.
func (s *suite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	if strings.HasSuffix(r.URL.Path, "channel_logout") {
		s.heard <- r
	}
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
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
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.System, err = daemon.Open(t.Context(), cfg, log); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	s.app, s.heard = listening.URL, make(chan *http.Request, 10)
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
	if err := backend.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
}

func (s *suite) discover(t *testing.T) map[string]any {
	t.Helper()
	res, err := http.Get(s.issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var metadata map[string]any
	if err := json.NewDecoder(res.Body).Decode(&metadata); err != nil {
		t.Fatal(err)
	}
	return metadata
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
	return p
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
	page := p.open(r.url)
	if _, err := page.Form("/sign-in"); err == nil {
		page = p.submit(page, "/sign-in", map[string]string{"login": p.user.Login, "password": password})
	}
	if page.Location == nil || !strings.HasPrefix(page.Location.String(), suiteCallback+"?") {
		p.Fatalf("at %q %s (%d), want the application: %s", page.Title, page.URL, page.Status, page.Text)
	}
	return page.Location
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
