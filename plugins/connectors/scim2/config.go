package scim2

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one SCIM server.
type Config struct {
	BaseURL        string        `config:"base_url,required" help:"Address of the SCIM service, the part before /Users; https, or http on this machine"`
	Auth           string        `config:"auth,required" enum:"none,basic,bearer,api_key,oauth" help:"How requests are authenticated; none on this machine only"`
	Username       string        `config:"username" when:"auth=basic" help:"User name for basic authentication"`
	Password       sdk.Secret    `config:"password,secret" when:"auth=basic" help:"Password for basic authentication"`
	Token          sdk.Secret    `config:"token,secret" when:"auth=bearer" help:"Token for bearer authentication"`
	APIKey         sdk.Secret    `config:"api_key,secret" when:"auth=api_key" help:"Key that is sent in a header of its own"`
	APIKeyHeader   string        `config:"api_key_header" when:"auth=api_key" default:"X-API-Key" help:"Name of that header"`
	TokenURL       string        `config:"token_url" when:"auth=oauth" help:"Token endpoint for the OAuth 2.0 client credentials grant"`
	ClientID       string        `config:"client_id" when:"auth=oauth" help:"OAuth client"`
	ClientSecret   sdk.Secret    `config:"client_secret,secret" when:"auth=oauth" help:"Secret of the OAuth client"`
	Scope          string        `config:"scope" when:"auth=oauth" help:"Scopes to ask for, separated by spaces"`
	ClientAuth     string        `config:"client_auth" when:"auth=oauth" default:"basic" enum:"basic,post" help:"Where the client's secret goes: in the header, or in the body for endpoints that want it there"`
	Dialect        string        `config:"dialect" group:"Details" order:"10" default:"standard" enum:"standard,aws,entra-style,github,gitlab,okta-style,salesforce,slack" help:"What the server is, or whose client it was made for, when it keeps to less than the standard"`
	Update         string        `config:"update" group:"Details" order:"10" default:"auto" enum:"auto,patch,put" help:"How accounts are changed; auto goes by the server's configuration and tries PATCH first"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"10" default:"10s" help:"Longest time for one request"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"10" help:"PEM certificates to trust instead of the system's"`
}

// The values of Config.Update.
const (
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
	if _, known := dialects()[c.Dialect]; !known {
		add("dialect", "must be one of "+strings.Join(slices.Sorted(maps.Keys(dialects())), ", "))
	}
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

// parseBaseURL returns the address without a trailing slash.
func parseBaseURL(text string) (*url.URL, error) {
	return parseAddress(strings.TrimRight(text, "/"), false)
}

// parseAddress reads an address that credentials are sent to. The errors are for
// the person who typed it and do not repeat it: it may hold a password.
func parseAddress(text string, query bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, errors.New("must be an absolute address such as https://example.com/scim/v2")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("must not contain a user name or password")
	case !query && (u.RawQuery != "" || u.ForceQuery) || u.Fragment != "":
		return nil, errors.New("must not contain a query or fragment")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("must be https, because credentials are sent; http is for this machine only")
	default:
		return nil, errors.New("must start with https://")
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
