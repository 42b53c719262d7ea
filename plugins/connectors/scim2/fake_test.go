package scim2_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
)

// fake is a server whose answers a test writes down, for the quirks that no
// server at hand has. A request nobody expected fails the test.
type fake struct {
	t   *testing.T
	URL string

	mu      sync.Mutex
	answers map[string][]answer // by "METHOD path"
	got     []request
}

type answer struct {
	status int
	header map[string]string
	body   string
}

type request struct {
	line   string // "METHOD path?query"
	header http.Header
	raw    string
	body   map[string]any // raw, decoded
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, answers: map[string][]answer{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.URL = s.URL + "/scim"
	return f
}

// answer queues an answer for "METHOD /path" below the base; the last one stays.
func (f *fake) answer(line string, a answer) *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[line] = append(f.answers[line], a)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/scim")
	req := request{line: r.Method + " " + path, header: r.Header, raw: string(body)}
	line := req.line
	if r.URL.RawQuery != "" {
		req.line += "?" + r.URL.RawQuery
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &req.body); err != nil {
			f.t.Errorf("%s: body %q: %v", line, body, err)
		}
	}
	if filter := r.URL.Query().Get("filter"); filter != "" && len(f.answers[line]) == 0 {
		line += "?" + url.Values{"filter": {filter}}.Encode()
	}
	queue := f.answers[line]
	if len(queue) == 0 && strings.HasPrefix(path, "/ServiceProviderConfig") {
		w.WriteHeader(http.StatusNotFound) // most tests do not care for it
		return
	}
	f.got = append(f.got, req)
	if len(queue) == 0 {
		f.t.Errorf("unexpected request %s", req.line)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if len(queue) > 1 {
		f.answers[line] = queue[1:]
	}
	for name, value := range queue[0].header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(queue[0].status)
	_, _ = io.WriteString(w, queue[0].body)
}

// lines returns the requests so far.
func (f *fake) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.got {
		out = append(out, r.line)
	}
	return out
}

func (f *fake) last() request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got[len(f.got)-1]
}

func (f *fake) open(update string) *scim2.Target {
	return open(f.t, scim2.Config{BaseURL: f.URL, Update: update})
}

// user is the JSON of an account; more is further members.
func user(id, userName string, more ...string) string {
	members := append([]string{fmt.Sprintf(`"id":%q,"userName":%q`, id, userName)}, more...)
	return "{" + strings.Join(members, ",") + "}"
}

func list(total int, users ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":%d,"Resources":[%s]}`,
		total, strings.Join(users, ","))
}

func scimError(scimType, detail string) string {
	b, _ := json.Marshal(map[string]string{"scimType": scimType, "detail": detail})
	return string(b)
}
