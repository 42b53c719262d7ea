package federation

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Service signs people in with upstreams. Fields without a default must be set.
type Service struct {
	Issuer    string // our own, which redirect URIs are made of
	Upstreams Upstreams
	Attempts  Attempts
	Links     Links
	Users     Users
	Emails    Emails
	// Departures keeps what signing out upstream needs.
	Departures Departures
	// HTTP reaches the addresses that upstreams may have, and no others.
	HTTP *http.Client
	Now  func() time.Time
	// Verify asks a new user by mail whether a typed address is theirs, in ctx's
	// transaction; nil asks nobody.
	Verify func(ctx context.Context, id provisioning.UserID, language string) error

	providers providers
}

// CallbackPath is where an upstream's answer comes to. Each has its own: an answer
// of one cannot pass for another's.
func CallbackPath(name string) string { return "/sign-in/with/" + name + "/callback" }

// RedirectURI is what is registered at the upstream for a server with that issuer.
func RedirectURI(issuer, name string) string { return issuer + CallbackPath(name) }

// Offered returns the upstreams people may sign in with, by name.
func (s *Service) Offered(ctx context.Context) ([]Upstream, error) {
	all, err := s.Upstreams.List(ctx)
	if err != nil {
		return nil, err
	}
	offered := make([]Upstream, 0, len(all))
	for _, u := range all {
		if u.Enabled {
			offered = append(offered, u)
		}
	}
	return offered, nil
}

// Start is what a trip to an upstream begins with.
type Start struct {
	Upstream string
	SignIn   string // "" to link
	Owner    Owner  // who links; the zero Owner for a sign-in
	Hint     string // the login that was typed, "" for none
	Fresh    bool   // the person must prove again who they are
}

// Begin returns the address of the upstream that the browser goes to. Errors:
// ErrNotFound, [*Error].
func (s *Service) Begin(ctx context.Context, start Start) (string, error) {
	u, err := s.enabled(ctx, start.Upstream)
	if err != nil {
		return "", err
	}
	talk, cancel := s.talking(ctx)
	defer cancel()
	p, err := s.discover(talk, u)
	if err != nil {
		return "", err
	}
	state, now := random(), s.Now()
	a := Attempt{
		ID: hashOf(state), SignIn: start.SignIn, Upstream: u.Name, Nonce: random(), Verifier: oauth2.GenerateVerifier(), Fresh: start.Fresh, Owner: start.Owner,
		CreatedAt: now, ExpiresAt: now.Add(attemptLifetime),
	}
	if err := s.Attempts.Insert(ctx, a); err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if start.Fresh {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	if start.Hint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", start.Hint))
	}
	return s.client(u, p).AuthCodeURL(state, options...), nil
}

func (s *Service) enabled(ctx context.Context, name string) (Upstream, error) {
	u, err := s.Upstreams.Get(ctx, name)
	if err == nil && !u.Enabled {
		err = ErrNotFound
	}
	return u, err
}

// Take returns the attempt that an answer belongs to, and uses it up. The caller
// checks that its sign-in, or its owner's session, belongs to the browser before
// anything else is done.
// Errors: ErrState.
func (s *Service) Take(ctx context.Context, upstream, state string) (Attempt, error) {
	if state == "" {
		return Attempt{}, ErrState
	}
	a, err := s.Attempts.Take(ctx, hashOf(state))
	if err != nil {
		return Attempt{}, err
	}
	if a.Upstream != upstream || !s.Now().Before(a.ExpiresAt) {
		return Attempt{}, ErrState
	}
	return a, nil
}

// Identity is whom an upstream vouches for, verified.
type Identity struct {
	Upstream Upstream
	Issuer   string
	Subject  string
	AMR      []string // how they proved it there (RFC 8176), if it tells
	IDToken  string   // as the upstream signed it
	claims   claims
}

// Finish verifies the upstream's answer: the parameters of the callback's URL. It
// writes nothing. Errors: ErrNotFound, [*Error].
func (s *Service) Finish(ctx context.Context, a Attempt, answer url.Values) (Identity, error) {
	u, err := s.enabled(ctx, a.Upstream)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := s.talking(ctx)
	defer cancel()
	p, err := s.discover(ctx, u)
	if err != nil {
		return Identity{}, err
	}
	if err := checkAnswer(u, p, answer); err != nil {
		return Identity{}, err
	}
	token, err := s.client(u, p).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Identity{}, tokenError(u, err)
	}
	return s.verified(ctx, u, p, a, token)
}

