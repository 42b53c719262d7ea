package google_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestOneTokenForAll: twenty calls at once need one token, and none is asked for
// before the first call.
func TestOneTokenForAll(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	if n := w.Grants(); n != 0 {
		t.Fatalf("%d tokens before any call", n)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "primaryEmail", Value: "x@example.com"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := w.Grants(); n != 1 {
		t.Errorf("%d tokens for 20 calls", n)
	}
}

// TestRefusedToken is replaced once, and no more often.
func TestRefusedToken(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	made := create(t, target, person("ada@example.com"))
	w.Revoke()
	if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: made.ID}); err != nil {
		t.Errorf("after the token was revoked: %v", err)
	}
	refused := fake.Answer{Status: 401, Reason: "authError", Message: "Invalid Credentials"}
	w.Forget()
	w.Script(get, refused, refused, refused)
	_, err := target.Get(t.Context(), sdk.GetRequest{ID: made.ID})
	wantKind(t, err, sdk.KindUnauthorized, sdk.EffectNone)
	wantCalls(t, w, get, get)
}

// TestRefusedGrants: a write whose token was refused has changed nothing.
func TestRefusedGrants(t *testing.T) {
	w := newWorld(t, fake.Options{Scopes: []string{"https://www.googleapis.com/auth/admin.directory.user"}, Groups: []string{"staff@example.com"}})
	good := w.config()
	nowhere := serve(t, http.NotFound) + "/token"
	for name, c := range map[string]struct {
		change func(*google.Config)
		script fake.Answer
		kind   sdk.Kind
		field  string
		says   string
	}{
		"subject":     {func(c *google.Config) { c.Subject = "nobody@example.com" }, fake.Answer{}, sdk.KindUnauthorized, "subject", "the key, the subject or this machine's clock"},
		"audience":    {func(c *google.Config) { c.TokenURL = strings.Replace(good.TokenURL, "127.0.0.1", "localhost", 1) }, fake.Answer{}, sdk.KindUnauthorized, "subject", "audience"},
		"scope":       {func(c *google.Config) { c.Groups = []string{"staff@example.com"} }, fake.Answer{}, sdk.KindUnauthorized, "", "delegation is missing"},
		"address":     {func(c *google.Config) { c.TokenURL = nowhere }, fake.Answer{}, sdk.KindInvalid, "token_url", "404"},
		"unavailable": {nil, fake.Answer{Status: 503, Body: "x"}, sdk.KindTransient, "", "503"},
		"busy":        {nil, fake.Answer{Status: 429, Body: "x", RetryAfter: "9"}, sdk.KindRateLimited, "", "429"},
		"empty":       {nil, fake.Answer{Status: 200, Body: "{}"}, sdk.KindTransient, "", "without a token"},
		"html":        {nil, fake.Answer{Status: 200, Body: "<html>"}, sdk.KindTransient, "", "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.script.Status != 0 {
				w.Script("token", c.script)
			}
			target := w.open(func(cfg *google.Config) {
				if c.change != nil {
					c.change(cfg)
				}
			})
			_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
			e := wantKind(t, err, c.kind, sdk.EffectNone)
			wantField(t, e, c.field)
			wantText(t, e, c.says)
		})
	}
	if calls := w.Calls(); len(calls) > 0 {
		t.Errorf("the directory was called: %v", calls)
	}
}

// TestForgedKey: the fake verifies signatures.
func TestForgedKey(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open(func(c *google.Config) { c.Credentials = sdk.Secret(otherKey(t, c.Credentials.Reveal())) })
	_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
	wantText(t, wantKind(t, err, sdk.KindUnauthorized, sdk.EffectNone), "Invalid JWT Signature")
}

// federated opens a target without a key, and returns the file of its workload's
// token.
func federated(t *testing.T, w *world) (*google.Target, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(fake.SubjectToken), 0o600); err != nil {
		t.Fatal(err)
	}
	w.TokenURL(w.url + "/token")
	return w.open(func(c *google.Config) {
		c.Auth, c.Credentials, c.CredentialConfig = "workload_identity", "", w.Federation(w.url, file)
	}), file
}

func TestWorkloadIdentity(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target, _ := federated(t, w)
	made := create(t, target, person("ada@example.com"))
	wantCalls(t, w, "iamcredentials.projects.serviceAccounts.signJwt", insert)
	if _, err := target.Get(t.Context(), sdk.GetRequest{ID: made.ID}); err != nil {
		t.Error(err)
	}
}

func TestWorkloadIdentityRefused(t *testing.T) {
	const sign = "iamcredentials.projects.serviceAccounts.signJwt"
	for name, c := range map[string]struct {
		spoil func(*world, string)
		kind  sdk.Kind
		says  string
	}{
		"workload": {func(_ *world, file string) { _ = os.WriteFile(file, []byte("canary.eyJhbGciOiJ9.canarycanary"), 0o600) }, sdk.KindUnauthorized, "no federated token"},
		"file":     {func(_ *world, file string) { _ = os.Remove(file) }, sdk.KindUnauthorized, "no federated token"},
		"exchange": {func(w *world, _ string) { w.Script("sts", fake.Answer{Status: 503, Body: "x"}) }, sdk.KindTransient, "no federated token"},
		"role": {func(w *world, _ string) {
			w.Script(sign, fake.Answer{Status: 403, Reason: "forbidden", Message: "iam.serviceAccounts.signJwt denied"})
		}, sdk.KindUnauthorized, "Service Account Token Creator"},
		"signing": {func(w *world, _ string) { w.Script(sign, fake.Answer{Status: 503, Message: "x"}) }, sdk.KindTransient, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fake.Options{})
			target, file := federated(t, w)
			c.spoil(w, file)
			_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
			e := wantKind(t, err, c.kind, sdk.EffectNone)
			wantText(t, e, c.says)
			if strings.Contains(e.Message, "canarycanary") {
				t.Errorf("the workload's token is told: %s", e.Message)
			}
		})
	}
}

// TestTokenInTime: whoever waits for another's token waits no longer than it may.
func TestTokenInTime(t *testing.T) {
	w := newWorld(t, fake.Options{})
	hang, asked := make(chan struct{}), make(chan struct{}, 1)
	defer close(hang)
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-hang
	})
	target := w.open(func(c *google.Config) { c.TokenURL = url })
	first := make(chan error, 1)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		_, err := target.Get(ctx, sdk.GetRequest{ID: "1"})
		first <- err
	}()
	<-asked
	_, err := target.Get(expired(t), sdk.GetRequest{ID: "1"})
	wantText(t, wantKind(t, err, sdk.KindTransient, sdk.EffectNone), "no token in time")
	giveUp()
	wantKind(t, <-first, sdk.KindTransient, sdk.EffectNone)
}
