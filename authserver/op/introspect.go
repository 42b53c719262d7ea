package op

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/resourceserver"
	"github.com/anteroom-id/anteroom/provisioning"
)

// introspection is what is told of a token (RFC 7662 section 2.2). One that is
// not active has nothing but that.
type introspection struct {
	Active    bool                  `json:"active"`
	Scope     string                `json:"scope,omitempty"`
	ClientID  provisioning.ClientID `json:"client_id,omitempty"`
	TokenType string                `json:"token_type,omitempty"` // of an access token
	Expires   int64                 `json:"exp,omitempty"`
	Subject   string                `json:"sub,omitempty"` // the user as the client knows them, or the client that acts for itself
	Issuer    string                `json:"iss,omitempty"`
	Audience  string                `json:"aud,omitempty"` // of an access token
	Confirms  *confirmation         `json:"cnf,omitempty"` // of a token that is bound to a key
}

// confirmation names the key that whoever presents the token must have (RFC 7800
// section 3.1, RFC 9449 section 6.2).
type confirmation struct {
	JKT string `json:"jkt"`
}

// introspect is the introspection endpoint (RFC 7662). Only clients that prove
// who they are may ask, and only about tokens that are theirs or for the resource
// server they are: whoever merely holds some token learns nothing of another.
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	answer, err := p.introspected(w, r)
	if err != nil {
		p.endpointError(w, r, err)
		return
	}
	p.writeJSON(w, r, http.StatusOK, answer)
}

func (p *Provider) introspected(w http.ResponseWriter, r *http.Request) (introspection, error) {
	c, token, hint, err := p.tokenRequest(w, r)
	if err != nil {
		return introspection{}, err
	}
	if !c.confidential() {
		return introspection{}, invalidClient()
	}
	found, err := p.lookUp(r.Context(), token, hint)
	if errors.Is(err, ErrNotFound) {
		return introspection{}, nil // section 2.2: not active, and no reason why
	}
	if err != nil {
		return introspection{}, internalError(err)
	}
	if may, err := p.mayIntrospect(r.Context(), c, found); err != nil || !may {
		return introspection{}, err
	}
	live, err := p.live(r.Context(), found)
	if err != nil {
		return introspection{}, internalError(err)
	}
	if !live {
		return introspection{}, nil
	}
	return p.describeToken(found), nil
}

// mayIntrospect reports whether the token is the client's business: it was issued
// to it, or it is an access token for the resource server whose credentials it has.
func (p *Provider) mayIntrospect(ctx context.Context, c *client, t presented) (bool, error) {
	if t.grant.Client == c.app.ClientID {
		return true, nil
	}
	if t.access == nil || t.access.Audience == "" {
		return false, nil
	}
	server, err := p.resources.Get(ctx, t.access.Audience)
	if errors.Is(err, resourceserver.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, internalError(err)
	}
	return server.Introspects(c.app.ClientID), nil
}

func (p *Provider) describeToken(t presented) introspection {
	answer := introspection{
		Active: true, Scope: strings.Join(t.scopes(), " "), ClientID: t.grant.Client, Issuer: p.issuer,
		Expires: t.expiresAt().Unix(), Subject: t.grant.Subject,
	}
	if t.grant.User == "" {
		answer.Subject = string(t.grant.Client)
	}
	if t.access != nil {
		answer.TokenType, answer.Audience = tokenType(t.access.JKT), cmp.Or(t.access.Audience, p.issuer)
	}
	if jkt := t.boundTo(); jkt != "" {
		answer.Confirms = &confirmation{jkt}
	}
	return answer
}
