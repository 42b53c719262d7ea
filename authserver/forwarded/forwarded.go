package forwarded

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers in which proxies tell whom they act for.
const (
	HeaderXFF       = "X-Forwarded-For"
	HeaderForwarded = "Forwarded" // RFC 7239
)

// Unknown is the address of a client whom a trusted proxy does not name.
const Unknown = "unknown"

// Proxies are the reverse proxies that are believed. The zero value believes
// nobody.
type Proxies struct {
	Trusted []netip.Prefix
	// Header is the one header that they write, HeaderXFF if it is "". The other is
	// ignored: a proxy that does not know it passes on what a client made up.
	Header string
}

// Client returns the address of the client. Each proxy appends the address it was
// called from, so the header is read from its end: as long as what wrote an address
// is trusted, the address is true. The first one that is no proxy's is the client's;
// what stands before it, anybody may have written. Where a proxy wrote something
// that is no address, the client is Unknown: taken for the proxy, it would seem to
// be of the internal network.
func (p Proxies) Client(r *http.Request) string {
	client, err := parse(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	for _, hop := range slices.Backward(p.hops(r.Header)) {
		if !p.trusts(client) {
			break
		}
		next, err := parse(hop)
		if err != nil {
			return Unknown
		}
		client = next
	}
	return client.String()
}

func (p Proxies) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Trusted, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// hops returns the entries of the header in order, as they are written.
func (p Proxies) hops(h http.Header) []string {
	if len(p.Trusted) == 0 {
		return nil
	}
	// Several lines of a header mean the same as one (RFC 9110 section 5.3).
	if p.Header == HeaderForwarded {
		return forElements(strings.Join(h.Values(HeaderForwarded), ","))
	}
	line := strings.Join(h.Values(HeaderXFF), ",")
	if line == "" {
		return nil
	}
	return strings.Split(line, ",")
}

// parse reads an address with or without a port, and IPv6 with or without
// brackets. Zones are dropped: they mean something on one machine only.
func parse(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	} else if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(text)
	return addr.Unmap().WithZone(""), err
}

// forElements returns the "for" parameter of each element of a Forwarded header, ""
// for an element without one (RFC 7239 section 4).
func forElements(header string) []string {
	var out []string
	for _, element := range split(header, ',') {
		value := ""
		for _, pair := range split(element, ';') {
			name, v, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				value = unquote(strings.TrimSpace(v))
			}
		}
		out = append(out, value)
	}
	return out
}

// split divides at a separator outside of quotes. It reads from the end, where the
// proxies wrote: a quote that a client opened and did not close cannot swallow what
// they appended to it.
func split(s string, separator byte) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	var out []string
	end, quoted := len(s), false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			out = append(out, s[i+1:end])
			end = i
		}
	}
	out = append(out, s[:end])
	slices.Reverse(out)
	return out
}

// unquote returns the content of a quoted string. An address needs no escapes, so
// they are left alone and make it none.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
