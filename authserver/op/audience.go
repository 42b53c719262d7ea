package op

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/resourceserver"
)

// paramResource names what an access token is for (RFC 8707 section 2). It is the one
// parameter that may be repeated.
const paramResource = "resource"

// maxResources bounds what one request may name.
const maxResources = 8

// ResourceServers tells which APIs take our tokens.
type ResourceServers interface {
	// Get returns one by its identifier, or resourceserver.ErrNotFound.
	Get(ctx context.Context, identifier string) (resourceserver.Server, error)
}

// parseResources reads the values of the parameter. Empty ones count as absent, and
// one that is repeated counts once.
func parseResources(values []string) ([]string, *protocolError) {
	var resources []string
	for _, v := range values {
		if v == "" || slices.Contains(resources, v) {
			continue
		}
		if err := resourceserver.CheckIdentifier(v); err != nil {
			return nil, invalidTarget("A resource " + err.Error() + ".")
		}
		resources = append(resources, v)
	}
	if len(resources) > maxResources {
		return nil, invalidTarget("The request names too many resources.")
	}
	return resources, nil
}

func invalidTarget(description string) *protocolError {
	return badRequest(codeInvalidTarget, description)
}

// resourceServer returns a resource server that the application may have tokens
// for. One that is unknown and one that is not for it are told alike.
func (p *Provider) resourceServer(ctx context.Context, c *client, identifier string) (resourceserver.Server, *protocolError) {
	found, err := p.resources.Get(ctx, identifier)
	if errors.Is(err, resourceserver.ErrNotFound) || err == nil && !found.Serves(c.app) {
		return found, invalidTarget("No resource server that the application may use has this identifier.")
	}
	if err != nil {
		return found, internalError(err)
	}
	return found, nil
}

// wishes are the resource servers that an authorization request names.
type wishes struct {
	resources []string      // their identifiers
	longest   time.Duration // an access token for one of them lives; 0 without any
}

// wished checks the resources of an authorization request. Every scope must mean
// something: to us, or to one of them. The issuer stands for our own endpoints, which
// no request needs to name.
func (p *Provider) wished(ctx context.Context, c *client, values, scopes []string) (wishes, *protocolError) {
	resources, fail := parseResources(values)
	if fail != nil {
		return wishes{}, fail
	}
	var w wishes
	known := userScopes()
	for _, id := range resources {
		if id == p.issuer {
			continue
		}
		server, fail := p.resourceServer(ctx, c, id)
		if fail != nil {
			return wishes{}, fail
		}
		known, w.resources = append(known, server.Scopes...), append(w.resources, id)
		w.longest = max(w.longest, server.Lifetime(p.store.times.Access))
	}
	for _, scope := range scopes {
		if len(w.resources) > 0 && !slices.Contains(known, scope) {
			return wishes{}, badRequest(codeInvalidScope, "The scope "+describe(scope)+" belongs to none of the resources.")
		}
	}
	return w, nil
}

// aim is what an access token is for.
type aim struct {
	server *resourceserver.Server // nil for our own endpoints
	// limited is for our own endpoints when the grant names resource servers: their
	// scopes do not belong into it.
	limited bool
}

// audience is the resource server's identifier, "" for our own endpoints.
func (a aim) audience() string {
	if a.server == nil {
		return ""
	}
	return a.server.Identifier
}

// scopes returns those that a token may have there.
func (a aim) scopes(granted []string) []string {
	allowed := granted
	switch {
	case a.server != nil:
		allowed = a.server.Scopes
	case a.limited:
		allowed = userScopes()
	}
	var scopes []string
	for _, scope := range granted {
		if slices.Contains(allowed, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// takeAim finds out what the access token is for, and lets it live as long as its
// resource server says. A resource server that was disabled, or taken from the
// application, gets no more tokens.
func (p *Provider) takeAim(ctx context.Context, req *fosite.AccessRequest, u *unit) *protocolError {
	form := req.GetRequestForm()
	wanted, fail := parseResources(form[paramResource])
	if fail != nil {
		return fail
	}
	id, fail := p.choose(u.grant, wanted)
	if fail != nil {
		return fail
	}
	if id == p.issuer {
		u.aim = aim{limited: u.grant != nil && len(u.grant.Resources) > 0}
		return nil
	}
	server, fail := p.resourceServer(ctx, u.client, id)
	if fail != nil {
		return fail
	}
	u.aim = aim{server: &server}
	lifetime := server.Lifetime(p.store.times.Access)
	req.Session.SetExpiresAt(fosite.AccessToken, p.now().Add(lifetime))
	if sess, ok := req.Session.(*session); ok && u.grant == nil {
		sess.wishes = wishes{resources: []string{id}, longest: lifetime}
	}
	return u.checkExplicit(form.Get("grant_type"), form.Get("scope"))
}

// choose returns the one resource that the token is for: what the request names, and
// else what its grant does. The issuer stands for our own endpoints, which every
// OpenID Connect grant includes.
func (p *Provider) choose(g *Grant, wanted []string) (string, *protocolError) {
	switch {
	case len(wanted) > 1:
		return "", invalidTarget("An access token is for one resource: ask for each by itself.")
	case g == nil && len(wanted) == 1:
		return wanted[0], nil
	case g == nil:
		return p.issuer, nil
	case len(wanted) == 0 && len(g.Resources) == 0:
		return p.issuer, nil
	case len(wanted) == 0 && len(g.Resources) == 1:
		return g.Resources[0], nil
	case len(wanted) == 0:
		return "", invalidTarget("The authorization is for several resources: name one of them.")
	case slices.Contains(g.Resources, wanted[0]):
		return wanted[0], nil
	case wanted[0] == p.issuer && (len(g.Resources) == 0 || slices.Contains(g.Scopes, scopeOpenID)):
		return p.issuer, nil
	default:
		return "", invalidTarget("The resource is not one that was authorized.")
	}
}

// checkExplicit refuses a scope that the request names and the resource server does
// not know. A code's request names none (RFC 6749 section 4.1.3).
func (u *unit) checkExplicit(grantType, scope string) *protocolError {
	if grantType == application.GrantAuthorizationCode {
		return nil
	}
	for _, s := range strings.Fields(scope) {
		if !slices.Contains(u.aim.server.Scopes, s) && !slices.Contains(userScopes(), s) {
			return badRequest(codeInvalidScope, "The scope "+describe(s)+" does not belong to the resource.")
		}
	}
	return nil
}
