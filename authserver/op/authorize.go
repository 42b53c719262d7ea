package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The values of prompt (OpenID Connect Core section 3.1.2.1, Initiating User
// Registration via OpenID Connect 1.0).
const (
	promptNone          = "none"
	promptLogin         = "login"
	promptCreate        = "create"
	promptConsent       = "consent"
	promptSelectAccount = "select_account"
)

// acceptedPrompts are all there are. consent shows a page only for applications
// whose users are asked: for others an admin consented for everybody, and clients
// must send it to get offline_access. select_account shows the sign-in page.
func acceptedPrompts() []string {
	return []string{promptNone, promptLogin, promptCreate, promptConsent, promptSelectAccount}
}

// statePlaceholder satisfies fosite, which insists on a state. It is never sent:
// answers carry the state of the stored form.
const statePlaceholder = "placeholder-for-fosite"

const maxMaxAge = 10 * 365 * 24 * time.Hour

// authorization is a request whose client and redirect URI are verified: from
// here on errors go to the application.
type authorization struct {
	client      *client
	form        url.Values // only known parameters, each once and not empty
	redirectURI string
	repeated    string    // a parameter that is there more than once; "" if none is
	pushed      TokenHash // of the request_uri it was pushed under; "" if it was not
}

// authorize is the authorization endpoint (RFC 6749 section 3.1).
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	a, fail := p.readAuthorization(w, r)
	if fail != nil {
		p.errorPage(w, r, fail, flow.NewReference())
		return
	}
	fail = p.checkPushed(a)
	var req flow.AuthorizeRequest
	if fail == nil {
		req, fail = p.checkAuthorization(r.Context(), a)
	}
	if fail != nil {
		p.redirectError(w, r, a, fail)
		return
	}
	s, step, err := p.signIns.Begin(w, r, req)
	if err != nil {
		p.redirectError(w, r, a, internalError(err))
		return
	}
	p.follow(w, r, s, step)
}

// authorizeByPost is the authorization endpoint for forms. One of another site comes
// without our cookies: the session would not be seen, and the browser get a key
// that its other tabs do not know. So that starts over with GET, if it is not too
// long for one.
func (p *Provider) authorizeByPost(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		p.authorize(w, r)
		return
	}
	values, fail := readQueryAndForm(w, r)
	if query := values.Encode(); fail == nil && len(query) > maxQueryBytes {
		fail = &protocolError{Code: codeInvalidRequest, Status: http.StatusRequestEntityTooLarge, Description: "The request is too long."}
	}
	if fail != nil {
		p.errorPage(w, r, fail, flow.NewReference())
		return
	}
	redirect(w, PathAuthorize+"?"+values.Encode())
}

// readAuthorization returns the request with client and redirect URI verified.
// Its errors must not be redirected (RFC 6749 section 4.1.2.1).
func (p *Provider) readAuthorization(w http.ResponseWriter, r *http.Request) (authorization, *protocolError) {
	values, fail := readQueryAndForm(w, r)
	if fail != nil {
		return authorization{}, fail
	}
	if len(values["client_id"]) > 1 || len(values["redirect_uri"]) > 1 {
		return authorization{}, badRequest(codeInvalidRequest, "The parameter client_id or redirect_uri is repeated.")
	}
	if isPushed(values) {
		return p.continuePushed(r.Context(), values)
	}
	a, fail := p.verifyTarget(r.Context(), pick(values, authorizeParams()))
	if fail != nil {
		return authorization{}, fail
	}
	a.repeated = repeated(values)
	if len(values["response_mode"]) > 1 {
		a.form.Del("response_mode") // the answer, an error, takes the default
	}
	if len(values["state"]) > 1 || len(a.form.Get("state")) > maxParamBytes {
		a.form.Del("state") // which one would the answer carry?
	}
	return a, nil
}

