package op

import (
	"context"
	"errors"
	"net/http"
)

// revoke is the revocation endpoint (RFC 7009). A public client may use it too:
// it must name itself, and the token must be its own.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	c, token, hint, err := p.tokenRequest(w, r)
	if err == nil {
		err = p.revokeToken(r.Context(), c, token, hint)
	}
	if err != nil {
		p.endpointError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// revokeToken ends a token of the client's. A refresh token takes its whole
// grant along, access tokens included, also when it was used or has expired: the
// client wants it over. An access token goes alone (section 2.1). A token nobody
// issued is no error: it cannot be used, which is what was asked for.
func (p *Provider) revokeToken(ctx context.Context, c *client, token, hint string) error {
	found, err := p.lookUp(ctx, token, hint)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return internalError(err)
	}
	if found.grant.Client != c.app.ClientID {
		return badRequest(codeUnauthorizedClient, "The token was issued to another application.")
	}
	if found.refresh != nil {
		err = p.tokens.RevokeGrant(ctx, found.grant.ID, p.now())
	} else {
		err = p.tokens.DeleteAccessToken(ctx, found.access.Hash)
	}
	if err != nil {
		return internalError(err)
	}
	return nil
}
