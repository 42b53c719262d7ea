package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is a checked configuration.
type Config struct {
	Issuer      string // absolute URL without path; the "iss" of every token
	Listen      string // host:port of the HTTP listener
	TLSCert     string // files of the listener's certificate chain and key; "" for plain HTTP
	TLSKey      string
	Proxies     []netip.Prefix // reverse proxies that are believed about the client's address
	ProxyHeader string         // the header they write it in, in lower case
	// SecurityContact is where to report vulnerabilities, a URL; "" for nowhere.
	SecurityContact string
	Mail            Mail
	Database        sdk.Secret // sqlite:///… or postgres://…; may hold a password
	ConnectorsDir   string     // folder of connector binaries
	Isolation       string     // of connectors: "best_effort", "required" or "off"
	ConnectorPorts  []uint16   // that every connector may connect to, beside the usual ones
	ConnectorUIDs   [2]int     // first and last user that connectors run as; zero: the server's own
	ConnectorsLock  string     // lock file that decides which connectors run; "" leaves that to pins
	SecretsKeyFile  string     // keyset that seals secrets in the database
	LogLevel        slog.Level
	LogFormat       string // "text" or "json"
	MetricsListen   string // host:port of the metrics' own listener; "" for none
	// How long records are kept: what was done for accounts, and what the gate
	// decided. The last attempt of an account, and decisions that tokens rest on,
	// are kept for longer.
	KeepAttempts, KeepDecisions time.Duration
	// KeepAudit is how long what admins did is kept.
	KeepAudit time.Duration
	// KeyAge is how old a signing key becomes before the next one is made.
	KeyAge time.Duration
	// PushedLifetime is how long a pushed authorization request can be begun.
	PushedLifetime time.Duration
	// RequirePushed refuses authorization requests that were not pushed.
	RequirePushed bool
	Registration  Registration
	// NoPasskeys switches passkeys off: nobody adds one or signs in with one.
	NoPasskeys bool
	// Lease is how long a worker holds an account without a sign of life: the
	// longest that the work of a server that was killed waits for another.
	Lease time.Duration
	// OutboundNetworks are networks that are not public, and that addresses which
	// applications registered may lead to all the same.
	OutboundNetworks []netip.Prefix
	// Dev accepts unpinned connectors. It is a flag of the command, never a key.
	Dev bool
	// Launcher is the binary that confines connectors: the program itself, if its
	// main function can. It is never a key.
	Launcher string
}

// Problem is one thing wrong with the configuration.
type Problem struct {
	Path string // the key, such as "connectors.dir"
	Text string
}

// String returns "path: text".
func (p Problem) String() string { return p.Path + ": " + p.Text }

// Problems is every problem at once, as an error.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return "configuration:\n  " + strings.Join(lines, "\n  ")
}

// key is one configuration key: its path in the file, its default, what it
// means, and how its text becomes a value.
type key struct {
	path, def, help string
	required        bool
	list            bool // may be a list in the file; its text has commas between
	set             func(c *Config, text string) error
}

// env returns the environment variable that overrides the key.
func (k key) env() string {
	return "ANTEROOM_" + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

func keys() []key {
	return append(registrationKeys(), []key{
		{path: "issuer", required: true, help: "the URL people and applications reach this server under", set: setIssuer},
		{path: "listen", def: "127.0.0.1:8080", help: "host:port to listen on", set: setListen},
		{path: "tls.cert", help: "file of the listener's certificate chain (PEM); without one it serves plain HTTP", set: text(func(c *Config) *string { return &c.TLSCert })},
		{path: "tls.key", help: "file of the certificate's private key (PEM)", set: setTLSKey},
		{path: "proxies", list: true, help: "networks of the reverse proxies in front, which are believed about the client's address", set: setProxies},
		{path: "proxy_header", def: "X-Forwarded-For", help: "the header they tell it in: X-Forwarded-For or Forwarded", set: setProxyHeader},
		{path: "security_contact", help: "where to report vulnerabilities (security.txt), such as mailto:security@example.com", set: setContact},
		{path: "database", required: true, help: "sqlite:///path/to/file or postgres://user@host/name", set: setDatabase},
		{path: "mail.server", help: "takes mail: smtp://host or smtps://host; without one nobody can reset a password", set: setMailServer},
		{path: "mail.from", help: "what mail comes from, such as Example <login@example.com>", set: setMailFrom},
		{path: "mail.username", help: "user at the mail server", set: text(func(c *Config) *string { return &c.Mail.Username })},
		{path: "mail.password", help: "their password; best given as ANTEROOM_MAIL_PASSWORD", set: setMailPassword},
		{path: "connectors.dir", def: "./connectors", help: "folder of connector binaries", set: text(func(c *Config) *string { return &c.ConnectorsDir })},
		{path: "connectors.isolation", def: "best_effort", help: "how connectors are confined: best_effort, required or off", set: setIsolation},
		{path: "connectors.allow_ports", list: true, help: "TCP ports that every connector may connect to, such as 8443,9443", set: setPorts},
		{path: "connectors.uid", help: "range of users that connectors run as, such as 61000-61099", set: setUIDs},
		{path: "connectors.lock", help: "lock file that approves connectors, in place of pins", set: text(func(c *Config) *string { return &c.ConnectorsLock })},
		{path: "secrets_key_file", required: true, help: "keyset that seals secrets; `anteroom key generate` makes one", set: text(func(c *Config) *string { return &c.SecretsKeyFile })},
		{path: "log.level", def: "info", help: "debug, info, warn or error", set: func(c *Config, s string) error { return c.LogLevel.UnmarshalText([]byte(s)) }},
		{path: "retention.attempts", def: "30d", help: "days that attempts to provision are kept, such as 30d", set: days(func(c *Config) *time.Duration { return &c.KeepAttempts })},
		{path: "retention.decisions", def: "90d", help: "days that decisions of the gate are kept, such as 90d", set: days(func(c *Config) *time.Duration { return &c.KeepDecisions })},
		{path: "retention.audit", def: "400d", help: "days that the record of what admins did is kept, such as 400d", set: days(func(c *Config) *time.Duration { return &c.KeepAudit })},
		{path: "keys.rotate_every", def: "90d", help: "days after which keys that sign tokens are replaced, such as 90d", set: days(func(c *Config) *time.Duration { return &c.KeyAge })},
		{path: "pushed_requests.lifetime", def: "90s", help: "how long a pushed authorization request can be begun, 10s to 9m", set: setPushedLifetime},
		{path: "pushed_requests.required", def: "false", help: "true refuses authorization requests that were not pushed, of every application", set: setRequirePushed},
		{path: "passkeys", def: "true", help: "false switches passkeys off: nobody adds one or signs in with one", set: setPasskeys},
		{path: "provisioning.lease", def: "30s", help: "how long the work of a server that was killed waits for another, 2s to 5m", set: setLease},
		{path: "metrics.listen", help: "host:port to serve /metrics on, such as 127.0.0.1:9464; it has no authentication", set: setMetricsListen},
		{path: "outbound.allow_networks", help: "networks that addresses of applications and upstreams may lead to although they are not public, such as 10.0.0.0/8", set: setNetworks},
		{path: "log.format", def: "text", help: "text or json", set: setLogFormat},
	}...)
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = s
		return nil
	}
}

