package salesforce

import (
	"net/url"
	"testing"
)

func TestAudience(t *testing.T) {
	for login, want := range map[string]string{
		"https://login.salesforce.com":                   "https://login.salesforce.com",
		"https://test.salesforce.com":                    "https://test.salesforce.com",
		"https://example.my.salesforce.com":              "https://login.salesforce.com",
		"https://example--uat.sandbox.my.salesforce.com": "https://test.salesforce.com",
		"https://sandbox-of-somebody.my.salesforce.com":  "https://login.salesforce.com",
	} {
		u, err := url.Parse(login)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Config{}).audience(u); got != want {
			t.Errorf("%s: %s, want %s", login, got, want)
		}
		if got := (Config{Audience: "https://x.example/"}).audience(u); got != "https://x.example" {
			t.Errorf("the audience that is configured became %s", got)
		}
	}
}

// TestTokenGoesNowhereLessSafe: a login server with https may not send the token
// to one without, not even on this machine.
func TestTokenGoesNowhereLessSafe(t *testing.T) {
	for _, c := range []struct {
		login, instance string
		ok              bool
	}{
		{"https://login.salesforce.com", "https://example.my.salesforce.com/path", true},
		{"https://login.salesforce.com", "http://127.0.0.1:8080", false},
		{"https://login.salesforce.com", "http://example.my.salesforce.com", false},
		{"https://login.salesforce.com", "https://u:p@example.my.salesforce.com", false},
		{"https://login.salesforce.com", "//example.my.salesforce.com", false},
		{"http://127.0.0.1:1", "http://127.0.0.1:8080", true},
	} {
		login, err := url.Parse(c.login)
		if err != nil {
			t.Fatal(err)
		}
		s, err := (&granter{login: login}).session("token", c.instance)
		if (err == nil) != c.ok {
			t.Errorf("%s for %s: %v", c.instance, c.login, err)
		}
		if err == nil && (s.instance.Path != "" || s.instance.User != nil) {
			t.Errorf("the instance is %s", s.instance)
		}
	}
}

// TestLongIDs has the example of Salesforce's own documentation.
func TestLongIDs(t *testing.T) {
	for short, long := range map[string]string{"001D000000IqhSL": "001D000000IqhSLIAZ", "005000000000001": "005000000000001AAA"} {
		if got := idOf(short); got != long {
			t.Errorf("%s became %s, want %s", short, got, long)
		}
		if got := idOf(long); got != long {
			t.Errorf("%s became %s", long, got)
		}
	}
	for _, odd := range []string{"", "x", "001D000000IqhS", "001D000000IqhSLI", "001D000000IqhSLIA!", "001D000000IqhSLiaz"} {
		if got := idOf(odd); got != "" {
			t.Errorf("%q became %q", odd, got)
		}
	}
}
