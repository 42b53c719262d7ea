package op

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
)

// userinfo is the UserInfo endpoint (OpenID Connect Core section 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	shown, fail := readToken(w, r)
	if fail != nil {
		p.resourceError(w, r, shown.scheme, fail)
		return
	}
	grant, claims, err := p.userClaims(r, shown)
	if err == nil {
		err = p.writeUserinfo(w, r, grant.Client, claims)
	}
	if err != nil {
		p.resourceError(w, r, shown.scheme, toProtocol(err))
	}
}

// writeUserinfo answers as the application wants it: as JSON or as a signed JWT
// (section 5.3.2). That one has no exp, without which it passes for no ID token.
func (p *Provider) writeUserinfo(w http.ResponseWriter, r *http.Request, client provisioning.ClientID, claims map[string]any) error {
	app, err := p.apps.Get(r.Context(), client)
	if errors.Is(err, application.ErrNotFound) || err == nil && !app.Enabled {
		return invalidToken()
	}
	if err != nil {
		return internalError(err)
	}
	if app.UserinfoAlg == "" {
		p.writeJSON(w, r, http.StatusOK, claims)
		return nil
	}
	claims["iss"], claims["aud"] = p.issuer, client
	payload, err := json.Marshal(claims)
	if err != nil {
		return internalError(err)
	}
	token, err := p.keys.Sign(keys.TypeIDToken, keys.Alg(app.UserinfoAlg), payload)
	if err != nil {
		return internalError(err)
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, token) // an error means the client is gone
	return nil
}

// userClaims returns what the token's scopes let its holder know, and its grant.
func (p *Provider) userClaims(r *http.Request, shown shownToken) (Grant, map[string]any, error) {
	ctx := r.Context()
	grant, access, err := p.accessToken(r, shown)
	if err != nil {
		return Grant{}, nil, err
	}
	if grant.User == "" || !slices.Contains(access.Scopes, scopeOpenID) {
		return Grant{}, nil, &protocolError{Code: codeInsufficientScope, Status: http.StatusForbidden, Description: "The access token has not the scope openid."}
	}
	profile, err := p.users.Profile(ctx, grant.User)
	if errors.Is(err, provisioning.ErrUserNotFound) || err == nil && !profile.Active {
		return Grant{}, nil, invalidToken()
	}
	if err != nil {
		return Grant{}, nil, internalError(err)
	}
	claims := profileClaims(profile, access.Scopes, requested(grant.Claims, inUserinfo))
	claims["sub"] = grant.Subject
	if slices.Contains(access.Scopes, scopeProvisioning) {
		accounts, err := p.accounts.Provisioned(ctx, grant.Client, grant.User)
		if err != nil {
			return Grant{}, nil, internalError(err)
		}
		claims[claimProvisioned] = accounts
	}
	return grant, claims, nil
}
