package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	reference := flow.NewReference()
	resp, err := p.grant(w, r, reference)
	if err != nil {
		p.tokenError(w, r, toProtocol(err), reference)
		return
	}
	p.writeJSON(w, r, http.StatusOK, resp.ToMap())
}

// grant answers a token request. What fosite reads comes first, then one
// transaction in which the gate decides and everything is written. Until it
// commits nothing is used up, so a refusal costs the client neither its code nor
// its refresh token.
func (p *Provider) grant(w http.ResponseWriter, r *http.Request, reference string) (fosite.AccessResponder, error) {
	form, fail := readForm(w, r)
	if fail != nil {
		return nil, fail
	}
	if fail := checkTokenForm(form, r.URL.RawQuery); fail != nil {
		return nil, fail
	}
	shown, fail := p.readProof(r)
	if fail != nil {
		return nil, fail
	}
	u := &unit{}
	ctx := withUnit(r.Context(), u)
	req, err := p.fosite.NewAccessRequest(ctx, r, newSession())
	if err != nil {
		return nil, err
	}
	own, ok := req.(*fosite.AccessRequest)
	if !ok || u.client == nil {
		return nil, internalError(errors.New("fosite returned another kind of request"))
	}
	if fail := p.settle(ctx, own, u); fail != nil {
		return nil, fail
	}
	if fail := p.bind(ctx, u, shown); fail != nil {
		return nil, fail
	}
	return p.gated(ctx, own, u, reference)
}

func checkTokenForm(form url.Values, query string) *protocolError {
	if fail := checkBody(form, query); fail != nil {
		return fail
	}
	switch grantType := form.Get("grant_type"); {
	case grantType == "":
		return badRequest(codeInvalidRequest, "The parameter grant_type is missing.")
	case !slices.Contains(grantTypes(), grantType):
		// Fosite would say invalid_request.
		return badRequest(codeUnsupportedGrantType, "The grant_type is not supported.")
	default:
		return nil
	}
}

// settle completes what fosite leaves to us: whether the client may use the
// grant at all, which scopes are granted, what the access token is for, and that
// none outlives its grant.
func (p *Provider) settle(ctx context.Context, req *fosite.AccessRequest, u *unit) *protocolError {
	grantType := req.GetRequestForm().Get("grant_type")
	if !u.client.may(grantType) {
		return badRequest(codeUnauthorizedClient, "The application may not use this grant_type.")
	}
	if sess, ok := req.Session.(*session); ok {
		sess.signWith(keys.Alg(u.client.app.IDTokenAlg))
	}
	if fail := settleScopes(req, grantType); fail != nil {
		return fail
	}
	if fail := p.takeAim(ctx, req, u); fail != nil {
		return fail
	}
	if u.grant != nil {
		if !u.client.knows(*u.grant) {
			return badRequest(codeInvalidGrant, "The application knows users by other subjects now.")
		}
		if exp := req.Session.GetExpiresAt(fosite.AccessToken); exp.After(u.grant.ExpiresAt) {
			req.Session.SetExpiresAt(fosite.AccessToken, u.grant.ExpiresAt)
		}
	}
	return nil
}

func settleScopes(req *fosite.AccessRequest, grantType string) *protocolError {
	switch grantType {
	case application.GrantClientCredentials:
		return grantOwnScopes(req)
	case application.GrantRefreshToken:
		return narrow(req)
	default:
		return nil
	}
}

// userScopes are about a user, whom client_credentials does not have.
func userScopes() []string {
	return []string{scopeOpenID, scopeProfile, scopeEmail, scopePhone, scopeOfflineAccess, scopeProvisioning}
}

// grantOwnScopes grants a client what it asked for itself; fosite has checked
// that it may.
func grantOwnScopes(req *fosite.AccessRequest) *protocolError {
	for _, scope := range req.GetRequestedScopes() {
		if slices.Contains(userScopes(), scope) {
			return badRequest(codeInvalidScope, "The scope "+scope+" needs a user.")
		}
		req.GrantScope(scope)
	}
	return nil
}

// narrow limits a refreshed access token to the scopes the client asks for (RFC
// 6749 section 6); fosite ignores the parameter. The grant keeps all it has.
func narrow(req *fosite.AccessRequest) *protocolError {
	wanted := strings.Fields(req.GetRequestForm().Get("scope"))
	if len(wanted) == 0 {
		return nil
	}
	for _, scope := range wanted {
		if !slices.Contains(req.GrantedScope, scope) {
			return badRequest(codeInvalidScope, "The scope "+describe(scope)+" was not granted.")
		}
	}
	req.GrantedScope = slices.Compact(slices.Sorted(slices.Values(wanted)))
	return nil
}

// gated mints if the gate permits. A refusal is invalid_grant; work that must
// end first is started and awaited a moment, outside of a transaction, and is
// then 503, which clients may repeat with the same code or token.
func (p *Provider) gated(ctx context.Context, req *fosite.AccessRequest, u *unit, reference string) (fosite.AccessResponder, error) {
	ask := provisioning.Request{
		Client: u.client.app.ClientID, User: provisioning.UserID(req.GetSession().GetSubject()),
		Grant:     provisioning.Grant(req.GetRequestForm().Get("grant_type")),
		Reference: reference, Earlier: u.decision,
		Exempt: p.adminClient != "" && u.client.app.ClientID == p.adminClient,
	}
	resp, decision, err := p.mint(ctx, req, u, ask)
	if err == nil && decision.Verdict == provisioning.VerdictWait {
		var over bool
		if over, err = p.await(ctx, ask); err == nil && over {
			resp, decision, err = p.mint(ctx, req, u, ask)
		}
	}
	if err != nil {
		return nil, err
	}
	return resp, p.refusal(ask.Grant, decision)
}