func setPasskeys(c *Config, s string) error {
	on := true
	err := setBool(&on, s)
	c.NoPasskeys = !on
	return err
}

// maxDays is a hundred years: more is a slip, and far from overflow.
const maxDays = 36500

func days(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, s string) error {
		number, ok := strings.CutSuffix(s, "d")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 || n > maxDays {
			return fmt.Errorf("must be a number of days from 1d to %dd", maxDays)
		}
		*field(c) = time.Duration(n) * 24 * time.Hour
		return nil
	}
}

// The bounds of a lease: shorter ones are lost whenever the database is slow, and
// with longer ones people wait at the page in vain.
const (
	minLease = 2 * time.Second
	maxLease = 5 * time.Minute
)

func setLease(c *Config, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < minLease || d > maxLease {
		return fmt.Errorf("must be a duration from %s to %s, such as 30s", minLease, maxLease)
	}
	c.Lease = d
	return nil
}

func setIssuer(c *Config, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return fmt.Errorf("must be an absolute URL such as https://login.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return fmt.Errorf("must be https (http only on loopback)")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("must be a scheme and a host, nothing more")
	}
	c.Issuer = strings.TrimSuffix(s, "/")
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func setListen(c *Config, s string) error {
	if _, _, err := net.SplitHostPort(s); err != nil {
		return fmt.Errorf("must be host:port")
	}
	c.Listen = s
	return nil
}

// setMetricsListen comes after setListen: the two are never one.
func setMetricsListen(c *Config, s string) error {
	if s == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return fmt.Errorf("must be host:port")
	}
	if s == c.Listen {
		return fmt.Errorf("must not be the address of listen: metrics are not for the public")
	}
	c.MetricsListen = s
	return nil
}

// setNetworks comes after setIssuer. On a developer's machine applications are on
// loopback, as the server is.
func setNetworks(c *Config, s string) error {
	if u, err := url.Parse(c.Issuer); err == nil && isLoopback(u.Hostname()) {
		c.OutboundNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	for field := range strings.SplitSeq(s, ",") {
		if s == "" {
			return nil
		}
		prefix, err := netip.ParsePrefix(strings.TrimSpace(field))
		if err != nil {
			return fmt.Errorf("must be networks with commas between, such as 10.0.0.0/8,fd00::/8")
		}
		c.OutboundNetworks = append(c.OutboundNetworks, prefix.Masked())
	}
	return nil
}

// MetricsExposed reports whether others than this machine's may reach the metrics.
func (c Config) MetricsExposed() bool {
	host, _, err := net.SplitHostPort(c.MetricsListen)
	return err == nil && !isLoopback(host)
}

func setDatabase(c *Config, s string) error {
	scheme, _, _ := strings.Cut(s, "://")
	switch scheme {
	case "sqlite", "postgres", "postgresql":
		c.Database = sdk.Secret(s)
		return nil
	}
	return fmt.Errorf("must start with sqlite:// or postgres://")
}

func setLogFormat(c *Config, s string) error {
	if s != "text" && s != "json" {
		return fmt.Errorf("must be text or json")
	}
	c.LogFormat = s
	return nil
}
