package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Applications looks up OAuth clients.
type Applications interface {
	// Get returns the application, or application.ErrNotFound.
	Get(ctx context.Context, id provisioning.ClientID) (application.Application, error)
}

// credentials are what a client showed.
type credentials struct {
	id        provisioning.ClientID
	secret    sdk.Secret
	method    application.AuthMethod
	assertion *assertion // of private_key_jwt
}

// credentialsFrom reads the client's credentials (RFC 6749 section 2.3.1). More
// than one method in a request is an error.
func credentialsFrom(r *http.Request, form url.Values) (credentials, *protocolError) {
	id, secret, basic := r.BasicAuth()
	switch {
	case form.Has("client_assertion") || form.Has("client_assertion_type"):
		return assertionCredentials(r, form)
	case basic && form.Get("client_secret") != "":
		return credentials{}, badRequest(codeInvalidRequest, "The client used more than one way to authenticate.")
	case basic:
		return basicCredentials(id, secret, form)
	case r.Header.Get("Authorization") != "":
		return credentials{}, invalidClient()
	case form.Get("client_secret") != "":
		return credentials{id: provisioning.ClientID(form.Get("client_id")), secret: sdk.Secret(form.Get("client_secret")), method: application.AuthPost}, nil
	default:
		return credentials{id: provisioning.ClientID(form.Get("client_id")), method: application.AuthNone}, nil
	}
}

// basicCredentials decodes both parts, which are form-encoded inside Basic.
func basicCredentials(id, secret string, form url.Values) (credentials, *protocolError) {
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	if errID != nil || errSecret != nil {
		return credentials{}, invalidClient()
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return credentials{}, badRequest(codeInvalidRequest, "The client_id in the body is not the one that authenticated.")
	}
	return credentials{id: provisioning.ClientID(id), secret: sdk.Secret(secret), method: application.AuthBasic}, nil
}

// authenticate is the only client authentication: fosite calls it for every
// token request, the other endpoints call it themselves. All failures with a secret
// look alike and cost alike: an unknown client is compared with a hash that nothing
// fits.
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	shown, fail := credentialsFrom(r, form)
	if fail != nil {
		return nil, fail
	}
	app, err := p.application(ctx, string(shown.id))
	if err != nil && !errors.Is(err, application.ErrNotFound) {
		return nil, internalError(err)
	}
	admit(ctx, app)
	known := err == nil && app.Enabled && app.AuthMethod == shown.method
	if fail := p.prove(ctx, r.URL.Path, app, known, shown); fail != nil {
		return nil, fail
	}
	c := &client{app: app}
	unitFrom(ctx).client = c
	return c, nil
}

// prove checks what was shown by the method the application is registered with.
func (p *Provider) prove(ctx context.Context, path string, app application.Application, known bool, shown credentials) *protocolError {
	if known && shown.method == application.AuthPrivateKeyJWT {
		return p.verifyAssertion(ctx, path, app, shown.assertion)
	}
	hash := p.decoyHash
	if known && shown.method.UsesSecret() {
		hash = app.SecretHash
	}
	proven := application.VerifySecret(hash, shown.secret)
	if !known || shown.method != application.AuthNone && !proven {
		return invalidClient()
	}
	return nil
}
