package webhook

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// reachTimeout bounds each step of the way to the endpoint.
const reachTimeout = 5 * time.Second

// reach tries the way to the endpoint with the dialler that events take, so that
// a check does not connect to where events may not go.
func (t *Target) reach(ctx context.Context) []sdk.CheckStep {
	return inOrder(ctx, nil, []try{
		{"dns", "Check the host name in url and this machine's name servers.", t.resolve},
		{"tcp", "Check the port in url and the firewalls in between; name a private address in allow_addresses.", t.connect},
		{"tls", "Give the issuer in ca_certificates, or have the server's certificate corrected.", t.handshake},
	})
}

func (t *Target) resolve(ctx context.Context) (string, error) {
	host := t.url.Hostname()
	if net.ParseIP(host) != nil {
		return "url has an IP address", nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return "resolves to " + addresses[0], nil
}

func (t *Target) connect(ctx context.Context) (string, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	return "connected to " + conn.RemoteAddr().String(), conn.Close()
}

func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	port := t.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[t.url.Scheme]
	}
	return sdkhttp.Dialer(t.guard.permit).DialContext(ctx, "tcp", net.JoinHostPort(t.url.Hostname(), port))
}

func (t *Target) handshake(ctx context.Context) (string, error) {
	if t.url.Scheme == "http" {
		return "not used: the endpoint is on this machine", nil
	}
	raw, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	config := t.trust.Clone()
	config.ServerName = t.url.Hostname()
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	return tls.VersionName(conn.ConnectionState().Version), nil
}