// verifyTarget finds the application and checks that the answer may go where
// the form says.
func (p *Provider) verifyTarget(ctx context.Context, form url.Values) (authorization, *protocolError) {
	id := form.Get("client_id")
	if id == "" {
		return authorization{}, badRequest(codeInvalidRequest, "The parameter client_id is missing.")
	}
	app, err := p.application(ctx, id)
	if errors.Is(err, application.ErrNotFound) || err == nil && !app.Enabled {
		return authorization{}, badRequest(codeInvalidClient, "No application has this client_id.")
	}
	if err != nil {
		return authorization{}, internalError(err)
	}
	if !form.Has("redirect_uri") && slices.Contains(strings.Fields(form.Get("scope")), scopeOpenID) { // OpenID Connect Core section 3.1.2.1
		return authorization{}, badRequest(codeInvalidRequest, "The parameter redirect_uri is missing.")
	}
	uri, ok := matchRedirectURI(app, form.Get("redirect_uri"))
	if !ok {
		return authorization{}, badRequest(codeInvalidRequest, "The redirect_uri is not registered for this application.")
	}
	return authorization{client: &client{app: app, redirectURIs: []string{uri}}, form: form, redirectURI: uri}, nil
}

// application looks an application up. An id that cannot be one does not reach
// the database, which might fail on it.
func (p *Provider) application(ctx context.Context, id string) (application.Application, error) {
	if !isText(id) || len(id) > maxParamBytes {
		return application.Application{}, application.ErrNotFound
	}
	return p.apps.Get(ctx, provisioning.ClientID(id))
}

// checkAuthorization validates everything else, and returns what the flow needs
// to know.
func (p *Provider) checkAuthorization(ctx context.Context, a authorization) (flow.AuthorizeRequest, *protocolError) {
	if seconds := a.client.app.DefaultMaxAge; seconds != nil && !a.form.Has("max_age") {
		a.form.Set("max_age", strconv.FormatInt(*seconds, 10))
	}
	maxAge, fail := parseMaxAge(a.form)
	if fail != nil {
		return flow.AuthorizeRequest{}, fail
	}
	prompt, fail := parsePrompt(a.form.Get("prompt"))
	if fail != nil {
		return flow.AuthorizeRequest{}, fail
	}
	claims, fail := parseClaims(a.form.Get("claims"))
	if fail != nil {
		return flow.AuthorizeRequest{}, fail
	}
	ar, err := p.validate(ctx, a)
	if err != nil {
		return flow.AuthorizeRequest{}, toProtocol(err)
	}
	wished, fail := p.wished(ctx, a.client, a.form[paramResource], ar.GetRequestedScopes())
	if fail != nil {
		return flow.AuthorizeRequest{}, fail
	}
	return flow.AuthorizeRequest{
		Client: a.client.app.ClientID, Form: a.form, RedirectURI: a.redirectURI, Scopes: ar.GetRequestedScopes(),
		Asks:   append(claims.scopes(a.client, ar.GetRequestedScopes()), application.ResourceScopes(wished.resources)...),
		Pushed: a.pushed.bytes(), Prompt: prompt, MaxAge: maxAge, LoginHint: a.form.Get("login_hint"), UILocales: a.form.Get("ui_locales"),
	}, nil
}

// validate applies our rules, then fosite's, to a request that begins and again
// before its code is made.
func (p *Provider) validate(ctx context.Context, a authorization) (*fosite.AuthorizeRequest, error) {
	for _, check := range []func(authorization) *protocolError{checkUnsupported, checkTexts, checkResponse, checkPKCE, checkJKT} {
		if fail := check(a); fail != nil {
			return nil, fail
		}
	}
	return p.fositeRequest(ctx, a)
}

func checkUnsupported(a authorization) *protocolError {
	switch {
	case a.repeated != "":
		return badRequest(codeInvalidRequest, "The parameter "+a.repeated+" is repeated.")
	case a.form.Has("request"):
		return badRequest(codeRequestNotSupported, "Request objects are not supported.")
	case a.form.Has("request_uri"):
		return badRequest(codeRequestURINotSupported, "The request_uri is not one of a request that was pushed here.")
	case a.form.Has("registration"):
		return badRequest(codeRegistrationUnsupported, "The parameter registration is not supported.")
	default:
		return nil
	}
}

func checkTexts(a authorization) *protocolError {
	for _, name := range authorizeParams() {
		switch value := a.form.Get(name); {
		case len(value) > maxParamBytes:
			return badRequest(codeInvalidRequest, "The parameter "+name+" is too long.")
		case !isText(value):
			return badRequest(codeInvalidRequest, "The parameter "+name+" has control characters or is not UTF-8.")
		}
	}
	return nil
}

