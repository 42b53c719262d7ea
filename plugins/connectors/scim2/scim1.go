package scim2

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// oldSchema is the one schema of SCIM 1.1.
const oldSchema = "urn:scim:schemas:core:1.0"

// OldConnector returns the connector for servers that speak SCIM 1.1 only. It is
// the same core: users are changed by PUT, which such servers must have, and
// members of groups by the PATCH of that version.
func OldConnector() sdk.Connector {
	return sdk.Define("scim1", version, OpenOld, sdk.DisplayName("SCIM 1.1"), sdk.WithAttributes(declared()...))
}

// OldConfig is the configuration of one SCIM 1.1 server.
type OldConfig struct {
	BaseURL        string        `config:"base_url,required" help:"Address of the SCIM service, the part before /Users; https, or http on this machine"`
	Auth           string        `config:"auth,required" enum:"basic,bearer,api_key,oauth" help:"How requests are authenticated"`
	Username       string        `config:"username" when:"auth=basic" help:"User name for basic authentication"`
	Password       sdk.Secret    `config:"password,secret" when:"auth=basic" help:"Password for basic authentication"`
	Token          sdk.Secret    `config:"token,secret" when:"auth=bearer" help:"Token for bearer authentication"`
	APIKey         sdk.Secret    `config:"api_key,secret" when:"auth=api_key" help:"Key that is sent in a header of its own"`
	APIKeyHeader   string        `config:"api_key_header" when:"auth=api_key" default:"X-API-Key" help:"Name of that header"`
	TokenURL       string        `config:"token_url" when:"auth=oauth" help:"Token endpoint for the OAuth 2.0 client credentials grant"`
	ClientID       string        `config:"client_id" when:"auth=oauth" help:"OAuth client"`
	ClientSecret   sdk.Secret    `config:"client_secret,secret" when:"auth=oauth" help:"Secret of the OAuth client"`
	Timeout        time.Duration `config:"timeout" group:"Details" order:"10" default:"10s" help:"Longest time for one request"`
	CACertificates string        `config:"ca_certificates" group:"Details" order:"10" help:"PEM certificates to trust instead of the system's"`
}

// current is the configuration in terms of the one core.
func (c OldConfig) current() Config {
	return Config{
		BaseURL: c.BaseURL, Auth: c.Auth, Username: c.Username, Password: c.Password, Token: c.Token, APIKey: c.APIKey,
		APIKeyHeader: c.APIKeyHeader, TokenURL: c.TokenURL, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		ClientAuth: clientAuthBasic, Dialect: standard, Update: updatePut, Timeout: c.Timeout, CACertificates: c.CACertificates,
	}
}

// Validate reports what no single field can tell.
func (c OldConfig) Validate() []sdk.Problem { return c.current().Validate() }

// OpenOld returns a Target without calling the server. The error is
// [sdk.KindInvalid] with the field.
func OpenOld(_ context.Context, cfg OldConfig) (*Target, error) {
	if problems := cfg.Validate(); len(problems) > 0 {
		return nil, sdk.Invalid(problems[0].Field, problems[0].Message)
	}
	return newTarget(cfg.current(), dialect{oldProtocol: true, config: "ServiceProviderConfigs"})
}

// schema is that of a user.
func (d dialect) schema() string {
	if d.oldProtocol {
		return oldSchema
	}
	return userSchema
}

// mediaType is that of what is sent.
func (d dialect) mediaType() string {
	if d.oldProtocol {
		return "application/json"
	}
	return "application/scim+json"
}

// oldMember is a PATCH of SCIM 1.1: a part of the group, whose members are merged
// into those that are there unless they say otherwise (SCIM 1.1, 3.3.2).
func oldMember(member map[string]any) map[string]any {
	return map[string]any{"schemas": []string{oldSchema}, "members": []any{member}}
}

// oldDetail is the description of the first error in an answer of SCIM 1.1 (3.9).
func oldDetail(errors any) string {
	list, _ := errors.([]any)
	if len(list) == 0 {
		return ""
	}
	first, _ := list[0].(map[string]any)
	return resource(first).text("description")
}
