package op

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/flow"
)

// shownToken is an access token as it came with a request.
type shownToken struct {
	text   string
	scheme string // bearer or schemeDPoP
}

// readToken reads the access token from the header or the form body, never the query
// (RFC 6750 section 2), and only from one of them. One that is bound to a key comes in
// the header (RFC 9449 section 7.1).
func readToken(w http.ResponseWriter, r *http.Request) (shownToken, *protocolError) {
	header, fail := headerToken(r)
	if fail != nil {
		return header, fail
	}
	var inBody []string
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method == http.MethodPost && strings.TrimSpace(mediaType) == formType {
		form, fail := readForm(w, r)
		if fail != nil {
			return header, fail
		}
		inBody = form["access_token"]
	}
	switch {
	case len(inBody) > 1, len(inBody) == 1 && header.text != "":
		return header, badRequest(codeInvalidRequest, "The access token is there more than once.")
	case len(inBody) == 1:
		return shownToken{inBody[0], bearer}, nil
	case header.text != "":
		return header, nil
	default:
		return header, &protocolError{Status: http.StatusUnauthorized, Description: "There is no access token."}
	}
}

// headerToken reads the Authorization header; without one there is no token.
func headerToken(r *http.Request) (shownToken, *protocolError) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	shown := shownToken{strings.TrimSpace(text), bearer}
	switch {
	case scheme == "":
		return shown, nil
	case strings.EqualFold(scheme, schemeDPoP):
		shown.scheme = schemeDPoP
	case !strings.EqualFold(scheme, bearer):
		shown.text = ""
	}
	if shown.text == "" {
		return shown, badRequest(codeInvalidRequest, "The Authorization header has neither a Bearer nor a DPoP token.")
	}
	return shown, nil
}

// accessToken returns a token that is valid now, and whose holder may present it, with
// its grant.
func (p *Provider) accessToken(r *http.Request, shown shownToken) (Grant, AccessToken, error) {
	grant, access, err := p.validToken(r.Context(), shown.text)
	if err != nil {
		return Grant{}, AccessToken{}, err
	}
	if fail := p.checkHolder(r, shown, access); fail != nil {
		return Grant{}, AccessToken{}, fail
	}
	return grant, access, nil
}

// validToken returns a token that is valid here and now: one that is for a resource
// server is not.
func (p *Provider) validToken(ctx context.Context, token string) (Grant, AccessToken, error) {
	grant, access, err := p.tokens.AccessToken(ctx, HashToken(token))
	if errors.Is(err, ErrNotFound) {
		return Grant{}, AccessToken{}, invalidToken()
	}
	if err != nil {
		return Grant{}, AccessToken{}, internalError(err)
	}
	if err := p.admitHolder(ctx, grant.Client); err != nil {
		return Grant{}, AccessToken{}, err
	}
	if now := p.now(); !grant.RevokedAt.IsZero() || !now.Before(access.ExpiresAt) || access.Audience != "" {
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

// checkHolder wants a token to be presented as what it is: one that is bound to a key
// as such, with a proof for this token and request (RFC 9449 section 7.1), any other as
// a bearer token.
func (p *Provider) checkHolder(r *http.Request, shown shownToken, access AccessToken) *protocolError {
	if shown.scheme != tokenType(access.JKT) {
		fail := invalidToken()
		fail.Description = "The access token is of the type " + tokenType(access.JKT) + "."
		return fail
	}
	if access.JKT == "" {
		return nil
	}
	held, fail := p.readProof(r)
	switch {
	case fail != nil:
	case held == nil:
		fail = badProof("none came")
	case held.jkt != access.JKT:
		fail = badProof("its key is not the one that the access token is bound to")
	case held.claims.AccessToken != accessTokenHash(shown.text):
		fail = badProof("ath is not the hash of the access token")
	default:
		fail = p.useProof(r.Context(), held)
	}
	if fail != nil && fail.Status == http.StatusBadRequest {
		fail.Status = http.StatusUnauthorized
	}
	return fail
}

func invalidToken() *protocolError {
	return &protocolError{Code: codeInvalidToken, Status: http.StatusUnauthorized, Description: "The access token is not valid or expired."}
}

// resourceError answers with an error (RFC 6750 section 3, RFC 9449 section 7.1). The
// first challenge is of the scheme that was tried. A request without a token learns
// only how to authenticate.
func (p *Provider) resourceError(w http.ResponseWriter, r *http.Request, scheme string, fail *protocolError) {
	fail = p.outage(fail)
	fail.sayWhen(w)
	if fail.Status < http.StatusInternalServerError {
		p.challenge(w, scheme, fail)
	}
	reference := flow.NewReference()
	p.logFailure(r, fail, reference)
	body := map[string]string{"error_description": describe(fail.Description + " (reference " + reference + ")")}
	if fail.Code != "" {
		body["error"] = fail.Code
	}
	p.writeJSON(w, r, fail.Status, body)
}

func (p *Provider) challenge(w http.ResponseWriter, scheme string, fail *protocolError) {
	challenges := []string{bearer + ` realm="userinfo"`, schemeDPoP + ` realm="userinfo", algs="` + proofAlgNames() + `"`}
	if scheme == schemeDPoP {
		challenges[0], challenges[1] = challenges[1], challenges[0]
	}
	if fail.Code != "" {
		challenges[0] += `, error="` + fail.Code + `", error_description="` + describe(fail.Description) + `"`
	}
	for _, c := range challenges {
		w.Header().Add(headerWWWAuthenticate, c)
	}
}
