package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/webhook"
	"github.com/anteroom-id/anteroom/plugins/connectors/webhook/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	older  = "whsec_bGFzdCB5ZWFyJ3Mgc2VjcmV0IG9mIHRoZSBlbmRwb2ludA=="
)

// soon is a context with a deadline that only a hanging test reaches.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, url string, change func(*webhook.Config)) *webhook.Target {
	t.Helper()
	cfg := webhook.Config{URL: url, Secret: secret, Timeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	target, err := webhook.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

var ada = sdk.Attributes{"user_id": "u-1", "login": "ada", "email": "ada@example.com", "roles": []any{"staff", "ops"}}

func op(id string) sdk.Operation { return sdk.Operation{ID: id, Attempt: 1} }

func TestLifeOfAnAccount(t *testing.T) {
	e := fake.New(secret)
	target := open(t, serve(t, e), nil)
	made, err := target.Create(soon(t), sdk.CreateRequest{Operation: op("o1"), Attributes: ada, Active: true})
	if err != nil || made.ID != "A-1" || made.Active == nil || !*made.Active {
		t.Fatalf("%+v, %v", made, err)
	}
	found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "user_id", Value: "u-1"})
	if diff := cmp.Diff([]sdk.Account{made}, found); err != nil || diff != "" {
		t.Errorf("%v (-made +found):\n%s", err, diff)
	}
	if diff := cmp.Diff(ada, found[0].Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	changed, err := target.Update(soon(t), sdk.UpdateRequest{Operation: op("o2"), ID: "A-1", Set: sdk.Attributes{"title": "Countess"}, Clear: []string{"email"}})
	if err != nil || changed.Attributes.String("title") != "Countess" || hasValue(changed, "email") || changed.Attributes.String("login") != "ada" {
		t.Errorf("%+v, %v", changed, err)
	}
	// The same operation may take two events: the second is not a repetition.
	suspended, err := target.SetActive(soon(t), sdk.SetActiveRequest{Operation: op("o2"), ID: "A-1"})
	if err != nil || *suspended.Active {
		t.Errorf("%+v, %v", suspended, err)
	}
	for range 2 {
		if err := target.Delete(soon(t), sdk.DeleteRequest{Operation: op("o3"), ID: "A-1"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := target.Get(soon(t), sdk.GetRequest{ID: "A-1"}); sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("Get after Delete: %v", err)
	}
}

// hasValue wants null to be told from not told.
func hasValue(a sdk.Account, name string) bool {
	value, told := a.Attributes[name]
	return !told || value != nil
}

func TestTheKeyIsTheSameOnEveryRetry(t *testing.T) {
	e := fake.New(secret)
	target := open(t, serve(t, e), nil)
	var ids []string
	for attempt := range 2 {
		a, err := target.Create(soon(t), sdk.CreateRequest{Operation: sdk.Operation{ID: "o1", Attempt: attempt + 1}, Attributes: ada, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID, e.Seen()[attempt].ID)
	}
	if diff := cmp.Diff([]string{"A-1", "create_o1", "A-1", "create_o1"}, ids); diff != "" {
		t.Errorf("ids and keys (-want +got):\n%s", diff)
	}
	for range 2 {
		_, _ = target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "ada"})
	}
	if a, b := e.Seen()[2].ID, e.Seen()[3].ID; a == b || a == "" {
		t.Errorf("two reads have the ids %q and %q, want two", a, b)
	}
}

// While secrets are exchanged, endpoints that know either must be satisfied.
func TestBothSecretsSign(t *testing.T) {
	e := fake.New(secret)
	url := serve(t, e)
	for _, test := range []struct {
		knows, secret, previous string
		want                    sdk.Kind
	}{
		{secret, secret, older, ""},
		{older, secret, older, ""},
		{older, secret, "", sdk.KindUnauthorized},
		{secret, older, "", sdk.KindUnauthorized},
	} {
		e.Know(test.knows)
		target := open(t, url, func(c *webhook.Config) {
			c.Secret, c.PreviousSecret = sdk.Secret(test.secret), sdk.Secret(test.previous)
		})
		_, err := target.Lookup(soon(t), sdk.LookupRequest{Key: "login", Value: "ada"})
		if sdk.KindOf(err) != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func answering(status int, header map[string]string, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func calls(target *webhook.Target) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"lookup": func(ctx context.Context) error {
			_, err := target.Lookup(ctx, sdk.LookupRequest{Key: "login", Value: "ada"})
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := target.Get(ctx, sdk.GetRequest{ID: "A-1"})
			return err
		},
		"create": func(ctx context.Context) error {
			_, err := target.Create(ctx, sdk.CreateRequest{Operation: op("o"), Attributes: ada})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := target.Update(ctx, sdk.UpdateRequest{Operation: op("o"), ID: "A-1", Set: ada})
			return err
		},
		"set_active": func(ctx context.Context) error {
			_, err := target.SetActive(ctx, sdk.SetActiveRequest{Operation: op("o"), ID: "A-1"})
			return err
		},
		"delete": func(ctx context.Context) error {
			return target.Delete(ctx, sdk.DeleteRequest{Operation: op("o"), ID: "A-1"})
		},
	}
}

func TestAcceptedIsPendingForWrites(t *testing.T) {
	for name, test := range map[string]struct {
		header map[string]string
		body   string
		after  time.Duration
		text   string
	}{
		"header":  {map[string]string{"Retry-After": "90"}, `{"poll_after": 5, "message": "Your manager must approve."}`, 90 * time.Second, "Your manager must approve."},
		"body":    {nil, `{"poll_after": 5}`, 5 * time.Second, "being prepared"},
		"nothing": {nil, "", time.Minute, "being prepared"},
		"too far": {nil, `{"poll_after": 1e300}`, time.Hour, "being prepared"},
		"leaking": {nil, `{"message": "ada@example.com must wait for ` + secret + `"}`, time.Minute, "… must wait for ***"},
	} {
		target := open(t, serve(t, answering(202, test.header, test.body)), nil)
		for verb, call := range calls(target) {
			e := sdk.AsError(call(soon(t)))
			if verb == "lookup" || verb == "get" {
				if e == nil || e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
					t.Errorf("%s/%s: %#v, want a transient failure", name, verb, e)
				}
				continue
			}
			said := e != nil && (strings.Contains(e.Message, test.text) || name == "leaking" && verb != "create" && verb != "update")
			if !said || e.Kind != sdk.KindPending || e.RetryAfter != test.after || strings.Contains(e.Message, secret) {
				t.Errorf("%s/%s: %#v, want pending for %s with %q", name, verb, e, test.after, test.text)
			}
		}
	}
}

// TestAnswersThatAreNone is the table of what is made of answers that do not keep
// to the declared form.
func TestAnswersThatAreNone(t *testing.T) {
	const account = `{"id": "A-2", "attributes": {}}` // of somebody else
	write, read := sdk.KindOutcomeUnknown, sdk.KindTransient
	for name, test := range map[string]struct {
		status int
		body   string
		want   map[string]sdk.Kind // "" is success
	}{
		"empty":          {200, "", map[string]sdk.Kind{"lookup": read, "get": read, "create": write, "update": "", "set_active": "", "delete": ""}},
		"null":           {200, "null", map[string]sdk.Kind{"lookup": read, "get": read, "create": write, "update": "", "set_active": "", "delete": ""}},
		"another's":      {200, account, map[string]sdk.Kind{"lookup": read, "get": read, "create": "", "update": write, "set_active": write, "delete": ""}},
		"typed wrong":    {200, `{"id": "A-1", "attributes": {"login": 7}}`, map[string]sdk.Kind{"lookup": read, "get": read, "create": write, "update": write, "set_active": write}},
		"null list":      {200, `{"accounts": null}`, map[string]sdk.Kind{"lookup": read}},
		"without an id":  {200, `{"accounts": [{"attributes": {"login": "ada"}}]}`, map[string]sdk.Kind{"lookup": read, "create": write}},
		"long id":        {200, `{"id": "` + strings.Repeat("x", 600) + `"}`, map[string]sdk.Kind{"create": write}},
		"not here":       {404, "", map[string]sdk.Kind{"lookup": sdk.KindInvalid, "create": sdk.KindInvalid, "get": sdk.KindNotFound, "update": sdk.KindNotFound, "set_active": sdk.KindNotFound, "delete": ""}},
		"retired":        {410, "", map[string]sdk.Kind{"lookup": sdk.KindInvalid, "get": sdk.KindInvalid, "update": sdk.KindInvalid, "delete": sdk.KindInvalid}},
		"turned down":    {403, "", map[string]sdk.Kind{"lookup": sdk.KindForbidden, "create": sdk.KindForbidden}},
		"redirect":       {307, "", map[string]sdk.Kind{"lookup": sdk.KindInvalid, "create": sdk.KindInvalid}},
		"more than said": {200, `{"accounts": [{"id": "A-1", "attributes": {"shoe": 7, "login": null}}], "next": 1}`, map[string]sdk.Kind{"lookup": ""}},
	} {
		target := open(t, serve(t, answering(test.status, map[string]string{"Location": "/elsewhere"}, test.body)), nil)
		verbs := calls(target)
		for verb, want := range test.want {
			if err := verbs[verb](soon(t)); sdk.KindOf(err) != want {
				t.Errorf("%s/%s: %v, want kind %q", name, verb, err, want)
			}
		}
	}
}

func TestUnknownAttributesAreNotSent(t *testing.T) {
	e := fake.New(secret)
	target := open(t, serve(t, e), nil)
	_, created := target.Create(soon(t), sdk.CreateRequest{Operation: op("o"), Attributes: sdk.Attributes{"logn": "ada"}})
	_, updated := target.Update(soon(t), sdk.UpdateRequest{Operation: op("o"), ID: "A-1", Clear: []string{"logn"}})
	_, found := target.Lookup(soon(t), sdk.LookupRequest{Key: "email", Value: "ada@example.com"})
	for name, err := range map[string]error{"create": created, "update": updated, "lookup": found} {
		if sdk.KindOf(err) != sdk.KindInvalid || sdk.AsError(err).Field == "" {
			t.Errorf("%s: %v, want the name refused", name, err)
		}
	}
	if seen := e.Seen(); len(seen) > 0 {
		t.Errorf("sent were %v", seen)
	}
}

// TestEventsAreAsDocumented holds the events to the form the endpoint's author
// reads in the documentation.
func TestEventsAreAsDocumented(t *testing.T) {
	var sent []map[string]any
	target := open(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(m["timestamp"])); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("timestamp %v", m["timestamp"])
		}
		delete(m, "timestamp")
		sent = append(sent, m)
		w.WriteHeader(http.StatusTeapot)
	})), nil)
	verbs := calls(target)
	for _, verb := range []string{"lookup", "get", "create", "update", "set_active", "delete"} {
		_ = verbs[verb](soon(t))
	}
	operation := map[string]any{"id": "o", "attempt": 1.0, "dialog": false}
	attributes := map[string]any{"user_id": "u-1", "login": "ada", "email": "ada@example.com", "roles": []any{"staff", "ops"}}
	want := []map[string]any{
		{"type": "account.lookup", "data": map[string]any{"key": "login", "value": "ada"}},
		{"type": "account.get", "data": map[string]any{"id": "A-1"}},
		{"type": "account.create", "operation": operation, "data": map[string]any{"attributes": attributes, "active": false}},
		{"type": "account.update", "operation": operation, "data": map[string]any{"id": "A-1", "set": attributes, "clear": []any{}}},
		{"type": "account.set_active", "operation": operation, "data": map[string]any{"id": "A-1", "active": false}},
		{"type": "account.delete", "operation": operation, "data": map[string]any{"id": "A-1"}},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("events (-want +sent):\n%s", diff)
	}
}

func TestCheckSendsNoWrite(t *testing.T) {
	e := fake.New(secret)
	if _, err := open(t, serve(t, e), nil).Check(soon(t)); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, event := range e.Seen() {
		types = append(types, event.Type)
	}
	if !slices.Equal(types, []string{"ping", "account.lookup"}) {
		t.Errorf("Check sent %v", types)
	}
}
