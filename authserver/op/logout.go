package op

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/provisioning"
)

// logoutParams are the parameters of a logout request that mean something here.
// logout_hint does not: the browser's session says who is to be signed out.
func logoutParams() []string {
	return []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}
}

// logout is the end session endpoint (OpenID Connect RP-Initiated Logout 1.0).
// What does not check is shown to the person and ends nothing: section 4 wants the
// browser sent nowhere that was not proven.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	values, fail := readQueryAndForm(w, r)
	if fail == nil {
		var req flow.SignOutRequest
		if req, fail = p.checkLogout(r.Context(), values); fail == nil {
			if err := p.signOuts.SignOut(w, r, req); err != nil {
				fail = internalError(err)
			}
		}
	}
	if fail != nil {
		p.errorPage(w, r, fail, flow.NewReference())
	}
}

// logoutByPost starts over with GET: browsers do not send our cookies along with a
// form of another site, and without them there would seem to be no session.
func (p *Provider) logoutByPost(w http.ResponseWriter, r *http.Request) {
	values, fail := readQueryAndForm(w, r)
	if fail != nil {
		p.errorPage(w, r, fail, flow.NewReference())
		return
	}
	redirect(w, PathLogout+"?"+values.Encode())
}

func (p *Provider) checkLogout(ctx context.Context, values url.Values) (flow.SignOutRequest, *protocolError) {
	form := pick(values, logoutParams())
	for name := range form {
		switch {
		case len(values[name]) > 1:
			return flow.SignOutRequest{}, badRequest(codeInvalidRequest, "The parameter "+name+" is repeated.")
		case len(form.Get(name)) > maxParamBytes || !isText(form.Get(name)):
			return flow.SignOutRequest{}, badRequest(codeInvalidRequest, "The parameter "+name+" is too long or is no text.")
		}
	}
	req := flow.SignOutRequest{Client: provisioning.ClientID(form.Get("client_id")), UILocales: form.Get("ui_locales")}
	if hint := form.Get("id_token_hint"); hint != "" {
		if fail := p.applyHint(ctx, &req, hint); fail != nil {
			return flow.SignOutRequest{}, fail
		}
	}
	fail := p.applyReturn(ctx, &req, form.Get("post_logout_redirect_uri"), form.Get("state"))
	return req, fail
}

// hintClaims are what an id_token_hint is good for.
type hintClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	SID      string   `json:"sid"`
	Expires  *float64 `json:"exp"`
}

// audience is one string or a list of them (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// readHint verifies an id_token_hint. It may have expired, and its key may be one
// that no longer signs. Signed userinfo has no exp: that is how the two differ.
func (p *Provider) readHint(ctx context.Context, hint string) (hintClaims, *protocolError) {
	bad := badRequest(codeInvalidRequest, "The id_token_hint is not an ID token of this server.")
	payload, err := p.keys.VerifyHint(ctx, hint)
	if errors.Is(err, keys.ErrInvalidToken) {
		return hintClaims{}, bad
	}
	if err != nil {
		return hintClaims{}, internalError(err)
	}
	var claims hintClaims
	if json.Unmarshal(payload, &claims) != nil || claims.Issuer != p.issuer || claims.Subject == "" || len(claims.Audience) == 0 || claims.Expires == nil {
		return hintClaims{}, bad
	}
	return claims, nil
}

// applyHint takes from the hint what the request did not say, and refuses one
// that another application got (section 2).
func (p *Provider) applyHint(ctx context.Context, req *flow.SignOutRequest, hint string) *protocolError {
	claims, fail := p.readHint(ctx, hint)
	if fail != nil {
		return fail
	}
	if req.Client == "" {
		req.Client = provisioning.ClientID(claims.Audience[0])
	}
	if !slices.Contains(claims.Audience, string(req.Client)) {
		return badRequest(codeInvalidRequest, "The id_token_hint was issued to another application than client_id.")
	}
	return p.applySubject(ctx, req, claims)
}

// applySubject finds whom the application means. A subject that nobody has any more
// means nobody, who is not signed in.
func (p *Provider) applySubject(ctx context.Context, req *flow.SignOutRequest, claims hintClaims) *protocolError {
	app, err := p.application(ctx, string(req.Client))
	if errors.Is(err, application.ErrNotFound) {
		return nil // see applyReturn
	}
	if err == nil {
		req.User, err = p.subjects.User(ctx, app, claims.Subject)
	}
	if err != nil && !errors.Is(err, subject.ErrNone) {
		return internalError(err)
	}
	req.SID, req.Sector = claims.SID, app.Sector()
	return nil
}

// applyReturn checks the application, and that the browser may go back to it: the
// URI must be registered, character by character. Without an application there is
// nowhere to go back to, and the person sees our own page.
func (p *Provider) applyReturn(ctx context.Context, req *flow.SignOutRequest, uri, state string) *protocolError {
	if req.Client == "" {
		return nil
	}
	app, err := p.application(ctx, string(req.Client))
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return internalError(err)
	}
	gone := err != nil || !app.Enabled
	switch {
	case gone && uri == "":
		*req = flow.SignOutRequest{UILocales: req.UILocales} // the person may sign out all the same
		return nil
	case gone:
		return badRequest(codeInvalidClient, "No application has this client_id.")
	case uri == "":
		return nil
	}
	if !slices.Contains(app.PostLogoutRedirectURIs, uri) {
		return badRequest(codeInvalidRequest, "The post_logout_redirect_uri is not registered for this application.")
	}
	req.ReturnTo = uri
	if state != "" {
		req.ReturnTo = withQuery(uri, url.Values{"state": {state}})
	}
	return nil
}
