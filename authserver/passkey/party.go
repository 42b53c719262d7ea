package passkey

import (
	"net"
	"net/url"
	"strings"
)

// Party is the server as authenticators know it (the relying party).
type Party struct {
	ID     string // the domain that keys are made for
	Origin string // the one that browsers may be at
}

// PartyOf returns the party of an issuer; false if browsers make no keys for it: its
// host is an IP address, or it is http elsewhere than at localhost.
func PartyOf(issuer string) (Party, bool) {
	u, err := url.Parse(issuer)
	if err != nil {
		return Party{}, false
	}
	host := strings.ToLower(u.Hostname())
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if host == "" || net.ParseIP(host) != nil || u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return Party{}, false
	}
	origin := u.Scheme + "://" + host
	// A browser leaves the default port out.
	if port := u.Port(); port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		origin += ":" + port
	}
	return Party{ID: host, Origin: origin}, true
}
