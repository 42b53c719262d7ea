package sdkhttp_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// soon is a context with a deadline that only a hanging test reaches.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func wantError(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect, message string) {
	t.Helper()
	e, ok := err.(*sdk.Error)
	if !ok || e.Kind != kind || e.Effect != effect || !strings.Contains(e.Message, message) {
		t.Errorf("error %#v, want kind %s, effect %s, and %q", err, kind, effect, message)
	}
}

func TestDoSendsAndReads(t *testing.T) {
	var got *http.Request
	var body string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"7"}`)
	})
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx := sdk.WithTrace(soon(t), sdk.Trace{Parent: parent, State: "a=b"})
	c := sdkhttp.New(sdkhttp.Options{Authorize: sdkhttp.Bearer("token-of-ours")})
	defer c.Close()
	resp, err := c.Do(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: url + "/users", Body: map[string]string{"name": "ada"}, IdempotencyKey: "op-1",
		Header: http.Header{"accept": {"application/scim+json"}},
	})
	var made struct{ ID string }
	if err != nil || resp.Decode(&made) != nil || made.ID != "7" || resp.Status != 201 || resp.Header.Get("Content-Length") != "10" {
		t.Fatalf("%+v, %v, %+v", resp, err, made)
	}
	want := map[string]string{
		"Accept": "application/scim+json", "Content-Type": "application/json", "Idempotency-Key": "op-1",
		"Authorization": "Bearer token-of-ours", "Traceparent": parent, "Tracestate": "a=b",
	}
	for name, value := range want {
		if diff := cmp.Diff([]string{value}, got.Header.Values(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if body != `{"name":"ada"}` {
		t.Errorf("body %q", body)
	}
}

func TestADeadlineIsRequired(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	_, err := sdkhttp.New(sdkhttp.Options{}).Do(t.Context(), sdkhttp.Request{Method: http.MethodGet, URL: url})
	wantError(t, err, sdk.KindInternal, sdk.EffectNone, "deadline")
}

// TestEffectOfAFailure is the table of what is certain when there is no usable
// answer: for a write that may have left, nothing.
func TestEffectOfAFailure(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	_ = listener.Close()
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	half := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
	})
	huge := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 3000)) })
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // the failed handshakes are wanted
	untrusted.StartTLS()
	defer untrusted.Close()
	c, hurried := sdkhttp.New(sdkhttp.Options{MaxBody: 2000}), sdkhttp.New(sdkhttp.Options{Timeout: 200 * time.Millisecond})
	defer c.Close()
	defer hurried.Close()
	for name, test := range map[string]struct {
		url     string
		sent    bool
		message string
	}{
		"nobody listens":        {closed, false, "no connection"},
		"no such host":          {"http://anteroom.invalid", false, "cannot be resolved"},
		"untrusted certificate": {untrusted.URL, false, "certificate is not trusted"},
		"cut":                   {cut, true, "the connection was lost"},
		"half an answer":        {half, true, "the connection was lost"},
		"huge answer":           {huge, true, "larger than 2000 bytes"},
		"no answer":             {hang, true, "no answer in time"},
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				c := c
				if test.url == hang {
					c = hurried // for the others it would be a matter of luck
				}
				resp, err := c.Do(soon(t), sdkhttp.Request{Method: method, URL: test.url + "/?mail=ada@example.com"})
				kind, effect := sdk.KindTransient, sdk.EffectNone
				if test.sent && method != "GET" {
					kind, effect = sdk.KindOutcomeUnknown, sdk.EffectUnknown
				}
				wantError(t, err, kind, effect, test.message)
				if resp != nil || strings.Contains(fmt.Sprintf("%v %+v", err, *sdk.AsError(err)), "ada@example.com") {
					t.Errorf("response %v, error %v: want none, and no address", resp, err)
				}
			})
		}
	}
	_, err = c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: cut, ReadOnly: true})
	wantError(t, err, sdk.KindTransient, sdk.EffectNone, "lost")
	cancelled, cancel := context.WithCancel(soon(t))
	cancel()
	_, err = c.Do(cancelled, sdkhttp.Request{Method: "POST", URL: cut})
	wantError(t, err, sdk.KindTransient, sdk.EffectNone, "given up")
}

func TestRefusalsAreErrorsBesideTheAnswer(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"detail":"no, %s, with %s"}`, r.URL.Query().Get("mail"), r.Header.Get("Authorization"))
	})
	for name, o := range map[string]sdkhttp.Authorization{
		"bearer": sdkhttp.Bearer("token-of-ours"), "basic": sdkhttp.Basic("admin", "token-of-ours"), "key": sdkhttp.Header("Authorization", "", "token-of-ours"),
	} {
		c := sdkhttp.New(sdkhttp.Options{Authorize: o})
		for _, method := range []string{"GET", "PUT"} {
			for status, kind := range map[int]sdk.Kind{
				401: sdk.KindUnauthorized, 404: sdk.KindNotFound, 409: sdk.KindConflict, 429: sdk.KindRateLimited, 500: sdk.KindTransient, 503: sdk.KindTransient,
			} {
				resp, err := c.Do(soon(t), sdkhttp.Request{
					Method: method, URL: fmt.Sprintf("%s/%d?mail=ada@example.com", url, status), Values: []string{"ada@example.com"},
				})
				effect := sdk.EffectNone
				if status == 500 && method == "PUT" {
					effect = sdk.EffectUnknown
				}
				wantError(t, err, kind, effect, `{"detail":"no, …, with `)
				if resp == nil || resp.Status != status || len(resp.Body) == 0 {
					t.Errorf("%s %d: no answer beside the error: %+v", method, status, resp)
				}
				basic := base64.StdEncoding.EncodeToString([]byte("admin:token-of-ours"))
				if text := err.Error(); strings.Contains(text, "token-of-ours") || strings.Contains(text, basic) || strings.Contains(text, "ada@") {
					t.Errorf("%s: the error shows too much: %s", name, text)
				}
				if after := sdk.AsError(err).RetryAfter; (status == 429 || status >= 500) != (after == 7*time.Second) {
					t.Errorf("%d: retry after %v", status, after)
				}
			}
		}
		c.Close()
	}
}

