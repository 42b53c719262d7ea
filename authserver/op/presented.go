package op

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The values of token_type_hint (RFC 7009 section 4.1.2).
const (
	hintAccess  = "access_token"
	hintRefresh = "refresh_token"
)

// presented is a token that a client asks about or wants revoked, valid or not.
type presented struct {
	grant   Grant
	access  *AccessToken // one of the two is set
	refresh *RefreshToken
}

// tokenRequest reads what the introspection and revocation endpoints have in
// common: an authenticated client and the token it presents.
func (p *Provider) tokenRequest(w http.ResponseWriter, r *http.Request) (*client, string, string, error) {
	w.Header().Set("Cache-Control", "no-store")
	form, fail := readForm(w, r)
	if fail != nil {
		return nil, "", "", fail
	}
	if name := repeated(form); name != "" {
		return nil, "", "", badRequest(codeInvalidRequest, "The parameter "+describe(name)+" is repeated.")
	}
	found, err := p.authenticate(r.Context(), r, form)
	if err != nil {
		return nil, "", "", err
	}
	c, ok := found.(*client)
	if !ok {
		return nil, "", "", internalError(errors.New("authentication returned another kind of client"))
	}
	token := form.Get("token")
	if token == "" {
		return nil, "", "", badRequest(codeInvalidRequest, "The parameter token is missing.")
	}
	return c, token, form.Get("token_type_hint"), nil
}

// lookUp finds a token, whichever kind it is: a hint only says where to look
// first, and a wrong one must not hide a token (RFC 7009 section 2.1). It returns
// ErrNotFound for what we did not issue.
func (p *Provider) lookUp(ctx context.Context, token, hint string) (presented, error) {
	hash := HashToken(token)
	kinds := []string{hintAccess, hintRefresh}
	if hint == hintRefresh {
		slices.Reverse(kinds)
	}
	for _, kind := range kinds {
		var found presented
		var err error
		if kind == hintAccess {
			var t AccessToken
			found.grant, t, err = p.tokens.AccessToken(ctx, hash)
			found.access = &t
		} else {
			var t RefreshToken
			found.grant, t, err = p.tokens.RefreshToken(ctx, hash)
			found.refresh = &t
		}
		if !errors.Is(err, ErrNotFound) {
			return found, err
		}
	}
	return presented{}, ErrNotFound
}

// expiresAt is when the token ends by itself.
func (t presented) expiresAt() time.Time {
	end := t.grant.ExpiresAt
	if t.access != nil && t.access.ExpiresAt.Before(end) {
		return t.access.ExpiresAt
	}
	if t.refresh != nil && t.refresh.ExpiresAt.Before(end) {
		return t.refresh.ExpiresAt
	}
	return end
}

// boundTo is the thumbprint of the key the token is bound to, "" if it is to none.
func (t presented) boundTo() string {
	if t.access != nil {
		return t.access.JKT
	}
	return t.refresh.JKT
}

// scopes are the token's, which may be fewer than its grant's.
func (t presented) scopes() []string {
	if t.access != nil {
		return t.access.Scopes
	}
	return t.grant.Scopes
}

// live reports whether the token can be used: by itself, and by its user.
func (p *Provider) live(ctx context.Context, t presented) (bool, error) {
	used := t.refresh != nil && !t.refresh.usable(p.now(), 0)
	if used || !t.grant.RevokedAt.IsZero() || !p.now().Before(t.expiresAt()) {
		return false, nil
	}
	if t.grant.User == "" {
		return true, nil
	}
	profile, err := p.users.Profile(ctx, t.grant.User)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		return false, nil
	}
	return err == nil && profile.Active, err
}

// confidential reports whether the client has proven who it is.
func (c *client) confidential() bool { return c.app.AuthMethod != application.AuthNone }

// endpointError answers as RFC 6749 section 5.2 says. These endpoints only read
// and write the database, so what fails on our side is worth trying again: 503
// (RFC 7009 section 2.2.1).
func (p *Provider) endpointError(w http.ResponseWriter, r *http.Request, err error) {
	fail := toProtocol(err)
	if fail.Status == http.StatusInternalServerError {
		fail = unavailable(err)
	}
	p.tokenError(w, r, fail, flow.NewReference())
}
