package salesforce_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

const tokenPath = "/services/oauth2/token"

func withClientCredentials(_ *fake.Options, c *salesforce.Config) {
	c.Auth, c.Username, c.PrivateKey, c.ClientSecret = "client_credentials", "", "", clientSecret
}

func TestBothGrants(t *testing.T) {
	for name, b := range map[string]bench{"assertion": start(t), "client credentials": start(t, withClientCredentials)} {
		b.create(t, ada())
		if n := b.org.Grants(); n != 1 {
			t.Errorf("%s: %d tokens, want 1", name, n)
		}
	}
}

// together makes the same call from many sides at once and returns the kinds of
// what came of it.
func together(sides int, call func() error) map[sdk.Kind]int {
	errs := make(chan error, sides)
	for range sides {
		go func() { errs <- call() }()
	}
	kinds := map[sdk.Kind]int{}
	for range sides {
		kinds[sdk.KindOf(<-errs)]++
	}
	return kinds
}

// TestOneTokenForEverybody: whoever needs a token while one is fetched waits for
// it, and a token that has ended is renewed once.
func TestOneTokenForEverybody(t *testing.T) {
	b := start(t)
	lookup := func() error {
		_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
		return err
	}
	for round := 1; round <= 3; round++ {
		if diff := cmp.Diff(map[sdk.Kind]int{"": 20}, together(20, lookup)); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", round, diff)
		}
		if n := b.org.Grants(); n != round {
			t.Errorf("round %d: %d tokens", round, n)
		}
		b.org.EndSessions()
	}
	b.create(t, ada()) // a write is sent again, too: the org had not looked at it
	if n := len(b.org.Users()); n != 1 {
		t.Errorf("%d users", n)
	}
}

// TestOneRaceOneAccount creates one account from many sides at once.
func TestOneRaceOneAccount(t *testing.T) {
	for name, b := range map[string]bench{"by login": start(t), "by external id": start(t, withExternalID)} {
		kinds := together(20, func() error {
			_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
			return err
		})
		if diff := cmp.Diff(map[sdk.Kind]int{"": 1, sdk.KindConflict: 19}, kinds); diff != "" || len(b.org.Users()) != 1 {
			t.Errorf("%s: %d users (-want +got):\n%s", name, len(b.org.Users()), diff)
		}
	}
}

// TestRenewedOnce asks for one new token when the org goes on refusing, and for
// none where that could not help.
func TestRenewedOnce(t *testing.T) {
	for message, want := range map[string]int{
		"Session expired or invalid":                          2,
		"Connected app is not attached to Agent":              1,
		"This session is not valid for use with the REST API": 1,
	} {
		b := start(t)
		fault := refusal(t, 401, "INVALID_SESSION_ID", message)
		b.proxy.Script("GET", "/services/data/v62.0/query", fault, fault)
		_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
		wantError(t, err, sdk.KindUnauthorized, sdk.EffectNone, "")
		if n := b.org.Grants(); n != want {
			t.Errorf("%s: %d tokens, want %d", message, n, want)
		}
	}
}

