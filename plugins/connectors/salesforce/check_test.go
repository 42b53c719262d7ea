package salesforce_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

var checkSteps = []string{"dns", "tcp", "tls", "credentials", "permission", "schema"}

// wantCheck demands that all steps before failing passed, that it failed and
// said so, and that those after it were skipped. "" is for none.
func wantCheck(t *testing.T, target *salesforce.Target, failing, says string) {
	t.Helper()
	steps, err := target.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	status := sdk.CheckPassed
	for _, name := range checkSteps {
		switch {
		case name == failing:
			want = append(want, name+" "+string(sdk.CheckFailed))
			status = sdk.CheckSkipped
		default:
			want = append(want, name+" "+string(status))
		}
	}
	for _, s := range steps {
		got = append(got, s.Name+" "+string(s.Status))
		if s.Status != sdk.CheckSkipped && s.Detail == "" || s.Status == sdk.CheckFailed && (s.Fix == "" || !strings.Contains(s.Detail, says)) {
			t.Errorf("step %+v, want a detail with %q, and a fix", s, says)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestCheckPasses(t *testing.T) {
	for name, change := range map[string]func(*fake.Options, *salesforce.Config){
		"least": func(*fake.Options, *salesforce.Config) {},
		"most": func(o *fake.Options, c *salesforce.Config) {
			withExternalID(o, c)
			withClientCredentials(o, c)
			c.PermissionSets, c.PublicGroups = []string{"sales_ops"}, []string{"All_Sales"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, change)
			wantCheck(t, b.target, "", "")
			for _, r := range b.proxy.Requests() {
				if r.Writes() && r.Path != tokenPath {
					t.Errorf("the check wrote: %s %s", r.Method, r.Path)
				}
			}
			steps, _ := b.target.Check(t.Context())
			if detail := steps[4].Detail; !strings.Contains(detail, "of 15000 API requests") {
				t.Errorf("the permission step says %q, and not how many requests are used", detail)
			}
		})
	}
}

func TestCheckNamesTheWay(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are wanted
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for failing, c := range map[string]struct{ login, says string }{
		"dns": {"https://nobody.invalid", "cannot be resolved"},
		"tcp": {"http://" + closed.Addr().String(), "no connection"},
		"tls": {untrusted.URL, "not trusted"},
	} {
		wantCheck(t, open(t, config(t, c.login)), failing, c.says)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	type change = func(*fake.Options, *salesforce.Config)
	for name, c := range map[string]struct {
		change        change
		path          string // whose answer is the fault
		fault         faultproxy.Fault
		failing, says string
	}{
		"user":        {change: func(_ *fake.Options, c *salesforce.Config) { c.Username = "x@example.com" }, failing: "credentials", says: "approved"},
		"no endpoint": {path: tokenPath, fault: faultproxy.Status(404, nil, ""), failing: "credentials", says: "login_url"},
		"session":     {path: "/services/data/v62.0/", fault: refusal(t, 401, "INVALID_SESSION_ID", "not valid for use with the REST API"), failing: "credentials", says: "not valid"},
		"lost":        {path: "/services/data/v62.0/", fault: faultproxy.Reset(), failing: "credentials", says: "lost"},
		"disabled":    {path: usersPath + "/describe", fault: refusal(t, 403, "API_DISABLED_FOR_ORG", "API is not enabled"), failing: "permission", says: "not enabled"},
		"read only": {path: usersPath + "/describe", fault: faultproxy.Status(200, nil, `{"queryable":true,"createable":false,"updateable":true}`),
			failing: "permission", says: "cannot be read, made and changed"},
		"version": {change: func(_ *fake.Options, c *salesforce.Config) { c.APIVersion = "99.0" }, failing: "permission", says: "api_version"},
		"no fields": {path: usersPath + "/describe", fault: faultproxy.Status(200, nil, `{"queryable":true,"createable":true,"updateable":true,"fields":[]}`),
			failing: "schema", says: "FederationIdentifier: "},
		"profile":      {change: func(_ *fake.Options, c *salesforce.Config) { c.Profile = "No such" }, failing: "schema", says: "profile: "},
		"profile id":   {change: func(_ *fake.Options, c *salesforce.Config) { c.Profile = "00e000000000001AAA" }, failing: "schema", says: "profile: "},
		"zone":         {change: func(_ *fake.Options, c *salesforce.Config) { c.TimeZone = "Mars" }, failing: "schema", says: "time_zone: "},
		"locale":       {change: func(_ *fake.Options, c *salesforce.Config) { c.Locale = "xx" }, failing: "schema", says: "locale: "},
		"language":     {change: func(_ *fake.Options, c *salesforce.Config) { c.Language = "xx" }, failing: "schema", says: "language: "},
		"encoding":     {change: func(_ *fake.Options, c *salesforce.Config) { c.EmailEncoding = "xx" }, failing: "schema", says: "email_encoding: "},
		"external id":  {change: func(_ *fake.Options, c *salesforce.Config) { c.ExternalIDField = "Other__c" }, failing: "schema", says: "external_id_field: "},
		"set":          {change: func(_ *fake.Options, c *salesforce.Config) { c.PermissionSets = []string{"Nothing"} }, failing: "schema", says: "permission_sets: "},
		"public group": {change: func(_ *fake.Options, c *salesforce.Config) { c.PublicGroups = []string{"Nothing"} }, failing: "schema", says: "public_groups: "},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*fake.Options, *salesforce.Config) {}
			}
			b := start(t, c.change)
			if c.fault != nil {
				b.proxy.Always(func(r faultproxy.Request) bool { return r.Path == c.path }, c.fault)
			}
			wantCheck(t, b.target, c.failing, c.says)
		})
	}
}
