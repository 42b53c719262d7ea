package op

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

// requestURIPrefix begins every request_uri of ours (RFC 9126 section 2.2). What
// follows is secret: whoever has it can continue the request.
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// The bounds of the time in which a pushed request can be begun. FAPI 2.0 Security
// Profile section 5.3.2.2 wants less than ten minutes.
const (
	DefaultPushedLifetime = 90 * time.Second
	MinPushedLifetime     = 10 * time.Second
	MaxPushedLifetime     = 9 * time.Minute
)

// checkPushedLifetime takes 0 for the default.
func checkPushedLifetime(d time.Duration) error {
	if d != 0 && (d < MinPushedLifetime || d > MaxPushedLifetime) {
		return fmt.Errorf("PushedLifetime must be from %s to %s", MinPushedLifetime, MaxPushedLifetime)
	}
	return nil
}

// pushedRowKept is how long the row of a request is kept after it can no longer be
// begun: a sign-in that began in time marks it used when it ends.
const pushedRowKept = 2 * flow.DefaultLifetime

// PushedRequest is an authorization request that its client pushed.
type PushedRequest struct {
	Hash      TokenHash // of its request_uri
	Client    provisioning.ClientID
	Form      url.Values // validated when it was pushed, without credentials
	ExpiresAt time.Time  // when it can no longer be begun
	UsedAt    time.Time  // when a code was issued for it; zero before
	KeepUntil time.Time  // when the row may be deleted
}

// PushedStore keeps pushed requests. Every method takes part in a transaction that
// ctx carries.
type PushedStore interface {
	AddPushed(ctx context.Context, r PushedRequest) error
	// Pushed returns the request, also when used or expired; ErrNotFound if there is
	// none.
	Pushed(ctx context.Context, hash TokenHash) (PushedRequest, error)
	// UsePushed marks the request used, or returns ErrUsed.
	UsePushed(ctx context.Context, hash TokenHash, at time.Time) error
}

// pushedAnswer is what a client learns of its request (RFC 9126 section 2.2).
type pushedAnswer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int    `json:"expires_in"` // seconds
}

// push is the pushed authorization request endpoint (RFC 9126). The request is
// checked as the authorization endpoint would check it, so that its client hears
// of an error here and now.
func (p *Provider) push(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer, err := p.takePushed(w, r)
	if err != nil {
		p.endpointError(w, r, err)
		return
	}
	p.writeJSON(w, r, http.StatusCreated, answer)
}

func (p *Provider) takePushed(w http.ResponseWriter, r *http.Request) (pushedAnswer, error) {
	a, err := p.readPushed(w, r)
	if err != nil {
		return pushedAnswer{}, err
	}
	shown, fail := p.readProof(r)
	if fail == nil {
		fail = bindPushed(a.form, shown)
	}
	if fail == nil {
		_, fail = p.checkAuthorization(r.Context(), a)
	}
	if fail == nil && shown != nil {
		fail = p.useProof(r.Context(), shown)
	}
	if fail != nil {
		return pushedAnswer{}, fail
	}
	return p.keepPushed(r.Context(), a)
}

// readPushed authenticates the client and returns its request with the redirect
// URI verified. Nothing of the credentials stays in it.
func (p *Provider) readPushed(w http.ResponseWriter, r *http.Request) (authorization, error) {
	values, fail := readForm(w, r)
	if fail != nil {
		return authorization{}, fail
	}
	if fail := checkBody(values, r.URL.RawQuery); fail != nil {
		return authorization{}, fail
	}
	if values.Has("request_uri") { // section 2.1
		return authorization{}, badRequest(codeInvalidRequest, "A pushed request must not have the parameter request_uri.")
	}
	found, err := p.authenticate(r.Context(), r, values)
	if err != nil {
		return authorization{}, err
	}
	form := pick(values, authorizeParams())
	if id := form.Get("client_id"); id != "" && id != found.GetID() {
		return authorization{}, badRequest(codeInvalidRequest, "The client_id is not the one that authenticated.")
	}
	form.Set("client_id", found.GetID())
	a, fail := p.verifyTarget(r.Context(), form)
	if fail != nil {
		return authorization{}, fail
	}
	return a, nil
}

func (p *Provider) keepPushed(ctx context.Context, a authorization) (pushedAnswer, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	uri := requestURIPrefix + base64.RawURLEncoding.EncodeToString(secret)
	expires := p.now().Add(p.pushedLifetime)
	err := p.pushed.AddPushed(ctx, PushedRequest{
		Hash: HashToken(uri), Client: a.client.app.ClientID, Form: a.form, ExpiresAt: expires, KeepUntil: expires.Add(pushedRowKept),
	})
	if err != nil {
		return pushedAnswer{}, internalError(err)
	}
	return pushedAnswer{RequestURI: uri, ExpiresIn: int(p.pushedLifetime / time.Second)}, nil
}

// isPushed reports whether the parameters name a pushed request. Any other
// request_uri is refused: the server fetches nothing.
func isPushed(values url.Values) bool {
	return len(values["request_uri"]) == 1 && strings.HasPrefix(values.Get("request_uri"), requestURIPrefix)
}

// continuePushed returns a pushed request. Nothing but client_id counts of what
// the browser brought beside it (RFC 9126 section 4, RFC 9101 section 6.3). It can
// be begun again until a code was issued for it: people reload pages.
func (p *Provider) continuePushed(ctx context.Context, values url.Values) (authorization, *protocolError) {
	id := values.Get("client_id")
	if id == "" {
		return authorization{}, badRequest(codeInvalidRequest, "The parameter client_id is missing.")
	}
	uri := values.Get("request_uri")
	if len(uri) > maxParamBytes {
		return authorization{}, invalidRequestURI()
	}
	found, err := p.pushed.Pushed(ctx, HashToken(uri))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return authorization{}, internalError(err)
	}
	if err != nil || string(found.Client) != id || !found.UsedAt.IsZero() || !p.now().Before(found.ExpiresAt) {
		return authorization{}, invalidRequestURI()
	}
	a, fail := p.verifyTarget(ctx, found.Form)
	a.pushed = found.Hash
	return a, fail
}

func invalidRequestURI() *protocolError {
	return badRequest(codeInvalidRequestURI, "The request_uri is unknown, expired, was used before, or belongs to another application.")
}

// checkPushed refuses a request that should have been pushed.
func (p *Provider) checkPushed(a authorization) *protocolError {
	if a.pushed != "" || !p.requirePushed && !a.client.app.RequirePushedRequests || a.form.Has("request_uri") {
		return nil
	}
	return badRequest(codeInvalidRequest, "The application must push its authorization requests.")
}

// bytes returns nil for no hash.
func (h TokenHash) bytes() []byte {
	if h == "" {
		return nil
	}
	return []byte(h)
}

// usePushed marks a sign-in's pushed request used, in the transaction that makes
// the code: of two sign-ins for one request, one gets a code.
func (p *Provider) usePushed(ctx context.Context, s *flow.SignIn) error {
	if len(s.Request.Pushed) == 0 {
		return nil
	}
	err := p.pushed.UsePushed(ctx, TokenHash(s.Request.Pushed), p.now())
	if errors.Is(err, ErrUsed) {
		return invalidRequestURI()
	}
	return err
}
