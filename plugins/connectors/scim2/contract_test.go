package scim2_test

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/e2e/peers"
	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// server is a SCIM server that this package did not write.
type server struct {
	name     string
	start    func(*testing.T) (baseURL, token string)
	pages    bool // startIndex and count are honoured
	unquotes bool // \" and \\ in filters are understood
}

func peer(name string) func(*testing.T) (string, string) {
	return func(t *testing.T) (string, string) {
		if os.Getenv("CI") != "true" {
			t.Skip("a long test: make test runs it")
		}
		s := peers.Start(t, name)
		return s.BaseURL, s.Token
	}
}

func elimity(t *testing.T) (baseURL, token string) {
	token = "elimity-token"
	s := httptest.NewServer(directory.New(directory.Options{Token: token}))
	t.Cleanup(s.Close)
	return s.URL + directory.SCIMPath, token
}

func servers() []server {
	return []server{
		{"elimity", elimity, true, false},
		{"scimmy", peer(peers.Scimmy), false, false},
		{"better-auth", peer(peers.BetterAuth), true, true},
	}
}

type contract func(*testing.T, server, *scim2.Target, *faultproxy.Proxy)

// overServers runs test over every server, empty, through a fault proxy.
func overServers(t *testing.T, test contract) { overUpdates(t, []string{"auto"}, test) }

// overBothUpdates does so for each way to change an account.
func overBothUpdates(t *testing.T, test contract) { overUpdates(t, []string{"patch", "put"}, test) }

func overUpdates(t *testing.T, updates []string, test contract) {
	for _, s := range servers() {
		for _, update := range updates {
			t.Run(s.name+"/"+update, func(t *testing.T) {
				base, token := s.start(t)
				proxy := faultproxy.Start(t, base)
				target := open(t, scim2.Config{BaseURL: proxy.URL, Auth: "bearer", Token: sdk.Secret(token), Update: update})
				test(t, s, target, proxy)
			})
		}
	}
}

