package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// AcmeConfig is what an admin fills in.
type AcmeConfig struct {
	BaseURL string        `config:"base_url,required" help:"Root of the directory's API."`
	Token   sdk.Secret    `config:"token,required" help:"An API token that may write users."`
	Timeout time.Duration `config:"timeout" default:"10s"`
}

// Validate is asked once each field by itself is right.
func (c AcmeConfig) Validate() []sdk.Problem {
	if u, err := url.Parse(c.BaseURL); err != nil || u.Scheme != "https" {
		return []sdk.Problem{{Field: "base_url", Message: "must be an https address"}}
	}
	return nil
}

// Acme is one configured directory.
type Acme struct {
	config AcmeConfig
	http   *http.Client
}

func openAcme(_ context.Context, c AcmeConfig) (*Acme, error) {
	return &Acme{config: c, http: &http.Client{Timeout: c.Timeout}}, nil
}

func (a *Acme) Lookup(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
	return nil, nil // GET /users?filter=…
}

func (a *Acme) Create(context.Context, sdk.CreateRequest) (sdk.Account, error) {
	return sdk.Account{}, sdk.FromHTTP(http.StatusConflict, nil) // POST /users
}

func (a *Acme) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{}, sdk.NotFound("the user is gone") // PATCH /users/…
}

// Delete makes the connector offer the capability "delete".
func (a *Acme) Delete(context.Context, sdk.DeleteRequest) error { return nil }

// A connector's main function hands the result of Define to serve.Connector.
func ExampleDefine() {
	connector := sdk.Define("acme", "1.0.0", openAcme,
		sdk.DisplayName("Acme Directory"),
		sdk.WithAttributes(
			sdk.Attribute{Name: "login", Required: true, CreateOnly: true, Correlate: 1, Source: "user.user_name"},
			sdk.Attribute{Name: "mail", Source: "user.email"},
		))

	fmt.Println(connector.Describe().Capabilities)
	for _, p := range connector.Validate(sdk.RawConfig{Values: json.RawMessage(`{"base_url": 7, "colour": "red"}`)}) {
		fmt.Println(p.Field, p.Message)
	}
	target, err := connector.Open(context.Background(), sdk.RawConfig{
		Values:  json.RawMessage(`{"base_url": "https://acme.example"}`),
		Secrets: map[string]sdk.Secret{"token": "s3cret"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = target.Create(context.Background(), sdk.CreateRequest{Attributes: sdk.Attributes{"login": "ada"}})
	fmt.Println(err)
	fmt.Println(target.(*Acme).config.Token, target.(*Acme).config.Timeout)
	// Output:
	// [delete]
	// base_url must be a string
	// token is required
	// colour is not a field of this connector
	// conflict: the target answered 409 Conflict
	// *** 10s
}
