package salesforce

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Config is the configuration of one org.
type Config struct {
	LoginURL     string     `config:"login_url,required" help:"Where to sign in: https://login.salesforce.com, https://test.salesforce.com for a sandbox, or the org's My Domain; https, or http on this machine"`
	Auth         string     `config:"auth,required" enum:"jwt_bearer,client_credentials" help:"OAuth 2.0 flow that the connected app allows; client credentials need the My Domain as login_url"`
	ClientID     string     `config:"client_id,required" help:"Consumer key of the connected app"`
	Username     string     `config:"username,required" when:"auth=jwt_bearer" help:"User to act as, who has approved the app or is pre-authorized"`
	PrivateKey   sdk.Secret `config:"private_key,required,secret" when:"auth=jwt_bearer" help:"RSA key in PEM whose certificate the connected app has"`
	Audience     string     `config:"audience" when:"auth=jwt_bearer" help:"Audience of the assertion, if neither https://login.salesforce.com nor, for a sandbox, https://test.salesforce.com is right"`
	ClientSecret sdk.Secret `config:"client_secret,required,secret" when:"auth=client_credentials" help:"Consumer secret of the connected app"`

	Profile         string   `config:"profile,required" group:"Accounts" order:"10" help:"Id or exact name of the profile of accounts whose mapping has no ProfileId, such as Standard User"`
	TimeZone        string   `config:"time_zone" group:"Accounts" order:"10" default:"GMT" help:"TimeZoneSidKey of new accounts without one"`
	Locale          string   `config:"locale" group:"Accounts" order:"10" default:"en_US" help:"LocaleSidKey of new accounts without one"`
	Language        string   `config:"language" group:"Accounts" order:"10" default:"en_US" help:"LanguageLocaleKey of new accounts without one"`
	EmailEncoding   string   `config:"email_encoding" group:"Accounts" order:"10" default:"UTF-8" help:"EmailEncodingKey of new accounts without one"`
	ExternalIDField string   `config:"external_id_field" group:"Accounts" order:"10" help:"Custom field of User, External ID and unique, that holds Anteroom's id of the user beside FederationIdentifier; creating is then an upsert by it"`
	FederationID    string   `config:"federation_identifier" group:"Accounts" order:"10" default:"set" enum:"set,leave" help:"Whether FederationIdentifier is set to Anteroom's id of the user, or left to single sign-on; to leave it needs external_id_field"`
	PermissionSets  []string `config:"permission_sets" group:"Groups" order:"20" help:"API names of the permission sets that Anteroom assigns and takes away; others are left alone"`
	PublicGroups    []string `config:"public_groups" group:"Groups" order:"20" help:"API names of the public groups that Anteroom fills and empties; others are left alone"`

	APIVersion     string        `config:"api_version" group:"Details" order:"30" default:"62.0" help:"Version of the REST API, 46.0 or later"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"30" default:"20s" help:"Longest time for one request"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"30" help:"PEM certificates to trust instead of the system's"`
}

// The values of Config.Auth and Config.FederationID.
const (
	authJWTBearer         = "jwt_bearer"
	authClientCredentials = "client_credentials"
	federationSet         = "set"
	federationLeave       = "leave"
)

const (
	// maxTimeout bounds Config.Timeout: nobody waits longer for one request.
	maxTimeout = 5 * time.Minute
	// minKeyBits is the shortest RSA key that is taken.
	minKeyBits = 2048

	productionLogin = "https://login.salesforce.com"
	sandboxLogin    = "https://test.salesforce.com"
)

