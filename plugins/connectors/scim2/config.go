package scim2

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one SCIM server.
type Config struct {
	BaseURL        string        `config:"base_url,required" help:"Address of the SCIM service, the part before /Users; https, or http on this machine"`
	Auth           string        `config:"auth,required" enum:"basic,bearer" help:"How requests are authenticated"`
	Username       string        `config:"username" when:"auth=basic" help:"User name for basic authentication"`
	Password       sdk.Secret    `config:"password,secret" when:"auth=basic" help:"Password for basic authentication"`
	Token          sdk.Secret    `config:"token,secret" when:"auth=bearer" help:"Token for bearer authentication"`
	Update         string        `config:"update" group:"Details" order:"10" default:"auto" enum:"auto,patch,put" help:"How accounts are changed; auto tries PATCH first"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"10" default:"10s" help:"Longest time for one request"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"10" help:"PEM certificates to trust instead of the system's"`
}

// The values of Config.Auth and Config.Update.
const (
	authBasic   = "basic"
	authBearer  = "bearer"
	updateAuto  = "auto"
	updatePatch = "patch"
	updatePut   = "put"
)

// maxTimeout bounds Config.Timeout: nobody waits longer for one request.
const maxTimeout = 5 * time.Minute

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field, message string) {
		problems = append(problems, sdk.Problem{Field: field, Message: message})
	}
	if _, err := parseBaseURL(c.BaseURL); err != nil {
		add("base_url", err.Error())
	}
	c.validateAuth(add)
	switch c.Update {
	case updateAuto, updatePatch, updatePut:
	default:
		add("update", "must be auto, patch or put")
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		add("timeout", fmt.Sprintf("must be more than 0 and at most %s", maxTimeout))
	}
	if _, err := c.roots(); err != nil {
		add("ca_certificates", err.Error())
	}
	return problems
}

func (c Config) validateAuth(add func(field, message string)) {
	switch c.Auth {
	case authBearer:
		if c.Token == "" {
			add("token", "is required when auth is bearer")
		} else if !printable(c.Token.Reveal()) {
			add("token", "must be printable ASCII without spaces")
		}
	case authBasic:
		if c.Username == "" {
			add("username", "is required when auth is basic")
		} else if strings.Contains(c.Username, ":") {
			add("username", "must not contain a colon")
		}
		if c.Password == "" {
			add("password", "is required when auth is basic")
		}
	default:
		add("auth", "must be basic or bearer")
	}
}

// parseBaseURL returns the address without a trailing slash. The errors are for
// the person who typed it and do not repeat it: it may hold a password.
func parseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("must be an absolute address such as https://example.com/scim/v2")
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("must not contain a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("must not contain a query or fragment")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("must be https, because credentials are sent; http is for this machine only")
	default:
		return nil, fmt.Errorf("must start with https://")
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// printable reports whether s can stand in a header field (RFC 9110, 5.5) as
// one word.
func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

// roots returns the certificates to trust, nil for the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if strings.TrimSpace(c.CACertificates) == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(c.CACertificates)) {
		return nil, fmt.Errorf("must hold at least one PEM certificate")
	}
	return pool, nil
}
