package scim2

import (
	"net/url"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// The values of Config.Auth.
const (
	authNone   = "none"
	authBasic  = "basic"
	authBearer = "bearer"
	authAPIKey = "api_key"
	authOAuth  = "oauth"
)

// The values of Config.ClientAuth.
const (
	clientAuthBasic = "basic"
	clientAuthPost  = "post"
)

// authorization is what every request carries; nothing when a token is fetched
// for it.
func authorization(cfg Config) sdkhttp.Authorization {
	switch cfg.Auth {
	case authBasic:
		return sdkhttp.Basic(cfg.Username, cfg.Password)
	case authBearer:
		return sdkhttp.Bearer(cfg.Token)
	case authAPIKey:
		return sdkhttp.Header(cfg.APIKeyHeader, "", cfg.APIKey)
	default:
		return sdkhttp.Authorization{}
	}
}

// reporter takes a problem with a field.
type reporter func(field, message string)

func (c Config) validateAuth(add reporter) {
	switch c.Auth {
	case authNone:
		if u, err := url.Parse(c.BaseURL); err == nil && !isLoopback(u.Hostname()) {
			add("auth", "must not be none: without credentials only a server on this machine is used")
		}
	case authBearer:
		requireWord(add, "token", c.Token.Reveal(), c.Auth)
	case authAPIKey:
		requireWord(add, "api_key", c.APIKey.Reveal(), c.Auth)
		if !fieldName(c.APIKeyHeader) {
			add("api_key_header", "must be the name of a header such as X-API-Key, and none that HTTP itself uses")
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
	case authOAuth:
		c.validateOAuth(add)
	default:
		add("auth", "must be none, basic, bearer, api_key or oauth")
	}
}

func (c Config) validateOAuth(add reporter) {
	if _, err := parseAddress(c.TokenURL, true); err != nil {
		add("token_url", err.Error())
	}
	if c.ClientID == "" {
		add("client_id", "is required when auth is oauth")
	}
	if c.ClientSecret == "" {
		add("client_secret", "is required when auth is oauth")
	}
	if c.ClientAuth != clientAuthBasic && c.ClientAuth != clientAuthPost {
		add("client_auth", "must be basic or post")
	}
}

func requireWord(add reporter, field, value, auth string) {
	if value == "" {
		add(field, "is required when auth is "+auth)
	} else if !printable(value) {
		add(field, "must be printable ASCII without spaces")
	}
}

// fieldName reports whether s can name a header of our own (RFC 9110, 5.1): not
// one that says how the message is to be read.
func fieldName(s string) bool {
	framing := []string{"host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "if-match", "te", "trailer", "upgrade"}
	if s == "" || slices.Contains(framing, strings.ToLower(s)) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// secrets are kept out of every text, beside what authorization adds.
func (c Config) secrets() []sdk.Secret {
	var out []sdk.Secret
	for _, s := range []sdk.Secret{c.Token, c.Password, c.APIKey, c.ClientSecret} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
