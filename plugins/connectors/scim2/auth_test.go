package scim2_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

// issuer is a token endpoint and a SCIM server that takes its last token only.
type issuer struct {
	URL string

	mu       sync.Mutex
	issued   int
	requests []string // "credentials scope" of each token request
	life     string   // JSON of expires_in
	answer   *answer  // instead of a token
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{life: "3600"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /Users/1", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer canary-token-%d", i.issued) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"detail":"refused: %s"}`, r.Header.Get("Authorization"))
			return
		}
		_, _ = fmt.Fprint(w, user("1", "ada"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	i.URL = s.URL
	return i
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	i.requests = append(i.requests, fmt.Sprintf("header %s:%s, body %s:%s, %s %s", id, secret,
		r.FormValue("client_id"), r.FormValue("client_secret"), r.FormValue("grant_type"), r.FormValue("scope")))
	if i.answer != nil {
		w.WriteHeader(i.answer.status)
		_, _ = fmt.Fprint(w, i.answer.body)
		return
	}
	i.issued++
	_, _ = fmt.Fprintf(w, `{"access_token":"canary-token-%d","token_type":"bearer","expires_in":%s}`, i.issued, i.life)
}

// revoke makes the server take a token it has not given out.
func (i *issuer) revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.issued++
}

func (i *issuer) asked() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests
}

func (i *issuer) open(t *testing.T, edit func(*scim2.Config)) *scim2.Target {
	cfg := scim2.Config{
		BaseURL: i.URL, Auth: "oauth", TokenURL: i.URL + "/token", ClientID: "an id", ClientSecret: "canary:secret", ClientAuth: "basic",
	}
	edit(&cfg)
	return open(t, cfg)
}

func get(ctx context.Context, target *scim2.Target) error {
	_, err := target.Get(ctx, sdk.GetRequest{ID: "1"})
	return err
}

func TestTokenIsFetchedOnceForAllCalls(t *testing.T) {
	i := newIssuer(t)
	target := i.open(t, func(c *scim2.Config) { c.Scope = "scim users" })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := get(t.Context(), target); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want := []string{"header an+id:canary%3Asecret, body :, client_credentials scim users"}
	if diff := cmp.Diff(want, i.asked()); diff != "" {
		t.Errorf("token requests (-want +got):\n%s", diff)
	}
}

func TestClientSecretInTheBody(t *testing.T) {
	i := newIssuer(t)
	if err := get(t.Context(), i.open(t, func(c *scim2.Config) { c.ClientAuth = "post" })); err != nil {
		t.Fatal(err)
	}
	want := []string{"header :, body an id:canary:secret, client_credentials "}
	if diff := cmp.Diff(want, i.asked()); diff != "" {
		t.Errorf("token requests (-want +got):\n%s", diff)
	}
}

// A token that is refused is replaced once; a second refusal is about us.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	i := newIssuer(t)
	target := i.open(t, func(*scim2.Config) {})
	if err := get(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	i.revoke()
	if err := get(t.Context(), target); err != nil || len(i.asked()) != 2 {
		t.Errorf("%v after %d tokens, want a second token and no error", err, len(i.asked()))
	}
	i.mu.Lock()
	i.answer = &answer{200, nil, `{"access_token":"canary-token-of-nobody"}`}
	i.mu.Unlock()
	i.revoke()
	err := get(t.Context(), target)
	wantKind(t, err, sdk.KindUnauthorized, sdk.EffectNone)
	if len(i.asked()) != 3 || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v after %d tokens, want 3 and none of them shown", err, len(i.asked()))
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	for life, kept := range map[string]time.Duration{`3600`: 59 * time.Minute, `"600"`: 9 * time.Minute, `60`: 30 * time.Second, `null`: 4 * time.Minute, `-5`: 4 * time.Minute} {
		clock := time.Now()
		tokens := scim2.NewTokens(func() time.Time { return clock }, func(context.Context) string {
			return `{"access_token":"t","expires_in":` + life + `}`
		})
		if n := tokens(t.Context()); n != 1 {
			t.Errorf("%s: %d fetches at first, want 1", life, n)
		}
		clock = clock.Add(kept - time.Second)
		if n := tokens(t.Context()); n != 1 {
			t.Errorf("%s: fetched again before %s", life, kept)
		}
		clock = clock.Add(2 * time.Second)
		if n := tokens(t.Context()); n != 2 {
			t.Errorf("%s: %d fetches after %s, want 2", life, n, kept)
		}
	}
}

// TestTokenEndpointFails has it answer in the ways there are.
func TestTokenEndpointFails(t *testing.T) {
	cases := map[string]struct {
		answer answer
		kind   sdk.Kind
		field  string
		says   string
	}{
		"wrong client": {answer{401, nil, `{"error":"invalid_client","error_description":"bad canary:secret"}`}, sdk.KindUnauthorized, "", "invalid_client: bad ***"},
		"wrong scope":  {answer{400, nil, `{"error":"invalid_scope"}`}, sdk.KindUnauthorized, "", "invalid_scope"},
		"not there":    {answer{404, nil, "<html>"}, sdk.KindInvalid, "token_url", "token endpoint"},
		"down":         {answer{503, nil, ""}, sdk.KindTransient, "", "token endpoint"},
		"limits":       {answer{429, nil, ""}, sdk.KindRateLimited, "", "token endpoint"},
		"a page":       {answer{200, nil, "<html>"}, sdk.KindTransient, "token_url", "usable token"},
		"no token":     {answer{200, nil, `{}`}, sdk.KindTransient, "token_url", "usable token"},
		"two lines":    {answer{200, nil, `{"access_token":"a\r\nb"}`}, sdk.KindTransient, "token_url", "usable token"},
		"not a bearer": {answer{200, nil, `{"access_token":"a","token_type":"mac"}`}, sdk.KindInvalid, "token_url", "bearer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.answer = &c.answer
			target := i.open(t, func(*scim2.Config) {})
			err := get(t.Context(), target)
			wantKind(t, err, c.kind, sdk.EffectNone)
			if e := sdk.AsError(err); e.Field != c.field || !strings.Contains(e.Message, c.says) || strings.Contains(fmt.Sprint(err), "canary") {
				t.Errorf("field %q, message %q; want %q and %q", e.Field, e.Message, c.field, c.says)
			}
			steps, _ := target.Check(t.Context())
			if steps[3].Name != "credentials" || steps[3].Status != sdk.CheckFailed || !strings.Contains(steps[3].Detail, c.says) {
				t.Errorf("check says %+v", steps[3])
			}
			_, err = target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
			wantKind(t, err, c.kind, sdk.EffectNone) // nothing was sent to the target
		})
	}
}

func TestWaitingForATokenEndsWithTheDeadline(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client left
		<-r.Context().Done()
	}))
	defer hangs.Close()
	target := newIssuer(t).open(t, func(c *scim2.Config) { c.TokenURL = hangs.URL })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	errs := make(chan error, 2)
	for range 2 { // one fetches, one waits for it
		go func() { errs <- get(ctx, target) }()
	}
	for range 2 {
		wantKind(t, <-errs, sdk.KindTransient, sdk.EffectNone)
	}
}

func TestAPIKeyAndNoCredentials(t *testing.T) {
	cases := map[string]struct{ values, header, want string }{
		"own header":     {`"auth":"api_key","api_key_header":"X-Access-Token"`, "X-Access-Token", "canary-key"},
		"usual header":   {`"auth":"api_key"`, "X-API-Key", "canary-key"},
		"no credentials": {`"auth":"none"`, "Authorization", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "ada")})
			f.answer("GET /Users/2", answer{400, nil, scimError("invalidValue", "you sent canary-key")})
			target, err := scim2.Connector().Open(t.Context(), sdk.RawConfig{
				Values:  json.RawMessage(fmt.Sprintf(`{"base_url":%q,%s}`, f.URL, c.values)),
				Secrets: map[string]sdk.Secret{"api_key": "canary-key"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := target.(sdk.Getter).Get(t.Context(), sdk.GetRequest{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			if got := f.last().header.Get(c.header); got != c.want {
				t.Errorf("%s = %q, want %q", c.header, got, c.want)
			}
			_, err = target.(sdk.Getter).Get(t.Context(), sdk.GetRequest{ID: "2"})
			if c.want != "" && strings.Contains(err.Error(), "canary") {
				t.Errorf("the key is in %q", err)
			}
		})
	}
}
