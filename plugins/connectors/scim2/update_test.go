package scim2_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func wantBody(t *testing.T, got request, want map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("body of %s (-want +got):\n%s", got.line, diff)
	}
}

func patchOf(t *testing.T, operations string) map[string]any {
	t.Helper()
	var ops []any
	if err := json.Unmarshal([]byte(operations), &ops); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops}
}

// rich is an account with much that this connector does not know.
const rich = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:example:ext"],"id":"1","externalId":"u1",
	"userName":"ada","NAME":{"familyName":"L","middleName":"M"},"displayName":"Ada","active":true,
	"emails":[{"value":"home@b.c","type":"home","primary":true},{"value":"a@b.c","type":"Work","display":"W"}],
	"urn:example:ext":{"badge":12345678901234567890},"roles":[{"value":"admin"}],
	"groups":[{"value":"g1"}],"meta":{"version":"W/\"3\"","created":"2026-01-01T00:00:00Z"}}`

func TestUpdateSendsOneOperationPerAttribute(t *testing.T) {
	f := newFake(t).answer("PATCH /Users/1", answer{200, nil, rich})
	_, err := f.open("patch").Update(t.Context(), sdk.UpdateRequest{
		ID:    "1",
		Set:   sdk.Attributes{"userName": "countess", "name.familyName": "King", "email": "c@b.c", "title": nil},
		Clear: []string{"displayName", "phone"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantBody(t, f.last(), patchOf(t, `[
		{"op":"replace","path":"userName","value":"countess"},
		{"op":"replace","path":"name.familyName","value":"King"},
		{"op":"replace","path":"emails[type eq \"work\"].value","value":"c@b.c"},
		{"op":"remove","path":"displayName"},
		{"op":"remove","path":"phoneNumbers[type eq \"work\"]"},
		{"op":"remove","path":"title"}]`))
}

// TestUpdateLooksWhenNothingMatches has noTarget answered and sends what fits
// the account: entries of other types stay.
func TestUpdateLooksWhenNothingMatches(t *testing.T) {
	f := newFake(t)
	f.answer("PATCH /Users/1", answer{400, nil, scimError("noTarget", "no match")})
	f.answer("PATCH /Users/1", answer{200, nil, rich})
	f.answer("GET /Users/1", answer{200, nil, rich})
	_, err := f.open("patch").Update(t.Context(), sdk.UpdateRequest{
		ID:    "1",
		Set:   sdk.Attributes{"email": "c@b.c", "phone": "123", "name.givenName": "Ada"},
		Clear: []string{"displayName", "title"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantBody(t, f.last(), patchOf(t, `[
		{"op":"add","path":"name.givenName","value":"Ada"},
		{"op":"replace","path":"emails","value":[{"value":"home@b.c","type":"home","primary":true},{"value":"c@b.c","type":"Work","display":"W"}]},
		{"op":"add","path":"phoneNumbers","value":[{"value":"123","type":"work","primary":true}]},
		{"op":"remove","path":"displayName"}]`))
}

func TestClearingWhatIsNotThereSucceeds(t *testing.T) {
	f := newFake(t)
	f.answer("PATCH /Users/1", answer{400, nil, scimError("noTarget", "no match")})
	f.answer("GET /Users/1", answer{200, nil, rich})
	got, err := f.open("patch").Update(t.Context(), sdk.UpdateRequest{ID: "1", Clear: []string{"phone"}})
	if err != nil || got.ID != "1" || len(f.lines()) != 2 {
		t.Errorf("%+v, %v after %v", got, err, f.lines())
	}
}

func TestNoTargetTwiceIsInvalid(t *testing.T) {
	f := newFake(t)
	f.answer("PATCH /Users/1", answer{400, nil, scimError("noTarget", "no match")})
	f.answer("GET /Users/1", answer{200, nil, rich})
	_, err := f.open("auto").Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"email": "c@b.c"}})
	wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	if n := len(f.lines()); n != 3 {
		t.Errorf("%d requests, want 3: %v", n, f.lines())
	}
}

// TestPutKeepsWhatItDoesNotKnow compares the whole body.
func TestPutKeepsWhatItDoesNotKnow(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, rich}).answer("PUT /Users/1", answer{200, nil, rich})
	_, err := f.open("put").Update(t.Context(), sdk.UpdateRequest{
		ID: "1", Set: sdk.Attributes{"name.familyName": "King", "email": "c@b.c"}, Clear: []string{"displayName"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantBody(t, f.last(), map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", "urn:example:ext"},
		"id":      "1", "externalId": "u1", "userName": "ada", "active": true,
		"NAME": map[string]any{"familyName": "King", "middleName": "M"},
		"emails": []any{
			map[string]any{"value": "home@b.c", "type": "home", "primary": true},
			map[string]any{"value": "c@b.c", "type": "Work", "display": "W"},
		},
		"urn:example:ext": map[string]any{"badge": 12345678901234567890.0},
		"roles":           []any{map[string]any{"value": "admin"}},
	})
	if !strings.Contains(f.last().raw, `"badge":12345678901234567890`) {
		t.Errorf("the number was rounded: %s", f.last().raw)
	}
	if got := f.last().header.Get("If-Match"); got != `W/"3"` {
		t.Errorf("If-Match = %q", got)
	}
}

func TestPutSendsNothingWhenNothingDiffers(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, rich})
	target := f.open("put")
	if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1", Active: true}); err != nil {
		t.Error(err)
	}
	if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"displayName": "Ada"}, Clear: []string{"phone", "title"}}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"GET /Users/1", "GET /Users/1"}, f.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestPutStartsOverWhenSomebodyWasFaster(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, rich})
	f.answer("PUT /Users/1", answer{status: 412}).answer("PUT /Users/1", answer{200, nil, rich})
	if _, err := f.open("put").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
		t.Error(err)
	}
	always := newFake(t).answer("GET /Users/1", answer{200, nil, rich}).answer("PUT /Users/1", answer{status: 412})
	_, err := always.open("put").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"})
	wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
	if n := len(always.lines()); n != 4 {
		t.Errorf("%d requests, want 4: %v", n, always.lines())
	}
}

// TestAutoFallsBackToPut and remembers it.
func TestAutoFallsBackToPut(t *testing.T) {
	for name, refusal := range map[string]answer{
		"405":          {status: 405},
		"501":          {501, nil, scimError("", "nope")},
		"400 in words": {400, nil, scimError("", "PATCH is not supported")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t).answer("PATCH /Users/1", refusal)
			f.answer("GET /Users/1", answer{200, nil, rich}).answer("PUT /Users/1", answer{200, nil, rich})
			target := f.open("auto")
			for range 2 {
				if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"}); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"PATCH /Users/1", "GET /Users/1", "PUT /Users/1", "GET /Users/1", "PUT /Users/1"}
			if diff := cmp.Diff(want, f.lines()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFixedModesDoNotFallBack(t *testing.T) {
	f := newFake(t).answer("PATCH /Users/1", answer{status: 501})
	_, err := f.open("patch").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"})
	wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone)
	refused := newFake(t).answer("PATCH /Users/1", answer{400, nil, scimError("mutability", "patch not supported for id")})
	_, err = refused.open("auto").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"})
	wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
}

// TestServerErrorForAMissingAccount: some servers answer 500 for an id they do
// not have.
func TestServerErrorForAMissingAccount(t *testing.T) {
	for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodDelete} {
		for _, gone := range []bool{true, false} {
			f := newFake(t).answer(method+" /Users/1", answer{status: 500})
			if method == http.MethodPut { // which reads first
				f.answer("GET /Users/1", answer{200, nil, rich})
			}
			if gone {
				f.answer("GET /Users/1", answer{status: 404})
			} else {
				f.answer("GET /Users/1", answer{200, nil, rich})
			}
			err := changeWith(t, f, method)
			switch {
			case gone && method == http.MethodDelete:
				if err != nil {
					t.Errorf("delete: %v", err)
				}
			case gone:
				wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
			default:
				wantKind(t, err, sdk.KindTransient, sdk.EffectUnknown)
			}
		}
	}
}

func changeWith(t *testing.T, f *fake, method string) error {
	t.Helper()
	if method == http.MethodDelete {
		return f.open("auto").Delete(t.Context(), sdk.DeleteRequest{ID: "1"})
	}
	_, err := f.open(map[string]string{http.MethodPatch: "patch", http.MethodPut: "put"}[method]).
		SetActive(t.Context(), sdk.SetActiveRequest{ID: "1"})
	return err
}

// TestChangeWithoutBody reads the account back; if that fails the change still
// counts.
func TestChangeWithoutBody(t *testing.T) {
	f := newFake(t).answer("PATCH /Users/1", answer{status: 204}).answer("GET /Users/1", answer{200, nil, rich})
	got, err := f.open("auto").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1", Active: true})
	if err != nil || got.Attributes.String("displayName") != "Ada" {
		t.Errorf("%+v, %v", got, err)
	}
	f = newFake(t).answer("PATCH /Users/1", answer{status: 204}).answer("GET /Users/1", answer{status: 503})
	got, err = f.open("auto").SetActive(t.Context(), sdk.SetActiveRequest{ID: "1", Active: true})
	if diff := cmp.Diff(sdk.Account{ID: "1"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestDelete(t *testing.T) {
	for status, kind := range map[int]sdk.Kind{200: "", 204: "", 404: "", 410: "", 405: sdk.KindUnsupported, 403: sdk.KindForbidden} {
		f := newFake(t).answer("DELETE /Users/1", answer{status: status})
		err := f.open("auto").Delete(t.Context(), sdk.DeleteRequest{ID: "1"})
		if got := sdk.KindOf(err); got != kind {
			t.Errorf("%d: %v, want kind %q", status, err, kind)
		}
	}
}

// TestReadsAccounts shows what each form of a resource is taken for.
func TestReadsAccounts(t *testing.T) {
	yes, no := true, false
	cases := []struct {
		name, body string
		email      string
		active     *bool
	}{
		{"work entry", user("1", "a", `"emails":[{"value":"p@b.c","primary":true,"type":"home"},{"value":"w@b.c","type":"work"}]`), "w@b.c", nil},
		{"untyped, primary", user("1", "a", `"emails":[{"value":"x@b.c"},{"value":"p@b.c","primary":true}]`), "p@b.c", nil},
		{"untyped, first", user("1", "a", `"emails":[{"value":"x@b.c"},{"value":"y@b.c"}]`), "x@b.c", nil},
		{"only another type", user("1", "a", `"emails":[{"value":"h@b.c","type":"home"}]`), "", nil},
		{"strings in the list", user("1", "a", `"emails":["x@b.c"]`), "", nil},
		{"a string for the list", user("1", "a", `"emails":"x@b.c"`), "", nil},
		{"boolean", user("1", "a", `"active":true`), "", &yes},
		{"string for a boolean", user("1", "a", `"active":"False"`), "", &no},
		{"nonsense for a boolean", user("1", "a", `"active":"maybe"`), "", nil},
		{"null", user("1", "a", `"active":null,"emails":null,"name":null`), "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t).answer("GET /Users/1", answer{200, nil, c.body})
			got, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "1"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.active, got.Active); diff != "" || got.Attributes.String("email") != c.email {
				t.Errorf("email %q, active (-want +got):\n%s", got.Attributes.String("email"), diff)
			}
		})
	}
}

// What is not in a resource has no value, and need not be removed. Of the owner
// that says nothing: some servers do not keep an externalId.
func TestAbsentAttributesAreEmpty(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, user("1", "ada")})
	got, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if phone, read := got.Attributes["phone"]; !read || phone != "" {
		t.Errorf("phone = %q, read %v; want it read and empty", phone, read)
	}
	if owner, read := got.Attributes["externalId"]; read {
		t.Errorf("externalId = %q, want it unread", owner)
	}
}
