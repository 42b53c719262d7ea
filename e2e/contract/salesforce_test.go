package contract_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

func salesforceOrg() contract.Server { return salesforceServer("Salesforce (fake)", "") }

func salesforceByExternalID() contract.Server {
	return salesforceServer("Salesforce (fake), upsert", "Anteroom_Id__c")
}

func salesforceServer(name, externalID string) contract.Server {
	mapping := []provisioning.AttributeMapping{
		{Attribute: "Username", Source: "user.login"}, {Attribute: "Email", Source: "user.email"}, {Attribute: "Phone", Source: "user.phone_number"},
		{Attribute: "FirstName", Source: "user.given_name"}, {Attribute: "LastName", Source: "user.family_name"},
	}
	return contract.Server{
		Name: name, Connector: salesforce.Connector(), Changes: "FirstName", Clears: "Phone", Mapping: mapping,
		Start: func(t *testing.T) contract.System { return startOrg(t, externalID) },
	}
}

// org is a Salesforce org in memory.
type org struct {
	*fake.Org
	address, externalID, key string

	mu     sync.Mutex
	groups []string // made before, because the configuration names them
}

const (
	consumerKey    = "3MVG9.consumer-key-of-the-contract"
	integrationTag = "integration@example.com"
)

func startOrg(t *testing.T, externalID string) *org {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	o := &org{externalID: externalID, groups: []string{"Contract_Set", "Contract_Group"}}
	o.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	o.Org = fake.New(fake.Options{
		ClientID: consumerKey, Username: integrationTag, Key: &key.PublicKey, ExternalID: externalID,
		Profiles: []string{"Standard User"}, PermissionSets: o.groups[:1], PublicGroups: o.groups[1:],
	})
	server := httptest.NewServer(o.Org)
	t.Cleanup(server.Close)
	o.address = server.URL
	return o
}

// Link implements contract.System.
func (o *org) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewHTTPLink(t, o.address, salesforceOp)
	values, err := json.Marshal(map[string]any{
		"login_url": link.URL, "auth": "jwt_bearer", "client_id": consumerKey, "username": integrationTag, "profile": "Standard User",
		"external_id_field": o.externalID, "permission_sets": []string{"Contract_Set"}, "public_groups": []string{"Contract_Group"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"private_key": sdk.Secret(o.key)}}
}

func salesforceOp(r faultproxy.Request) contract.Op {
	path, isData := strings.CutPrefix(r.Path, "/services/data/v62.0/")
	_, isQuery := strings.CutPrefix(path, "query")
	_, byExternalID := strings.CutPrefix(path, "sobjects/User/Anteroom_Id__c/")
	switch {
	case r.Path == "/services/oauth2/token":
		return contract.Token
	case !isData || isQuery && strings.Contains(r.Query, "FROM+Profile"): // the profile is the org's own description
		return 0
	case !r.Writes():
		return contract.Read
	case r.Method == http.MethodPost && path == "sobjects/User" || byExternalID:
		return contract.Create
	}
	return contract.Change
}

// Accounts implements contract.System.
func (o *org) Accounts(_ *testing.T, login string) []contract.Account {
	var out []contract.Account
	text := func(user fake.Row, field string) string {
		s, _ := user[field].(string)
		return s
	}
	for _, user := range o.Users() {
		if !strings.EqualFold(text(user, "Username"), login) {
			continue
		}
		owner := text(user, "FederationIdentifier")
		if o.externalID != "" {
			owner = text(user, o.externalID)
		}
		out = append(out, contract.Account{
			ID: text(user, "Id"), Login: text(user, "Username"), Owner: owner, Active: user["IsActive"] == true,
			Values: map[string]string{"FirstName": text(user, "FirstName"), "Phone": text(user, "Phone")},
		})
	}
	return out
}

// Put implements contract.System.
func (o *org) Put(_ *testing.T, a contract.Account) string {
	user := fake.Row{"Username": a.Login, "IsActive": a.Active, "FederationIdentifier": nil}
	if a.Owner != "" {
		user["FederationIdentifier"] = a.Owner
		if o.externalID != "" {
			user[o.externalID] = a.Owner
		}
	}
	for field, value := range a.Values {
		if value != "" {
			user[field] = value
		}
	}
	return o.Add(user)
}

// Remove implements contract.System: what no client can do, a restored sandbox
// does.
func (o *org) Remove(_ *testing.T, id string) { o.Org.Remove(id) }

// Occupy implements contract.System: another org has the username.
func (o *org) Occupy(_ *testing.T, _ contract.Link, login string) { o.Take(login) }

// MakeGroup implements contract.Groups: a permission set first, then a public
// group.
func (o *org) MakeGroup(t *testing.T, _ string) string {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.groups) == 0 {
		t.Fatal("no more groups are configured")
	}
	name := o.groups[0]
	o.groups = o.groups[1:]
	return name
}

// Members implements contract.Groups.
func (o *org) Members(_ *testing.T, group string) []string {
	var out []string
	for _, user := range o.Users() {
		id, _ := user["Id"].(string)
		for _, name := range o.Memberships(id) {
			if name == group {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out
}