// open fills in what the configuration leaves out.
func open(t *testing.T, cfg scim2.Config) *scim2.Target {
	t.Helper()
	if cfg.Auth == "" {
		cfg.Auth, cfg.Token = "bearer", "canary-token"
	}
	if cfg.Update == "" {
		cfg.Update = "auto"
	}
	if cfg.Dialect == "" {
		cfg.Dialect = "standard"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	target, err := scim2.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// ada is a complete account.
func ada() sdk.Attributes {
	return sdk.Attributes{
		"externalId": "user-1", "userName": "ada@example.com", "name.givenName": "Ada", "name.familyName": "Lovelace",
		"displayName": "Ada Lovelace", "email": "ada@example.com",
	}
}

func create(t *testing.T, target *scim2.Target, attributes sdk.Attributes) sdk.Account {
	t.Helper()
	account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if account.ID == "" {
		t.Fatal("create: no id")
	}
	return account
}

// wantAttributes compares those named in want; "" means absent.
func wantAttributes(t *testing.T, got sdk.Account, want map[string]string) {
	t.Helper()
	values := map[string]string{}
	for name := range want {
		values[name] = got.Attributes.String(name)
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func wantKind(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect) {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil {
		t.Errorf("no error, want kind %s", kind)
		return
	}
	if e.Kind != kind || e.Effect != effect {
		t.Errorf("error %q has kind %s and effect %s, want %s and %s", e, e.Kind, e.Effect, kind, effect)
	}
}

func TestContractLifeOfAnAccount(t *testing.T) {
	overBothUpdates(t, func(t *testing.T, _ server, target *scim2.Target, _ *faultproxy.Proxy) {
		ctx := t.Context()
		created := create(t, target, ada())
		got, err := target.Get(ctx, sdk.GetRequest{ID: created.ID})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for name, value := range ada() {
			want[name] = value.(string)
		}
		wantAttributes(t, got, want)
		if got.Active == nil || !*got.Active {
			t.Error("the new account is not active")
		}

		suspended, err := target.SetActive(ctx, sdk.SetActiveRequest{ID: created.ID})
		if err != nil || suspended.Active == nil || *suspended.Active {
			t.Fatalf("suspend: %v, active %v", err, suspended.Active)
		}
		wantAttributes(t, suspended, want) // nothing else changed
		back, err := target.SetActive(ctx, sdk.SetActiveRequest{ID: created.ID, Active: true})
		if err != nil || back.Active == nil || !*back.Active {
			t.Fatalf("reactivate: %v, active %v", err, back.Active)
		}

		for range 2 { // deleting what is gone succeeds
			if err := target.Delete(ctx, sdk.DeleteRequest{ID: created.ID}); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
		_, err = target.Get(ctx, sdk.GetRequest{ID: created.ID})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		_, err = target.Update(ctx, sdk.UpdateRequest{ID: created.ID, Set: sdk.Attributes{"displayName": "A"}})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		_, err = target.SetActive(ctx, sdk.SetActiveRequest{ID: created.ID})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		if again := create(t, target, ada()); again.ID == created.ID {
			t.Error("the server gave a deleted account's id again")
		}
	})
}

func TestContractLookup(t *testing.T) {
	overServers(t, func(t *testing.T, s server, target *scim2.Target, _ *faultproxy.Proxy) {
		names := []string{"ada@example.com", "o'brien", "a&b=c#d+e f%20", "søren", "日本", `quo"te`, `back\slash`}
		ids := map[string]string{}
		for i, name := range names {
			a := ada()
			a["userName"], a["externalId"], a["email"] = name, name, "u"+string(rune('a'+i))+"@example.com"
			ids[name] = create(t, target, a).ID
		}
		for _, key := range []string{"externalId", "userName"} {
			for _, name := range names {
				if s.unquotes || !strings.ContainsAny(name, `"\`) {
					wantFound(t, target, key, name, ids[name])
				}
			}
			for _, absent := range []string{"nobody", "*", "%"} {
				wantFound(t, target, key, absent)
			}
			wantNothing(t, target, key, `x" or userName pr or "a" eq "a`)
		}
		wantFound(t, target, "externalId", "ADA@example.com")
		wantFound(t, target, "userName", "ADA@Example.com", ids["ada@example.com"]) // stored in lower case: found everywhere
	})
}

// wantNothing accepts that a server does not understand the value, but not that
// anybody is found.
func wantNothing(t *testing.T, target *scim2.Target, key, value string) {
	t.Helper()
	accounts, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: key, Value: value})
	if len(accounts) > 0 {
		t.Errorf("lookup %s %q found %+v", key, value, accounts)
	}
	if err != nil {
		wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone)
	}
}

func wantFound(t *testing.T, target *scim2.Target, key, value string, ids ...string) {
	t.Helper()
	accounts, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: key, Value: value})
	if err != nil {
		t.Errorf("lookup %s %q: %v", key, value, err)
		return
	}
	var got []string
	for _, a := range accounts {
		got = append(got, a.ID)
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("lookup %s %q (-want +got):\n%s", key, value, diff)
	}
}

func TestContractUpdate(t *testing.T) {
	overBothUpdates(t, func(t *testing.T, _ server, target *scim2.Target, _ *faultproxy.Proxy) {
		ctx := t.Context()
		id := create(t, target, ada()).ID
		updated, err := target.Update(ctx, sdk.UpdateRequest{
			ID:  id,
			Set: sdk.Attributes{"displayName": "Countess", "email": "countess@example.com", "name.familyName": "King", "title": "Countess"},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"externalId": "user-1", "userName": "ada@example.com", "name.givenName": "Ada", "name.familyName": "King",
			"displayName": "Countess", "email": "countess@example.com", "title": "Countess",
		}
		wantAttributes(t, updated, want)

		cleared, err := target.Update(ctx, sdk.UpdateRequest{ID: id, Clear: []string{"title", "phone"}})
		if err != nil {
			t.Fatalf("clear: %v", err)
		}
		want["title"] = ""
		wantAttributes(t, cleared, want)

		renamed, err := target.Update(ctx, sdk.UpdateRequest{ID: id, Set: sdk.Attributes{"userName": "countess"}})
		if err != nil || renamed.ID != id || renamed.Attributes.String("userName") != "countess" {
			t.Errorf("rename: %v, %+v", err, renamed)
		}
	})
}

// TestContractNewEntry sets an e-mail address and a phone number where there
// were none: the path filter matches nothing.
func TestContractNewEntry(t *testing.T) {
	overBothUpdates(t, func(t *testing.T, s server, target *scim2.Target, _ *faultproxy.Proxy) {
		a := ada()
		if s.name != "better-auth" { // which demands an e-mail address
			delete(a, "email")
		}
		id := create(t, target, a).ID
		updated, err := target.Update(t.Context(), sdk.UpdateRequest{
			ID: id, Set: sdk.Attributes{"email": "new@example.com", "phone": "+44 20 7946 0000", "title": "Dr"},
		})
		if err != nil {
			t.Fatal(err)
		}
		wantAttributes(t, updated, map[string]string{"email": "new@example.com", "phone": "+44 20 7946 0000", "title": "Dr", "displayName": "Ada Lovelace"})
		cleared, err := target.Update(t.Context(), sdk.UpdateRequest{ID: id, Clear: []string{"phone"}})
		if err != nil {
			t.Fatalf("clear: %v", err)
		}
		wantAttributes(t, cleared, map[string]string{"email": "new@example.com", "phone": ""})
	})
}

func TestContractConflicts(t *testing.T) {
	overServers(t, func(t *testing.T, _ server, target *scim2.Target, _ *faultproxy.Proxy) {
		create(t, target, ada())
		other := ada()
		other["userName"], other["externalId"], other["email"] = "other", "user-2", "other@example.com"
		id := create(t, target, other).ID

		for _, name := range []string{"ada@example.com", "ADA@example.com"} {
			third := ada()
			third["userName"], third["externalId"], third["email"] = name, "user-3", "third@example.com"
			_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: third, Active: true})
			wantKind(t, err, sdk.KindConflict, sdk.EffectNone)
		}
		_, err := target.Update(t.Context(), sdk.UpdateRequest{ID: id, Set: sdk.Attributes{"userName": "ada@example.com"}})
		wantKind(t, err, sdk.KindConflict, sdk.EffectNone)
	})
}

func TestContractList(t *testing.T) {
	overServers(t, func(t *testing.T, s server, target *scim2.Target, proxy *faultproxy.Proxy) {
		want := map[string]bool{}
		for i := range 23 { // more than a page of scimmy, which has 20 and no second
			a := ada()
			name := "user" + string(rune('a'+i))
			a["userName"], a["externalId"], a["email"] = name, name, name+"@example.com"
			want[create(t, target, a).ID] = true
		}
		got := map[string]bool{}
		var last error
		for account, err := range target.List(t.Context(), sdk.ListRequest{PageSize: 10}) {
			if err != nil {
				last = err
				continue
			}
			got[account.ID] = true
		}
		if s.pages {
			if diff := cmp.Diff(want, got); diff != "" || last != nil {
				t.Errorf("error %v, accounts (-want +got):\n%s", last, diff)
			}
			return
		}
		wantKind(t, last, sdk.KindUnsupported, sdk.EffectNone)
		if n := proxy.Count("GET", "/Users"); n != 2 {
			t.Errorf("%d pages were read, want 2: it must see that the second is the first", n)
		}
	})
}

// TestContractLostReply creates with the answer lost: the outcome is unknown,
// and a lookup finds the one account.
func TestContractLostReply(t *testing.T) {
	overServers(t, func(t *testing.T, _ server, target *scim2.Target, proxy *faultproxy.Proxy) {
		proxy.Script("POST", "/Users", faultproxy.DropReply())
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
		wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
		found, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "externalId", Value: "user-1"})
		if err != nil || len(found) != 1 {
			t.Errorf("lookup: %v, %d accounts, want 1", err, len(found))
		}
		if n := proxy.Count("POST", "/Users"); n != 1 {
			t.Errorf("%d creates were sent, want 1", n)
		}
	})
}

// TestContractRace creates one account from many sides at once.
func TestContractRace(t *testing.T) {
	overServers(t, func(t *testing.T, _ server, target *scim2.Target, _ *faultproxy.Proxy) {
		const sides = 20
		errs := make(chan error, sides)
		for range sides {
			go func() {
				_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
				errs <- err
			}()
		}
		kinds := map[sdk.Kind]int{}
		for range sides {
			kinds[sdk.KindOf(<-errs)]++
		}
		if diff := cmp.Diff(map[sdk.Kind]int{"": 1, sdk.KindConflict: sides - 1}, kinds); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		found, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "externalId", Value: "user-1"})
		if err != nil || len(found) != 1 {
			t.Errorf("lookup: %v, %d accounts, want 1", err, len(found))
		}
	})
}

func TestContractCheck(t *testing.T) {
	overServers(t, func(t *testing.T, _ server, target *scim2.Target, proxy *faultproxy.Proxy) {
		want := map[string]sdk.CheckStatus{
			"dns": sdk.CheckPassed, "tcp": sdk.CheckPassed, "tls": sdk.CheckPassed,
			"credentials": sdk.CheckPassed, "permission": sdk.CheckPassed, "schema": sdk.CheckPassed,
		}
		if diff := cmp.Diff(want, check(t, target)); diff != "" {
			t.Errorf("right token (-want +got):\n%s", diff)
		}
		wrong := open(t, scim2.Config{BaseURL: proxy.URL, Auth: "bearer", Token: "wrong"})
		want["credentials"], want["permission"], want["schema"] = sdk.CheckFailed, sdk.CheckSkipped, sdk.CheckSkipped
		if diff := cmp.Diff(want, check(t, wrong)); diff != "" {
			t.Errorf("wrong token (-want +got):\n%s", diff)
		}
		if n := proxy.Writes(); n != 0 {
			t.Errorf("check wrote %d times", n)
		}
	})
}

func check(t *testing.T, target *scim2.Target) map[string]sdk.CheckStatus {
	t.Helper()
	steps, err := target.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]sdk.CheckStatus{}
	for _, s := range steps {
		got[s.Name] = s.Status
		if s.Status == sdk.CheckFailed && (s.Detail == "" || s.Fix == "") {
			t.Errorf("step %s failed without detail or fix: %+v", s.Name, s)
		}
	}
	return got
}

// TestContractDeadline has the server hang; the caller's deadline counts.
func TestContractDeadline(t *testing.T) {
	overServers(t, func(t *testing.T, _ server, target *scim2.Target, proxy *faultproxy.Proxy) {
		proxy.Script("POST", "/Users", faultproxy.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := target.Create(ctx, sdk.CreateRequest{Attributes: ada(), Active: true})
		wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("gave up after %s, want about 500 ms", took)
		}
	})
}
