package salesforce_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

const (
	clientID     = "3MVG9.canary-consumer-key"
	clientSecret = "canary-consumer-secret"
	actingUser   = "integration@example.com"
	externalID   = "Anteroom_Id__c"
)

// key is one RSA key for all tests: making one takes a while.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func orgOptions(t *testing.T) fake.Options {
	t.Helper()
	return fake.Options{
		ClientID: clientID, ClientSecret: clientSecret, Username: actingUser, Key: &key().PublicKey,
		Profiles: []string{"System Administrator", "Standard User"}, PermissionSets: []string{"Sales_Ops", "Other_Set"},
		PublicGroups: []string{"All_Sales", "Others"},
	}
}

// config is a good configuration for an org at this address.
func config(t *testing.T, login string) salesforce.Config {
	t.Helper()
	return salesforce.Config{
		LoginURL: login, Auth: "jwt_bearer", ClientID: clientID, Username: actingUser, PrivateKey: sdk.Secret(keyPEM(t)),
		Profile: "Standard User", TimeZone: "GMT", Locale: "en_US", Language: "en_US", EmailEncoding: "UTF-8", FederationID: "set",
		APIVersion: "62.0", Timeout: 10 * time.Second,
	}
}

// bench is an org behind a fault proxy, and a target for it.
type bench struct {
	org    *fake.Org
	proxy  *faultproxy.Proxy
	target *salesforce.Target
}

// start runs an org; the functions change what it is like and how it is used.
func start(t *testing.T, changes ...func(*fake.Options, *salesforce.Config)) bench {
	t.Helper()
	options, cfg := orgOptions(t), config(t, "")
	for _, change := range changes {
		change(&options, &cfg)
	}
	org := fake.New(options)
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	proxy := faultproxy.Start(t, server.URL)
	cfg.LoginURL = proxy.URL
	return bench{org, proxy, open(t, cfg)}
}

func open(t *testing.T, cfg salesforce.Config) *salesforce.Target {
	t.Helper()
	target, err := salesforce.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func withExternalID(o *fake.Options, c *salesforce.Config) {
	o.ExternalID, c.ExternalIDField = externalID, externalID
}

// ada is what the default mapping gives.
func ada() sdk.Attributes {
	return sdk.Attributes{
		"FederationIdentifier": "user-1", "Username": "ada@example.com", "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com",
	}
}

func (b bench) create(t *testing.T, attributes sdk.Attributes) string {
	t.Helper()
	a, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if a.ID == "" {
		t.Fatal("create: no id")
	}
	return a.ID
}

func (b bench) get(t *testing.T, id string) sdk.Account {
	t.Helper()
	a, err := b.target.Get(t.Context(), sdk.GetRequest{ID: id})
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return a
}

// lookup returns the ids that are found.
func (b bench) lookup(t *testing.T, key, value string) []string {
	t.Helper()
	found, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: key, Value: value})
	if err != nil {
		t.Fatalf("lookup %s: %v", key, err)
	}
	var ids []string
	for _, a := range found {
		ids = append(ids, a.ID)
	}
	return ids
}

// wantAttributes compares those named in want; nil means none.
func wantAttributes(t *testing.T, got sdk.Account, want map[string]any) {
	t.Helper()
	values := map[string]any{}
	for name := range want {
		values[name] = got.Attributes[name]
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect, field string) {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil {
		t.Errorf("no error, want kind %s", kind)
		return
	}
	if e.Kind != kind || e.Effect != effect || e.Field != field {
		t.Errorf("error %q has kind %s, effect %s and field %q, want %s, %s and %q", e, e.Kind, e.Effect, e.Field, kind, effect, field)
	}
}