// refusal is what the client is told of a decision; nil for a permit. Devices have
// a word of their own for it (RFC 8628 section 3.5).
func (p *Provider) refusal(grant provisioning.Grant, d provisioning.Decision) error {
	switch d.Verdict {
	case provisioning.VerdictPermit:
		return nil
	case provisioning.VerdictWait:
		return &protocolError{
			Code: codeTemporarilyUnavailable, Status: http.StatusServiceUnavailable, RetryAfter: p.retryAfter(d),
			Description: "An account the application needs is being prepared. Try again with the same code or token.",
		}
	default:
		code := codeInvalidGrant
		if grant == provisioning.GrantDevice {
			code = codeAccessDenied
		}
		return badRequest(code, "The user may no longer use this application.")
	}
}

// await starts the work that must end first and reports whether it is over
// within the time a token request may be held.
func (p *Provider) await(ctx context.Context, ask provisioning.Request) (bool, error) {
	if _, err := p.gate.Start(ctx, ask); err != nil {
		return false, internalError(err)
	}
	held, cancel := context.WithTimeout(ctx, p.hold)
	defer cancel()
	waited, err := p.gate.Wait(held, ask)
	if err != nil && held.Err() == nil {
		return false, internalError(err)
	}
	return err == nil && waited.Verdict != provisioning.VerdictWait && waited.Verdict != "", nil
}

const maxRetryAfter = time.Minute

// retryAfter is when the first of the accounts is tried again.
func (p *Provider) retryAfter(d provisioning.Decision) time.Duration {
	var first time.Time
	for _, f := range d.Findings {
		if f.Verdict == provisioning.VerdictWait && !f.RetryAt.IsZero() && (first.IsZero() || f.RetryAt.Before(first)) {
			first = f.RetryAt
		}
	}
	if first.IsZero() {
		return defaultRetryAfter
	}
	return min(max(first.Sub(p.now()), defaultRetryAfter), maxRetryAfter)
}

// mint decides and makes the tokens in one transaction, so that what the gate saw
// still holds when they are written, and is what the ID token tells. If it does not permit, only its decision is
// kept. A request that lost the race for its code or refresh token gets nothing,
// and ends what the winner got: two holders of one credential means that one of
// them stole it. The revocation is a transaction of its own, because the first is
// rolled back.
func (p *Provider) mint(ctx context.Context, req *fosite.AccessRequest, u *unit, ask provisioning.Request) (fosite.AccessResponder, provisioning.Decision, error) {
	var resp fosite.AccessResponder
	var decision provisioning.Decision
	err := p.store.inTx(ctx, func(ctx context.Context) error {
		permit, d, err := p.gate.Permit(ctx, ask)
		if err != nil {
			return internalError(err)
		}
		decision = d
		if d.Verdict != provisioning.VerdictPermit {
			return nil
		}
		if err := p.addProvisioned(ctx, req); err != nil {
			return err
		}
		if err := p.addRequested(ctx, req); err != nil {
			return err
		}
		resp, err = p.fosite.NewAccessResponse(provisioning.WithPermit(ctx, permit), req)
		if err == nil {
			resp.SetTokenType(tokenType(u.jkt))
			resp.SetScopes(u.aim.scopes(req.GetGrantedScopes()))
		}
		return err
	})
	if errors.Is(err, ErrUsed) && u.grant != nil {
		if revokeErr := p.tokens.RevokeGrant(ctx, u.grant.ID, p.now()); revokeErr != nil {
			return nil, decision, internalError(revokeErr)
		}
	}
	return resp, decision, err
}

// addProvisioned puts the user's accounts into the ID token when scope
// provisioning was granted.
func (p *Provider) addProvisioned(ctx context.Context, req *fosite.AccessRequest) error {
	sess, ok := req.GetSession().(*session)
	if !ok || sess.subject == "" {
		return nil
	}
	scopes := req.GetGrantedScopes()
	if unit := unitFrom(ctx); unit.grant != nil && len(scopes) == 0 {
		scopes = unit.grant.Scopes // fosite grants a code's scopes only when it mints
	}
	if !slices.Contains(scopes, scopeProvisioning) || !slices.Contains(scopes, scopeOpenID) {
		return nil
	}
	accounts, err := p.accounts.Provisioned(ctx, provisioning.ClientID(req.GetClient().GetID()), provisioning.UserID(sess.subject))
	if err != nil {
		return internalError(err)
	}
	sess.claims.Add(claimProvisioned, accounts)
	return nil
}

// addRequested puts the claims into the ID token that its request named for it.
func (p *Provider) addRequested(ctx context.Context, req *fosite.AccessRequest) error {
	sess, ok := req.GetSession().(*session)
	if !ok {
		return nil
	}
	named := requested(sess.user.Claims, inIDToken)
	if len(named) == 0 {
		return nil
	}
	profile, err := p.users.Profile(ctx, sess.user.User)
	if err != nil {
		return internalError(err)
	}
	for name, value := range profileClaims(profile, nil, named) {
		sess.claims.Add(name, value)
	}
	return nil
}

// tokenError answers with an error (RFC 6749 section 5.2).
func (p *Provider) tokenError(w http.ResponseWriter, r *http.Request, fail *protocolError, reference string) {
	fail = p.outage(fail)
	p.logFailure(r, fail, reference)
	if fail.Status == http.StatusUnauthorized {
		w.Header().Set(headerWWWAuthenticate, `Basic realm="token"`)
	}
	fail.sayWhen(w)
	p.writeJSON(w, r, fail.Status, map[string]string{
		"error": fail.Code, "error_description": describe(fail.Description + " (reference " + reference + ")"),
	})
}
