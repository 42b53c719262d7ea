package webhook

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

const good = sdk.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

// The example that Standard Webhooks and its libraries are tested with.
func TestSignatureOfTheStandardsExample(t *testing.T) {
	key, err := signingKey(good)
	if err != nil {
		t.Fatal(err)
	}
	s := signer{keys: [][]byte{key}, now: func() time.Time { return time.Unix(1614265330, 0) }}
	h := s.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`))
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := h.Get("webhook-signature"); got != want || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("signature %s at %s, want %s", got, h.Get("webhook-timestamp"), want)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		fields []string
	}{
		"good":                {func(*Config) {}, nil},
		"this machine":        {func(c *Config) { c.URL = "http://[::1]:9/x?tenant=1" }, nil},
		"plain http":          {func(c *Config) { c.URL = "http://example.com/" }, []string{"url"}},
		"plain http, a trick": {func(c *Config) { c.URL = "http://localhost.example.com/" }, []string{"url"}},
		"a user":              {func(c *Config) { c.URL = "https://u:p@example.com/" }, []string{"url"}},
		"no host":             {func(c *Config) { c.URL = "https:///x" }, []string{"url"}},
		"another scheme":      {func(c *Config) { c.URL = "file://example.com/x" }, []string{"url"}},
		"a fragment":          {func(c *Config) { c.URL = "https://example.com/#x" }, []string{"url"}},
		"no prefix":           {func(c *Config) { c.Secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }, []string{"secret"}},
		"short":               {func(c *Config) { c.Secret = "whsec_c2hvcnQ=" }, []string{"secret"}},
		"no base64":           {func(c *Config) { c.PreviousSecret = "whsec_????????????????????????????????" }, []string{"previous_secret"}},
		"no time":             {func(c *Config) { c.Timeout = 0 }, []string{"timeout"}},
		"too much time":       {func(c *Config) { c.Timeout = time.Hour }, []string{"timeout"}},
		"no network":          {func(c *Config) { c.AllowAddresses = []string{"10.0.0.0/8", "ten"} }, []string{"allow_addresses"}},
		"no certificate":      {func(c *Config) { c.CACertificates = "x" }, []string{"ca_certificates"}},
		"all at once":         {func(c *Config) { *c = Config{} }, []string{"url", "secret", "timeout"}},
	} {
		c := Config{URL: "https://example.com/accounts", Secret: good, Timeout: time.Second}
		test.change(&c)
		var fields []string
		for _, p := range c.Validate() {
			fields = append(fields, p.Field)
		}
		if diff := cmp.Diff(test.fields, fields); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
		if _, err := Open(t.Context(), c); (err == nil) != (test.fields == nil) {
			t.Errorf("%s: Open: %v", name, err)
		}
	}
}

// FuzzAnswers wants no panic, and no account without an id.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"accounts": [{"id": "A-1", "attributes": {"login": "ada", "roles": ["x"]}, "active": true}]}`))
	f.Add([]byte(`{"id": "A-1", "attributes": {"roles": [1]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		resp := response(body)
		accounts, err := accountsIn(resp)
		made, errMade := accountIn(resp, "", true)
		if errMade == nil {
			accounts = append(accounts, made)
		}
		for _, a := range accounts {
			if a.ID == "" || len(a.ID) > maxID {
				t.Errorf("%q gives the account %+v (%v)", body, a, err)
			}
		}
	})
}

func response(body []byte) *sdkhttp.Response { return &sdkhttp.Response{Status: 200, Body: body} }
