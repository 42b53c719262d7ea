package scim2

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
)

// FuzzEquals shows that a value cannot leave its quotes: the filter is the key,
// eq, and one JSON string that decodes to the value.
func FuzzEquals(f *testing.F) {
	for _, v := range []string{"ada", `"`, `\`, `\"`, `a" or userName pr or "`, "\u2028<>&", "\x00\n", "日本", "a\xffb"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		filter := equals("userName", value)
		literal, ok := strings.CutPrefix(filter, "userName eq ")
		if !ok {
			t.Fatalf("filter %q", filter)
		}
		var back string
		if err := json.Unmarshal([]byte(literal), &back); err != nil {
			t.Fatalf("literal %q: %v", literal, err)
		}
		if utf8.ValidString(value) && back != value {
			t.Errorf("%q came back as %q", value, back)
		}
		inside := strings.NewReplacer(`\\`, "", `\"`, "").Replace(literal)
		if strings.Count(inside, `"`) != 2 {
			t.Errorf("literal %q has more than its two quotes", literal)
		}
	})
}

// FuzzAnswer feeds error bodies: the message stays short, on one line, and never
// shows the secret.
func FuzzAnswer(f *testing.F) {
	f.Add(400, []byte(`{"status":"400","scimType":"uniqueness","detail":"userName canary-token"}`), "user's value")
	f.Add(400, []byte(`{"status":400,"scimType":7,"detail":{}}`), "")
	f.Add(503, []byte("<html>\r\n"), "x")
	f.Add(409, []byte(nil), "")
	f.Add(400, []byte(`{"detail":"`+strings.Repeat("é", 500)+`"}`), "é")
	h := sdk.NewRedactor("canary-token")
	f.Fuzz(func(t *testing.T, status int, body []byte, value string) {
		a := parseAnswer(status, body)
		kind := kindOf(a)
		if kind == "" || kind == sdk.KindInternal || kind == sdk.KindOutcomeUnknown {
			t.Errorf("kind %q of %d", kind, status)
		}
		if len(a.scimType) > 40 || !printable(a.scimType) {
			t.Errorf("scimType %q", a.scimType)
		}
		text := h.Excerpt(a.detail, value)
		bad := strings.ContainsFunc(text, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) || unicode.IsControl(r) })
		if bad || strings.Contains(text, "canary-token") || len(text) > 300+len("…") || !utf8.ValidString(text) {
			t.Errorf("text %q", text)
		}
	})
}

// FuzzResource applies changes to whatever a server returns: it never panics,
// leaves the original alone, and what was set can be read.
func FuzzResource(f *testing.F) {
	f.Add([]byte(`{"id":"1","emails":["x"],"name":7,"active":"true","phoneNumbers":[{"type":"work"}]}`), "v")
	f.Add([]byte(`{"id":"1","EMAILS":[{"value":"a","primary":true}],"Name":{"GIVENNAME":"b"}}`), "v")
	f.Add([]byte(`{"emails":[null,{"type":null,"value":7}]}`), "v")
	f.Add([]byte(`{"name":{},"Name":{}}`), "v")
	f.Fuzz(func(t *testing.T, body []byte, value string) {
		r, err := decodeResource(body)
		if err != nil || r == nil || value == "" {
			return
		}
		before, err := json.Marshal(r)
		if err != nil {
			t.Skip("not encodable")
		}
		set := sdk.Attributes{}
		for _, a := range attributes() {
			set[a.name()] = value
		}
		c, err := newChange(set, nil)
		if err != nil {
			t.Fatal(err)
		}
		next := r.forReplace()
		next.apply(c)
		for name := range set {
			if got := next.account().Attributes.String(name); got != value {
				t.Errorf("%s = %q after setting it to %q", name, got, value)
			}
		}
		next.apply(change{remove: attributes()})
		if len(operationsOn(r, c)) == 0 {
			t.Error("no operations")
		}
		if after, _ := json.Marshal(r); string(after) != string(before) {
			t.Errorf("the original changed from %s to %s", before, after)
		}
	})
}

// FuzzList decodes lists: it never panics and never counts below zero.
func FuzzList(f *testing.F) {
	f.Add([]byte(`{"totalResults":1,"Resources":[{"id":"1"}]}`))
	f.Add([]byte(`{"totalResults":-1,"Resources":null}`))
	f.Add([]byte(`{"totalResults":1e99,"Resources":[]}`))
	f.Add([]byte(`{"Resources":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := decodeList(body)
		if err == nil && l.total < 0 {
			t.Errorf("total %d", l.total)
		}
		for _, r := range l.resources {
			_ = r.account()
		}
	})
}

// FuzzProvider feeds descriptions of servers: whatever one says, what it does not
// plainly deny is tried.
func FuzzProvider(f *testing.F) {
	for _, body := range []string{`{"patch":{"supported":false},"etag":{"supported":"true"}}`, `{"Resources":[{"patch":{"supported":0}}]}`, `[]`, `{"patch":[]}`, "<html>"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p := parseProvider(body)
		denies := strings.Contains(strings.ToLower(string(body)), "false") || strings.ContainsAny(string(body), `0\`)
		if (refuses(p.patch) || refuses(p.etag) || refuses(p.filter)) && !denies {
			t.Errorf("%q was read as a refusal", body)
		}
	})
}
