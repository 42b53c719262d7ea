package sdk

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSecretForms(t *testing.T) {
	const key = "-----BEGIN KEY-----\nMIIEvQIBADANBg/kqh+kiG9w0\n-----END KEY-----\n"
	r := NewRedactor(key, "hunter2/hunter2", "hunter2/hunter2-and-more", "", "x")
	quoted, _ := json.Marshal(key)
	for name, leak := range map[string]string{
		"plain":       "hunter2/hunter2",
		"longer":      "hunter2/hunter2-and-more",
		"query":       url.QueryEscape("hunter2/hunter2"),
		"path":        url.PathEscape("hunter2/hunter2"),
		"json":        strings.Trim(string(quoted), `"`),
		"line of key": "MIIEvQIBADANBg/kqh+kiG9w0",
		"short":       "x",
	} {
		if got := r.Redact("before " + leak + " after"); got != "before *** after" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, before := range []string{"", "a", "ab", "user:"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(before + "hunter2/hunter2" + "!"))
		if got := r.Redact(encoded); !strings.Contains(got, redacted) || len(got) > len(encoded)/2+len(redacted) {
			t.Errorf("base64 behind %q: %q of %q", before, got, encoded)
		}
	}
	if forms := Secret("abc").Forms(); forms != nil {
		t.Errorf("a secret too short to look for has the forms %q", forms)
	}
}

// TestBase64FormsProperty hides a secret in base64 behind any prefix.
func TestBase64FormsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringN(minEncoded, 60, -1).Draw(t, "secret")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		r := NewRedactor(Secret(secret))
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			middle := base64Within(enc.WithPadding(base64.NoPadding), secret, len(before)%3)
			encoded := enc.EncodeToString([]byte(before + secret + after))
			if got := r.Redact(encoded); len(middle) >= minEncoded && strings.Contains(got, middle) {
				t.Fatalf("base64 of the secret, %q, in %q", middle, got)
			}
		}
	})
}

func TestFromResponseTellsWhatTheTargetSaid(t *testing.T) {
	r := NewRedactor("hunter2-hunter2")
	for name, test := range map[string]struct{ kind, body, want string }{
		"text":           {"text/plain", "no such\r\nuser\x00 ada@example.com", "the target answered 404 Not Found: no such  user …"},
		"secret":         {"application/json", `{"detail":"bad token hunter2-hunter2"}`, `the target answered 404 Not Found: {"detail":"bad token ***"}`},
		"split secret":   {"text/plain", "hunter2-\x00hunter2", "the target answered 404 Not Found: ***"},
		"page":           {"text/html; charset=utf-8", "nginx", "the target answered 404 Not Found"},
		"page by itself": {"", " <html>", "the target answered 404 Not Found"},
		"nothing":        {"", "", "the target answered 404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := &http.Response{
				StatusCode: 404, Header: http.Header{"Content-Type": {test.kind}}, Body: io.NopCloser(strings.NewReader(test.body)),
			}
			e := FromResponse(resp, r, "ada@example.com")
			if e.Message != test.want || e.Kind != KindNotFound || e.Effect != EffectNone {
				t.Errorf("%s, effect %s, %q; want %q", e.Kind, e.Effect, e.Message, test.want)
			}
		})
	}
	broken := &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"9"}}, Body: io.NopCloser(brokenReader{})}
	if e := FromResponse(broken, Redactor{}); e.Kind != KindTransient || e.RetryAfter.Seconds() != 9 {
		t.Errorf("a broken body: %+v", e)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

// FuzzFromAnswer feeds bodies with a secret and a user's value anywhere, cut
// anywhere: the message is one short line without them.
func FuzzFromAnswer(f *testing.F) {
	f.Add("before ", 3, 500)
	f.Add("\x00", maxErrorBody-5, 400)
	f.Add("ada@example.com", maxErrorBody-20, 429)
	r := NewRedactor("hunter2-hunter2")
	f.Fuzz(func(t *testing.T, before string, repeat, status int) {
		if len(before) == 0 || repeat < 0 {
			t.Skip("nothing to repeat")
		}
		body := strings.Repeat(before, min(repeat, 2*maxErrorBody)/len(before)) + "hunter2-hunter2ada@example.com"
		text := FromAnswer(status, nil, []byte(body), r, "ada@example.com").Message
		bad := strings.ContainsFunc(text, func(c rune) bool { return c != ' ' && !unicode.IsPrint(c) })
		if bad || !utf8.ValidString(text) || len(text) > maxExcerpt+100 {
			t.Errorf("message of %d bytes: %q", len(text), text)
		}
		if strings.Contains(text, "hunter2-h") || strings.Contains(text, "ada@example") && !strings.Contains(before, "ada@ex") {
			t.Errorf("a secret or a value is in %q", text)
		}
	})
}

// A login is often the beginning of an address.
func TestRedactTakesTheLongerValueFirst(t *testing.T) {
	for _, values := range [][]string{{"ada", "ada@example.com"}, {"ada@example.com", "ada"}} {
		if got := NewRedactor().Redact("ada@example.com is taken", values...); got != "… is taken" {
			t.Errorf("%v: %q", values, got)
		}
	}
}
