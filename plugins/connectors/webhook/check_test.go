package webhook_test

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/webhook"
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestCheckNamesTheStep has each step fail, and all pass.
func TestCheckNamesTheStep(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	_ = listener.Close()
	secure := httptest.NewUnstartedServer(fake.New(secret))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the failed handshakes are wanted
	secure.StartTLS()
	defer secure.Close()
	mute := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}) // 200 to everything
	trusted := func(c *webhook.Config) {
		c.CACertificates = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	}
	for name, test := range map[string]struct {
		url    string
		change func(*webhook.Config)
		fails  string // "" for none
		says   string
	}{
		"fine":          {serve(t, fake.New(secret)), nil, "", ""},
		"fine with TLS": {secure.URL, trusted, "", ""},
		"no such host":  {"https://anteroom.invalid/", nil, "dns", "cannot be resolved"},
		"nobody there":  {closed, nil, "tcp", "no connection"},
		"inside":        {"https://10.255.255.1/", nil, "tcp", "not a public address"},
		"untrusted":     {secure.URL, nil, "tls", "certificate is not trusted"},
		"other secret":  {serve(t, fake.New(secret)), func(c *webhook.Config) { c.Secret = older }, "credentials", "401"},
		"forbidden":     {serve(t, answering(403, nil, "")), nil, "permission", "403"},
		"wrong path":    {serve(t, http.NotFoundHandler()), nil, "permission", "no endpoint for ping"},
		"mute":          {serve(t, mute), nil, "schema", "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := open(t, test.url, test.change).Check(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			status := sdk.CheckPassed
			for _, s := range steps {
				names = append(names, s.Name)
				want := status
				if s.Name == test.fails {
					want, status = sdk.CheckFailed, sdk.CheckSkipped
					if !strings.Contains(s.Detail, test.says) || s.Fix == "" {
						t.Errorf("%s says %q, fix %q; want %q", s.Name, s.Detail, s.Fix, test.says)
					}
				}
				if s.Status != want {
					t.Errorf("%s %s (%s), want %s", s.Name, s.Status, s.Detail, want)
				}
			}
			if diff := cmp.Diff([]string{"dns", "tcp", "tls", "credentials", "permission", "schema"}, names); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAddressesInsideAreRefused needs no network: nothing is dialled.
func TestAddressesInsideAreRefused(t *testing.T) {
	for _, host := range []string{
		"10.0.0.1", "172.31.9.9", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1", "255.255.255.255",
		"[::]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "[64:ff9b::a00:1]", "[2002:a00:1::]",
	} {
		target := open(t, "https://"+host+":9/", nil)
		_, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "ada"})
		e := sdk.AsError(err)
		if e == nil || e.Kind != sdk.KindForbidden || e.Effect != sdk.EffectNone || e.Field != "url" {
			t.Errorf("%s: %v, want it forbidden", host, err)
		}
	}
}
