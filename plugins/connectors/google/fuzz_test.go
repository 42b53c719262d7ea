package google

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	directory "google.golang.org/api/admin/directory/v1"
	"google.golang.org/api/googleapi"

	"github.com/anteroom-id/anteroom/sdk"
)

// fuzzed is a target that calls nobody.
func fuzzed() *Target {
	return &Target{
		cfg:      Config{ExternalIDType: "anteroom", CustomSchemas: []string{"Employment"}},
		redactor: sdk.NewRedactor("canary-secret"), recent: newRecent(time.Minute, time.Now),
	}
}

// FuzzAnswer: whatever a refusal looks like, it has a kind and an effect, and
// tells neither secrets nor the user's values.
func FuzzAnswer(f *testing.F) {
	f.Add(403, []byte(`{"error":{"code":403,"message":"Rate Limit Exceeded","errors":[{"reason":"rateLimitExceeded"}]}}`), "17")
	f.Add(403, []byte(`{"error":{"message":"canary-secret canary-value","details":[{"reason":"SERVICE_DISABLED"},{"reason":"canary-token"},3]}}`), "-1")
	f.Add(404, []byte(`<html>`), "")
	f.Add(200, []byte(`{`), "Wed, 21 Oct 2026 07:28:00 GMT")
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string) {
		if status < 300 || status > 599 {
			t.Skip("no refusal")
		}
		err := googleapi.CheckResponseWithBody(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}}, body)
		e := sdk.AsError(fuzzed().failure(call{writes: true, values: []string{"canary-value"}}, &flight{token: "canary-token"}, err))
		if e.Kind == "" || e.Effect == "" || e.Kind == sdk.KindPending {
			t.Errorf("kind %q, effect %q", e.Kind, e.Effect)
		}
		if e.RetryAfter < 0 || e.RetryAfter > time.Hour {
			t.Errorf("Retry-After %s", e.RetryAfter)
		}
		told := e.Message + e.Err.Error()
		for _, canary := range []string{"canary-secret", "canary-value", "canary-token"} {
			if strings.Contains(told, canary) {
				t.Errorf("told: %s", told)
			}
		}
	})
}

// FuzzUser: whatever is in a user resource, a change is done after one write, and
// entries of others survive it.
func FuzzUser(f *testing.F) {
	f.Add([]byte(`{"id":"1","externalIds":[{"type":"custom","customType":"payroll","value":"P"},{"type":"custom","customType":"anteroom","value":"u"}]}`), "user-2")
	f.Add([]byte(`{"phones":{"type":"work"},"organizations":[1,null,{"type":"work","title":3}],"name":null}`), "x")
	f.Add([]byte(`{"externalIds":[{"type":"CUSTOM","customType":"Anteroom"}],"customSchemas":{"Employment":{"a":[1]}}}`), "")
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		var u directory.User
		if json.Unmarshal(text, &u) != nil {
			t.Skip("no user")
		}
		target := fuzzed()
		target.account(&u)
		c, err := target.newChange(sdk.Attributes{attrExternalID: value, attrPhone: value, attrTitle: value}, nil)
		if err != nil {
			return
		}
		foreign := len(entriesOf(&u, listExternalIDs))
		sent := target.body(c, &u)
		if sent == nil {
			return
		}
		after := written(t, u, sent)
		if again := target.body(c, after); again != nil {
			t.Errorf("%q is written again: %+v", value, again)
		}
		if n := len(entriesOf(after, listExternalIDs)); n < foreign-1 {
			t.Errorf("%d entries of %d are left", n, foreign)
		}
		if got := target.read(after, attributes()[0]); got != value {
			t.Errorf("the owner is %q, want %q", got, value)
		}
	})
}

// written is u with the lists that were sent, as JSON brings them back.
func written(t *testing.T, u directory.User, sent *directory.User) *directory.User {
	t.Helper()
	for _, name := range []string{listExternalIDs, listPhones, listOrganizations} {
		list := *listOf(sent, name)
		cleared := slices.Contains(sent.NullFields, name)
		if list == nil && !cleared {
			continue
		}
		encoded, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		var decoded any
		if err := json.Unmarshal(encoded, &decoded); err != nil {
			t.Fatal(err)
		}
		*listOf(&u, name) = decoded
	}
	return &u
}

// FuzzFederation: an accepted configuration leads only to https, or this machine,
// and starts nothing.
func FuzzFederation(f *testing.F) {
	const good = `{"type":"external_account","token_url":"https://sts.googleapis.com/v1/token","credential_source":{"url":"http://169.254.169.254/x"},` +
		`"service_account_impersonation_url":"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam:generateAccessToken"}`
	f.Add(good)
	f.Add(strings.Replace(good, "https://sts", "http://sts", 1))
	f.Add(strings.Replace(good, `"url"`, `"executable"`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := readFederation(text)
		if err != nil {
			return
		}
		var fields struct {
			TokenURL string         `json:"token_url"`
			Source   map[string]any `json:"credential_source"`
			Again    string         `json:"service_account_impersonation_url"`
		}
		if err := json.Unmarshal(parsed.exchange, &fields); err != nil {
			t.Fatal(err)
		}
		if fields.Source["executable"] != nil || fields.Again != "" {
			t.Errorf("what is exchanged: %s", parsed.exchange)
		}
		for _, address := range []string{fields.TokenURL, parsed.signURL} {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
				t.Errorf("%q leads elsewhere", address)
			}
		}
	})
}

// FuzzKey: no text makes reading a key panic, and no message repeats it.
func FuzzKey(f *testing.F) {
	f.Add(`{"type":"service_account","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"}`)
	f.Add(`"canary"`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := readKey(sdk.Secret(text)); err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("told: %v", err)
		}
	})
}
