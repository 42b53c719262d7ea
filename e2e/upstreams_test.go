package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/e2e/peers"
)

// realUpstream is an OpenID provider that people sign in with.
type realUpstream struct {
	foreign
	id, login string
	jit       string // "true", or "confirm": the first time there is a form
	// start runs it with the client "anteroom" and returns its issuer.
	start func(t *testing.T, redirectURI string) (issuer string)
	// authenticate fills in its forms.
	authenticate func(t *testing.T, v *visitor, page *browser.Page) *browser.Page
}

const upstreamClient = "anteroom"

func realUpstreams() []realUpstream {
	return []realUpstream{
		{foreign{"oidc-provider", "", []string{"oidc-provider"}}, "node", "grace", "true", startOIDCProvider, enterOIDCProvider},
		{foreign{"zitadel/oidc", "`jit: confirm`", []string{"github.com/zitadel/oidc/v3"}}, "zitadel", "test-user2", "confirm", startZitadelProvider, enterZitadelProvider},
		{foreign{"another Anteroom", "", nil}, "anteroom", "conformance", "true", startSecondAnteroom, enterSecondAnteroom},
	}
}

// upstream is the YAML of the upstream at that issuer.
func (u realUpstream) upstream(issuer string) string {
	return fmt.Sprintf("\n  - {name: %s, issuer: %q, client_id: %s, secret: {env: APP_SECRET}, jit: %s, domains: [%s]}", u.id, issuer, upstreamClient, u.jit, u.domain())
}

func (u realUpstream) domain() string { return u.id + ".example" }

// signIn signs in, with a browser of its own, to the application on go-oidc.
func (u realUpstream) signIn(t *testing.T, r *realWorld, first bool) (*visitor, told) {
	t.Helper()
	v := r.visitor(t, appID, u.login)
	v.authenticate = func(t *testing.T, page *browser.Page) *browser.Page {
		page = v.submit(t, page, "/sign-in", map[string]string{"login": "somebody@" + u.domain(), "password": ""})
		page = u.authenticate(t, v, page)
		if first && u.jit == "confirm" {
			page = v.submit(t, page, "/sign-in/confirm", nil)
		}
		return page
	}
	return v, signInGoOIDC(t, v)
}

// comeTwice signs in for the first time, which makes the user and their account
// before there is a code, and again, which finds both.
func (u realUpstream) comeTwice(t *testing.T, r *realWorld) {
	creates := r.proxy.Count(http.MethodPost, "/Users")
	v, first := u.signIn(t, r, true)
	v.checkAccount(t, first)
	v, second := u.signIn(t, r, false)
	v.checkAccount(t, second)
	if first.claims["sub"] != second.claims["sub"] {
		t.Errorf("the second time it is user %v, the first time it was %v", second.claims["sub"], first.claims["sub"])
	}
	if n := r.proxy.Count(http.MethodPost, "/Users") - creates; n != 1 {
		t.Errorf("%d accounts made, want one", n)
	}
}

func startOIDCProvider(t *testing.T, redirectURI string) string {
	t.Helper()
	return peers.StartProvider(t, upstreamClient, appSecret, redirectURI)
}

func enterOIDCProvider(t *testing.T, v *visitor, page *browser.Page) *browser.Page {
	t.Helper()
	page = v.submit(t, page, "/interaction/", map[string]string{"login": v.login, "password": "any"})
	return v.submit(t, page, "/interaction/", nil) // consent
}

// startZitadelProvider runs the library's example, whose users are given.
func startZitadelProvider(t *testing.T, redirectURI string) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	storage.RegisterClients(storage.WebClient(upstreamClient, appSecret, redirectURI))
	mux.Handle("/", exampleop.SetupServer(server.URL, storage.NewStorage(storage.NewUserStore(server.URL)), nil, false))
	return server.URL
}

func enterZitadelProvider(t *testing.T, v *visitor, page *browser.Page) *browser.Page {
	t.Helper()
	return v.submit(t, page, "/login/username", map[string]string{"username": v.login, "password": "verysecure"})
}

func startSecondAnteroom(t *testing.T, redirectURI string) string {
	t.Helper()
	s := startSuite(t)
	s.applyText(t, fmt.Sprintf("applications: [{client_id: %s, redirect_uris: [%q], secret: {env: APP_SECRET}}]", upstreamClient, redirectURI))
	return s.issuer
}

func enterSecondAnteroom(t *testing.T, v *visitor, page *browser.Page) *browser.Page {
	t.Helper()
	return v.submit(t, page, "/sign-in", map[string]string{"login": v.login, "password": password})
}

// startUpstreams runs them all and returns the YAML that makes the server know them.
func startUpstreams(t *testing.T, r *realWorld, upstreams []realUpstream) string {
	t.Helper()
	text := "\nupstreams:"
	for _, u := range upstreams {
		text += u.upstream(u.start(t, federation.RedirectURI(r.issuer, u.id)))
	}
	return text
}
