package scim2_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// writes are one write of each kind.
func writes(target *scim2.Target) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := target.Create(ctx, sdk.CreateRequest{Attributes: ada(), Active: true})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := target.Update(ctx, sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"displayName": "canary-value"}})
			return err
		},
		"suspend": func(ctx context.Context) error {
			_, err := target.SetActive(ctx, sdk.SetActiveRequest{ID: "1"})
			return err
		},
		"delete": func(ctx context.Context) error { return target.Delete(ctx, sdk.DeleteRequest{ID: "1"}) },
	}
}

func reads(target *scim2.Target) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"lookup": func(ctx context.Context) error {
			_, err := target.Lookup(ctx, sdk.LookupRequest{Key: "userName", Value: "canary-value"})
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := target.Get(ctx, sdk.GetRequest{ID: "1"})
			return err
		},
	}
}

func TestNoConnectionHasNoEffect(t *testing.T) {
	target := open(t, scim2.Config{BaseURL: closedPort(t)})
	for name, write := range writes(target) {
		t.Run(name, func(t *testing.T) {
			wantKind(t, write(t.Context()), sdk.KindTransient, sdk.EffectNone)
		})
	}
}

func TestUntrustedCertificateHasNoEffect(t *testing.T) {
	asked := false
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the failed handshakes are wanted
	s.StartTLS()
	defer s.Close()
	for name, write := range writes(open(t, scim2.Config{BaseURL: s.URL})) {
		err := write(t.Context())
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		if !strings.Contains(sdk.AsError(err).Message, "certificate") {
			t.Errorf("%s: message %q does not tell why", name, err)
		}
	}
	if asked {
		t.Error("a request reached the untrusted server")
	}
}

func TestTrustsGivenCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, user("1", "ada")) }))
	defer s.Close()
	roots := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	target := open(t, scim2.Config{BaseURL: s.URL, CACertificates: roots})
	if _, err := target.Get(t.Context(), sdk.GetRequest{ID: "1"}); err != nil {
		t.Error(err)
	}
	steps, err := target.Check(t.Context())
	if err != nil || steps[2].Name != "tls" || steps[2].Status != sdk.CheckPassed {
		t.Errorf("check: %v, %+v", err, steps)
	}
}

// TestLostAnswers loses the answer of every verb in every way.
func TestLostAnswers(t *testing.T) {
	for fault, f := range map[string]faultproxy.Fault{
		"drop": faultproxy.DropReply(), "reset": faultproxy.Reset(), "hang": faultproxy.Hang(), "hang reply": faultproxy.HangReply(),
	} {
		base, _ := elimity(t)
		proxy := faultproxy.Start(t, base)
		target := open(t, scim2.Config{BaseURL: proxy.URL, Timeout: 200 * time.Millisecond})
		for _, m := range []string{"GET", "POST", "PATCH", "DELETE"} {
			proxy.Script(m, "/Users", f, f)
			proxy.Script(m, "/Users/*", f, f, f)
		}
		for name, write := range writes(target) {
			t.Run(fault+"/"+name, func(t *testing.T) {
				wantKind(t, write(t.Context()), sdk.KindOutcomeUnknown, sdk.EffectUnknown)
			})
		}
		for name, read := range reads(target) {
			t.Run(fault+"/"+name, func(t *testing.T) {
				wantKind(t, read(t.Context()), sdk.KindTransient, sdk.EffectNone)
			})
		}
	}
}

func TestCanceledBeforeSendingHasNoEffect(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range writes(newFake(t).open("auto")) {
		err := write(ctx)
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not wrap the cancellation", name, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	var leaked []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked = append(leaked, r.Method+" "+r.Header.Get("Authorization"))
	}))
	defer other.Close()
	t.Run("elsewhere", func(t *testing.T) {
		for _, status := range []int{301, 302, 303, 307, 308} {
			s := httptest.NewServer(http.RedirectHandler(other.URL+"/Users", status))
			target := open(t, scim2.Config{BaseURL: s.URL})
			for _, verbs := range []map[string]func(context.Context) error{writes(target), reads(target)} {
				for name, verb := range verbs {
					err := verb(t.Context())
					wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
					if got := sdk.AsError(err).Field; got != "base_url" {
						t.Errorf("%s: field %q, want base_url", name, got)
					}
				}
			}
			s.Close()
		}
		if len(leaked) > 0 {
			t.Errorf("the other host saw %q", leaked)
		}
	})
	t.Run("create turned into a read", func(t *testing.T) {
		f := newFake(t).answer("POST /Users", answer{303, map[string]string{"Location": "/scim/login"}, ""})
		_, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada()})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	})
	t.Run("same origin and method", func(t *testing.T) {
		f := newFake(t).answer("POST /Users", answer{308, map[string]string{"Location": "/scim/v2/Users"}, ""})
		f.answer("POST /v2/Users", answer{201, nil, user("1", "ada")})
		if account, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada()}); err != nil || account.ID != "1" {
			t.Errorf("%+v, %v", account, err)
		}
	})
	t.Run("in circles", func(t *testing.T) {
		f := newFake(t).answer("GET /Users/1", answer{307, map[string]string{"Location": "/scim/Users/1"}, ""})
		_, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "1"})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	})
}

