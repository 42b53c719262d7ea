package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one endpoint.
type Config struct {
	URL            string        `config:"url,required" help:"Address that gets the events; https, or http on this machine"`
	Secret         sdk.Secret    `config:"secret,required" help:"Signing secret after Standard Webhooks: whsec_ and base64 of 24 to 64 bytes"`
	PreviousSecret sdk.Secret    `config:"previous_secret" help:"Secret before the present one, while the endpoint still knows only that one: both sign"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"10" default:"10s" help:"Longest time for one event"`
	AllowAddresses []string      `config:"allow_addresses" group:"Details" order:"10" help:"Private addresses or networks that may be connected to, such as 10.1.2.3 or 10.1.0.0/16"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"10" help:"PEM certificates to trust instead of the system's"`
}

// maxTimeout bounds Config.Timeout: nobody waits longer for one event.
const maxTimeout = 5 * time.Minute

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field string, err error) {
		if err != nil {
			problems = append(problems, sdk.Problem{Field: field, Message: err.Error()})
		}
	}
	_, err := parseURL(c.URL)
	add("url", err)
	_, err = signingKey(c.Secret)
	add("secret", err)
	if c.PreviousSecret != "" {
		_, err = signingKey(c.PreviousSecret)
		add("previous_secret", err)
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		add("timeout", fmt.Errorf("must be more than 0 and at most %s", maxTimeout))
	}
	_, err = parseNetworks(c.AllowAddresses)
	add("allow_addresses", err)
	_, err = c.trust()
	add("ca_certificates", err)
	return problems
}

// parseURL checks an address. The errors do not repeat it: people put secrets
// there.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("must be an absolute address such as https://example.com/accounts")
	case u.User != nil:
		return nil, errors.New("must not contain a user name or password")
	case u.Fragment != "":
		return nil, errors.New("must not contain a fragment")
	case u.Scheme == "https", u.Scheme == "http" && isThisMachine(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("must be https, because people's data are sent; http is for this machine only")
	}
	return nil, errors.New("must start with https://")
}

// isThisMachine reports whether a host is written as the loopback interface. A
// name that merely resolves there is not.
func isThisMachine(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// parseNetworks reads addresses and networks in CIDR notation.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			networks = append(networks, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is no address or network such as 10.1.2.3 or 10.1.0.0/16", text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func (c Config) trust() (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if strings.TrimSpace(c.CACertificates) == "" {
		return trust, nil
	}
	trust.RootCAs = x509.NewCertPool()
	if !trust.RootCAs.AppendCertsFromPEM([]byte(c.CACertificates)) {
		return nil, errors.New("must hold at least one PEM certificate")
	}
	return trust, nil
}
