package op

import (
	"net"
	"net/url"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// matchRedirectURI returns the URI the answer goes to, and false when the
// request's is not registered. The comparison is exact, character by character
// (RFC 9700 section 2.1); only a native application on a loopback address may
// use any port (RFC 8252 section 7.3). A request without one is fine when it is
// clear which is meant.
func matchRedirectURI(app application.Application, requested string) (string, bool) {
	if requested == "" {
		if len(app.RedirectURIs) != 1 {
			return "", false
		}
		return app.RedirectURIs[0], true
	}
	for _, registered := range app.RedirectURIs {
		if requested == registered {
			return requested, true
		}
	}
	if app.Type != application.TypeNative {
		return "", false
	}
	for _, registered := range app.RedirectURIs {
		if sameButPort(registered, requested) {
			return requested, true
		}
	}
	return "", false
}

// sameButPort reports whether both are http URIs on the same loopback address
// and differ in the port alone.
func sameButPort(registered, requested string) bool {
	reg, regRest, ok := splitLoopback(registered)
	if !ok {
		return false
	}
	req, reqRest, ok := splitLoopback(requested)
	return ok && reg == req && regRest == reqRest
}

// splitLoopback splits an http URI on a loopback IP address into its address and
// the text behind the authority. A URI with a user is none; nor is the name
// localhost, which may resolve elsewhere.
func splitLoopback(raw string) (address, rest string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.User != nil || strings.HasSuffix(u.Host, ":") {
		return "", "", false
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		return "", "", false
	}
	rest, ok = strings.CutPrefix(raw, "http://"+u.Host)
	return u.Hostname(), rest, ok
}
