package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/provisioning"
)

const (
	// enteredFor is how long an administrator works before they have to say again who
	// they are.
	enteredFor = 12 * time.Hour
	// leavingFor is how long they may take to.
	leavingFor = 30 * time.Minute
)

// errSignIn means that the way back from a sign-in does not fit the way there.
var errSignIn = errors.New("this answer belongs to no sign-in that began here")

// provider is what discovery tells of our own server.
type provider struct {
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// discover asks our own server, which answers without the network; what it says is not
// kept, because its keys change.
func (c *Console) discover(ctx context.Context) (provider, context.Context, error) {
	ctx = oidc.ClientContext(ctx, &http.Client{Transport: c.Inside})
	p, err := oidc.NewProvider(ctx, c.Issuer)
	if err != nil {
		return provider{}, ctx, fmt.Errorf("read our own configuration: %w", err)
	}
	return provider{
		oauth:    oauth2.Config{ClientID: string(c.Client), Endpoint: p.Endpoint(), RedirectURL: c.Issuer + PathCallback, Scopes: []string{oidc.ScopeOpenID}},
		verifier: p.Verifier(&oidc.Config{ClientID: string(c.Client)}),
	}, ctx, nil
}

// leave sends the browser to sign in, and back to the path.
func (c *Console) leave(w http.ResponseWriter, r *http.Request, back string) error {
	p, _, err := c.discover(r.Context())
	if err != nil {
		return err
	}
	l := leaving{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: back, Expires: c.Now().Add(leavingFor)}
	if err := c.keep(w, leavingCookie, l); err != nil {
		return err
	}
	http.Redirect(w, r, p.oauth.AuthCodeURL(l.State, oauth2.S256ChallengeOption(l.Verifier), oidc.Nonce(l.Nonce),
		oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(enteredFor.Seconds())))), http.StatusSeeOther)
	return nil
}

// returned takes the answer of a sign-in.
func (c *Console) returned(w http.ResponseWriter, r *http.Request) error {
	var l leaving
	q := r.URL.Query()
	if !c.kept(r, leavingCookie, &l) || c.Now().After(l.Expires) || subtle.ConstantTimeCompare([]byte(l.State), []byte(q.Get("state"))) != 1 {
		return errSignIn
	}
	c.drop(w, leavingCookie)
	if q.Get("iss") != c.Issuer { // RFC 9207
		return errSignIn
	}
	if code := q.Get("error"); code != "" {
		return refusal{Code: code, Text: q.Get("error_description")}
	}
	user, err := c.redeem(r.Context(), l, q.Get("code"))
	if err != nil {
		return err
	}
	s, err := c.Sessions.Current(r.Context(), r)
	if err != nil || s.User != user {
		return errSignIn // another tab signed somebody else in
	}
	if err := c.keep(w, enteredCookie, entered{SID: s.SID, Expires: c.Now().Add(enteredFor)}); err != nil {
		return err
	}
	http.Redirect(w, r, l.Return, http.StatusSeeOther)
	return nil
}

// redeem exchanges the code and returns whom the ID token is about.
func (c *Console) redeem(ctx context.Context, l leaving, code string) (provisioning.UserID, error) {
	p, ctx, err := c.discover(ctx)
	if err != nil {
		return "", err
	}
	tokens, err := p.oauth.Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return "", fmt.Errorf("redeem code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("verify ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1 {
		return "", errSignIn
	}
	return provisioning.UserID(id.Subject), nil
}

// refusal is an error of the sign-in that the server told us of.
type refusal struct{ Code, Text string }

// Error returns the code and its description.
func (e refusal) Error() string { return e.Code + ": " + e.Text }

// session returns the session of whoever came in through the console, or
// session.ErrNone.
func (c *Console) session(r *http.Request) (session.Session, error) {
	var e entered
	if !c.kept(r, enteredCookie, &e) || c.Now().After(e.Expires) {
		return session.Session{}, session.ErrNone
	}
	s, err := c.Sessions.Current(r.Context(), r)
	if err != nil {
		return session.Session{}, err
	}
	if s.SID != e.SID {
		return session.Session{}, session.ErrNone
	}
	return s, nil
}

// signOut forgets the visit and ends the session at the server.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request, _ visit) error {
	c.drop(w, enteredCookie)
	http.Redirect(w, r, "/oauth2/logout?"+url.Values{"client_id": {string(c.Client)}, "post_logout_redirect_uri": {c.Issuer + Path}}.Encode(), http.StatusSeeOther)
	return nil
}

// backTo returns where to come back to: pages of the console, and by looking only.
func backTo(r *http.Request) string {
	if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, Path) {
		return Path
	}
	return r.URL.RequestURI()
}