func checkResponse(a authorization) *protocolError {
	switch responseType := a.form.Get("response_type"); {
	case !a.client.may(application.GrantAuthorizationCode):
		return badRequest(codeUnauthorizedClient, "The application may not use the authorization code flow.")
	case responseType == "":
		return badRequest(codeInvalidRequest, "The parameter response_type is missing.")
	case responseType != responseTypeCode:
		return badRequest(codeUnsupportedResponseType, "The only response_type is code.")
	case a.form.Has("response_mode") && !slices.Contains(responseModes(), a.form.Get("response_mode")):
		return badRequest(codeInvalidRequest, "The response_mode must be query or form_post.")
	case a.form.Get("response_mode") == modeFormPost && !strings.HasPrefix(a.redirectURI, "http"):
		a.form.Del("response_mode") // or the error could not be sent
		return badRequest(codeInvalidRequest, "The response_mode form_post needs a redirect_uri of http or https.")
	default:
		return nil
	}
}

// checkPKCE requires S256 of everybody (RFC 9700 section 2.1.1) but the confidential
// applications whose admin said otherwise. Fosite checks this only when it issues,
// after the user has signed in.
func checkPKCE(a authorization) *protocolError {
	challenge := a.form.Get("code_challenge")
	switch {
	case challenge == "" && a.client.app.PKCEOptional && a.client.confidential() && !a.form.Has("code_challenge_method"):
		return nil
	case challenge == "":
		return badRequest(codeInvalidRequest, "The parameter code_challenge is missing: PKCE is required.")
	case a.form.Get("code_challenge_method") != methodS256:
		return badRequest(codeInvalidRequest, "The only code_challenge_method is S256.")
	case !isSHA256(challenge):
		return badRequest(codeInvalidRequest, "The code_challenge is not a base64url SHA-256.")
	default:
		return nil
	}
}

// isSHA256 reports whether the text can be a SHA-256, base64url without padding.
func isSHA256(text string) bool {
	const length = 43
	return len(text) == length && !strings.ContainsFunc(text, notBase64URL)
}

func notBase64URL(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// parsePrompt returns what the flow must know of prompt.
func parsePrompt(text string) ([]string, *protocolError) {
	values := strings.Fields(text)
	if slices.Contains(values, promptNone) && len(values) > 1 {
		return nil, badRequest(codeInvalidRequest, "The prompt none excludes every other.")
	}
	var prompt []string
	for _, v := range values {
		switch v {
		case promptSelectAccount:
			prompt = append(prompt, promptLogin)
		case promptNone, promptLogin, promptCreate, promptConsent:
			prompt = append(prompt, v)
		default:
			return nil, badRequest(codeInvalidRequest, "The parameter prompt has an unknown value.")
		}
	}
	slices.Sort(prompt)
	return slices.Compact(prompt), nil
}

// parseMaxAge returns nil without max_age. A huge one is cut in the form too:
// fosite would compute with it and overflow.
func parseMaxAge(form url.Values) (*time.Duration, *protocolError) {
	text := form.Get("max_age")
	if text == "" {
		return nil, nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		return nil, badRequest(codeInvalidRequest, "The parameter max_age is not a number of seconds.")
	}
	const limit = int64(maxMaxAge / time.Second)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds > limit {
		seconds = limit
		form.Set("max_age", strconv.FormatInt(limit, 10))
	}
	maxAge := time.Duration(seconds) * time.Second
	return &maxAge, nil
}

// fositeRequest lets fosite validate the form by way of a synthetic request.
func (p *Provider) fositeRequest(ctx context.Context, a authorization) (*fosite.AuthorizeRequest, error) {
	form := make(url.Values, len(a.form)+1)
	for name, v := range a.form {
		form[name] = v
	}
	form.Set("state", statePlaceholder)
	synthetic := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, Form: form}
	ar, err := p.fosite.NewAuthorizeRequest(withUnit(ctx, &unit{client: a.client}), synthetic)
	if err != nil {
		return nil, err
	}
	own, ok := ar.(*fosite.AuthorizeRequest)
	if !ok {
		return nil, internalError(errors.New("fosite returned another kind of request"))
	}
	return own, nil
}
