package federation

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// LogoutReturnPath is where an upstream sends the browser back to after it signed the
// person out; registered there as post_logout_redirect_uri.
const LogoutReturnPath = "/sign-out/upstream"

// LogoutRedirectURI is what is registered at upstreams of a server with that issuer.
func LogoutRedirectURI(issuer string) string { return issuer + LogoutReturnPath }

// Origin is the upstream that a session came by.
type Origin struct {
	SID      string // of the session
	Upstream string
	IDToken  string // the upstream's, for its id_token_hint
}

// Departure is one trip of a browser to an upstream to sign out there.
type Departure struct {
	ID        string // hash of the state parameter
	Browser   []byte // hash of the browser's key
	ReturnTo  string // where the browser goes then; "" for our own page
	ExpiresAt time.Time
}

// Departures keeps what signing out upstream needs, ID tokens sealed. Every method
// takes part in a transaction that ctx carries.
type Departures interface {
	// Remember stores where a session came from, in place of what was known.
	Remember(ctx context.Context, o Origin) error
	// Origin returns where a session came from, or ErrNoLink.
	Origin(ctx context.Context, sid string) (Origin, error)
	// Depart adds a departure and forgets where the session came from.
	Depart(ctx context.Context, sid string, d Departure) error
	// Return removes the departure and returns it, or ErrState: the second time, too.
	Return(ctx context.Context, id string) (Departure, error)
}

// departureLifetime is how long somebody may take to sign out upstream.
const departureLifetime = 10 * time.Minute

// Began notes, in ctx's transaction, that a session began with the identity, if the
// person is to be signed out upstream with it.
func (s *Service) Began(ctx context.Context, sid string, id Identity) error {
	if !id.Upstream.Logout || id.IDToken == "" {
		return nil
	}
	return s.Departures.Remember(ctx, Origin{SID: sid, Upstream: id.Upstream.Name, IDToken: id.IDToken})
}

// Depart returns the address of the upstream at which the session's person is to be
// signed out (OpenID Connect RP-Initiated Logout 1.0), "" if there is none. The upstream
// sends the browser back, and [Service.Return] knows where it was going. Errors: [*Error].
func (s *Service) Depart(ctx context.Context, sid string, browser []byte, returnTo string) (string, error) {
	o, err := s.Departures.Origin(ctx, sid)
	if errors.Is(err, ErrNoLink) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	u, err := s.enabled(ctx, o.Upstream)
	if errors.Is(err, ErrNotFound) || err == nil && !u.Logout {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	talk, cancel := s.talking(ctx)
	defer cancel()
	p, err := s.discover(talk, u)
	if err != nil || p.endSession == "" {
		return "", err
	}
	if err := checkURL(p.endSession, true); err != nil {
		return "", u.fail(KindInvalid, "discovery: end_session_endpoint %w", err)
	}
	to, err := url.Parse(p.endSession)
	if err != nil {
		return "", u.fail(KindInvalid, "discovery: end_session_endpoint: %w", err)
	}
	state := random()
	d := Departure{ID: hashOf(state), Browser: browser, ReturnTo: returnTo, ExpiresAt: s.Now().Add(departureLifetime)}
	if err := s.Departures.Depart(ctx, sid, d); err != nil {
		return "", err
	}
	q := to.Query()
	q.Set("id_token_hint", o.IDToken)
	q.Set("client_id", u.ClientID)
	q.Set("post_logout_redirect_uri", LogoutRedirectURI(s.Issuer))
	q.Set("state", state)
	to.RawQuery = q.Encode()
	return to.String(), nil
}

// Return returns the departure that a browser comes back from, and uses it up. The
// caller checks that it is the browser's. Errors: ErrState.
func (s *Service) Return(ctx context.Context, state string) (Departure, error) {
	if state == "" {
		return Departure{}, ErrState
	}
	d, err := s.Departures.Return(ctx, hashOf(state))
	if err == nil && !s.Now().Before(d.ExpiresAt) {
		err = ErrState
	}
	return d, err
}
