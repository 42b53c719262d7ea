package directory_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/demo/directory"
)

const token = "directory-token"

func start(t *testing.T) *directory.Directory {
	t.Helper()
	created := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	return directory.New(directory.Options{Token: token, Now: func() time.Time { return created }})
}

// send makes one SCIM request and returns the status and the decoded body.
func send(t *testing.T, d http.Handler, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, directory.SCIMPath+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	var decoded map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &decoded); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code, decoded
}

func newUser(userName string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":"u-1",`+
		`"displayName":"Ada","emails":[{"value":"ada@example.com","type":"work","primary":true}],"active":true}`, userName)
}

func patch(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

func TestAccountsAreKeptAndCounted(t *testing.T) {
	d := start(t)
	status, created := send(t, d, "POST", "/Users", newUser("ada"))
	if status != http.StatusCreated || created["id"] != "1" {
		t.Fatalf("create: %d %v", status, created)
	}
	if status, _ := send(t, d, "POST", "/Users", newUser("ADA")); status != http.StatusConflict {
		t.Errorf("create with the name in capitals: %d, want 409", status)
	}
	filter := url.QueryEscape(`userName eq "Ada"`)
	if status, list := send(t, d, "GET", "/Users?filter="+filter, ""); status != 200 || list["totalResults"] != 1.0 {
		t.Errorf("filter: %d %v", status, list)
	}
	want := []directory.Account{{
		ID: "1", ExternalID: "u-1", UserName: "ada", DisplayName: "Ada", Email: "ada@example.com", Active: true,
		Created: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, d.Accounts()); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if got, want := d.Requests(), (directory.Requests{Reads: 1, Writes: 2}); got != want {
		t.Errorf("requests = %+v, want %+v", got, want)
	}
	if status, _ := send(t, d, "DELETE", "/Users/1", ""); status != http.StatusNoContent || len(d.Accounts()) != 0 {
		t.Errorf("delete: %d, %d accounts left", status, len(d.Accounts()))
	}
	for _, method := range []string{"GET", "DELETE"} {
		if status, _ := send(t, d, method, "/Users/1", ""); status != http.StatusNotFound {
			t.Errorf("%s of a missing account: %d, want 404", method, status)
		}
	}
}

func TestPatch(t *testing.T) {
	cases := []struct {
		name, operations string
		status           int
		want             map[string]any // of the members compared
	}{
		{"replace", `{"op":"replace","path":"displayName","value":"A."}`, 200, map[string]any{"displayName": "A."}},
		{"names have no case", `{"op":"replace","path":"DISPLAYNAME","value":"A."}`, 200, map[string]any{"displayName": "A."}},
		{"new part", `{"op":"add","path":"name.givenName","value":"Ada"}`, 200, map[string]any{"name": map[string]any{"givenName": "Ada"}}},
		{"remove", `{"op":"remove","path":"displayName"}`, 200, map[string]any{"displayName": nil}},
		{"no path", `{"op":"replace","value":{"active":false,"title":"Dr"}}`, 200, map[string]any{"active": false, "title": "Dr"}},
		{"entry", `{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b.c"}`, 200,
			map[string]any{"emails": []any{map[string]any{"value": "a@b.c", "type": "work", "primary": true}}}},
		{"append", `{"op":"add","path":"emails","value":[{"value":"h@b.c","type":"home"}]}`, 200,
			map[string]any{"emails": []any{
				map[string]any{"value": "ada@example.com", "type": "work", "primary": true},
				map[string]any{"value": "h@b.c", "type": "home"},
			}}},
		{"no target", `{"op":"replace","path":"emails[type eq \"home\"].value","value":"a@b.c"}`, 400, map[string]any{"scimType": "noTarget"}},
		{"string for a boolean", `{"op":"replace","path":"active","value":"False"}`, 400, map[string]any{"scimType": "invalidValue"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := start(t)
			send(t, d, "POST", "/Users", newUser("ada"))
			status, got := send(t, d, "PATCH", "/Users/1", patch(c.operations))
			if status != c.status {
				t.Errorf("status %d, want %d: %v", status, c.status, got)
			}
			for name, want := range c.want {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// TestPatchIsAllOrNothing breaks the second of two operations.
func TestPatchIsAllOrNothing(t *testing.T) {
	d := start(t)
	send(t, d, "POST", "/Users", newUser("ada"))
	send(t, d, "PATCH", "/Users/1", patch(`{"op":"replace","path":"displayName","value":"X"},`+
		`{"op":"replace","path":"emails[type eq \"home\"].value","value":"a@b.c"}`))
	if got := d.Accounts()[0].DisplayName; got != "Ada" {
		t.Errorf("displayName = %q after a failed patch, want it untouched", got)
	}
}

func TestPagesEnd(t *testing.T) {
	d := start(t)
	for i := range 5 {
		send(t, d, "POST", "/Users", newUser(fmt.Sprintf("user%d", i)))
	}
	for query, want := range map[string]int{"startIndex=1&count=2": 2, "startIndex=5&count=2": 1, "startIndex=9&count=2": 0, "count=0": 0} {
		_, list := send(t, d, "GET", "/Users?"+query, "")
		resources, _ := list["Resources"].([]any)
		if len(resources) != want || list["totalResults"] != 5.0 {
			t.Errorf("%s: %d resources of %v, want %d of 5", query, len(resources), list["totalResults"], want)
		}
	}
}

func TestModes(t *testing.T) {
	cases := []struct {
		mode          directory.Mode
		get, post     int
		readSeconds   int
		createSeconds int
	}{
		{directory.Normal, 200, 201, 0, 0},
		{directory.Slow, 200, 201, 0, 8},
		{directory.Down, 503, 503, 0, 0},
		{directory.Refuse, 200, 400, 0, 0},
	}
	for _, c := range cases {
		t.Run(string(c.mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := start(t)
				d.SetMode(c.mode)
				begin := time.Now()
				get, _ := send(t, d, "GET", "/Users", "")
				read := int(time.Since(begin).Seconds())
				post, _ := send(t, d, "POST", "/Users", newUser("ada"))
				create := int(time.Since(begin).Seconds()) - read
				if get != c.get || post != c.post || read != c.readSeconds || create != c.createSeconds {
					t.Errorf("GET %d after %d s, POST %d after %d s; want %+v", get, read, post, create, c)
				}
			})
		})
	}
}

func TestOnlyTheTokenOpens(t *testing.T) {
	cases := map[string]*directory.Directory{
		"Bearer wrong":    start(t),
		"":                start(t),
		"Basic " + token:  start(t),
		"Bearer ":         directory.New(directory.Options{}),
		"Bearer anything": directory.New(directory.Options{}),
	}
	for header, d := range cases {
		r := httptest.NewRequest("GET", directory.SCIMPath+"/Users", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || d.Requests().Reads != 0 {
			t.Errorf("Authorization %q: %d, want 401", header, w.Code)
		}
	}
}

func TestPageShowsAccountsAndSwitches(t *testing.T) {
	d := start(t)
	send(t, d, "POST", "/Users", newUser("<b>ada</b>"))
	server := httptest.NewServer(d)
	defer server.Close()
	resp, err := server.Client().PostForm(server.URL+"/mode", url.Values{"mode": {"down"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if d.Mode() != directory.Down || resp.StatusCode != 200 {
		t.Errorf("mode %q, status %d after the switch", d.Mode(), resp.StatusCode)
	}
	for _, want := range []string{`http-equiv="refresh"`, "&lt;b&gt;ada&lt;/b&gt;", "ada@example.com", `value="down" aria-pressed="true"`, `value="normal" aria-pressed="false"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
}

func TestSwitchRefusesOthers(t *testing.T) {
	d := start(t)
	d.SetMode(directory.Slow)
	for name, change := range map[string]func(*http.Request){
		"unknown mode": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("mode=broken")) },
		"cross origin": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		r := httptest.NewRequest("POST", "/mode", strings.NewReader("mode=down"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code/100 != 4 || d.Mode() != directory.Slow {
			t.Errorf("%s: status %d, mode %q", name, w.Code, d.Mode())
		}
	}
}
