package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/e2e/contract"
	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// noTokens is why a connector that has its token from the configuration cannot
// show that it renews one.
const noTokens = "the token is configured, not fetched"

func scimServer(name string, start func(*testing.T) scim) contract.Server {
	return contract.Server{
		Name: name, Connector: scim2.Connector(), Changes: "name.givenName", Clears: "phone", Mapping: withPhone(scim2.Connector()),
		Start:    func(t *testing.T) contract.System { return start(t) },
		Excluded: map[string]string{"401 once: one new token": noTokens},
	}
}

// withPhone is what the connector maps by itself, and the phone number.
func withPhone(c sdk.Connector) []provisioning.AttributeMapping {
	out := []provisioning.AttributeMapping{{Attribute: "phone", Source: "user.phone_number"}}
	for _, a := range c.Describe().Attributes {
		if a.Source != "" && !a.Owner {
			out = append(out, provisioning.AttributeMapping{Attribute: a.Name, Source: a.Source})
		}
	}
	return out
}

func elimity() contract.Server {
	return scimServer("elimity", func(t *testing.T) scim {
		const token = "token-of-the-directory"
		server := httptest.NewServer(directory.New(directory.Options{Token: token}))
		t.Cleanup(server.Close)
		return scim{base: server.URL + directory.SCIMPath, token: token}
	})
}

// elimityOAuth is the same server, whose tokens are fetched.
func elimityOAuth() contract.Server {
	s := scimServer("elimity, OAuth", func(t *testing.T) scim {
		return scim{base: startIssuing(t), token: issuedToken, oauth: true}
	})
	s.Excluded, s.Issued = nil, []sdk.Secret{issuedToken}
	return s
}

const (
	issuedToken  = "token-of-the-directory"
	clientID     = "anteroom"
	clientSecret = "secret-of-the-oauth-client"
)

