package google

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one Google Workspace customer.
type Config struct {
	Auth             string     `config:"auth" enum:"service_account,workload_identity" default:"service_account" help:"How the connector proves who it is: with a service account's key, or without one, by a credential configuration for workload identity federation"`
	Credentials      sdk.Secret `config:"credentials,required" when:"auth=service_account" help:"The service account's key, the JSON text itself"`
	CredentialConfig string     `config:"credential_config,required" when:"auth=workload_identity" help:"The credential configuration (JSON, type external_account) that impersonates the service account; it holds no key"`
	Subject          string     `config:"subject,required" help:"E-mail address of the administrator as whom the service account acts (domain-wide delegation)"`
	Customer         string     `config:"customer" default:"my_customer" help:"The customer's id, my_customer for the administrator's own"`

	ExternalIDType string   `config:"external_id_type" group:"Accounts" default:"anteroom" help:"Custom type of the entry of externalIds that holds whose account it is"`
	Groups         []string `config:"groups" group:"Accounts" help:"E-mail addresses of the groups this target manages; membership of other groups is left alone"`
	CustomSchemas  []string `config:"custom_schemas" group:"Accounts" help:"Names of the custom schemas this target manages; others are left alone"`
	Unmanaged      string   `config:"unmanaged_accounts" group:"Accounts" enum:"refuse,resolve" default:"refuse" help:"What happens when somebody has a personal Google account with the address: refuse, or resolve as set up in the Admin console, which may invite the person"`
	ChangePassword bool     `config:"change_password_at_next_login" group:"Accounts" default:"false" help:"New accounts must choose a password at their first sign-in; leave it off where people sign in by single sign-on"`

	BaseURL        string        `config:"base_url" group:"Details" order:"10" default:"https://admin.googleapis.com" help:"Address of the Directory API; https, or http on this machine"`
	TokenURL       string        `config:"token_url" group:"Details" order:"10" default:"https://oauth2.googleapis.com/token" help:"Address of the token endpoint; https, or http on this machine"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"10" default:"10s" help:"Longest time for one request"`
	Propagation    time.Duration `config:"propagation" group:"Details" order:"10" default:"5m" help:"For how long after a creation Google is not believed that the account is missing; its servers learn of it one after the other"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"10" help:"PEM certificates to trust instead of the system's"`
}

// The values of Config.Auth and Config.Unmanaged.
const (
	authServiceAccount   = "service_account"
	authWorkloadIdentity = "workload_identity"
	unmanagedRefuse      = "refuse"
	unmanagedResolve     = "resolve"
)

const (
	// maxTimeout bounds Config.Timeout: nobody waits longer for one request.
	maxTimeout = 5 * time.Minute
	// maxPropagation bounds Config.Propagation.
	maxPropagation = time.Hour
)

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field string, err error) {
		if err != nil {
			problems = append(problems, sdk.Problem{Field: field, Message: err.Error()})
		}
	}
	c.validateAuth(add)
	add("subject", checkEmail(c.Subject))
	if c.Customer == "" {
		add("customer", fmt.Errorf("is required"))
	}
	if c.ExternalIDType == "" || len(c.ExternalIDType) > 64 {
		add("external_id_type", fmt.Errorf("must have 1 to 64 bytes"))
	}
	for _, g := range c.Groups {
		if checkEmail(g) != nil {
			add("groups", fmt.Errorf("must hold e-mail addresses of groups"))
			break
		}
	}
	if slices.ContainsFunc(c.CustomSchemas, func(s string) bool { return s == "" || strings.ContainsAny(s, ", .") }) {
		add("custom_schemas", fmt.Errorf("must hold names of schemas, without fields"))
	}
	if c.Unmanaged != unmanagedRefuse && c.Unmanaged != unmanagedResolve {
		add("unmanaged_accounts", fmt.Errorf("must be refuse or resolve"))
	}
	_, err := parseAddress(c.BaseURL)
	add("base_url", err)
	_, err = parseAddress(c.TokenURL)
	add("token_url", err)
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		add("timeout", fmt.Errorf("must be more than 0 and at most %s", maxTimeout))
	}
	if c.Propagation < 0 || c.Propagation > maxPropagation {
		add("propagation", fmt.Errorf("must be between 0 and %s", maxPropagation))
	}
	_, err = c.roots()
	add("ca_certificates", err)
	return problems
}

func (c Config) validateAuth(add func(string, error)) {
	var err error
	switch c.Auth {
	case authServiceAccount:
		_, err = readKey(c.Credentials)
		add("credentials", err)
	case authWorkloadIdentity:
		_, err = readFederation(c.CredentialConfig)
		add("credential_config", err)
	default:
		add("auth", fmt.Errorf("must be service_account or workload_identity"))
	}
}

// secrets are what must never be told.
func (c Config) secrets() []sdk.Secret {
	secrets := []sdk.Secret{c.Credentials}
	if key, err := readKey(c.Credentials); err == nil {
		secrets = append(secrets, sdk.Secret(key.PrivateKey))
	}
	return slices.DeleteFunc(secrets, func(s sdk.Secret) bool { return s == "" })
}

// scopes are no more than what the configuration needs.
func (c Config) scopes() []string {
	scopes := []string{"https://www.googleapis.com/auth/admin.directory.user"}
	if len(c.Groups) > 0 {
		scopes = append(scopes, "https://www.googleapis.com/auth/admin.directory.group.member",
			"https://www.googleapis.com/auth/admin.directory.group.readonly")
	}
	if len(c.CustomSchemas) > 0 {
		scopes = append(scopes, "https://www.googleapis.com/auth/admin.directory.userschema.readonly")
	}
	return scopes
}

func checkEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(s, " \t\r\n/?#") || strings.Contains(domain, "@") {
		return fmt.Errorf("must be an e-mail address")
	}
	return nil
}

// parseAddress returns the address without a trailing slash. The errors are for
// the person who typed it and do not repeat it: it may hold a password.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("must be an absolute address such as https://admin.googleapis.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("must not contain a user name, password, query or fragment")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("must be https, because credentials are sent; http is for this machine only")
	default:
		return nil, fmt.Errorf("must start with https://")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
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

// manages returns the configured group of that address, "" if it is not managed.
func (c Config) manages(group string) string {
	i := slices.IndexFunc(c.Groups, func(g string) bool { return strings.EqualFold(g, group) })
	if i < 0 {
		return ""
	}
	return c.Groups[i]
}
