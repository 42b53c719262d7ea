package pg

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/anteroom-id/anteroom/sdk"
)

// Step is one step of a check; a failure comes with what to do about it.
type Step struct {
	Name, Fix string
	Run       func(context.Context) (detail string, err error)
}

// Check tries to resolve, reach, trust and sign in to the server, and then the
// steps of the connector. Steps after a failed one are skipped.
func (db *DB) Check(ctx context.Context, more ...Step) []sdk.CheckStep {
	steps := append([]Step{
		{"dns", "Check the host name in address and this machine's name servers.", db.resolve},
		{"tcp", "Check the port in address, that the server listens there, and the firewalls in between.", db.connect},
		{"tls", "Give the issuer of the server's certificate in ca_certificates, and use the name that is in the certificate.", db.handshake},
		{"credentials", "Check username, password and database, and the server's pg_hba.conf.", db.signIn},
	}, more...)
	var out []sdk.CheckStep
	failed := false
	for _, s := range steps {
		step := sdk.CheckStep{Name: s.Name, Status: sdk.CheckSkipped, Detail: "an earlier step failed"}
		if !failed {
			detail, err := s.Run(ctx)
			step.Status, step.Detail = sdk.CheckPassed, detail
			if failed = err != nil; failed {
				step.Status, step.Detail, step.Fix = sdk.CheckFailed, sdk.AsError(db.Failure(err)).Message, s.Fix
			}
		}
		out = append(out, step)
	}
	return out
}

func (db *DB) resolve(ctx context.Context) (string, error) {
	host, _, err := db.options.hostPort()
	if err != nil || db.options.socket() || net.ParseIP(host) != nil {
		return "address has no name to resolve", err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return "resolves to " + addresses[0], nil
}

func (db *DB) connect(ctx context.Context) (string, error) {
	conn, err := db.dial(ctx)
	if err != nil {
		return "", err
	}
	return "connected to " + conn.RemoteAddr().String(), conn.Close()
}

func (db *DB) dial(ctx context.Context) (net.Conn, error) {
	host, port, err := db.options.hostPort()
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	if db.options.socket() {
		return dialer.DialContext(ctx, "unix", host+"/.s.PGSQL."+strconv.Itoa(int(port)))
	}
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// sslRequest asks for TLS before anything else is said (PostgreSQL, 55.2.12).
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

func (db *DB) handshake(ctx context.Context) (string, error) {
	host, _, err := db.options.hostPort()
	if err != nil {
		return "", err
	}
	trust, err := db.options.trust(host)
	if trust == nil || err != nil {
		return "not used: the server is on this machine", err
	}
	raw, err := db.dial(ctx)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	answer := make([]byte, 1)
	if err := errors.Join(raw.SetDeadline(deadline), ask(raw, answer)); err != nil {
		return "", err
	}
	if answer[0] != 'S' {
		return "", sdk.Invalid("address", "the server offers no TLS")
	}
	conn := tls.Client(raw, trust)
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", err
	}
	return tls.VersionName(conn.ConnectionState().Version), nil
}

func ask(conn net.Conn, answer []byte) error {
	if _, err := conn.Write(sslRequest); err != nil {
		return err
	}
	_, err := conn.Read(answer)
	return err
}

func (db *DB) signIn(ctx context.Context) (string, error) {
	version := ""
	err := db.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select current_setting('server_version')").Scan(&version)
	})
	return "signed in to PostgreSQL " + db.Redact(version), err
}
