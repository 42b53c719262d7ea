package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/demo/browser"
)

// relyingParty is an application on coreos/go-oidc and x/oauth2.
type relyingParty struct {
	provider *oidc.Provider
	config   oauth2.Config
	// prove authenticates a token request where no secret does.
	prove func() []oauth2.AuthCodeOption
}

func newRelyingParty(t *testing.T, issuer string) *relyingParty {
	t.Helper()
	return newRelyingPartyOf(t, issuer, appID)
}

func newRelyingPartyOf(t *testing.T, issuer, clientID string) *relyingParty {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &relyingParty{provider: provider, config: oauth2.Config{
		ClientID: clientID, ClientSecret: appSecret, RedirectURL: appCallback, Endpoint: provider.Endpoint(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, "provisioning"},
	}}
}

// request is one authorization request and what only its application knows.
type request struct {
	url, state, nonce, verifier string
}

func (rp *relyingParty) request(options ...oauth2.AuthCodeOption) request {
	r := request{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	options = append(options, oidc.Nonce(r.nonce), oauth2.S256ChallengeOption(r.verifier))
	r.url = rp.config.AuthCodeURL(r.state, options...)
	return r
}

// grant is what the application got for a code.
type grant struct {
	token  *oauth2.Token
	claims map[string]any
}

// exchange checks the answer and redeems the code.
func (rp *relyingParty) exchange(ctx context.Context, r request, callback *url.URL) (grant, error) {
	answer := callback.Query()
	switch {
	case answer.Get("error") != "":
		return grant{}, fmt.Errorf("%s: %s", answer.Get("error"), answer.Get("error_description"))
	case answer.Get("state") != r.state:
		return grant{}, fmt.Errorf("state %q, want %q", answer.Get("state"), r.state)
	case answer.Get("iss") != rp.issuer():
		return grant{}, fmt.Errorf("iss %q", answer.Get("iss"))
	}
	options := verifying(r.verifier)
	if rp.prove != nil {
		options = append(options, rp.prove()...)
	}
	token, err := rp.config.Exchange(ctx, answer.Get("code"), options...)
	if err != nil {
		return grant{}, err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := rp.provider.Verifier(&oidc.Config{ClientID: rp.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return grant{}, err
	}
	g := grant{token: token, claims: map[string]any{}}
	if idToken.Nonce != r.nonce {
		return g, fmt.Errorf("nonce %q, want %q", idToken.Nonce, r.nonce)
	}
	return g, idToken.Claims(&g.claims)
}

// verifying is what a token request says of PKCE: nothing if there was none.
func verifying(verifier string) []oauth2.AuthCodeOption {
	if verifier == "" {
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
}

func (rp *relyingParty) issuer() string {
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	_ = rp.provider.Claims(&metadata)
	return metadata.Issuer
}

// newBrowser returns a browser that stops at the application.
func newBrowser() *browser.Browser {
	b := browser.New()
	b.Stop = func(u *url.URL) bool { return u.Host == "127.0.0.1:9" }
	return b
}

// register begins the request with prompt=create semantics and fills the form
// in. It returns the page after it: the wait page, or the application's address.
func register(t *testing.T, b *browser.Browser, authorizeURL, login string) *browser.Page {
	t.Helper()
	page, err := b.Get(t.Context(), authorizeURL)
	if err != nil {
		t.Fatal(err)
	}
	page, err = b.Submit(t.Context(), page, "/register", map[string]string{
		"login": login, "email": login + "@example.com", "given_name": "Ada", "family_name": "Example", "password": password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// signIn begins the request and gives login and password.
func signIn(t *testing.T, b *browser.Browser, authorizeURL, login string) *browser.Page {
	t.Helper()
	page, err := b.Get(t.Context(), authorizeURL)
	if err != nil {
		t.Fatal(err)
	}
	page, err = b.Submit(t.Context(), page, "/sign-in", map[string]string{"login": login, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// arrive follows the wait page until the browser is sent to the application.
func arrive(t *testing.T, b *browser.Browser, page *browser.Page) *url.URL {
	t.Helper()
	page = settle(t, b, page)
	if page.Location == nil {
		t.Fatalf("page %q at %s does not go on by itself: %s", page.Title, page.URL, page.Text)
	}
	return page.Location
}

// settle follows the wait page, as its meta refresh would, until there is another.
func settle(t *testing.T, b *browser.Browser, page *browser.Page) *browser.Page {
	t.Helper()
	eventually(t, fmt.Sprintf("the end of page %q", page.Title), func() bool {
		if page.Location != nil || page.Refresh == 0 {
			return true
		}
		next, err := b.Get(t.Context(), page.URL.String())
		if err != nil {
			t.Fatal(err)
		}
		page = next
		return page.Location != nil
	})
	return page
}

var (
	promptNone  = oauth2.SetAuthURLParam("prompt", "none")
	promptLogin = oauth2.SetAuthURLParam("prompt", "login")
)

var promptCreate = oauth2.SetAuthURLParam("prompt", "create")
