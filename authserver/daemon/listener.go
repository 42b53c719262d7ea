package daemon

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/forwarded"
)

// proxies returns whom to believe about a client's address.
func proxies(c config.Config) forwarded.Proxies {
	header := forwarded.HeaderXFF
	if c.ProxyHeader == "forwarded" {
		header = forwarded.HeaderForwarded
	}
	return forwarded.Proxies{Trusted: c.Proxies, Header: header}
}

// certificateEvery is how often the files are looked at, at most: a renewed
// certificate is served without a restart.
const certificateEvery = 10 * time.Second

// certificate is the listener's certificate, read again when its files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu       sync.Mutex
	current  *tls.Certificate
	stamp    string // of the files that current, or the last failure, came from
	lookedAt time.Time
}

// loadCertificate reads the files; they must be good at the start.
func loadCertificate(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, now: now, lookedAt: now()}
	var err error
	if c.stamp, err = c.stampOf(); err != nil {
		return nil, err
	}
	return c, c.read()
}

// tlsConfig serves the certificate. HTTP/2 is net/http's to add.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil }}
}

// get returns the certificate. Files that cannot be used, half written ones say,
// leave the earlier one in service.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.lookedAt) < certificateEvery {
		return c.current
	}
	c.lookedAt = now
	stamp, err := c.stampOf()
	if err == nil && stamp == c.stamp {
		return c.current
	}
	if err == nil {
		c.stamp = stamp
		err = c.read()
	}
	if err != nil {
		c.log.Error("certificate not renewed; the earlier one stays in service", "error", err)
		return c.current
	}
	c.log.Info("certificate renewed", "not_after", c.current.Leaf.NotAfter)
	return c.current
}

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	c.current = &pair
	return nil
}

// stampOf tells one state of the files from another.
func (c *certificate) stampOf() (string, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return "", fmt.Errorf("tls.cert: %w", err)
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return "", fmt.Errorf("tls.key: %w", err)
	}
	return fmt.Sprint(cert.ModTime().UnixNano(), cert.Size(), key.ModTime().UnixNano(), key.Size()), nil
}