// TestErrorsKeepSecrets has the server repeat everything it was sent.
func TestErrorsKeepSecrets(t *testing.T) {
	configs := map[string]scim2.Config{
		"bearer": {Auth: "bearer", Token: "canary-token"},
		"basic":  {Auth: "basic", Username: "admin", Password: "canary-password"},
	}
	basic := base64.StdEncoding.EncodeToString([]byte("admin:canary-password"))
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				text := "detail: " + r.Header.Get("Authorization") + " canary-password canary-value canary-token\r\n\x00" + r.URL.String()
				fmt.Fprint(w, scimError("invalidValue", text))
			}))
			defer s.Close()
			cfg.BaseURL = s.URL
			target := open(t, cfg)
			verbs := writes(target)
			for name, read := range reads(target) {
				verbs[name] = read
			}
			for name, verb := range verbs {
				err := verb(t.Context())
				text := fmt.Sprintf("%v %+v %#v", err, err, *sdk.AsError(err))
				sentValue := name == "update" || name == "lookup"
				if sentValue && strings.Contains(err.Error(), "canary-value") {
					t.Errorf("%s: a user's value is in %q", name, err)
				}
				hidden := []string{"canary-token"}
				if cfg.Auth == "basic" {
					hidden = []string{"canary-password", basic}
				}
				for _, secret := range hidden {
					if strings.Contains(text, secret) {
						t.Errorf("%s: %q is in %s", name, secret, text)
					}
				}
				if strings.ContainsAny(err.Error(), "\r\n\x00") {
					t.Errorf("%s: control characters in %q", name, err)
				}
				if !strings.Contains(err.Error(), "detail:") {
					t.Errorf("%s: the server's words are missing in %q", name, err)
				}
			}
		})
	}
}

func TestAuthorization(t *testing.T) {
	for want, cfg := range map[string]scim2.Config{
		"Bearer canary-token":    {Auth: "bearer", Token: "canary-token"},
		"Basic YWRtaW46cMOkc3M=": {Auth: "basic", Username: "admin", Password: "päss"},
	} {
		f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "ada")})
		cfg.BaseURL = f.URL + "/" // a trailing slash is harmless
		if _, err := open(t, cfg).Get(t.Context(), sdk.GetRequest{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		if got := f.last().header.Get("Authorization"); got != want {
			t.Errorf("Authorization = %q, want %q", got, want)
		}
	}
}

// TestCheckNamesTheBrokenStep breaks one thing at a time.
func TestCheckNamesTheBrokenStep(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	answering := func(a answer) string { return newFake(t).answer("GET /Users", a).URL }
	unfiltered := newFake(t).answer("GET /Users", answer{200, nil, list(0)})
	unfiltered.answer("GET /ServiceProviderConfig", answer{200, nil, `{"filter":{"supported":false}}`})
	cases := map[string]struct{ baseURL, failed string }{
		"unknown host":  {"https://anteroom.invalid", "dns"},
		"closed port":   {closedPort(t), "tcp"},
		"certificate":   {untrusted.URL, "tls"},
		"wrong token":   {answering(answer{status: 401}), "credentials"},
		"down":          {answering(answer{status: 503}), "credentials"},
		"a page":        {answering(answer{200, nil, "<html>"}), "schema"},
		"not permitted": {answering(answer{status: 403}), "permission"},
		"wrong path":    {answering(answer{status: 404}), "schema"},
		"no filters":    {unfiltered.URL, "schema"},
		"all is well":   {answering(answer{200, nil, list(0)}), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := open(t, scim2.Config{BaseURL: c.baseURL}).Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := sdk.CheckPassed
			for _, s := range steps {
				if s.Name == c.failed {
					want = sdk.CheckFailed
				}
				if s.Status != want || (s.Fix == "") != (want != sdk.CheckFailed) || s.Detail == "" {
					t.Errorf("step %+v, want status %s", s, want)
				}
				if want == sdk.CheckFailed {
					want = sdk.CheckSkipped
				}
			}
			if len(steps) != 6 {
				t.Errorf("%d steps, want 6", len(steps))
			}
		})
	}
}