// checkAnswer looks at everything before the code is sent anywhere. The issuer comes
// first: an answer of another's is nobody's word.
func checkAnswer(u Upstream, p provider, answer url.Values) error {
	for _, name := range []string{"iss", "code", "error"} {
		if len(answer[name]) > 1 {
			return u.fail(KindInvalid, "the answer has %s more than once", name)
		}
	}
	switch iss := answer.Get("iss"); {
	case answer.Has("iss") && iss != u.Issuer:
		return u.fail(KindInvalid, "the answer is from issuer %q", iss)
	case !answer.Has("iss") && p.issParameter:
		return u.fail(KindInvalid, "the answer has no iss, which the upstream promises (RFC 9207)")
	}
	switch code := answer.Get("error"); {
	case code == "access_denied":
		return u.fail(KindDenied, "%s", code)
	case code == "temporarily_unavailable" || code == "server_error":
		return u.fail(KindUnavailable, "the answer is %s", code)
	case code != "":
		return u.fail(KindRefused, "the answer is %q", code)
	case answer.Get("code") == "":
		return u.fail(KindInvalid, "the answer has no code")
	}
	return nil
}

// tokenError tells a refusal from a token endpoint that is not there.
func tokenError(u Upstream, err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if ok && refused.Response.StatusCode >= 400 && refused.Response.StatusCode < 500 && refused.Response.StatusCode != http.StatusTooManyRequests {
		return u.fail(KindRefused, "token endpoint: %d %q", refused.Response.StatusCode, refused.ErrorCode)
	}
	if ok {
		return u.fail(KindUnavailable, "token endpoint: status %d", refused.Response.StatusCode)
	}
	return u.fail(KindUnavailable, "token endpoint: %w", err)
}

// maxSubject is OpenID Connect Core 1.0's, section 2.
const maxSubject = 255

// clockLeeway forgives an upstream's clock.
const clockLeeway = 2 * time.Minute

func (s *Service) verified(ctx context.Context, u Upstream, p provider, a Attempt, token *oauth2.Token) (Identity, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, u.fail(KindInvalid, "the token response has no ID token")
	}
	idToken, err := p.VerifierContext(ctx, &oidc.Config{ClientID: u.ClientID, Now: s.Now}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, u.fail(KindInvalid, "ID token: %w", err)
	}
	var c claims
	if err := idToken.Claims(&c); err != nil {
		return Identity{}, u.fail(KindInvalid, "ID token: %w", err)
	}
	if err := s.checkToken(u, a, idToken, c); err != nil {
		return Identity{}, u.fail(KindInvalid, "ID token: %w", err)
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
			return Identity{}, u.fail(KindInvalid, "ID token: %w", err)
		}
	}
	id := Identity{Upstream: u, Issuer: u.Issuer, Subject: idToken.Subject, AMR: c.texts("amr"), IDToken: raw, claims: c}
	if u.UserInfo && p.UserInfoEndpoint() != "" {
		err = addUserInfo(ctx, p, token, &id)
	}
	return id, err
}

// checkToken is what go-oidc leaves to us.
func (s *Service) checkToken(u Upstream, a Attempt, t *oidc.IDToken, c claims) error {
	now := s.Now()
	switch azp := c.text("azp"); {
	case t.Issuer != u.Issuer:
		return fmt.Errorf("it is from issuer %q", t.Issuer) // go-oidc forgives one provider
	case subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(a.Nonce)) != 1:
		return errors.New("its nonce is not ours")
	case t.Subject == "" || len(t.Subject) > maxSubject:
		return errors.New("it has no usable sub")
	case azp != "" && azp != u.ClientID, azp == "" && len(t.Audience) > 1:
		return fmt.Errorf("it was issued to %q", azp)
	case t.IssuedAt.IsZero() || t.IssuedAt.After(now.Add(clockLeeway)):
		return errors.New("it was issued in the future, or nobody knows when")
	}
	if at, ok := c.time("auth_time"); ok && a.Fresh && at.Before(a.CreatedAt.Add(-clockLeeway)) {
		return errors.New("the person did not prove again who they are")
	}
	return nil
}

// addUserInfo adds what the ID token does not tell.
func addUserInfo(ctx context.Context, p provider, token *oauth2.Token, id *Identity) error {
	info, err := p.Provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return id.Upstream.fail(KindUnavailable, "userinfo: %w", err)
	}
	if info.Subject != id.Subject {
		return id.Upstream.fail(KindInvalid, "userinfo is about another subject")
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return id.Upstream.fail(KindInvalid, "userinfo: %w", err)
	}
	for name, value := range more {
		if _, ok := id.claims[name]; !ok {
			id.claims[name] = value
		}
	}
	return nil
}
