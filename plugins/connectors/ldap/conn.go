package ldap

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	// maxAnswer is how much is read for one request, in bytes.
	maxAnswer = 1 << 20
	// maxLarge is how much where many entries, or a schema, are expected.
	maxLarge = 32 << 20
	// maxStartTLS is how much is read before TLS begins, in bytes.
	maxStartTLS = 64 << 10
	oidStartTLS = "1.3.6.1.4.1.1466.20037"
)

var errTooLarge = errors.New("the answer is larger than is allowed")

// dialer makes bound connections to one directory.
type dialer struct {
	address  address
	startTLS bool
	tls      *tls.Config
	bindDN   string
	password sdk.Secret
}

func newDialer(cfg Config) (dialer, error) {
	a, err := parseAddress(cfg.URL)
	if err != nil {
		return dialer{}, sdk.Invalid("url", err.Error())
	}
	roots, err := cfg.roots()
	if err != nil {
		return dialer{}, sdk.Invalid("ca_certificates", err.Error())
	}
	return dialer{
		address: a, startTLS: !a.tls && cfg.StartTLS, bindDN: cfg.BindDN, password: cfg.BindPassword,
		tls: &tls.Config{RootCAs: roots, ServerName: cmp.Or(cfg.ServerName, a.host), MinVersion: tls.VersionTLS12},
	}, nil
}

// encrypted reports whether passwords may be sent.
func (d dialer) encrypted() bool { return d.address.tls || d.startTLS }

// connect returns a connection that is encrypted, if it has to be, and bound.
func (d dialer) connect(ctx context.Context) (*session, error) {
	s, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.bind(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open returns a connection that is encrypted, if it has to be.
func (d dialer) open(ctx context.Context) (*session, error) {
	raw, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	secured, err := d.secure(ctx, raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	s := &session{raw: raw, conn: goldap.NewConn(secured, d.encrypted())}
	s.conn.Start()
	return s, nil
}

func (d dialer) dial(ctx context.Context) (*counted, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(d.address.host, d.address.port))
	if err != nil {
		return nil, err
	}
	c := &counted{Conn: conn}
	c.allow(maxStartTLS)
	return c, nil
}

// secure starts TLS. StartTLS is done here, byte for byte, and not by go-ldap:
// nothing that came in the clear may be taken for encrypted, and the handshake
// has to end with ctx.
func (d dialer) secure(ctx context.Context, raw *counted) (net.Conn, error) {
	if !d.encrypted() {
		return raw, nil
	}
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	if d.startTLS {
		if err := requestTLS(raw); err != nil {
			return nil, cmp.Or(ctx.Err(), err)
		}
	}
	conn := tls.Client(raw, d.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	return conn, nil
}

// requestTLS asks for TLS (RFC 4511, 4.14).
func requestTLS(conn *counted) error {
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, oidStartTLS, ""))
	message := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	message.AppendChild(request)
	if _, err := conn.Write(message.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(conn)
	if err != nil {
		return fmt.Errorf("read the answer to StartTLS: %w", err)
	}
	if result := resultOf(goldap.GetLDAPError(answer)); result != nil {
		return refusedTLS(result)
	}
	return nil
}

// bind signs in.
func (d dialer) bind(ctx context.Context, s *session) error {
	return s.exchange(ctx, maxAnswer, func(conn *goldap.Conn) error {
		return conn.Bind(d.bindDN, d.password.Reveal())
	})
}

// session is one connection. It is used by one call at a time, because the only
// way to give a call up is to close it.
type session struct {
	raw  *counted
	conn *goldap.Conn
}

// exchange lets fn use the connection until ctx ends, and read as many bytes as
// allowed. The error tells of ctx when that was the reason.
func (s *session) exchange(ctx context.Context, allowed int64, fn func(*goldap.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.raw.Close() })()
	s.raw.allow(allowed)
	err := fn(s.conn)
	if err == nil || resultOf(err) != nil {
		return err
	}
	if s.raw.exceeded.Load() {
		return errTooLarge
	}
	return cmp.Or(ctx.Err(), err)
}

// alive reports whether the other end has not closed the connection.
func (s *session) alive() bool { return !s.conn.IsClosing() }

// close ends the connection. The socket goes first: go-ldap's Close alone waits
// for a write that may hang.
func (s *session) close() {
	_ = s.raw.Close()
	_ = s.conn.Close()
}

// counted is a connection that knows what was written, and bounds what is read.
type counted struct {
	net.Conn
	wrote    atomic.Int64
	left     atomic.Int64
	exceeded atomic.Bool
}

// allow lets n more bytes be read.
func (c *counted) allow(n int64) { c.left.Store(n) }

func (c *counted) Read(p []byte) (int, error) {
	if c.left.Load() <= 0 {
		c.exceeded.Store(true)
		return 0, errTooLarge
	}
	n, err := c.Conn.Read(p)
	c.left.Add(-int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote.Add(int64(n))
	return n, err
}

// resultOf returns what the directory answered instead of success, nil when it
// answered nothing that can be used.
func resultOf(err error) *goldap.Error {
	var e *goldap.Error
	if errors.As(err, &e) && e.ResultCode < goldap.ErrorNetwork {
		return e
	}
	return nil
}
