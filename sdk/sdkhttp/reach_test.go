package sdkhttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// reach returns the steps in short, "dns passed" say, and the one that failed.
func reach(t *testing.T, address string, trust *tls.Config) (steps []string, failed sdk.CheckStep) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sdkhttp.Reach(soon(t), u, trust, "base_url") {
		steps = append(steps, s.Name+" "+string(s.Status))
		if s.Status == sdk.CheckFailed {
			failed = s
		}
	}
	return steps, failed
}

func TestReach(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are wanted
	secure.StartTLS()
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()

	for name, c := range map[string]struct {
		address, detail string
		trust           *tls.Config
		want            []string
	}{
		"plain":     {address: plain, want: []string{"dns passed", "tcp passed", "tls passed"}},
		"trusted":   {address: secure.URL, trust: &tls.Config{RootCAs: roots}, want: []string{"dns passed", "tcp passed", "tls passed"}},
		"untrusted": {address: secure.URL, detail: "not trusted", want: []string{"dns passed", "tcp passed", "tls failed"}},
		"closed":    {address: "http://" + nobody, detail: "no connection", want: []string{"dns passed", "tcp failed", "tls skipped"}},
		"no name":   {address: "https://nobody.invalid", detail: "cannot be resolved", want: []string{"dns failed", "tcp skipped", "tls skipped"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := reach(t, c.address, c.trust)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(failed.Detail, c.detail) || (failed.Name != "") != (failed.Fix != "") {
				t.Errorf("failed step %+v, want a detail with %q and a fix", failed, c.detail)
			}
		})
	}
}
