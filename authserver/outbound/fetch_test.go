package outbound_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/outbound"
)

func TestFetch(t *testing.T) {
	const most = 256 << 10
	mux := http.NewServeMux()
	answer := func(path string, status, size int) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "application/json" {
				t.Errorf("%s: Accept is %q", path, r.Header.Get("Accept"))
			}
			w.Header().Set("Location", "/small")
			w.WriteHeader(status)
			_, _ = w.Write(bytes.Repeat([]byte("x"), size))
		})
	}
	answer("/small", http.StatusOK, 1)
	answer("/most", http.StatusOK, most)
	answer("/more", http.StatusOK, most+1)
	answer("/moved", http.StatusFound, 1)
	answer("/none", http.StatusNotFound, 1)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := outbound.NewClient([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	for path, want := range map[string]string{
		"/small": "", "/most": "", "/more": "there are more than 262144 bytes", "/moved": "the answer is 302", "/none": "the answer is 404",
	} {
		raw, err := outbound.Fetch(t.Context(), client, server.URL+path)
		if want == "" && (err != nil || len(raw) == 0) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %d bytes, %v, want %q", path, len(raw), err, want)
		}
	}
	if _, err := outbound.Fetch(t.Context(), outbound.NewClient(nil), server.URL+"/small"); err == nil || !strings.Contains(err.Error(), outbound.ErrForbidden.Error()) {
		t.Errorf("at an address that nobody allowed: %v", err)
	}
}