// startIssuing runs the directory with a token endpoint beside it. A token is the
// same every time: the link says which one is refused.
func startIssuing(t *testing.T) (base string) {
	mux := http.NewServeMux()
	mux.Handle("/", directory.New(directory.Options{Token: issuedToken}))
	mux.HandleFunc("POST "+directory.SCIMPath+"/token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != clientID || secret != clientSecret || r.FormValue("grant_type") != "client_credentials" {
			t.Errorf("token request of %q: %v", id, r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"%s","token_type":"Bearer","expires_in":3600}`, issuedToken)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + directory.SCIMPath
}

func peer(name string) contract.Server {
	s := scimServer(name, func(t *testing.T) scim {
		p := peers.Start(t, name)
		return scim{base: p.BaseURL, token: p.Token}
	})
	s.Long = true
	return s
}

func scimmy() contract.Server { return peer(peers.Scimmy) }

func betterAuth() contract.Server { return peer(peers.BetterAuth) }

// scim is a SCIM 2.0 server.
type scim struct {
	base, token string
	oauth       bool
}

// Link implements contract.System.
func (s scim) Link(t *testing.T) (contract.Link, sdk.RawConfig) {
	link := contract.NewHTTPLink(t, s.base, scimOp)
	if s.oauth {
		return link, s.oauthConfig(t, link.URL)
	}
	values, err := json.Marshal(map[string]any{"base_url": link.URL, "auth": "bearer"})
	if err != nil {
		t.Fatal(err)
	}
	return link, sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"token": sdk.Secret(s.token)}}
}

func (s scim) oauthConfig(t *testing.T, base string) sdk.RawConfig {
	values, err := json.Marshal(map[string]any{"base_url": base, "auth": "oauth", "token_url": base + "/token", "client_id": clientID})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.RawConfig{Values: values, Secrets: map[string]sdk.Secret{"client_secret": clientSecret}}
}

func scimOp(r faultproxy.Request) contract.Op {
	resource := strings.HasPrefix(r.Path, "/Users") || strings.HasPrefix(r.Path, "/Groups")
	switch {
	case r.Path == "/token":
		return contract.Token
	case !resource:
		return 0
	case !r.Writes():
		return contract.Read
	case r.Method == http.MethodPost && r.Path == "/Users":
		return contract.Create
	default:
		return contract.Change
	}
}

type scimUser struct {
	Schemas    []string `json:"schemas"`
	ID         string   `json:"id,omitempty"`
	ExternalID string   `json:"externalId,omitempty"`
	UserName   string   `json:"userName"`
	Active     bool     `json:"active"`
	Name       struct {
		GivenName  string `json:"givenName,omitempty"`
		FamilyName string `json:"familyName,omitempty"`
	} `json:"name"`
	Emails       []scimEntry `json:"emails,omitempty"`
	PhoneNumbers []scimEntry `json:"phoneNumbers,omitempty"`
}

type scimEntry struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

// Accounts implements contract.System.
func (s scim) Accounts(t *testing.T, login string) []contract.Account {
	t.Helper()
	var list struct{ Resources []scimUser }
	s.call(t, http.MethodGet, "/Users?"+url.Values{"filter": {fmt.Sprintf("userName eq %q", login)}}.Encode(), nil, &list)
	var out []contract.Account
	for _, u := range list.Resources {
		a := contract.Account{
			ID: u.ID, Login: u.UserName, Owner: u.ExternalID, Active: u.Active,
			Values: map[string]string{"name.givenName": u.Name.GivenName},
		}
		if len(u.PhoneNumbers) > 0 {
			a.Values["phone"] = u.PhoneNumbers[0].Value
		}
		out = append(out, a)
	}
	return out
}

// Put implements contract.System.
func (s scim) Put(t *testing.T, a contract.Account) string {
	t.Helper()
	u := scimUser{
		Schemas:  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		UserName: a.Login, ExternalID: a.Owner, Active: a.Active,
		Emails: []scimEntry{{"older." + a.Login, "work", true}},
	}
	if phone := a.Values["phone"]; phone != "" {
		u.PhoneNumbers = []scimEntry{{phone, "work", true}}
	}
	u.Name.GivenName, u.Name.FamilyName = a.Values["name.givenName"], "Lovelace"
	var made scimUser
	s.call(t, http.MethodPost, "/Users", u, &made)
	return made.ID
}

// Remove implements contract.System.
func (s scim) Remove(t *testing.T, id string) {
	t.Helper()
	s.call(t, http.MethodDelete, "/Users/"+url.PathEscape(id), nil, nil)
}

// MakeGroup implements contract.Groups.
func (s scim) MakeGroup(t *testing.T, name string) string {
	t.Helper()
	group := map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name}
	s.call(t, http.MethodPost, "/Groups", group, nil)
	return name
}

// Members implements contract.Groups.
func (s scim) Members(t *testing.T, group string) []string {
	t.Helper()
	var list struct {
		Resources []struct {
			Members []struct {
				Value string `json:"value"`
			} `json:"members"`
		}
	}
	s.call(t, http.MethodGet, "/Groups?"+url.Values{"filter": {fmt.Sprintf("displayName eq %q", group)}}.Encode(), nil, &list)
	var out []string
	for _, g := range list.Resources {
		for _, m := range g.Members {
			out = append(out, m.Value)
		}
	}
	return out
}

// Occupy implements contract.System: the server finds nobody, but has somebody.
func (s scim) Occupy(t *testing.T, l contract.Link, login string) {
	t.Helper()
	s.Put(t, contract.Account{Login: login, Owner: "owner of " + login, Active: true})
	const none = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`
	l.(*contract.HTTPLink).Proxy.Always(func(r faultproxy.Request) bool {
		return scimOp(r) == contract.Read
	}, faultproxy.Status(http.StatusOK, http.Header{"Content-Type": {"application/scim+json"}}, none))
}

// call makes a request past the link.
func (s scim) call(t *testing.T, method, path string, in, out any) {
	t.Helper()
	var body io.Reader // scimmy reads even the body of a GET
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %s, %v", method, path, res.Status, answer, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
}
