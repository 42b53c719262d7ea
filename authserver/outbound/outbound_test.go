package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestPublic(t *testing.T) {
	for _, text := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111"} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for _, text := range []string{
		"127.0.0.1", "127.1.2.3", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "fc00::1", "0.0.0.0",
		"::", "224.0.0.1", "ff02::1", "255.255.255.255", "100.64.0.1", "198.18.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "192.0.2.1",
	} {
		if public(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
}

func TestClientStaysOutside(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/", http.StatusFound)
		}
	}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", server.URL) // it is not used
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	for _, address := range []string{server.URL, "http://localhost" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port} {
		if res, err := NewClient(nil).Get(address); !errors.Is(err, ErrForbidden) {
			t.Errorf("GET %s = %v, %v; want ErrForbidden", address, res, err)
		}
	}
	if asked != 0 {
		t.Fatalf("%d requests arrived", asked)
	}
	res, err := NewClient([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Get(server.URL + "/redirect")
	if err != nil || res.StatusCode != http.StatusFound || asked != 1 {
		t.Errorf("GET of an allowed network = %v, %v after %d requests; want the redirect itself", res, err, asked)
	}
	if err == nil {
		_ = res.Body.Close()
	}
}
