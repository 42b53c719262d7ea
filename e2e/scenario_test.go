package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/resources"
	google "github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	salesforce "github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
)

// company is the founding scenario: employees register through one application and
// get accounts at Google and Salesforce, customers through another and get none.
type company struct {
	*stack
	workspace *google.Server
	org       *salesforce.Org
}

const companyYAML = `
targets:
  - name: workspace
    connector: google
    config: {subject: %q, base_url: %q, token_url: %q}
    secrets: {credentials: {env: GOOGLE_KEY}}
  - name: crm
    connector: salesforce
    config: {login_url: %q, auth: jwt_bearer, client_id: the-app, username: integration@example.com, profile: Standard User}
    secrets: {private_key: {env: SALESFORCE_KEY}}
applications:
  - client_id: employees
    redirect_uris: [%[5]q]
    secret: {env: APP_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
    registration: true
    outbound_provisioning:
      - {target: workspace, blocking: true, jit_outbound: true}
      - {target: crm, blocking: true, jit_outbound: true}
  - client_id: customers
    redirect_uris: [%[5]q]
    secret: {env: APP_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
    registration: true
`

func startCompany(t *testing.T, database string) *company {
	t.Helper()
	c := &company{stack: &stack{}}
	var err error
	c.workspace, err = google.New(google.Options{Violation: func(problem string) { t.Error("against Google's own description: " + problem) }})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c.org = salesforce.New(salesforce.Options{
		ClientID: "the-app", Username: "integration@example.com", Key: &key.PublicKey, Profiles: []string{"System Administrator", "Standard User"},
	})
	googleServer, salesforceServer := httptest.NewServer(c.workspace), httptest.NewServer(c.org)
	t.Cleanup(googleServer.Close)
	t.Cleanup(salesforceServer.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.issuer = "http://" + listener.Addr().String()
	c.open(t, stackOptions{database: database, connectors: companyDir(t)})
	for _, connector := range []string{"google", "salesforce"} {
		if _, _, err := c.PinConnector(t.Context(), connector); err != nil {
			t.Fatal(err)
		}
	}
	token := googleServer.URL + "/token"
	c.applyCompany(t, fmt.Sprintf(companyYAML, google.Admin, googleServer.URL, token, salesforceServer.URL, appCallback), map[string]string{
		"GOOGLE_KEY": c.workspace.Key(token), "SALESFORCE_KEY": privatePEM(t, key), "APP_SECRET": appSecret,
	})
	c.serve(t, listener)
	return c
}

func privatePEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (c *company) applyCompany(t *testing.T, yaml string, secrets map[string]string) {
	t.Helper()
	doc, err := resources.Parse([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	backend := c.Resources(func(name string) string { return secrets[name] })
	plan, err := backend.Plan(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Apply(asAdmin(t), plan); err != nil {
		t.Fatal(err)
	}
}

// accounts returns how many accounts the login has at Google and Salesforce, and
// their ids.
func (c *company) accounts(login string) map[string][]string {
	out := map[string][]string{"workspace": {}, "crm": {}}
	for _, id := range c.workspace.Users() {
		if c.workspace.User(id)["primaryEmail"] == login+"@example.com" {
			out["workspace"] = append(out["workspace"], id)
		}
	}
	for _, row := range c.org.Users() {
		if row["Username"] == login+"@example.com" {
			id, _ := row["Id"].(string)
			out["crm"] = append(out["crm"], id)
		}
	}
	return out
}

// An employee has both accounts before the application has a code, and is told
// their ids in the token; a customer has none, and is asked to wait for none.
func TestEmployeesGetGoogleAndSalesforceCustomersNothing(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		c := startCompany(t, database)

		employee := c.arriveAt(t, "employees", "erin")
		found := c.accounts("erin") // before the code is redeemed
		if len(found["workspace"]) != 1 || len(found["crm"]) != 1 {
			t.Fatalf("accounts of the employee when the code came: %v, want one each", found)
		}
		claims := employee()
		want := map[string]any{
			"workspace": map[string]any{"id": found["workspace"][0], "state": "in_sync"},
			"crm":       map[string]any{"id": found["crm"][0], "state": "in_sync"},
		}
		if diff := cmp.Diff(want, claims["provisioned"]); diff != "" {
			t.Errorf("claim of the employee (-want +got):\n%s", diff)
		}

		claims = c.arriveAt(t, "customers", "carl")()
		if p, _ := claims["provisioned"].(map[string]any); len(p) != 0 {
			t.Errorf("claim of the customer: %v, want none", p)
		}
		if found := c.accounts("carl"); len(found["workspace"])+len(found["crm"]) != 0 {
			t.Errorf("accounts of the customer: %v, want none", found)
		}
	})
}

// arriveAt registers somebody through an application and waits until it has a
// code. What it returns redeems the code and returns the ID token's claims.
func (c *company) arriveAt(t *testing.T, client, login string) func() map[string]any {
	t.Helper()
	a := &arrival{rp: newRelyingPartyOf(t, c.issuer, client), browser: newBrowser(), login: login}
	a.request = a.rp.request(promptCreate)
	a.page = register(t, a.browser, a.request.url, login)
	eventually(t, login+" is through", func() bool {
		if a.page.Location != nil {
			return true
		}
		page, err := a.browser.Get(t.Context(), a.page.URL.String())
		if err != nil {
			t.Fatal(err)
		}
		a.page = page
		return page.Location != nil
	})
	return func() map[string]any {
		g, err := a.rp.exchange(t.Context(), a.request, a.page.Location)
		if err != nil {
			t.Fatal(err)
		}
		return g.claims
	}
}
