package op

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/device"
)

// deviceGrant answers the polls of devices (RFC 8628 section 3.4), which fosite 0.49
// knows nothing of. Like fosite's own handlers it mints through the choke point and
// writes through fositeStore, in the transaction in which the gate permitted.
type deviceGrant struct {
	store    *fositeStore
	requests device.Store
	core     oauth2.CoreStrategy
	idTokens *openid.IDTokenHandleHelper
	config   *fosite.Config
}

var _ fosite.TokenEndpointHandler = (*deviceGrant)(nil)

// CanSkipClientAuth says no.
func (*deviceGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest reports whether it is a device's poll.
func (*deviceGrant) CanHandleTokenEndpointRequest(_ context.Context, req fosite.AccessRequester) bool {
	return req.GetGrantTypes().ExactOne(application.GrantDeviceCode)
}

// HandleTokenEndpointRequest finds the approved request of a device code, and refuses
// any other. It is called outside the endpoint's transaction, so that polls are
// counted that get nothing.
func (h *deviceGrant) HandleTokenEndpointRequest(ctx context.Context, req fosite.AccessRequester) error {
	u := unitFrom(ctx)
	code := req.GetRequestForm().Get("device_code")
	switch {
	case u.client == nil || !u.client.may(application.GrantDeviceCode):
		return badRequest(codeUnauthorizedClient, "The application may not use the device authorization grant.")
	case code == "":
		return badRequest(codeInvalidRequest, "The parameter device_code is missing.")
	}
	found, err := h.requests.Request(ctx, HashToken(code).bytes())
	if err != nil && !errors.Is(err, device.ErrNotFound) {
		return err
	}
	if err != nil || found.Client != u.client.app.ClientID {
		return badRequest(codeInvalidGrant, "The device_code is not valid.")
	}
	if err := h.answered(ctx, found); err != nil {
		return err
	}
	return h.approved(ctx, req, u, found)
}

// answered returns nil for a request that is approved and was not used.
func (h *deviceGrant) answered(ctx context.Context, found device.Request) error {
	now := h.store.now()
	switch {
	case found.Status == device.StatusUsed:
		return h.store.replayed(ctx, GrantID(found.Grant), ErrUsed)
	case found.Status == device.StatusDenied:
		return badRequest(found.Error, "The device was not given access.")
	case !now.Before(found.ExpiresAt):
		return deviceExpired()
	case found.Status == device.StatusApproved:
		return nil
	}
	err := h.requests.Poll(ctx, found.Hash, now.Add(pollLeeway))
	if errors.Is(err, device.ErrTooSoon) {
		return badRequest(codeSlowDown, "The device asks too often.")
	}
	if err != nil {
		return err
	}
	return badRequest(codeAuthorizationPending, "Nobody has answered for the device yet.")
}

// approved lets the request speak for the grant.
func (h *deviceGrant) approved(ctx context.Context, req fosite.AccessRequester, u *unit, found device.Request) error {
	grant, err := h.store.store.Grant(ctx, GrantID(found.Grant))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || !grant.RevokedAt.IsZero() {
		return badRequest(codeAccessDenied, "The access was withdrawn.")
	}
	if !u.client.maySee(grant.Scopes) {
		return badRequest(codeInvalidScope, "The application may no longer ask for what was granted.")
	}
	sess, ok := req.GetSession().(*session)
	if !ok {
		return errors.New("session is not ours")
	}
	u.grant, u.device, u.decision = &grant, found.Hash, found.Decision
	sess.setUser(grant)
	sess.SetExpiresAt(fosite.AccessToken, h.store.now().Add(h.config.AccessTokenLifespan).Round(time.Second))
	req.SetID(string(grant.ID))
	req.SetRequestedScopes(grant.Scopes)
	for _, scope := range grant.Scopes {
		req.GrantScope(scope)
	}
	for _, name := range []string{"nonce", "prompt", "max_age", "id_token_hint"} {
		req.GetRequestForm().Del(name) // fosite would take them for those of a sign-in
	}
	return nil
}

// PopulateTokenEndpointResponse mints. Of several requests with one device code, the
// first to mark it used gets tokens.
func (h *deviceGrant) PopulateTokenEndpointResponse(ctx context.Context, req fosite.AccessRequester, resp fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, req) {
		return fosite.ErrUnknownRequest
	}
	u := unitFrom(ctx)
	if u.device == nil {
		return errors.New("no device request was found")
	}
	err := h.requests.Use(ctx, u.device, h.store.now())
	if errors.Is(err, device.ErrSettled) {
		return ErrUsed
	}
	if err != nil {
		return err
	}
	access, signature, err := h.core.GenerateAccessToken(ctx, req)
	if err != nil {
		return err
	}
	if err := h.store.CreateAccessTokenSession(ctx, signature, req); err != nil {
		return err
	}
	resp.SetAccessToken(access)
	resp.SetTokenType(bearer)
	resp.SetExpiresIn(req.GetSession().GetExpiresAt(fosite.AccessToken).Sub(h.store.now()).Round(time.Second))
	resp.SetScopes(req.GetGrantedScopes())
	if err := h.refreshToken(ctx, req, resp, signature); err != nil {
		return err
	}
	return h.idToken(ctx, req, resp)
}

func (h *deviceGrant) refreshToken(ctx context.Context, req fosite.AccessRequester, resp fosite.AccessResponder, access string) error {
	if !req.GetGrantedScopes().Has(scopeOfflineAccess) {
		return nil
	}
	token, signature, err := h.core.GenerateRefreshToken(ctx, req)
	if err != nil {
		return err
	}
	resp.SetExtra("refresh_token", token)
	return h.store.CreateRefreshTokenSession(ctx, signature, access, req)
}

func (h *deviceGrant) idToken(ctx context.Context, req fosite.AccessRequester, resp fosite.AccessResponder) error {
	sess, ok := req.GetSession().(*session)
	if !ok || !req.GetGrantedScopes().Has(scopeOpenID) {
		return nil
	}
	sess.claims.AccessTokenHash = h.idTokens.GetAccessTokenHash(ctx, req, resp)
	sess.claims.JTI = uuid.NewString()
	sess.claims.IssuedAt = h.store.now().Truncate(time.Second)
	return h.idTokens.IssueExplicitIDToken(ctx, h.config.IDTokenLifespan, req, resp)
}
