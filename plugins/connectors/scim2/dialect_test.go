package scim2_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

// What each dialect sends to suspend an account, and to change its title.
func TestDialectsWriteChanges(t *testing.T) {
	const op = `{"op":"replace","path":"active","value":false}`
	const title = `{"op":"replace","path":"title","value":"Dr"}`
	cases := map[string]struct{ method, suspend, title string }{
		"standard":    {"PATCH", op, title},
		"aws":         {"PATCH", op, title},
		"github":      {"PATCH", op, title},
		"gitlab":      {"PATCH", op, title},
		"slack":       {"PATCH", op, title},
		"salesforce":  {"PATCH", op, title},
		"entra-style": {"PATCH", `{"op":"Replace","path":"active","value":"False"}`, `{"op":"Replace","path":"title","value":"Dr"}`},
		"okta-style":  {"PUT", "", ""},
	}
	for dialect, c := range cases {
		t.Run(dialect, func(t *testing.T) {
			f := newFake(t)
			for _, line := range []string{"GET /Users/1", "PATCH /Users/1", "PUT /Users/1"} {
				f.answer(line, answer{200, nil, user("1", "ada", `"active":true`)})
			}
			target := open(t, scim2.Config{BaseURL: f.URL, Dialect: dialect})
			if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
				t.Fatal(err)
			}
			sent(t, f, c.method, c.suspend)
			if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"title": "Dr"}}); err != nil {
				t.Fatal(err)
			}
			sent(t, f, c.method, c.title)
		})
	}
}

// sent checks the last request, a PATCH with this one operation if any is given.
func sent(t *testing.T, f *fake, method, operation string) {
	t.Helper()
	last := f.last()
	if last.line != method+" /Users/1" {
		t.Fatalf("sent %s, want a %s", last.line, method)
	}
	if operation == "" {
		return
	}
	var want any
	if err := json.Unmarshal([]byte(operation), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{want}, last.body["Operations"]); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

// Okta's clients suspend without a path, where PATCH is chosen.
func TestOktaStyleSuspendsWithAnObject(t *testing.T) {
	f := newFake(t).answer("PATCH /Users/1", answer{200, nil, user("1", "ada")})
	target := open(t, scim2.Config{BaseURL: f.URL, Dialect: "okta-style", Update: "patch"})
	if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	sent(t, f, "PATCH", `{"op":"replace","value":{"active":false}}`)
}

// AWS takes no paths into lists: the list is sent as a whole.
func TestWholeLists(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "ada", `"emails":[{"value":"a@b.c","type":"work","primary":true}]`)})
	f.answer("PATCH /Users/1", answer{200, nil, user("1", "ada")})
	target := open(t, scim2.Config{BaseURL: f.URL, Dialect: "aws"})
	if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"email": "x@y.z"}}); err != nil {
		t.Fatal(err)
	}
	sent(t, f, "PATCH", `{"op":"replace","path":"emails","value":[{"value":"x@y.z","type":"work","primary":true}]}`)
}

// What a dialect requires is refused before anything is sent, and by name.
func TestDialectsRequireAttributes(t *testing.T) {
	cases := map[string]string{
		"aws": "displayName", "github": "email", "gitlab": "email", "slack": "email", "salesforce": "name.familyName",
	}
	for dialect, missing := range cases {
		f := newFake(t)
		target := open(t, scim2.Config{BaseURL: f.URL, Dialect: dialect})
		a := ada()
		delete(a, missing)
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: a, Active: true})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
		if got := sdk.AsError(err).Field; got != missing {
			t.Errorf("%s: create names %q, want %q", dialect, got, missing)
		}
		_, err = target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Clear: []string{missing}})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
		if len(f.lines()) != 0 {
			t.Errorf("%s: sent %v", dialect, f.lines())
		}
	}
}

// Where DELETE only suspends, it is not sold as a deletion.
func TestDialectsThatKeepDeletedAccounts(t *testing.T) {
	for _, dialect := range []string{"slack", "salesforce"} {
		f := newFake(t)
		err := open(t, scim2.Config{BaseURL: f.URL, Dialect: dialect}).Delete(t.Context(), sdk.DeleteRequest{ID: "1"})
		wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone)
		if len(f.lines()) != 0 {
			t.Errorf("%s: sent %v", dialect, f.lines())
		}
	}
}