func TestDecodeKnowsTheEffect(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	c := sdkhttp.New(sdkhttp.Options{})
	for method, want := range map[string]sdk.Kind{"GET": sdk.KindTransient, "POST": sdk.KindOutcomeUnknown} {
		resp, err := c.Do(soon(t), sdkhttp.Request{Method: method, URL: url})
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := resp.Decode(&v); sdk.KindOf(err) != want || !strings.Contains(err.Error(), "not the JSON") {
			t.Errorf("%s: %v, want %s", method, err, want)
		}
	}
}

func TestRedirectsElsewhereAreRefused(t *testing.T) {
	leaked := 0
	other := serve(t, func(http.ResponseWriter, *http.Request) { leaked++ })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusPermanentRedirect)
		case "/turned":
			http.Redirect(w, r, "/here", http.StatusSeeOther)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		}
	})
	c := sdkhttp.New(sdkhttp.Options{AddressField: "base_url"})
	for _, path := range []string{"/away", "/turned", "/circle"} {
		_, err := c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: url + path})
		wantError(t, err, sdk.KindInvalid, sdk.EffectNone, "redirects")
		if e := sdk.AsError(err); e.Field != "base_url" {
			t.Errorf("%s: field %q", path, e.Field)
		}
	}
	if _, err := c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: url + "/moved", Body: []byte("x")}); err != nil {
		t.Errorf("a redirect on the same origin: %v", err)
	}
	if leaked > 0 {
		t.Errorf("the other server was called %d times", leaked)
	}
}

func TestBadRequestsNeverLeave(t *testing.T) {
	c := sdkhttp.New(sdkhttp.Options{AddressField: "base_url"})
	_, err := c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: "http://x", Body: make(chan int)})
	wantError(t, err, sdk.KindInternal, sdk.EffectNone, "cannot be encoded")
	_, err = c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: "http://x/%zz?mail=ada@example.com"})
	wantError(t, err, sdk.KindInternal, sdk.EffectNone, "address is not valid")
	if strings.Contains(fmt.Sprint(err), "ada@") {
		t.Errorf("the address is in %v", err)
	}
}

// TestProxyOfTheEnvironment runs itself again with a proxy in its environment:
// net/http reads that once.
func TestProxyOfTheEnvironment(t *testing.T) {
	if target := os.Getenv("SDKHTTP_TEST_TARGET"); target != "" {
		resp, err := sdkhttp.New(sdkhttp.Options{}).Do(soon(t), sdkhttp.Request{Method: "GET", URL: target})
		if err != nil || string(resp.Body) != "by proxy" {
			t.Errorf("%+v, %v", resp, err)
		}
		steps, _ := reach(t, target, nil)
		if diff := cmp.Diff([]string{"dns skipped", "tcp skipped", "tls skipped"}, steps); diff != "" {
			t.Errorf("the way is the proxy's (-want +got):\n%s", diff)
		}
		return
	}
	var asked string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		fmt.Fprint(w, "by proxy")
	})
	cmd := exec.CommandContext(soon(t), os.Args[0], "-test.run=^TestProxyOfTheEnvironment$")
	cmd.Env = []string{"HTTP_PROXY=" + proxy, "SDKHTTP_TEST_TARGET=http://target.example/users"}
	if out, err := cmd.CombinedOutput(); err != nil || asked != "http://target.example/users" {
		t.Errorf("%v: the proxy was asked for %q\n%s", err, asked, out)
	}
}

// TestPermitJudgesEachDial names a host, so that what counts is what it resolved to.
func TestPermitJudgesEachDial(t *testing.T) {
	url := strings.Replace(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }), "127.0.0.1", "localhost", 1)
	var judged []netip.Addr
	refusal := sdk.Forbidden("not there")
	allowed := true
	c := sdkhttp.New(sdkhttp.Options{Permit: func(ip netip.Addr) error {
		judged = append(judged, ip)
		if allowed {
			return nil
		}
		return refusal
	}})
	for _, want := range []error{nil, refusal} {
		_, err := c.Do(soon(t), sdkhttp.Request{Method: "POST", URL: url})
		if (want == nil) != (err == nil) || want != nil && !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		allowed = false
		c.Close()
	}
	if len(judged) < 2 || !judged[0].IsLoopback() {
		t.Errorf("judged were %v, want the loopback address each time", judged)
	}
}

func TestRedirectsCanBeRefused(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
	})
	_, err := sdkhttp.New(sdkhttp.Options{RefuseRedirects: true}).Do(soon(t), sdkhttp.Request{Method: "POST", URL: url})
	wantError(t, err, sdk.KindInvalid, sdk.EffectNone, "redirects")
}
