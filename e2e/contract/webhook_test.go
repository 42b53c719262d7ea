package contract_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook"
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

const webhookSecret = "whsec_c2VjcmV0IG9mIHRoZSBlbmRwb2ludCBvZiB0aGUgY29udHJhY3Q="

func webhookEndpoint() contract.Server {
	return contract.Server{
		Name: "webhook", Connector: webhook.Connector(), Changes: "given_name", Clears: "phone", Mapping: withPhone(webhook.Connector()),
		Start: func(t *testing.T) contract.System {
			e := endpoint{Endpoint: fake.New(webhookSecret)}
			server := httptest.NewServer(e.Endpoint)
			t.Cleanup(server.Close)
			e.address = server.URL
			return e
		},
		Excluded: map[string]string{"401 once: one new token": "events are signed; there is no token"},
	}
}

// endpoint takes signed events.
type endpoint struct {
	*fake.Endpoint
	address string
}

// Link implements contract.System.
func (e endpoint) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewHTTPLink(t, e.address, webhookOp)
	values, err := json.Marshal(map[string]string{"url": link.URL})
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"secret": webhookSecret}}
}

// webhookOp goes by the idempotency key, which begins with what is done.
func webhookOp(r faultproxy.Request) contract.Op {
	switch kind, _, _ := strings.Cut(r.Header.Get("webhook-id"), "_"); kind {
	case "read":
		return contract.Read
	case "create":
		return contract.Create
	}
	return contract.Change
}

// Accounts implements contract.System.
func (e endpoint) Accounts(_ *testing.T, login string) []contract.Account {
	var out []contract.Account
	for _, a := range e.Endpoint.Accounts(login) {
		text := func(name string) string {
			s, _ := a.Attributes[name].(string)
			return s
		}
		out = append(out, contract.Account{
			ID: a.ID, Login: text("login"), Owner: text("user_id"), Active: a.Active,
			Values: map[string]string{"given_name": text("given_name"), "phone": text("phone")},
		})
	}
	return out
}

// Put implements contract.System.
func (e endpoint) Put(_ *testing.T, a contract.Account) string {
	attributes := map[string]any{"login": a.Login, "email": "older." + a.Login}
	for name, value := range a.Values {
		attributes[name] = value
	}
	if a.Owner != "" {
		attributes["user_id"] = a.Owner
	}
	return e.Endpoint.Put(attributes)
}

// Remove implements contract.System.
func (e endpoint) Remove(_ *testing.T, id string) { e.Endpoint.Remove(id) }

// Occupy implements contract.System.
func (e endpoint) Occupy(_ *testing.T, _ contract.Link, login string) { e.Endpoint.Occupy(login) }
