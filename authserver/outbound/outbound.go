package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbidden means that an address leads where nobody allowed it to.
var ErrForbidden = errors.New("the address is not a public one")

// The limits of a request. Who does not answer in time is tried again later.
const (
	Timeout        = 5 * time.Second
	maxHeaderBytes = 16 << 10
)

// NewClient returns a client for public addresses and the networks given. It uses
// no proxy, which would connect in its place, and follows no redirect.
func NewClient(allowed []netip.Prefix) *http.Client {
	g := guard(allowed)
	dialer := &net.Dialer{Timeout: Timeout, ControlContext: g.control}
	return &http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: Timeout, ResponseHeaderTimeout: Timeout,
			MaxResponseHeaderBytes: maxHeaderBytes, ForceAttemptHTTP2: true, MaxIdleConns: 16, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guard holds the networks that are allowed though not public.
type guard []netip.Prefix

// control runs between the resolution of a name and the connection, so that a name
// cannot resolve to one address when it is checked and to another when it is used.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, ErrForbidden)
	}
	if ip := at.Addr().Unmap().WithZone(""); !public(ip) && !g.allows(ip) {
		return fmt.Errorf("%s: %w", ip, ErrForbidden)
	}
	return nil
}

func (g guard) allows(ip netip.Addr) bool {
	for _, p := range g {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// special are networks that IsGlobalUnicast and IsPrivate do not know of (RFC 6890
// and its registries): shared and documentation space, tests, reserved, and those
// that translate to IPv4.
var special = [...]string{
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, text := range special {
		if netip.MustParsePrefix(text).Contains(ip) {
			return false
		}
	}
	return true
}