// TestAGiverUpLeavesTheTokenToOthers: the first who asks gives up.
func TestAGiverUpLeavesTheTokenToOthers(t *testing.T) {
	b := start(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	b.proxy.Script("POST", tokenPath, func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		close(arrived)
		<-release
		upstream.ServeHTTP(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() {
		_, err := b.target.Lookup(ctx, sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
		first <- err
	}()
	<-arrived
	cancel()
	wantError(t, <-first, sdk.KindTransient, sdk.EffectNone, "")
	go func() {
		_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
		second <- err
	}()
	close(release)
	if err := <-second; err != nil {
		t.Error(err)
	}
	if n := b.proxy.Count("POST", tokenPath); n != 1 {
		t.Errorf("%d tokens were asked for, want 1", n)
	}
}

func grantRefusal(status int, code, description string) faultproxy.Fault {
	body, _ := json.Marshal(map[string]string{"error": code, "error_description": description})
	return faultproxy.Status(status, http.Header{"Content-Type": {"application/json"}}, string(body))
}

// TestTokenRefusals: no account is touched, whatever the token endpoint says.
func TestTokenRefusals(t *testing.T) {
	for _, c := range []struct {
		fault faultproxy.Fault
		kind  sdk.Kind
		field string
		says  string
	}{
		{grantRefusal(400, "invalid_grant", "user hasn't approved this consumer"), sdk.KindUnauthorized, "", "pre-authorize"},
		{grantRefusal(400, "invalid_grant", "audience is invalid"), sdk.KindUnauthorized, "", "set audience"},
		{grantRefusal(400, "invalid_grant", "no client credentials user enabled"), sdk.KindUnauthorized, "", "run as"},
		{grantRefusal(400, "invalid_client_id", "client identifier invalid"), sdk.KindUnauthorized, "", "consumer key"},
		{grantRefusal(401, "invalid_client", "invalid client credentials"), sdk.KindUnauthorized, "", "invalid_client"},
		{grantRefusal(400, "invalid_app_access", "user is not admin approved"), sdk.KindUnauthorized, "", "connected app"},
		{grantRefusal(400, "inactive_user", ""), sdk.KindUnauthorized, "", "reactivate"},
		{grantRefusal(400, "invalid_grant", "login rate exceeded"), sdk.KindRateLimited, "", "rate"},
		{grantRefusal(500, "server_error", ""), sdk.KindTransient, "", "server_error"},
		{grantRefusal(400, "unknown_error", "retry your request"), sdk.KindTransient, "", "retry"},
		{faultproxy.Status(404, nil, "nothing here"), sdk.KindInvalid, "login_url", "no token endpoint"},
		{faultproxy.HTML(503), sdk.KindTransient, "", "503"},
		{faultproxy.HTML(200), sdk.KindTransient, "", "not the JSON"},
		{faultproxy.Status(200, nil, `{"instance_url":"https://x.example"}`), sdk.KindTransient, "", "no access token"},
		{faultproxy.Status(200, nil, `{"access_token":"a\nb","instance_url":"https://x.example"}`), sdk.KindTransient, "", "no access token"},
		{faultproxy.Status(200, nil, `{"access_token":"x","instance_url":"http://elsewhere.example"}`), sdk.KindTransient, "", "https"},
		{faultproxy.Status(200, nil, `{"access_token":"x"}`), sdk.KindTransient, "", "instance_url"},
		{faultproxy.Reset(), sdk.KindTransient, "", "lost"},
	} {
		b := start(t)
		b.proxy.Script("POST", tokenPath, c.fault)
		_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
		wantError(t, err, c.kind, sdk.EffectNone, c.field)
		if !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("the error %q does not say %q", err, c.says)
		}
		if n := len(b.proxy.Requests()); n != 1 {
			t.Errorf("%d requests for %q, want the one for a token", n, c.says)
		}
		b.create(t, ada()) // a failure is not kept
	}
}

// TestWrongCredentials are refused by an org that checks them.
func TestWrongCredentials(t *testing.T) {
	for name, change := range map[string]func(*fake.Options, *salesforce.Config){
		"key":      func(o *fake.Options, _ *salesforce.Config) { o.Key = nil },
		"user":     func(_ *fake.Options, c *salesforce.Config) { c.Username = "nobody@example.com" },
		"client":   func(_ *fake.Options, c *salesforce.Config) { c.ClientID = "other" },
		"audience": func(_ *fake.Options, c *salesforce.Config) { c.Audience = "https://test.salesforce.com" },
		"secret": func(o *fake.Options, c *salesforce.Config) {
			withClientCredentials(o, c)
			c.ClientSecret = "canary-wrong-secret"
		},
	} {
		b := start(t, change)
		_, err := b.target.Get(t.Context(), sdk.GetRequest{ID: "005000000000001AAA"})
		if sdk.KindOf(err) != sdk.KindUnauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// echo answers with everything that was sent, as debugging pages do.
func echo(status int) faultproxy.Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		body, _ := io.ReadAll(r.Body)
		text := fmt.Sprint(r.URL, r.Header, string(body))
		answer, _ := json.Marshal(map[string]any{
			"error": "invalid_grant", "error_description": text, "message": text, "errorCode": "FIELD_INTEGRITY_EXCEPTION",
		})
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}
}

// TestNothingSecretIsTold echoes tokens, assertions, secrets and people's values
// in refusals.
func TestNothingSecretIsTold(t *testing.T) {
	for name, changes := range map[string]func(*fake.Options, *salesforce.Config){
		"assertion": func(*fake.Options, *salesforce.Config) {}, "client credentials": withClientCredentials,
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, changes)
			var token, form string
			b.proxy.Script("POST", usersPath, func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
				token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				echo(400)(w, r, upstream)
			})
			var log bytes.Buffer
			ctx := sdk.WithLogger(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
			_, first := b.target.Create(ctx, sdk.CreateRequest{Attributes: ada(), Active: true})
			echoing := start(t, changes)
			echoing.proxy.Script("POST", tokenPath, func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
				form = r.FormValue("assertion") + r.FormValue("client_secret")
				grantRefusal(400, "invalid_grant", form)(w, r, upstream)
			})
			_, second := echoing.target.Create(ctx, sdk.CreateRequest{Attributes: ada(), Active: true})
			if first == nil || second == nil || token == "" || form == "" {
				t.Fatalf("%v, %v, token %q", first, second, token)
			}
			told := fmt.Sprintf("%v %v %+v %+v %s", first, second, sdk.AsError(first).Err, sdk.AsError(second).Err, log.String())
			secrets := []string{token, clientSecret, "ada@example.com", "Lovelace", "user-1"}
			secrets = append(secrets, form[:min(60, len(form))]) // texts are cut
			for _, line := range strings.Split(keyPEM(t), "\n") {
				if len(line) > 20 && !strings.HasPrefix(line, "-----") {
					secrets = append(secrets, line)
				}
			}
			for _, secret := range secrets {
				if strings.Contains(told, secret) {
					t.Errorf("%.20q is told: %s", secret, told)
				}
			}
		})
	}
}

