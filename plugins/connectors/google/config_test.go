package google_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestConfig(t *testing.T) {
	w := newWorld(t, fake.Options{})
	for name, c := range map[string]struct {
		change func(*google.Config)
		fields []string
	}{
		"good":       {func(*google.Config) {}, nil},
		"auth":       {func(c *google.Config) { c.Auth = "" }, []string{"auth"}},
		"no key":     {func(c *google.Config) { c.Credentials = "" }, []string{"credentials"}},
		"file name":  {func(c *google.Config) { c.Credentials = "/etc/key.json" }, []string{"credentials"}},
		"other type": {func(c *google.Config) { c.Credentials = `{"type":"authorized_user"}` }, []string{"credentials"}},
		"no address": {func(c *google.Config) { c.Credentials = `{"type":"service_account"}` }, []string{"credentials"}},
		"no pem": {func(c *google.Config) {
			c.Credentials = `{"type":"service_account","client_email":"a@b","private_key":"x"}`
		}, []string{"credentials"}},
		"subject":      {func(c *google.Config) { c.Subject = "admin" }, []string{"subject"}},
		"customer":     {func(c *google.Config) { c.Customer = "" }, []string{"customer"}},
		"type":         {func(c *google.Config) { c.ExternalIDType = "" }, []string{"external_id_type"}},
		"groups":       {func(c *google.Config) { c.Groups = []string{"staff"} }, []string{"groups"}},
		"schemas":      {func(c *google.Config) { c.CustomSchemas = []string{"A.b"} }, []string{"custom_schemas"}},
		"unmanaged":    {func(c *google.Config) { c.Unmanaged = "" }, []string{"unmanaged_accounts"}},
		"plain http":   {func(c *google.Config) { c.BaseURL = "http://admin.googleapis.com" }, []string{"base_url"}},
		"user":         {func(c *google.Config) { c.TokenURL = "https://a:canary@oauth2.googleapis.com/token" }, []string{"token_url"}},
		"timeout":      {func(c *google.Config) { c.Timeout = 0 }, []string{"timeout"}},
		"propagation":  {func(c *google.Config) { c.Propagation = 2 * time.Hour }, []string{"propagation"}},
		"certificates": {func(c *google.Config) { c.CACertificates = "x" }, []string{"ca_certificates"}},
		"two":          {func(c *google.Config) { c.Subject, c.Customer = "", "" }, []string{"subject", "customer"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := w.config()
			c.change(&cfg)
			var fields []string
			for _, p := range cfg.Validate() {
				fields = append(fields, p.Field)
				if strings.Contains(p.Message, "canary") {
					t.Errorf("the message repeats the value: %s", p.Message)
				}
			}
			if diff := cmp.Diff(c.fields, fields); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			_, err := google.Open(t.Context(), cfg)
			if c.fields == nil && err == nil {
				return
			}
			wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), c.fields[0])
		})
	}
}

// TestFederationConfig: a credential configuration is made to be passed around,
// and must not lead anywhere it likes.
func TestFederationConfig(t *testing.T) {
	w := newWorld(t, fake.Options{})
	var good map[string]any
	if err := json.Unmarshal([]byte(w.Federation("https://iam.example.com", "token")), &good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		field string
		value any
		says  string
	}{
		"good":          {"audience", "x", ""},
		"type":          {"type", "authorized_user", "external_account"},
		"program":       {"credential_source", map[string]any{"executable": map[string]any{"command": "/bin/sh"}}, "starts a program"},
		"no source":     {"credential_source", nil, "credential_source"},
		"plain http":    {"token_url", "http://sts.example.com", "token_url must be https"},
		"no account":    {"service_account_impersonation_url", nil, "service_account_impersonation_url"},
		"other method":  {"service_account_impersonation_url", "https://iam.example.com/v1/projects/-/serviceAccounts/a@b:delete", "must end in"},
		"nobody's name": {"service_account_impersonation_url", "https://iam.example.com/v1/x:generateAccessToken", "must end in"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := maps.Clone(good)
			fields[c.field] = c.value
			cfg := w.config()
			cfg.Auth, cfg.CredentialConfig = "workload_identity", mustJSON(t, fields)
			problems := cfg.Validate()
			switch {
			case c.says == "" && len(problems) > 0:
				t.Errorf("%v", problems)
			case c.says != "" && (len(problems) != 1 || problems[0].Field != "credential_config" || !strings.Contains(problems[0].Message, c.says)):
				t.Errorf("%v, want one about %q", problems, c.says)
			}
		})
	}
}
