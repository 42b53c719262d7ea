package fake

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestContradictions proves that the fake sees what is not as Google's own
// description says, in requests and in answers.
func TestContradictions(t *testing.T) {
	const users = "/admin/directory/v1/users"
	const name = `"primaryEmail":"a@example.com","password":"12345678","name":{"givenName":"A","familyName":"B"}`
	for title, c := range map[string]struct{ method, path, body, want string }{
		"good":              {"POST", users, "{" + name + "}", ""},
		"unknown path":      {"GET", "/admin/directory/v1/people", "", "no such method"},
		"wrong method":      {"PATCH", users, "{}", "no such method"},
		"unknown parameter": {"GET", users + "?filter=x", "", "filter is unknown"},
		"wrong enum":        {"GET", users + "?projection=all", "", "projection"},
		"wrong number":      {"GET", users + "?maxResults=501", "", "maxResults"},
		"unknown property":  {"POST", users, "{" + name + `,"email":"x"}`, "email: is unknown"},
		"wrong type":        {"POST", users, "{" + name + `,"suspended":"false"}`, "suspended"},
		"read-only":         {"POST", users, "{" + name + `,"isAdmin":true}`, "isAdmin: is read-only"},
		"in a list":         {"POST", users, "{" + name + `,"phones":[{"type":"work","number":"1"}]}`, "phones[0].number"},
		"no list":           {"POST", users, "{" + name + `,"externalIds":{"value":"1"}}`, "externalIds"},
		"no password":       {"POST", users, `{"primaryEmail":"a@example.com","name":{"givenName":"A","familyName":"B"}}`, "password: is required"},
		"half a name":       {"POST", users, `{"primaryEmail":"a@example.com","password":"12345678","name":{"givenName":"A"}}`, "name.familyName: is required"},
		"body of a read":    {"GET", users, "{}", "it has a body"},
		"no body":           {"POST", users, "", "the body is missing"},
		"no JSON":           {"POST", users, "{", "no JSON"},
		"bad answer":        {"GET", users + "/1", "", "answer: suspended"},
	} {
		t.Run(title, func(t *testing.T) {
			var seen []string
			s, err := New(Options{Violation: func(v string) { seen = append(seen, v) }})
			if err != nil {
				t.Fatal(err)
			}
			s.tokens["t"] = []string{"https://www.googleapis.com/auth/admin.directory.user"}
			s.users["1"] = map[string]any{"id": "1", "suspended": "no"}
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Header.Set("Authorization", "Bearer t")
			s.ServeHTTP(httptest.NewRecorder(), r)
			all := strings.Join(seen, "\n")
			if c.want == "" && all != "" && !strings.Contains(all, "answer") || c.want != "" && !strings.Contains(all, c.want) {
				t.Errorf("seen %q, want %q", all, c.want)
			}
		})
	}
}

// TestTokens: without a good token nothing is done, and a scope too few is told.
func TestTokens(t *testing.T) {
	s, err := New(Options{Groups: []string{"g@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	s.tokens["users"] = []string{"https://www.googleapis.com/auth/admin.directory.user"}
	for token, want := range map[string]int{"": http.StatusUnauthorized, "other": http.StatusUnauthorized, "users": http.StatusForbidden} {
		r := httptest.NewRequest("GET", "/admin/directory/v1/groups/g@example.com", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != want {
			t.Errorf("token %q: %d, want %d", token, w.Code, want)
		}
	}
}
