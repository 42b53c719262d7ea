package scim2_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestAnswersToACreate is the table of what servers answer and what it means.
func TestAnswersToACreate(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	cases := []struct {
		name   string
		answer answer
		kind   sdk.Kind
		effect sdk.Effect
		field  string
		after  time.Duration // at least, and at most a minute more
	}{
		{"uniqueness", answer{400, nil, scimError("uniqueness", "userName must be unique")}, sdk.KindConflict, sdk.EffectNone, "userName", 0},
		{"duplicate in words", answer{400, nil, `{"detail":"A user with this email already exists"}`}, sdk.KindConflict, sdk.EffectNone, "email", 0},
		{"conflict without scimType", answer{409, nil, `{"schema":["x"],"detail":"Refused to create a new, duplicate resource.","status":"409"}`}, sdk.KindConflict, sdk.EffectNone, "", 0},
		{"conflict, no body", answer{409, nil, ""}, sdk.KindConflict, sdk.EffectNone, "", 0},
		{"invalid value", answer{400, nil, scimError("invalidValue", "Attribute 'familyName' is required")}, sdk.KindInvalid, sdk.EffectNone, "name.familyName", 0},
		{"invalid, two named", answer{400, nil, scimError("invalidValue", "userName and displayName differ")}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"invalid syntax", answer{400, nil, scimError("invalidSyntax", "")}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"status as number", answer{400, nil, `{"status":400,"scimType":"mutability"}`}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"odd members", answer{400, nil, `{"status":{},"scimType":7,"detail":["x"]}`}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"too many", answer{400, nil, scimError("tooMany", "")}, sdk.KindQuota, sdk.EffectNone, "", 0},
		{"unauthorized in plain text", answer{401, map[string]string{"Content-Type": "text/plain"}, "Unauthorized"}, sdk.KindUnauthorized, sdk.EffectNone, "", 0},
		{"payment required", answer{402, nil, ""}, sdk.KindQuota, sdk.EffectNone, "", 0},
		{"forbidden", answer{403, nil, "{}"}, sdk.KindForbidden, sdk.EffectNone, "", 0},
		{"wrong path", answer{404, nil, "<html>"}, sdk.KindInvalid, sdk.EffectNone, "base_url", 0},
		{"no method", answer{405, nil, ""}, sdk.KindUnsupported, sdk.EffectNone, "", 0},
		{"timeout", answer{408, nil, ""}, sdk.KindTransient, sdk.EffectUnknown, "", 0},
		{"too large", answer{413, nil, ""}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"unprocessable", answer{422, nil, ""}, sdk.KindInvalid, sdk.EffectNone, "", 0},
		{"rate limited, seconds", answer{429, map[string]string{"Retry-After": "17"}, ""}, sdk.KindRateLimited, sdk.EffectNone, "", 17 * time.Second},
		{"rate limited, date", answer{429, map[string]string{"Retry-After": soon}, ""}, sdk.KindRateLimited, sdk.EffectNone, "", 59 * time.Minute},
		{"rate limited, past", answer{429, map[string]string{"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}, ""}, sdk.KindRateLimited, sdk.EffectNone, "", 0},
		{"rate limited, nonsense", answer{429, map[string]string{"Retry-After": "soon"}, ""}, sdk.KindRateLimited, sdk.EffectNone, "", 0},
		{"rate limited, negative", answer{429, map[string]string{"Retry-After": "-5"}, ""}, sdk.KindRateLimited, sdk.EffectNone, "", 0},
		{"internal", answer{500, nil, ""}, sdk.KindTransient, sdk.EffectUnknown, "", 0},
		{"not implemented", answer{501, nil, ""}, sdk.KindUnsupported, sdk.EffectNone, "", 0},
		{"bad gateway, HTML", answer{502, map[string]string{"Content-Type": "text/html"}, "<h1>Bad gateway</h1>"}, sdk.KindTransient, sdk.EffectUnknown, "", 0},
		{"unavailable", answer{503, map[string]string{"Retry-After": "5"}, ""}, sdk.KindTransient, sdk.EffectUnknown, "", 5 * time.Second},
		{"not modified", answer{304, nil, ""}, sdk.KindInvalid, sdk.EffectNone, "base_url", 0},
		{"success without anything", answer{201, nil, ""}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"success with a page", answer{200, nil, "<html>"}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"success without id", answer{201, nil, `{"userName":"ada"}`}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"id of another type", answer{201, nil, `{"id":7}`}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"accepted for later", answer{202, nil, ""}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"huge success", answer{201, nil, user("1", "ada") + strings.Repeat(" ", 2<<20)}, sdk.KindOutcomeUnknown, sdk.EffectUnknown, "", 0},
		{"huge refusal", answer{400, nil, strings.Repeat("x", 2<<20)}, sdk.KindInvalid, sdk.EffectNone, "", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t).answer("POST /Users", c.answer)
			_, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
			wantKind(t, err, c.kind, c.effect)
			e := sdk.AsError(err)
			if e.Field != c.field || e.Message == "" {
				t.Errorf("field %q, message %q; want field %q", e.Field, e.Message, c.field)
			}
			if e.RetryAfter < c.after || e.RetryAfter > c.after+time.Minute {
				t.Errorf("retry after %s, want %s", e.RetryAfter, c.after)
			}
			if n := len(f.lines()); n != 1 {
				t.Errorf("%d requests, want 1: %v", n, f.lines())
			}
		})
	}
}

// TestReadsHaveNoEffect answers reads with what is doubtful after a write.
func TestReadsHaveNoEffect(t *testing.T) {
	for _, status := range []int{408, 500, 502, 503, 504} {
		f := newFake(t).answer("GET /Users/1", answer{status: status})
		_, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "1"})
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
	}
}

