package op

import (
	"context"
	"slices"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// client is an application as fosite sees it.
type client struct {
	app application.Application
	// redirectURIs is the one URI our own matcher accepted for this request;
	// fosite's is too generous (it never compares the registered scheme).
	redirectURIs []string
}

var (
	_ fosite.Client             = (*client)(nil)
	_ fosite.ResponseModeClient = (*client)(nil)
)

// stranger is a client that is only compared: its row was issued to somebody
// other than who asks.
func stranger(id provisioning.ClientID) *client {
	return &client{app: application.Application{ClientID: id, AuthMethod: application.AuthBasic}}
}

// GetID returns the client_id.
func (c *client) GetID() string { return string(c.app.ClientID) }

// GetHashedSecret returns nothing: fosite never compares secrets here.
func (c *client) GetHashedSecret() []byte { return nil }

// GetRedirectURIs returns the redirect URI of this request.
func (c *client) GetRedirectURIs() []string { return c.redirectURIs }

// GetGrantTypes returns what the client may use.
func (c *client) GetGrantTypes() fosite.Arguments { return c.app.GrantTypes }

// GetResponseTypes returns code alone: implicit and hybrid are not offered.
func (c *client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{responseTypeCode} }

// GetResponseModes returns what is offered.
func (c *client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeQuery, fosite.ResponseModeFormPost}
}

// GetScopes returns what the client may ask for.
func (c *client) GetScopes() fosite.Arguments { return c.app.Scopes }

// IsPublic reports whether the client has no secret.
func (c *client) IsPublic() bool { return c.app.AuthMethod == application.AuthNone }

// GetAudience returns nothing: tokens are for this server's own endpoints.
func (c *client) GetAudience() fosite.Arguments { return nil }

// knows reports whether the grant's subject is of the kind that the application gets
// now. When that changes its grants are revoked; one that was being made meanwhile
// must not tell the user's id all the same.
func (c *client) knows(g Grant) bool {
	return g.User == "" || (g.Subject == string(g.User)) == (c.app.Sector() == "")
}

// may reports whether the client may use the grant type.
func (c *client) may(grantType string) bool { return c.GetGrantTypes().Has(grantType) }

// maySee reports whether the client may ask for all of the scopes.
func (c *client) maySee(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(c.app.Scopes, scope) })
}

// grantable returns the scopes that are granted of those requested. A refresh token
// is for applications that can use one.
func (c *client) grantable(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return scope == scopeOfflineAccess && !c.may(application.GrantRefreshToken)
	})
}

type unitKey struct{}

// unit is what one HTTP request has found out so far, so that fosite's many
// lookups of the same thing cost one query.
type unit struct {
	client   *client
	grant    *Grant // of the code, refresh token or device code presented
	code     *Code
	refresh  *RefreshToken
	device   []byte                  // hash of the device code presented
	decision provisioning.DecisionID // on what was presented
	jkt      string                  // of the key that the tokens will be bound to; "" for bearer tokens
	aim      aim                     // of the access token
}

func withUnit(ctx context.Context, u *unit) context.Context {
	return context.WithValue(ctx, unitKey{}, u)
}

// unitFrom returns the request's unit, or an empty one.
func unitFrom(ctx context.Context) *unit {
	if u, ok := ctx.Value(unitKey{}).(*unit); ok {
		return u
	}
	return &unit{}
}
