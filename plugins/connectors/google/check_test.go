package google_test

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// steps of a check, in order.
var steps = []string{"dns", "tcp", "tls", "credentials", "permission", "schema"}

func check(t *testing.T, target *google.Target) map[string]sdk.CheckStep {
	t.Helper()
	got, err := target.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	by := map[string]sdk.CheckStep{}
	for _, s := range got {
		names = append(names, s.Name)
		by[s.Name] = s
	}
	if diff := cmp.Diff(steps, names); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	return by
}

// wantFailed: this step fails with advice, those before pass, those after are
// skipped.
func wantFailed(t *testing.T, by map[string]sdk.CheckStep, failed, detail, fix string) {
	t.Helper()
	want := sdk.CheckPassed
	for _, name := range steps {
		s := by[name]
		if name == failed {
			if s.Status != sdk.CheckFailed || !strings.Contains(s.Detail, detail) || !strings.Contains(s.Fix, fix) {
				t.Errorf("step %+v, want it failed with %q and the advice %q", s, detail, fix)
			}
			want = sdk.CheckSkipped
			continue
		}
		if s.Status != want {
			t.Errorf("step %+v, want it %s", s, want)
		}
	}
}

func managed(c *google.Config) {
	c.Groups, c.CustomSchemas = []string{"staff@example.com"}, []string{"Employment"}
}

func full() fake.Options {
	return fake.Options{Groups: []string{"staff@example.com"}, Schemas: map[string][]string{"Employment": {"badge"}}}
}

func TestCheckPasses(t *testing.T) {
	w := newWorld(t, full())
	for _, s := range check(t, w.open(managed)) {
		if s.Status != sdk.CheckPassed {
			t.Errorf("%+v", s)
		}
	}
	for _, s := range check(t, w.open()) {
		if s.Status != sdk.CheckPassed {
			t.Errorf("without groups and schemas: %+v", s)
		}
	}
	for _, call := range w.Calls() {
		if !strings.HasSuffix(call, ".get") && !strings.HasSuffix(call, ".list") {
			t.Errorf("the check called %s", call)
		}
	}
}

func TestCheckFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	const readUsers, readGroup = "directory.users.list", "directory.groups.get"
	forbidden := fake.Answer{Status: 403, Reason: "forbidden", Message: "Not Authorized to access this resource/api"}
	for name, c := range map[string]struct {
		change       func(*google.Config)
		script       map[string]fake.Answer
		step, detail string
		fix          string
	}{
		"name":        {func(c *google.Config) { c.BaseURL = "https://no-such-host.invalid" }, nil, "dns", "cannot be resolved", "base_url"},
		"port":        {func(c *google.Config) { c.BaseURL = "http://" + closed.Addr().String() }, nil, "tcp", "refused", "base_url"},
		"subject":     {func(c *google.Config) { c.Subject = "nobody@example.com" }, nil, "credentials", "Invalid email or User ID", "Domain-wide delegation"},
		"token":       {nil, map[string]fake.Answer{"token": {Status: 503, Message: "x"}}, "credentials", "503", "admin.directory.user"},
		"not enabled": {nil, map[string]fake.Answer{readUsers: {Status: 403, Reason: "accessNotConfigured", Message: "No"}}, "", "", ""},
		"group role":  {managed, map[string]fake.Answer{readGroup: forbidden}, "permission", "privilege", "role"},
		"no group":    {func(c *google.Config) { c.Groups = []string{"nobody@example.com"} }, nil, "schema", "there is no group nobody@example.com", "groups"},
		"no schema":   {func(c *google.Config) { c.CustomSchemas = []string{"Missing"} }, nil, "schema", "there is no custom schema Missing", "custom_schemas"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, full())
			for method, a := range c.script {
				w.Script(method, a)
				if name == "not enabled" { // asked for with the credentials, too
					w.Script(method, a)
				}
			}
			change := c.change
			if change == nil {
				change = func(*google.Config) {}
			}
			if name == "not enabled" {
				wantFailed(t, check(t, w.open(change)), "permission", "enable the Admin SDK API", "Enable")
				return
			}
			wantFailed(t, check(t, w.open(change)), c.step, c.detail, c.fix)
		})
	}
}

// TestCheckTLS: the certificate of a server is trusted only where it is given.
func TestCheckTLS(t *testing.T) {
	w := newWorld(t, full())
	s := httptest.NewUnstartedServer(w.Server)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	over := func(c *google.Config) { c.BaseURL = s.URL }
	wantFailed(t, check(t, w.open(over)), "tls", "not trusted", "issuer")
	trusted := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for _, step := range check(t, w.open(over, func(c *google.Config) { c.CACertificates = string(trusted) })) {
		// The token endpoint is not TLS here, and the directory is.
		if step.Status != sdk.CheckPassed {
			t.Errorf("%+v", step)
		}
	}
}
