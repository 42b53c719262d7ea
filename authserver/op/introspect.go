package op

import (
	"errors"
	"net/http"
	"strings"

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
	Confirms  *confirmation         `json:"cnf,omitempty"` // of a token that is bound to a key
}

// confirmation names the key that whoever presents the token must have (RFC 7800
// section 3.1, RFC 9449 section 6.2).
type confirmation struct {
	JKT string `json:"jkt"`
}

// introspect is the introspection endpoint (RFC 7662). Only clients that prove
// who they are may ask, and only about tokens that are theirs: whoever merely
// holds some token learns nothing of another.
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
	if errors.Is(err, ErrNotFound) || err == nil && found.grant.Client != c.app.ClientID {
		return introspection{}, nil // section 2.2: not active, and no reason why
	}
	if err != nil {
		return introspection{}, internalError(err)
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

func (p *Provider) describeToken(t presented) introspection {
	answer := introspection{
		Active: true, Scope: strings.Join(t.scopes(), " "), ClientID: t.grant.Client, Issuer: p.issuer,
		Expires: t.expiresAt().Unix(), Subject: t.grant.Subject,
	}
	if t.grant.User == "" {
		answer.Subject = string(t.grant.Client)
	}
	if t.access != nil {
		answer.TokenType = tokenType(t.access.JKT)
	}
	if jkt := t.boundTo(); jkt != "" {
		answer.Confirms = &confirmation{jkt}
	}
	return answer
}
