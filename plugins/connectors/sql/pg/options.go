package pg

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// The values of Options.TLS.
const (
	TLSVerifyFull = "verify-full" // encrypted, the certificate and the host name are verified
	TLSOff        = "off"         // on this machine only
)

// Options say where a database is and who we are there.
type Options struct {
	Address        string // host:port, or the folder of a unix socket
	Database       string
	Username       string
	Password       sdk.Secret // "" where the server asks for none
	TLS            string
	CACertificates string // PEM, "" for the system's
}

// defaultPort is PostgreSQL's.
const defaultPort = "5432"

// Problems reports what is wrong with the options, under the names of their
// fields: address, database, username, tls, ca_certificates.
func (o Options) Problems() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field, message string) {
		problems = append(problems, sdk.Problem{Field: field, Message: message})
	}
	host, _, err := o.hostPort()
	if err != nil {
		add("address", err.Error())
	}
	for field, value := range map[string]string{"database": o.Database, "username": o.Username} {
		if value == "" || strings.ContainsRune(value, 0) {
			add(field, "is required")
		}
	}
	switch o.TLS {
	case TLSVerifyFull:
	case TLSOff:
		if err == nil && !isThisMachine(host) {
			add("tls", "must be verify-full, because credentials and people's data are sent; off is for this machine only")
		}
	default:
		add("tls", "must be verify-full or off")
	}
	if _, err := o.roots(); err != nil {
		add("ca_certificates", err.Error())
	}
	return problems
}

// socket reports whether the address is the folder of a unix socket.
func (o Options) socket() bool { return strings.HasPrefix(o.Address, "/") }

// hostPort returns the two parts of the address; for a socket, its folder.
func (o Options) hostPort() (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(o.Address)
	switch {
	case o.socket():
		host, text = o.Address, defaultPort
	case err != nil: // without a port
		host, text = strings.Trim(o.Address, "[]"), defaultPort
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" || !o.socket() && strings.ContainsAny(host, "/@ ,") {
		return "", 0, errors.New("must be host:port, or the folder of a unix socket")
	}
	return host, uint16(n), nil
}

// isThisMachine reports whether a host is written as the loopback interface, or
// is the folder of a socket.
func isThisMachine(host string) bool {
	if strings.HasPrefix(host, "/") || strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (o Options) roots() (*x509.CertPool, error) {
	if strings.TrimSpace(o.CACertificates) == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(o.CACertificates)) {
		return nil, errors.New("must hold at least one PEM certificate")
	}
	return pool, nil
}

// trust is nil where TLS is not used.
func (o Options) trust(host string) (*tls.Config, error) {
	if o.TLS == TLSOff || o.socket() {
		return nil, nil
	}
	roots, err := o.roots()
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: host}, err
}