func TestCreateFindsTheIDByLocation(t *testing.T) {
	for name, location := range map[string]string{
		"relative to the endpoint": "Users/7",
		"path":                     "/scim/Users/7",
		"absolute":                 "BASE/Users/7",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			location = strings.Replace(location, "BASE", f.URL, 1)
			f.answer("POST /Users", answer{201, map[string]string{"Location": location}, ""})
			f.answer("GET /Users/7", answer{200, nil, user("7", "ada@example.com")})
			account, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
			if err != nil || account.ID != "7" {
				t.Errorf("%+v, %v; want id 7", account, err)
			}
		})
	}
}

func TestCreateFollowsNoLocationElsewhere(t *testing.T) {
	other := newFake(t) // fails the test when it is asked
	for _, location := range []string{other.URL + "/Users/7", "//127.0.0.2/Users/7", "https://127.0.0.1/x", "::"} {
		f := newFake(t).answer("POST /Users", answer{201, map[string]string{"Location": location}, ""})
		_, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
		wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	}
	f := newFake(t).answer("POST /Users", answer{201, map[string]string{"Location": "Users/7"}, ""})
	f.answer("GET /Users/7", answer{status: 404})
	_, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
	wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
}

func TestCreateSends(t *testing.T) {
	f := newFake(t).answer("POST /Users", answer{200, nil, user("1", "ada@example.com")})
	a := ada()
	a["phone"], a["title"] = "123", ""
	if _, err := f.open("auto").Create(t.Context(), sdk.CreateRequest{Attributes: a, Active: false}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"schemas":    []any{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"externalId": "user-1", "userName": "ada@example.com", "displayName": "Ada Lovelace", "active": false,
		"name":         map[string]any{"givenName": "Ada", "familyName": "Lovelace"},
		"emails":       []any{map[string]any{"value": "ada@example.com", "type": "work", "primary": true}},
		"phoneNumbers": []any{map[string]any{"value": "123", "type": "work", "primary": true}},
	}
	wantBody(t, f.last(), want)
	h := f.last().header
	if h.Get("Content-Type") != "application/scim+json" || h.Get("Accept") != "application/scim+json, application/json" {
		t.Errorf("headers: %v", h)
	}
}

func TestRefusesAttributesItDoesNotKnow(t *testing.T) {
	f := newFake(t)
	target := f.open("auto")
	for name, value := range map[string]any{"nickName": "x", "userName": 7.0, "email": []any{"a@b.c"}} {
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: sdk.Attributes{name: value}})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
		if got := sdk.AsError(err).Field; got != name {
			t.Errorf("field %q, want %q", got, name)
		}
	}
	_, err := target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Clear: []string{"nickName"}})
	wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	if len(f.lines()) > 0 {
		t.Errorf("requests were sent: %v", f.lines())
	}
}

func TestIDsAreOneSegment(t *testing.T) {
	f := newFake(t).answer("GET /Users/a%2Fb%3Fc%20d%25", answer{200, nil, user("a/b?c d%", "x")})
	if _, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "a/b?c d%"}); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"", ".", ".."} {
		_, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: id})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		_, err = f.open("put").SetActive(t.Context(), sdk.SetActiveRequest{ID: id})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		if err := f.open("auto").Delete(t.Context(), sdk.DeleteRequest{ID: id}); err == nil {
			t.Errorf("delete %q succeeded", id)
		}
	}
}

func TestGetRefusesAnotherAccount(t *testing.T) {
	f := newFake(t).answer("GET /Users/1", answer{200, nil, user("2", "x")})
	_, err := f.open("auto").Get(t.Context(), sdk.GetRequest{ID: "1"})
	wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
}
