package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// setProxies takes networks and single addresses. A network that holds everything
// would let every client choose its address.
func setProxies(c *Config, s string) error {
	if s == "" {
		return nil
	}
	for field := range strings.SplitSeq(s, ",") {
		prefix, err := parseNetwork(strings.TrimSpace(field))
		if err != nil {
			return fmt.Errorf("%q must be an address or a network of trusted proxies, such as 10.0.0.5 or 10.0.0.0/8", strings.TrimSpace(field))
		}
		if prefix.Bits() == 0 {
			return fmt.Errorf("%q trusts everybody, so that every client could choose its address", strings.TrimSpace(field))
		}
		c.Proxies = append(c.Proxies, prefix)
	}
	return nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("no network")
	}
	return prefix.Masked(), nil
}

func setProxyHeader(c *Config, s string) error {
	switch strings.ToLower(s) {
	case "x-forwarded-for", "forwarded":
		c.ProxyHeader = strings.ToLower(s)
		return nil
	}
	return fmt.Errorf("must be X-Forwarded-For or Forwarded")
}

// setTLSKey comes after tls.cert: neither is any use without the other.
func setTLSKey(c *Config, s string) error {
	if (s == "") != (c.TLSCert == "") {
		return fmt.Errorf("must be given together with tls.cert")
	}
	c.TLSKey = s
	return nil
}

func setContact(c *Config, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || strings.ContainsAny(s, "\r\n") || u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "tel" {
		return fmt.Errorf("must be a mailto:, https: or tel: URL")
	}
	c.SecurityContact = s
	return nil
}

// ListensInTheClear reports whether passwords cross a network unencrypted before
// they reach the server: it serves plain HTTP to others than this machine.
func (c Config) ListensInTheClear() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && c.TLSCert == "" && !isLoopback(host)
}