func TestSalesforceProfileIsAnEntitlement(t *testing.T) {
	f := newFake(t).answer("POST /Users", answer{201, nil, user("1", "ada", `"entitlements":[{"value":"00e1","primary":true}]`)})
	a := ada()
	a["entitlement"] = "00e1"
	got := create(t, open(t, scim2.Config{BaseURL: f.URL, Dialect: "salesforce"}), a)
	want := []any{map[string]any{"value": "00e1", "primary": true}}
	if diff := cmp.Diff(want, f.last().body["entitlements"]); diff != "" || got.Attributes.String("entitlement") != "00e1" {
		t.Errorf("entitlement %q, sent (-want +got):\n%s", got.Attributes.String("entitlement"), diff)
	}
}

// The server's own description counts as far as it can be read.
func TestProviderConfig(t *testing.T) {
	cases := map[string]struct{ dialect, line, body, method string }{
		"no PATCH":            {"standard", "ServiceProviderConfig", `{"patch":{"supported":false}}`, "PUT"},
		"no PATCH, as text":   {"standard", "ServiceProviderConfig", `{"patch":{"supported":"False"},"bulk":{}}`, "PUT"},
		"no PATCH, in a list": {"standard", "ServiceProviderConfig", `{"Resources":[{"patch":{"supported":false}}]}`, "PUT"},
		"in the plural":       {"salesforce", "ServiceProviderConfigs", `{"patch":{"supported":false}}`, "PUT"},
		"silent about PATCH":  {"standard", "ServiceProviderConfig", `{"filter":{"supported":true}}`, "PATCH"},
		"odd":                 {"standard", "ServiceProviderConfig", `{"patch":"no","etag":[],"filter":7}`, "PATCH"},
		"a page":              {"standard", "ServiceProviderConfig", `<html>`, "PATCH"},
		"known without":       {"aws", "ServiceProviderConfig", `{"patch":{"supported":false}}`, "PATCH"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).answer("GET /"+c.line, answer{200, nil, c.body})
			for _, line := range []string{"GET /Users/1", "PATCH /Users/1", "PUT /Users/1"} {
				f.answer(line, answer{200, nil, user("1", "ada", `"active":true`)})
			}
			target := open(t, scim2.Config{BaseURL: f.URL, Dialect: c.dialect})
			for range 2 {
				if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
					t.Fatal(err)
				}
				sent(t, f, c.method, "")
			}
			asked := 0
			for _, line := range f.lines() {
				if line == "GET /"+c.line {
					asked++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[c.dialect == "aws"]; asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
		})
	}
}

// A server that was away when it was asked is asked again; one that says no is not.
func TestProviderConfigIsAskedAgain(t *testing.T) {
	f := newFake(t).answer("GET /ServiceProviderConfig", answer{503, nil, ""})
	f.answer("GET /ServiceProviderConfig", answer{200, nil, `{"patch":{"supported":false}}`})
	for _, line := range []string{"GET /Users/1", "PATCH /Users/1", "PUT /Users/1"} {
		f.answer(line, answer{200, nil, user("1", "ada", `"active":true`)})
	}
	target := f.open("auto")
	for _, method := range []string{"PATCH", "PUT", "PUT"} {
		if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
			t.Fatal(err)
		}
		sent(t, f, method, "")
	}
}

// A version goes back with a PUT, from the resource or the header, unless the
// server says that it has none.
func TestIfMatch(t *testing.T) {
	cases := map[string]struct {
		header map[string]string
		meta   string
		config string
		want   string
	}{
		"in the resource": {nil, `"meta":{"version":"W/\"1\""}`, "{}", `W/"1"`},
		"in the header":   {map[string]string{"ETag": `W/"2"`}, `"meta":{}`, "{}", `W/"2"`},
		"both":            {map[string]string{"ETag": `W/"2"`}, `"meta":{"version":"W/\"1\""}`, `{"etag":{"supported":true}}`, `W/"1"`},
		"none":            {nil, `"meta":{}`, `{"etag":{"supported":true}}`, ""},
		"not supported":   {nil, `"meta":{"version":"x"}`, `{"etag":{"supported":false}}`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).answer("GET /ServiceProviderConfig", answer{200, nil, c.config})
			f.answer("GET /Users/1", answer{http.StatusOK, c.header, user("1", "ada", c.meta)})
			f.answer("PUT /Users/1", answer{200, nil, user("1", "ada")})
			if _, err := f.open("put").Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"title": "Dr"}}); err != nil {
				t.Fatal(err)
			}
			if got := f.last().header.Get("If-Match"); got != c.want {
				t.Errorf("If-Match = %q, want %q", got, c.want)
			}
		})
	}
}