// TestUsageIsRead warns when the day's requests run out, and says so when they
// have.
func TestUsageIsRead(t *testing.T) {
	b := start(t, func(o *fake.Options, _ *salesforce.Config) { o.DailyRequests = 10 })
	var log bytes.Buffer
	ctx := sdk.WithLogger(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
	var err error
	for range 11 {
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.target.Lookup(ctx, sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
	}
	wantError(t, err, sdk.KindQuota, sdk.EffectNone, "")
	if !strings.Contains(err.Error(), "11 of 10 API requests") {
		t.Errorf("the error %q does not say how many were used", err)
	}
	if n := strings.Count(log.String(), "nearly used up"); n != 1 || !strings.Contains(log.String(), "used=9 allowed=10") {
		t.Errorf("%d warnings: %s", n, log.String())
	}
}

// TestDeadline has everything hang; the caller's deadline counts.
func TestDeadline(t *testing.T) {
	for path, want := range map[string]sdk.Kind{tokenPath: sdk.KindTransient, usersPath: sdk.KindOutcomeUnknown} {
		b := start(t)
		if path != tokenPath {
			b.lookup(t, "Username", "x@example.com")
		}
		b.proxy.Script("POST", path, faultproxy.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		begin := time.Now()
		_, err := b.target.Create(ctx, sdk.CreateRequest{Attributes: ada(), Active: true})
		cancel()
		if sdk.KindOf(err) != want || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %v after %s", path, err, time.Since(begin))
		}
	}
}