var (
	customField = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,36}__c$`)
	apiVersion  = regexp.MustCompile(`^v?((?:4[6-9]|[5-9][0-9]|1[0-9]{2})\.0)$`)
	apiName     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
)

// Validate reports what no single field can tell.
func (c Config) Validate() []sdk.Problem {
	var problems []sdk.Problem
	add := func(field, message string) {
		problems = append(problems, sdk.Problem{Field: field, Message: message})
	}
	login, err := parseAddress(c.LoginURL)
	if err != nil {
		add("login_url", err.Error())
	}
	c.validateAuth(login, add)
	c.validateAccounts(add)
	c.validateGroups(add)
	if !apiVersion.MatchString(c.APIVersion) {
		add("api_version", "must be a version from 46.0 on, such as 62.0")
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		add("timeout", fmt.Sprintf("must be more than 0 and at most %s", maxTimeout))
	}
	if _, err := c.roots(); err != nil {
		add("ca_certificates", err.Error())
	}
	return problems
}

func (c Config) validateAuth(login *url.URL, add func(field, message string)) {
	if strings.TrimSpace(c.ClientID) == "" {
		add("client_id", "is required")
	}
	switch c.Auth {
	case authJWTBearer:
		if strings.TrimSpace(c.Username) == "" {
			add("username", "is required when auth is jwt_bearer")
		}
		if _, err := parseKey(c.PrivateKey); err != nil {
			add("private_key", err.Error())
		}
		if _, err := parseAddress(c.audience(login)); err != nil {
			add("audience", err.Error())
		}
	case authClientCredentials:
		if c.ClientSecret == "" {
			add("client_secret", "is required when auth is client_credentials")
		}
		if login != nil && slices.Contains([]string{productionLogin, sandboxLogin}, login.Scheme+"://"+login.Host) {
			add("login_url", "must be the org's My Domain, such as https://example.my.salesforce.com: client credentials are not taken elsewhere")
		}
	default:
		add("auth", "must be jwt_bearer or client_credentials")
	}
}

func (c Config) validateAccounts(add func(field, message string)) {
	for _, f := range []struct{ name, value string }{
		{"profile", c.Profile}, {"time_zone", c.TimeZone}, {"locale", c.Locale}, {"language", c.Language}, {"email_encoding", c.EmailEncoding},
	} {
		if strings.TrimSpace(f.value) == "" {
			add(f.name, "must not be empty")
		}
	}
	if c.ExternalIDField != "" && !customField.MatchString(c.ExternalIDField) {
		add("external_id_field", "must be the API name of a custom field, such as Anteroom_Id__c")
	}
	switch {
	case c.FederationID != federationSet && c.FederationID != federationLeave:
		add("federation_identifier", "must be set or leave")
	case c.FederationID == federationLeave && c.ExternalIDField == "":
		add("external_id_field", "is required to leave federation_identifier: else nothing says whose account it is")
	}
}

// validateGroups keeps names apart: a mapping names a group without saying of
// which sort it is.
func (c Config) validateGroups(add func(field, message string)) {
	seen := map[string]bool{}
	check := func(field string, names []string) {
		for _, name := range names {
			switch key := strings.ToLower(name); {
			case !apiName.MatchString(name):
				add(field, fmt.Sprintf("%q is no API name", name))
			case seen[key]:
				add(field, fmt.Sprintf("%q stands twice", name))
			default:
				seen[key] = true
			}
		}
	}
	check("permission_sets", c.PermissionSets)
	check("public_groups", c.PublicGroups)
}

// version returns the API version as it stands in addresses.
func (c Config) version() string {
	match := apiVersion.FindStringSubmatch(c.APIVersion)
	if match == nil {
		return c.APIVersion
	}
	return "v" + match[1]
}

// audience of an assertion (the value of aud): the login server of production or
// of sandboxes, whatever the My Domain, unless another is configured.
func (c Config) audience(login *url.URL) string {
	sandbox := login != nil && (login.Host == "test.salesforce.com" || strings.Contains(login.Host, ".sandbox."))
	fallback := productionLogin
	if sandbox {
		fallback = sandboxLogin
	}
	return cmp.Or(strings.TrimRight(c.Audience, "/"), fallback)
}

// parseAddress returns the address without a trailing slash. The errors are for
// the person who typed it and do not repeat it: it may hold a password.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("must be an absolute address such as https://example.my.salesforce.com")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("must not contain a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("must not contain a query or fragment")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("must be https, because credentials are sent; http is for this machine only")
	}
	return nil, errors.New("must start with https://")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// parseKey reads an RSA key, PKCS #8 or PKCS #1. The errors tell nothing of it.
func parseKey(text sdk.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("must be a private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("must be an RSA private key that is not encrypted, PKCS #8 or PKCS #1")
	}
	if key.N.BitLen() < minKeyBits {
		return nil, fmt.Errorf("must have at least %d bits", minKeyBits)
	}
	return key, nil
}

// roots returns the certificates to trust, nil for the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if strings.TrimSpace(c.CACertificates) == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(c.CACertificates)) {
		return nil, errors.New("must hold at least one PEM certificate")
	}
	return pool, nil
}
