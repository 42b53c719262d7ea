package plugins

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/sdk"
)

// base64Middle is what the token's base64 form has in common wherever it stands
// after "user:": what encodes neither the prefix nor what follows.
func base64Middle() string {
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + token))
	return encoded[len("user:")*8/6+1 : (len("user:")+len(token))*8/6]
}

func TestRedactForms(t *testing.T) {
	const key = "-----BEGIN KEY-----\nMIIEvQIBADANBg/kqh+kiG9w0\n-----END KEY-----\n"
	var r redactor
	r.add("a", map[string]sdk.Secret{"token": token, "key": key, "pin": "123", "longer": token + "-and-more"})
	quoted, _ := json.Marshal(key)
	leaks := map[string]string{
		"plain":       token,
		"longer":      token + "-and-more",
		"query":       url.QueryEscape(token),
		"path":        url.PathEscape(token),
		"json":        string(quoted),
		"line of key": "MIIEvQIBADANBg/kqh+kiG9w0",
	}
	for name, leak := range leaks {
		if got := r.redact("before " + leak + " after"); strings.Contains(got, strings.Trim(leak, `"`)) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := r.redact("x" + token + "-and-more"); got != "x***" {
		t.Errorf("the longer secret was cut: %q", got)
	}
	if got := r.redact("code 123"); got != "code 123" {
		t.Errorf("a secret too short to look for: %q", got)
	}
	r.remove("a")
	if got := r.redact(token); got != token {
		t.Errorf("after remove: %q", got)
	}
}

// TestRedactProperty hides any secret of some length in any text.
func TestRedactProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringN(8, 60, -1).Draw(t, "secret")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		var r redactor
		r.add("a", map[string]sdk.Secret{"s": sdk.Secret(secret)})
		if got := r.redact(before + secret + after); strings.Count(got, secret) > strings.Count(before+redacted+after, secret) {
			t.Fatalf("secret in %q", got)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("hunter2hunter2", "token=hunter2hunter2")
	f.Add("a\nb\nc\nd", "\\n")
	f.Fuzz(func(t *testing.T, secret, text string) {
		var r redactor
		r.add("a", map[string]sdk.Secret{"s": sdk.Secret(secret)})
		got := r.redact(text + secret)
		if len(secret) >= 4 && got == text+secret && secret != redacted {
			t.Errorf("nothing was taken out of %q for %q", text+secret, secret)
		}
	})
}
