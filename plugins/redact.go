package plugins

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	redacted = "***"
	// minSecret is the shortest secret that is looked for: anything shorter would
	// take ordinary words apart.
	minSecret = 4
	// minEncoded is the shortest encoded form that is looked for.
	minEncoded = 8
)

// redactor takes the secrets of the open connections out of texts. It may be
// used by many goroutines.
type redactor struct {
	mu       sync.Mutex
	secrets  map[any][]string
	replacer atomic.Pointer[strings.Replacer]
}

// add makes the owner's secrets known; remove forgets them.
func (r *redactor) add(owner any, secrets map[string]sdk.Secret) {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, formsOf(s.Reveal())...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secrets == nil {
		r.secrets = map[any][]string{}
	}
	r.secrets[owner] = forms
	r.rebuild()
}

func (r *redactor) remove(owner any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.secrets, owner)
	r.rebuild()
}

// rebuild prepares the replacement; longer forms go first, since a shorter one
// may be part of them.
func (r *redactor) rebuild() {
	var all []string
	for _, forms := range r.secrets {
		all = append(all, forms...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(all))
	for _, s := range slices.Compact(all) {
		pairs = append(pairs, s, redacted)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// redact replaces every known secret in text, in any form it usually takes.
func (r *redactor) redact(text string) string {
	replacer := r.replacer.Load()
	if replacer == nil {
		return text
	}
	return replacer.Replace(text)
}

// formsOf returns the forms in which a secret may show up: as it is, line by line
// (a key of several lines reaches a log like that), escaped for JSON and for
// URLs, and in base64 whatever comes before it ("user:" of a basic
// authorization, say).
func formsOf(secret string) []string {
	if len(secret) < minSecret {
		return nil
	}
	escaped, _ := json.Marshal(secret) // a string always marshals
	forms := []string{secret, strings.Trim(string(escaped), `"`), url.QueryEscape(secret), url.PathEscape(secret)}
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= minEncoded {
			forms = append(forms, line)
		}
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			if form := base64Within(enc, secret, offset); len(form) >= minEncoded {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// base64Within returns the characters that encode nothing but the secret when
// offset bytes (modulo 3) come before it and anything after.
func base64Within(enc *base64.Encoding, secret string, offset int) string {
	text := enc.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
	start := (offset*8 + 5) / 6 // the first character without a bit of what comes before
	end := (offset + len(secret)) * 8 / 6
	return text[start:max(start, end)]
}
