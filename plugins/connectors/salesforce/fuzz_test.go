package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// FuzzQuote reads literals back the way SOQL is documented: nothing in a text
// ends it.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "o'brien", `\`, `\'`, "' OR Id != '", "a\nb\t\"", `\\' OR '1'='1`} {
		f.Add(s)
	}
	escapes := map[byte]byte{'\\': '\\', '\'': '\'', '"': '"', 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := quote(s)
		inner, ok := strings.CutPrefix(quoted, "'")
		inner, ok2 := strings.CutSuffix(inner, "'")
		if !ok || !ok2 {
			t.Fatalf("%q is no literal", quoted)
		}
		var back strings.Builder
		for i := 0; i < len(inner); i++ {
			switch inner[i] {
			case '\'', '\n', '\r':
				t.Fatalf("%q ends or breaks inside", quoted)
			case '\\':
				i++
				if i == len(inner) || escapes[inner[i]] == 0 {
					t.Fatalf("%q has an escape that there is not", quoted)
				}
				back.WriteByte(escapes[inner[i]])
			default:
				back.WriteByte(inner[i])
			}
		}
		if back.String() != s {
			t.Errorf("%q came back as %q", s, back.String())
		}
	})
}

// FuzzAnswer reads refusals: the failure never claims success, never repeats a
// value, and its effect is one there is.
func FuzzAnswer(f *testing.F) {
	f.Add(400, []byte(`[{"errorCode":"DUPLICATE_USERNAME","message":"canary-value","fields":["Username"]}]`), true)
	f.Add(500, []byte(`{"errors":[{"statusCode":"X"}]}`), true)
	f.Add(300, []byte(`["/x"]`), true)
	f.Add(401, []byte(`[null,{"fields":[null]}]`), false)
	f.Fuzz(func(t *testing.T, status int, body []byte, write bool) {
		if status < 300 || status > 599 {
			return
		}
		c := &client{}
		resp := &sdkhttp.Response{Status: status, Header: http.Header{}, Body: body}
		cl := call{method: http.MethodGet, values: []string{"canary-value"}}
		effect := sdk.EffectNone
		if write {
			cl.method, effect = http.MethodPost, sdk.EffectUnknown
		}
		e := sdk.AsError(c.refused(cl, resp, effect, sdk.NewRedactor("canary-token")))
		if e.Kind == "" || e.Kind == sdk.KindPending || e.Effect == sdk.EffectApplied {
			t.Errorf("%d %q is %s with effect %s", status, body, e.Kind, e.Effect)
		}
		if strings.Contains(e.Error(), "canary-value") || strings.Contains(e.Error(), "canary-token") || !utf8.ValidString(e.Message) {
			t.Errorf("%q tells %q", body, e)
		}
		_ = sessionEnded(e)
	})
}

// FuzzRecord turns rows into accounts.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"Id":"005000000000001AAA","Username":"x","IsActive":true,"Title":null,"X__c":"y"}`), false)
	f.Add([]byte(`{"Id":"005000000000001AAA","FederationIdentifier":7,"IsActive":"true"}`), true)
	f.Fuzz(func(t *testing.T, body []byte, leave bool) {
		var r record
		if json.Unmarshal(body, &r) != nil {
			return
		}
		c := &client{owner: owner{external: "X__c", leave: leave}}
		a, err := c.account(r)
		if (err == nil) != (idOf(r.text("Id")) != "") || err == nil && idOf(a.ID) != a.ID {
			t.Errorf("%s: id %q, %v", body, a.ID, err)
		}
		for name, value := range a.Attributes {
			if _, ok := value.(string); !ok && value != nil {
				t.Errorf("%s is %v", name, value)
			}
		}
	})
}

// FuzzNewAccount completes records: what is derived fits, and the body has no
// value that was not given or derived.
func FuzzNewAccount(f *testing.F) {
	f.Add("Ada", "Lovelace", "ada@example.com")
	f.Add("", "🎉🎉🎉🎉🎉", "@")
	f.Add(" \n", "\xff", strings.Repeat("x", 99))
	f.Fuzz(func(t *testing.T, given, family, username string) {
		r, err := newRecord(sdk.Attributes{fieldFirstName: given, fieldLastName: family, fieldUsername: username}, nil)
		if err != nil {
			if e := sdk.AsError(err); e.Kind != sdk.KindInvalid || e.Field == "" {
				t.Errorf("%v", err)
			}
			return
		}
		r.complete(Config{TimeZone: "GMT"})
		nickname := r.text(fieldNickname)
		for text, limit := range map[string]int{r.text(fieldAlias): maxAlias, nickname: maxNickname, otherNickname(nickname, username): maxNickname} {
			if n := len(utf16.Encode([]rune(text))); n > limit || !utf8.ValidString(text) {
				t.Errorf("%q has %d units, %d are allowed", text, n, limit)
			}
		}
	})
}

// FuzzLimitInfo reads the header that every answer has.
func FuzzLimitInfo(f *testing.F) {
	f.Add("api-usage=18/5000")
	f.Add("per-app-api-usage=17/250(appName=x), api-usage=-1/0")
	f.Fuzz(func(t *testing.T, value string) {
		used, limit, ok := parseLimitInfo(value)
		if ok && (used < 0 || limit <= 0) {
			t.Errorf("%q is %d of %d", value, used, limit)
		}
	})
}
