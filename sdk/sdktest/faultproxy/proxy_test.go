package faultproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// upstream answers every request with its path and counts them.
func upstream(t *testing.T) (address string, handled *atomic.Int32) {
	handled = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handled.Add(1)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI())
	}))
	t.Cleanup(s.Close)
	return s.URL, handled
}

func do(t *testing.T, ctx context.Context, method, url string) (status int, body string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestScriptAppliesInOrderAndThenPasses(t *testing.T) {
	address, handled := upstream(t)
	proxy := faultproxy.Start(t, address+"/scim/v2")
	proxy.Script(http.MethodPost, "/Users", faultproxy.Pass(), faultproxy.Status(503, http.Header{"Retry-After": {"3"}}, "no"))
	var got []int
	for range 3 {
		status, body, err := do(t, t.Context(), http.MethodPost, proxy.URL+"/Users?x=1")
		if err != nil {
			t.Fatal(err)
		}
		if status == 200 && body != "POST /scim/v2/Users?x=1" {
			t.Errorf("upstream saw %q", body)
		}
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{200, 503, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if got := handled.Load(); got != 2 {
		t.Errorf("the upstream handled %d requests, want 2", got)
	}
}

func TestScriptMatchingIsUsedUp(t *testing.T) {
	address, _ := upstream(t)
	proxy := faultproxy.Start(t, address)
	proxy.ScriptMatching(func(r faultproxy.Request) bool { return r.Query == "x=1" }, faultproxy.HTML(502))
	var got []int
	for _, query := range []string{"?x=2", "?x=1", "?x=1"} {
		status, _, err := do(t, t.Context(), http.MethodPost, proxy.URL+"/"+query)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if diff := cmp.Diff([]int{200, 502, 200}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestCountsByMethodAndPath(t *testing.T) {
	address, _ := upstream(t)
	proxy := faultproxy.Start(t, address)
	for _, c := range []struct{ method, path string }{{"POST", "/Users"}, {"PATCH", "/Users/1"}, {"GET", "/Users/2"}} {
		if _, _, err := do(t, t.Context(), c.method, proxy.URL+c.path); err != nil {
			t.Fatal(err)
		}
	}
	got := []int{proxy.Count("POST", "/Users"), proxy.Count("PATCH", "/Users/*"), proxy.Count("GET", "/Users"), proxy.Writes()}
	if diff := cmp.Diff([]int{1, 1, 0, 2}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestLostReplies(t *testing.T) {
	cases := []struct {
		name    string
		fault   faultproxy.Fault
		want    error // nil accepts any error
		handled int32
	}{
		{"drop reply", faultproxy.DropReply(), io.EOF, 1},
		{"reset", faultproxy.Reset(), syscall.ECONNRESET, 0},
		{"hang", faultproxy.Hang(), context.DeadlineExceeded, 0},
		{"hang reply", faultproxy.HangReply(), context.DeadlineExceeded, 1},
		{"delay beyond the client", faultproxy.Delay(time.Hour), context.DeadlineExceeded, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			address, handled := upstream(t)
			proxy := faultproxy.Start(t, address)
			proxy.Script(http.MethodPost, "/", c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, _, err := do(t, ctx, http.MethodPost, proxy.URL+"/"); !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
			if got := handled.Load(); got != c.handled {
				t.Errorf("the upstream handled %d requests, want %d", got, c.handled)
			}
		})
	}
}

// TestAnswerBeforeTheRequestsEnd is an upstream that answers as soon as it has
// seen enough, as one that decodes JSON does.
func TestAnswerBeforeTheRequestsEnd(t *testing.T) {
	rest := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.ReadFull(r.Body, make([]byte, len("begin")))
		_, _ = io.WriteString(w, strings.Repeat("x", 64<<10))
		_ = http.NewResponseController(w).Flush()
		b, err := io.ReadAll(r.Body)
		rest <- fmt.Sprint(string(b), err)
	}))
	t.Cleanup(s.Close)
	proxy := faultproxy.Start(t, s.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	body, write := io.Pipe()
	defer write.Close()
	go func() { _, _ = io.WriteString(write, "begin") }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("no answer while the request goes on: %v", err)
	}
	defer resp.Body.Close()
	_, _ = io.WriteString(write, " and end")
	_ = write.Close()
	answer, err := io.ReadAll(resp.Body)
	if got := <-rest; err != nil || len(answer) != 64<<10 || got != " and end<nil>" {
		t.Errorf("the answer has %d bytes, %v; the upstream then read %q", len(answer), err, got)
	}
}

func TestBodies(t *testing.T) {
	address, _ := upstream(t)
	proxy := faultproxy.Start(t, address)
	proxy.Script(http.MethodPost, "/", faultproxy.HTML(502), faultproxy.Huge(200, 2<<20), faultproxy.Delay(time.Millisecond))
	status, body, err := do(t, t.Context(), http.MethodPost, proxy.URL+"/")
	if err != nil || status != 502 || !strings.HasPrefix(body, "<!doctype html>") {
		t.Errorf("html: %d %q %v", status, body, err)
	}
	status, body, err = do(t, t.Context(), http.MethodPost, proxy.URL+"/")
	if err != nil || status != 200 || len(body) != 2<<20 {
		t.Errorf("huge: %d, %d bytes, %v", status, len(body), err)
	}
	status, body, err = do(t, t.Context(), http.MethodPost, proxy.URL+"/")
	if err != nil || status != 200 || body != "POST /" {
		t.Errorf("delay: %d %q %v", status, body, err)
	}
}
