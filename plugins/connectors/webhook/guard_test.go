package webhook

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestANameIsJudgedByWhereItLeads has a name whose address is an inner one, as a
// public name may have after its owner changed it.
func TestANameIsJudgedByWhereItLeads(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the failed handshakes are wanted
	s.StartTLS()
	defer s.Close()
	address, err := url.Parse(strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	if err != nil {
		t.Fatal(err)
	}
	for allowed, want := range map[string]string{
		"":                 "not a public address",
		"10.0.0.0/8":       "not a public address",
		"127.0.0.0/8":      "certificate", // another matter: the connection was made
		"127.0.0.1":        "certificate",
		"::ffff:127.0.0.1": "certificate",
	} {
		var allow []string
		if allowed != "" {
			allow = []string{allowed}
		}
		networks, err := parseNetworks(allow)
		if err != nil {
			t.Fatal(err)
		}
		target := newTarget(Config{Secret: good, Timeout: 5 * time.Second}, address, guard{allowed: networks})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err = target.Lookup(ctx, sdk.LookupRequest{Key: keyLogin, Value: "ada"})
		cancel()
		if e := sdk.AsError(err); e == nil || !strings.Contains(e.Message, want) {
			t.Errorf("allowed %q: %v, want %q", allowed, err, want)
		}
		steps := target.reach(t.Context())
		if got := steps[1].Status; (got == sdk.CheckPassed) != (want == "certificate") {
			t.Errorf("allowed %q: check says %+v", allowed, steps[1])
		}
		_ = target.Close()
	}
}
