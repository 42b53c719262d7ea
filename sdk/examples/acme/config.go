package main

import (
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
)

// config is what an admin fills in.
type config struct {
	BaseURL string     `config:"base_url,required" help:"Root of the API, such as https://acme.example/api."`
	Token   sdk.Secret `config:"token,required" help:"An API token that may write users."`
}

// Validate is asked once each field by itself is right.
func (c config) Validate() []sdk.Problem {
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return []sdk.Problem{{Field: "base_url", Message: "must be an http or https address"}}
	}
	return nil
}

// The attributes of an account, by the names the system has for them.
const (
	attrExternalID = "external_id"
	attrLogin      = "login"
	attrEmail      = "email"
	attrName       = "name"
)

// attributes declares them. Owner marks the one that holds Anteroom's id of the
// user; Correlate orders the keys that Lookup is asked by; Source is where a
// value comes from unless an admin maps it otherwise.
func attributes() []sdk.Attribute {
	return []sdk.Attribute{
		{Name: attrExternalID, Owner: true, Correlate: 1, CreateOnly: true, CaseExact: true, Help: "Anteroom's id of the user."},
		{Name: attrLogin, Required: true, Correlate: 2, Source: "user.login", Help: "The name people sign in with."},
		{Name: attrEmail, Source: "user.email"},
		{Name: attrName, Source: "user.name", Help: "The name that others see."},
	}
}
