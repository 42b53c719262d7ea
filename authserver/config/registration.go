package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Registration says what applications may register themselves (RFC 7591).
type Registration struct {
	Mode            string // "off", "token" or "open_to_anyone"
	Scopes          []string
	MaxApplications int
	KeepUnused      time.Duration
	PKCEOptional    bool
}

// maxRegistered bounds how many applications may register themselves.
const maxRegistered = 1_000_000

// scopeToken is a scope-token of RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`)

func registrationKeys() []key {
	return []key{
		{path: "dynamic_registration.mode", def: "off", help: "who may register applications over HTTP: off, token (who has a token of an admin's) or open_to_anyone", set: setRegistrationMode},
		{path: "dynamic_registration.scopes", def: "openid,profile,email,offline_access", list: true, help: "what applications that register themselves may ask for", set: setRegistrationScopes},
		{path: "dynamic_registration.max_applications", def: "1000", help: "how many of them there may be", set: setMaxRegistered},
		{path: "dynamic_registration.keep_unused", def: "30d", help: "days after which one that nobody uses is removed, such as 30d", set: days(func(c *Config) *time.Duration { return &c.Registration.KeepUnused })},
		{path: "dynamic_registration.pkce_optional", def: "false", help: "true lets those of them that authenticate do without PKCE", set: setRegistrationPKCE},
	}
}

func setRegistrationMode(c *Config, s string) error {
	if !slices.Contains([]string{"off", "token", "open_to_anyone"}, s) {
		return errors.New("must be off, token or open_to_anyone")
	}
	c.Registration.Mode = s
	return nil
}

func setRegistrationScopes(c *Config, s string) error {
	for scope := range strings.SplitSeq(s, ",") {
		scope = strings.TrimSpace(scope)
		if !scopeToken.MatchString(scope) || slices.Contains(c.Registration.Scopes, scope) {
			return errors.New("must be scopes, each once, with commas between, such as openid,email")
		}
		c.Registration.Scopes = append(c.Registration.Scopes, scope)
	}
	return nil
}

func setMaxRegistered(c *Config, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxRegistered {
		return fmt.Errorf("must be a number from 1 to %d", maxRegistered)
	}
	c.Registration.MaxApplications = n
	return nil
}

func setRegistrationPKCE(c *Config, s string) error {
	return setBool(&c.Registration.PKCEOptional, s)
}

func setBool(field *bool, s string) error {
	if s != "true" && s != "false" {
		return errors.New("must be true or false")
	}
	*field = s == "true"
	return nil
}
