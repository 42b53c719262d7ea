package contract_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

func googleWorkspace() contract.Server {
	return contract.Server{
		Name: "Google (fake)", Connector: google.Connector(), Changes: "name.givenName", Clears: "phone",
		Mapping: []provisioning.AttributeMapping{
			{Attribute: "primaryEmail", Source: "user.login"}, {Attribute: "phone", Source: "user.phone_number"},
			{Attribute: "name.givenName", Source: "user.given_name"}, {Attribute: "name.familyName", Source: "user.family_name"},
		},
		Start: startWorkspace,
	}
}

// workspace is a Google Workspace in memory. What contradicts Google's discovery
// documents fails the test.
type workspace struct {
	*fake.Server
	address string

	mu     sync.Mutex
	groups []string // made before, because the configuration names them
}

func startWorkspace(t *testing.T) contract.System {
	w := &workspace{groups: []string{"one@example.com", "two@example.com", "three@example.com"}}
	var err error
	w.Server, err = fake.New(fake.Options{
		Violation: func(problem string) { t.Error("against Google's own description: " + problem) }, Groups: w.groups,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Server)
	t.Cleanup(server.Close)
	w.address = server.URL
	return w
}

// Link implements contract.System.
func (w *workspace) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewHTTPLink(t, w.address, googleOp)
	key := w.Key(link.URL + "/token")
	values, err := json.Marshal(map[string]any{
		"base_url": link.URL, "token_url": link.URL + "/token", "subject": fake.Admin,
		"groups": []string{"one@example.com", "two@example.com", "three@example.com"},
		// An account that was removed moments after it was made is to be missed.
		"propagation": "0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"credentials": sdk.Secret(key)}}
}

func googleOp(r faultproxy.Request) contract.Op {
	path, isAPI := strings.CutPrefix(r.Path, "/admin/directory/v1/")
	switch {
	case r.Path == "/token":
		return contract.Token
	case !isAPI:
		return 0
	case !r.Writes():
		return contract.Read
	case r.Method == http.MethodPost && path == "users":
		return contract.Create
	}
	return contract.Change
}

// Accounts implements contract.System.
func (w *workspace) Accounts(_ *testing.T, login string) []contract.Account {
	var out []contract.Account
	for _, id := range w.Users() {
		u := w.User(id)
		if address, _ := u["primaryEmail"].(string); !strings.EqualFold(address, login) {
			continue
		}
		name, _ := u["name"].(map[string]any)
		given, _ := name["givenName"].(string)
		out = append(out, contract.Account{
			ID: id, Login: login, Owner: entry(u, "externalIds", "custom"), Active: u["suspended"] != true,
			Values: map[string]string{"name.givenName": given, "phone": entry(u, "phones", "work")},
		})
	}
	return out
}

// entry is the value of the entry of a list that has this type.
func entry(u map[string]any, list, kind string) string {
	entries, _ := u[list].([]any)
	for _, e := range entries {
		if object, _ := e.(map[string]any); object["type"] == kind {
			value, _ := object["value"].(string)
			return value
		}
	}
	return ""
}

// Put implements contract.System.
func (w *workspace) Put(_ *testing.T, a contract.Account) string {
	u := map[string]any{"primaryEmail": a.Login, "suspended": !a.Active,
		"name": map[string]any{"givenName": a.Values["name.givenName"], "familyName": "Somebody"}}
	if a.Owner != "" {
		u["externalIds"] = []any{map[string]any{"type": "custom", "customType": "anteroom", "value": a.Owner}}
	}
	if phone := a.Values["phone"]; phone != "" {
		u["phones"] = []any{map[string]any{"type": "work", "value": phone}}
	}
	return w.Add(u)
}

// Remove implements contract.System.
func (w *workspace) Remove(_ *testing.T, id string) { w.Change(id, nil) }

// Occupy implements contract.System: somebody's personal account has the address.
func (w *workspace) Occupy(_ *testing.T, _ contract.Link, login string) { w.AddUnmanaged(login) }

// MakeGroup implements contract.Groups.
func (w *workspace) MakeGroup(t *testing.T, _ string) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.groups) == 0 {
		t.Fatal("no more groups are configured")
	}
	name := w.groups[0]
	w.groups = w.groups[1:]
	return name
}

// Members implements contract.Groups.
func (w *workspace) Members(_ *testing.T, group string) []string {
	var out []string
	for _, id := range w.Users() {
		if slices.Contains(w.GroupsOf(id), group) {
			out = append(out, id)
		}
	}
	return out
}
