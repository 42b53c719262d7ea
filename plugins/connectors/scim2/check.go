package scim2

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// checkStep tries one thing; a failure comes with what to do about it.
type checkStep struct {
	name string
	run  func(context.Context) (detail string, err error)
	fix  string
}

// Check tries, in order, to resolve, reach, trust, sign in to and read from the
// server, and whether it speaks SCIM. Steps after a failure are skipped. The error
// is always nil: failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	var read error
	steps := []checkStep{
		{"dns", t.checkDNS, "Check the host name in base_url and this machine's name servers."},
		{"tcp", t.checkTCP, "Check the port in base_url and the firewalls in between."},
		{"tls", t.checkTLS, "Give the issuer in ca_certificates, or have the server's certificate corrected."},
		{"credentials", func(ctx context.Context) (string, error) {
			read = t.readOne(ctx)
			return "the server accepts them", unless(accepted(read), read)
		}, "Check the credentials; if the server cannot answer, look at the server."},
		{"permission", func(context.Context) (string, error) {
			return "users can be read", unless(sdk.KindOf(read) != sdk.KindForbidden, read)
		}, "Allow the credentials to manage users."},
		{"schema", func(ctx context.Context) (string, error) {
			if read != nil {
				return "", read
			}
			return t.checkProvider(ctx)
		}, "Check the path of base_url, which ends where /Users begins, and that SCIM 2.0 with filters is switched on there."},
	}
	var out []sdk.CheckStep
	failed := false
	for _, s := range steps {
		step := s.try(ctx, failed)
		failed = failed || step.Status == sdk.CheckFailed
		out = append(out, step)
	}
	return out, nil
}

func (s checkStep) try(ctx context.Context, skip bool) sdk.CheckStep {
	if skip {
		return sdk.CheckStep{Name: s.name, Status: sdk.CheckSkipped, Detail: "an earlier step failed"}
	}
	detail, err := s.run(ctx)
	if err != nil {
		return sdk.CheckStep{Name: s.name, Status: sdk.CheckFailed, Detail: messageOf(err), Fix: s.fix}
	}
	return sdk.CheckStep{Name: s.name, Status: sdk.CheckPassed, Detail: detail}
}

// unless returns err if ok is false.
func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// accepted reports whether the server did not refuse the credentials and was able
// to say so.
func accepted(err error) bool {
	switch sdk.KindOf(err) {
	case sdk.KindUnauthorized:
		return false
	case sdk.KindTransient, sdk.KindRateLimited:
		return errors.Is(err, errNotSCIM)
	default:
		var e *sdk.Error
		return !errors.As(err, &e) || e.Field != "token_url"
	}
}

// checkProvider tells what the server says it can do. A server that cannot filter
// would hide accounts that are there.
func (t *Target) checkProvider(ctx context.Context) (string, error) {
	p := t.provider(ctx)
	if refuses(p.filter) {
		return "", sdk.Unsupported("the server says that it cannot filter: accounts that are there could not be found")
	}
	update := t.update
	if update == updateAuto && refuses(p.patch) {
		update = updatePut
	}
	return "users are SCIM resources; they are changed by " + map[string]string{updateAuto: "PATCH", updatePatch: "PATCH", updatePut: "PUT"}[update], nil
}

// messageOf is an error for an admin: the connector's own message, or what is
// known of a network failure.
func messageOf(err error) string {
	if e := sdk.AsError(err); e.Kind != sdk.KindInternal {
		return e.Message
	}
	return sdkhttp.Explain(err)
}

func (t *Target) checkDNS(ctx context.Context) (string, error) {
	host := t.client.base.Hostname()
	if net.ParseIP(host) != nil {
		return "base_url has an IP address", nil
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return "resolves to " + addresses[0], nil
}

func (t *Target) checkTCP(ctx context.Context) (string, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	return "connected to " + conn.RemoteAddr().String(), conn.Close()
}

func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	base := t.client.base
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort(base.Hostname(), port))
}

func (t *Target) checkTLS(ctx context.Context) (string, error) {
	if t.client.base.Scheme == "http" {
		return "not used: the server is on this machine", nil
	}
	raw, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	config := t.client.tls.Clone()
	config.ServerName = t.client.base.Hostname()
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	return tls.VersionName(conn.ConnectionState().Version), nil
}

// readOne reads one user, which needs credentials and permission and changes
// nothing.
func (t *Target) readOne(ctx context.Context) error {
	query := url.Values{"startIndex": {"1"}, "count": {"1"}}
	re, err := t.client.do(ctx, call{method: http.MethodGet, url: t.client.all(usersPath, query)})
	if err != nil {
		return noService(err)
	}
	_, err = decodeList(re.body)
	return err
}
