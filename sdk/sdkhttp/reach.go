package sdkhttp

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
)

// Reach tries the way to an address: the steps "dns", "tcp" and "tls" that the
// check of every target over HTTP begins with. field is the configuration field
// with the address, which the advice names; trust is nil for the system's
// certificates. A step after a failed one is skipped. Nothing is sent to the
// target beyond a handshake; where the environment names a proxy, the way is the
// proxy's and all three are skipped.
func Reach(ctx context.Context, address *url.URL, trust *tls.Config, field string) []sdk.CheckStep {
	steps := []struct {
		name, fix string
		try       func(context.Context, *url.URL, *tls.Config) (string, error)
	}{
		{"dns", "Check the host name in " + field + " and this machine's name servers.", resolve},
		{"tcp", "Check the port in " + field + " and the firewalls in between.", connect},
		{"tls", "Give the issuer of the server's certificate as one to trust, or have the certificate corrected.", handshake},
	}
	skip := ""
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: address}); err == nil && proxy != nil {
		skip = "the proxy of the environment is used"
	}
	var out []sdk.CheckStep
	for _, s := range steps {
		if skip != "" {
			out = append(out, sdk.CheckStep{Name: s.name, Status: sdk.CheckSkipped, Detail: skip})
			continue
		}
		detail, err := s.try(ctx, address, trust)
		if err != nil {
			out = append(out, sdk.CheckStep{Name: s.name, Status: sdk.CheckFailed, Detail: Explain(err), Fix: s.fix})
			skip = "an earlier step failed"
			continue
		}
		out = append(out, sdk.CheckStep{Name: s.name, Status: sdk.CheckPassed, Detail: detail})
	}
	return out
}

func resolve(ctx context.Context, address *url.URL, _ *tls.Config) (string, error) {
	host := address.Hostname()
	if net.ParseIP(host) != nil {
		return "the address has no name to resolve", nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return "resolves to " + addresses[0], nil
}

func connect(ctx context.Context, address *url.URL, _ *tls.Config) (string, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return "", err
	}
	return "connected to " + conn.RemoteAddr().String(), conn.Close()
}

func dial(ctx context.Context, address *url.URL) (net.Conn, error) {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), port))
}

func handshake(ctx context.Context, address *url.URL, trust *tls.Config) (string, error) {
	if address.Scheme == "http" {
		return "not used: the address is http", nil
	}
	raw, err := dial(ctx, address)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust != nil {
		config = trust.Clone()
	}
	config.ServerName = address.Hostname()
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	return tls.VersionName(conn.ConnectionState().Version), nil
}
