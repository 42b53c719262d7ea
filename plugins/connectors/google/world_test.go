package google_test

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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// Methods of the API, as the fake counts them.
const (
	get    = "directory.users.get"
	list   = "directory.users.list"
	insert = "directory.users.insert"
	update = "directory.users.update"
	remove = "directory.users.delete"
)

// world is a fake Workspace and a way to it that can fail. Whatever contradicts
// Google's discovery documents fails the test.
type world struct {
	*fake.Server
	t     *testing.T
	url   string
	proxy *faultproxy.Proxy
}

func newWorld(t *testing.T, o fake.Options) *world {
	t.Helper()
	o.Violation = func(problem string) { t.Error("against Google's own description: " + problem) }
	s, err := fake.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &world{Server: s, t: t, url: server.URL, proxy: faultproxy.Start(t, server.URL)}
}

// config is a good configuration; tokens do not pass through the proxy.
func (w *world) config() google.Config {
	token := w.url + "/token"
	return google.Config{
		Auth: "service_account", Credentials: sdk.Secret(w.Key(token)), Subject: fake.Admin, Customer: "my_customer",
		ExternalIDType: "anteroom", Unmanaged: "refuse", BaseURL: w.proxy.URL, TokenURL: token, Timeout: 10 * time.Second,
		Propagation: 5 * time.Minute,
	}
}

// open opens a target with a configuration that changes may have altered.
func (w *world) open(changes ...func(*google.Config)) *google.Target {
	w.t.Helper()
	cfg := w.config()
	for _, change := range changes {
		change(&cfg)
	}
	target, err := google.Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.t.Cleanup(func() { _ = target.Close() })
	return target
}

// ada is a complete account.
func ada() sdk.Attributes {
	return sdk.Attributes{
		"externalId": "user-1", "primaryEmail": "ada@example.com", "name.givenName": "Ada", "name.familyName": "Lovelace",
		"orgUnitPath": "/Science", "phone": "+44 20 1", "mobilePhone": "+44 70 2", "employeeId": "E1",
		"title": "Countess", "department": "Engines", "costCenter": "42",
	}
}

// science is a Workspace with ada's organisational unit.
func science() fake.Options { return fake.Options{OrgUnits: []string{"/Science"}} }

func create(t *testing.T, target *google.Target, attributes sdk.Attributes) sdk.Account {
	t.Helper()
	account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return account
}

func lookup(t *testing.T, target *google.Target, key, value string) []string {
	t.Helper()
	accounts, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: key, Value: value})
	if err != nil {
		t.Fatalf("lookup %s %q: %v", key, value, err)
	}
	var ids []string
	for _, a := range accounts {
		ids = append(ids, a.ID)
	}
	return ids
}

// wantKind compares kind and effect, and returns the error to look further.
func wantKind(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect) *sdk.Error {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil {
		t.Fatalf("no error, want kind %s", kind)
	}
	if e.Kind != kind || e.Effect != effect {
		t.Errorf("error %q has kind %s and effect %s, want %s and %s", e, e.Kind, e.Effect, kind, effect)
	}
	return e
}

func wantField(t *testing.T, e *sdk.Error, field string) {
	t.Helper()
	if e.Field != field {
		t.Errorf("error %q names the field %q, want %q", e, e.Field, field)
	}
}

func wantText(t *testing.T, e *sdk.Error, part string) {
	t.Helper()
	if !strings.Contains(e.Message, part) {
		t.Errorf("message %q does not say %q", e.Message, part)
	}
}

// wantCalls compares the methods called since Forget.
func wantCalls(t *testing.T, w *world, methods ...string) {
	t.Helper()
	if got := w.Calls(); !slices.Equal(got, methods) {
		t.Errorf("calls (-want +got):\n%s", cmp.Diff(methods, got))
	}
}

func wantAttributes(t *testing.T, got sdk.Account, want sdk.Attributes) {
	t.Helper()
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func wantActive(t *testing.T, a sdk.Account, active bool) {
	t.Helper()
	if a.Active == nil || *a.Active != active {
		t.Errorf("the account's activity is %v, want %t", a.Active, active)
	}
}

func serve(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// otherKey is a service account's key with another private key in it.
func otherKey(t *testing.T, key string) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]string
	if err := json.Unmarshal([]byte(key), &fields); err != nil {
		t.Fatal(err)
	}
	fields["private_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	return mustJSON(t, fields)
}
