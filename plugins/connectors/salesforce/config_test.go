package salesforce_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/sdk"
)

func encoded(t *testing.T, kind string, der []byte, err error) sdk.Secret {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return sdk.Secret(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestConfigProblems(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curveDER, curveErr := x509.MarshalPKCS8PrivateKey(curve)
	type cfg = salesforce.Config
	for name, c := range map[string]struct {
		change func(*cfg)
		field  string
	}{
		"no address":       {func(c *cfg) { c.LoginURL = "" }, "login_url"},
		"plain http":       {func(c *cfg) { c.LoginURL = "http://login.salesforce.com" }, "login_url"},
		"a password in it": {func(c *cfg) { c.LoginURL = "https://u:canary@example.com" }, "login_url"},
		"a query":          {func(c *cfg) { c.LoginURL = "https://example.com?x" }, "login_url"},
		"another scheme":   {func(c *cfg) { c.LoginURL = "ftp://example.com" }, "login_url"},
		"auth":             {func(c *cfg) { c.Auth = "password" }, "auth"},
		"no client":        {func(c *cfg) { c.ClientID = " " }, "client_id"},
		"no user":          {func(c *cfg) { c.Username = "" }, "username"},
		"no key":           {func(c *cfg) { c.PrivateKey = "" }, "private_key"},
		"a key of words":   {func(c *cfg) { c.PrivateKey = "canary-secret" }, "private_key"},
		"a short key":      {func(c *cfg) { c.PrivateKey = encoded(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short), nil) }, "private_key"},
		"a key of a curve": {func(c *cfg) { c.PrivateKey = encoded(t, "PRIVATE KEY", curveDER, curveErr) }, "private_key"},
		"audience":         {func(c *cfg) { c.Audience = "login.salesforce.com" }, "audience"},
		"no secret":        {func(c *cfg) { c.Auth = "client_credentials" }, "client_secret"},
		"a common login": {func(c *cfg) {
			c.Auth, c.ClientSecret, c.LoginURL = "client_credentials", "x", "https://login.salesforce.com/"
		}, "login_url"},
		"no profile":        {func(c *cfg) { c.Profile = "" }, "profile"},
		"no zone":           {func(c *cfg) { c.TimeZone = "" }, "time_zone"},
		"a standard field":  {func(c *cfg) { c.ExternalIDField = "Username" }, "external_id_field"},
		"a field of a path": {func(c *cfg) { c.ExternalIDField = "../X__c" }, "external_id_field"},
		"federation":        {func(c *cfg) { c.FederationID = "x" }, "federation_identifier"},
		"nobody's":          {func(c *cfg) { c.FederationID = "leave" }, "external_id_field"},
		"a set twice":       {func(c *cfg) { c.PermissionSets = []string{"A", "a"} }, "permission_sets"},
		"a name twice":      {func(c *cfg) { c.PermissionSets, c.PublicGroups = []string{"A"}, []string{"A"} }, "public_groups"},
		"no API name":       {func(c *cfg) { c.PublicGroups = []string{"All Sales"} }, "public_groups"},
		"an old version":    {func(c *cfg) { c.APIVersion = "45.0" }, "api_version"},
		"no version":        {func(c *cfg) { c.APIVersion = "latest" }, "api_version"},
		"no time":           {func(c *cfg) { c.Timeout = 0 }, "timeout"},
		"certificates":      {func(c *cfg) { c.CACertificates = "x" }, "ca_certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, "https://example.my.salesforce.com")
			c.change(&cfg)
			var fields []string
			for _, p := range cfg.Validate() {
				fields = append(fields, p.Field)
				if strings.Contains(p.Message, "canary") {
					t.Errorf("the message %q repeats what was given", p.Message)
				}
			}
			if diff := cmp.Diff([]string{c.field}, fields); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := salesforce.Open(t.Context(), cfg)
			wantError(t, err, sdk.KindInvalid, sdk.EffectNone, c.field)
		})
	}
}

func TestConfigsThatAreRight(t *testing.T) {
	for _, change := range []func(*salesforce.Config){
		func(*salesforce.Config) {},
		func(c *salesforce.Config) { c.LoginURL = "http://[::1]:8080" },
		func(c *salesforce.Config) { c.LoginURL, c.APIVersion = "https://test.salesforce.com/", "v68.0" },
		func(c *salesforce.Config) {
			c.PrivateKey = encoded(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key()), nil)
		},
	} {
		cfg := config(t, "https://example.my.salesforce.com")
		change(&cfg)
		if problems := cfg.Validate(); problems != nil {
			t.Errorf("%s: %v", cfg.LoginURL, problems)
		}
	}
}
