package webhook

import (
	"net/netip"
	"slices"

	"github.com/anteroom-id/anteroom/sdk"
)

// guard decides which addresses may be connected to.
type guard struct {
	allowed []netip.Prefix
	// loopback is set when the endpoint is written as this machine.
	loopback bool
}

// inside are the networks that are not the public Internet (RFC 6890 and its
// registries): private and link-local ones, among them the metadata services of
// cloud machines, and those whose addresses hold another one.
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fe80::/9"),
	netip.MustParsePrefix("ff00::/8"),
}

// permit returns an error for an address that must not be connected to.
func (g guard) permit(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	holds := func(p netip.Prefix) bool { return p.Contains(ip) }
	switch {
	case slices.ContainsFunc(g.allowed, holds), g.loopback && ip.IsLoopback(), !slices.ContainsFunc(inside, holds):
		return nil
	}
	return &sdk.Error{
		Kind: sdk.KindForbidden, Effect: sdk.EffectNone, Field: "url",
		Message: "the host resolves to " + ip.String() + ", which is not a public address: name it in allow_addresses if it is meant",
	}
}
