package op

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
)

// userinfo is the UserInfo endpoint (OpenID Connect Core section 5.3).
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	token, fail := bearerToken(w, r)
	if fail != nil {
		p.bearerError(w, r, fail)
		return
	}
	grant, claims, err := p.userClaims(r.Context(), token)
	if err == nil {
		err = p.writeUserinfo(w, r, grant.Client, claims)
	}
	if err != nil {
		p.bearerError(w, r, toProtocol(err))
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

// bearerToken reads the access token from the header or the form body, never
// the query (RFC 6750 section 2), and only from one of them.
func bearerToken(w http.ResponseWriter, r *http.Request) (string, *protocolError) {
	scheme, header, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	header = strings.TrimSpace(header)
	if scheme != "" && (!strings.EqualFold(scheme, bearer) || header == "") {
		return "", badRequest(codeInvalidRequest, "The Authorization header has no bearer token.")
	}
	var inBody []string
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method == http.MethodPost && strings.TrimSpace(mediaType) == formType {
		form, fail := readForm(w, r)
		if fail != nil {
			return "", fail
		}
		inBody = form["access_token"]
	}
	switch {
	case len(inBody) > 1, len(inBody) == 1 && header != "":
		return "", badRequest(codeInvalidRequest, "The access token is there more than once.")
	case len(inBody) == 1:
		return inBody[0], nil
	case header != "":
		return header, nil
	default:
		return "", &protocolError{Status: http.StatusUnauthorized, Description: "There is no access token."}
	}
}

// userClaims returns what the token's scopes let its holder know, and its grant.
func (p *Provider) userClaims(ctx context.Context, token string) (Grant, map[string]any, error) {
	grant, access, err := p.accessToken(ctx, token)
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
	if slices.Contains(access.Scopes, scopeProvisioning) {
		accounts, err := p.accounts.Provisioned(ctx, grant.Client, grant.User)
		if err != nil {
			return Grant{}, nil, internalError(err)
		}
		claims[claimProvisioned] = accounts
	}
	return grant, claims, nil
}

// accessToken returns a token that is valid now, with its grant.
func (p *Provider) accessToken(ctx context.Context, token string) (Grant, AccessToken, error) {
	grant, access, err := p.tokens.AccessToken(ctx, HashToken(token))
	if errors.Is(err, ErrNotFound) {
		return Grant{}, AccessToken{}, invalidToken()
	}
	if err != nil {
		return Grant{}, AccessToken{}, internalError(err)
	}
	if now := p.now(); !grant.RevokedAt.IsZero() || !now.Before(access.ExpiresAt) {
		return Grant{}, AccessToken{}, invalidToken()
	}
	req := fosite.NewRequest()
	sess := newSession()
	sess.SetExpiresAt(fosite.AccessToken, access.ExpiresAt)
	req.SetSession(sess)
	if err := p.strategy.ValidateAccessToken(ctx, req, token); err != nil {
		return Grant{}, AccessToken{}, invalidToken()
	}
	return grant, access, nil
}

func invalidToken() *protocolError {
	return &protocolError{Code: codeInvalidToken, Status: http.StatusUnauthorized, Description: "The access token is not valid or expired."}
}

// bearerError answers with an error (RFC 6750 section 3). A request without a
// token learns only how to authenticate.
func (p *Provider) bearerError(w http.ResponseWriter, r *http.Request, fail *protocolError) {
	challenge := bearer + ` realm="userinfo"`
	if fail.Code != "" {
		challenge += `, error="` + fail.Code + `", error_description="` + describe(fail.Description) + `"`
	}
	if fail.Status < http.StatusInternalServerError {
		w.Header().Set(headerWWWAuthenticate, challenge)
	}
	reference := flow.NewReference()
	p.logFailure(r, fail, reference)
	body := map[string]string{"error_description": describe(fail.Description + " (reference " + reference + ")")}
	if fail.Code != "" {
		body["error"] = fail.Code
	}
	p.writeJSON(w, r, fail.Status, body)
}
