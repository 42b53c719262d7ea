package sdk

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const (
	// minSecret is the shortest secret whose forms are looked for: anything shorter
	// would take ordinary words apart.
	minSecret = 4
	// minEncoded is the shortest encoded form that is looked for.
	minEncoded = 8
	// maxExcerpt is how much of a target's text is told, in bytes.
	maxExcerpt = 300
)

// Forms returns the texts in which the secret may show up, for whoever takes
// secrets out of texts: as it is, line by line (a key of several lines reaches a
// log like that), escaped for JSON and for URLs, and in base64 whatever comes
// before it ("user:" of a basic authorization, say). A secret under four bytes
// has none.
func (s Secret) Forms() []string {
	secret := s.Reveal()
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

// Redactor makes texts of a target fit for an admin: without secrets, and
// without the user's values. The zero Redactor knows no secrets.
type Redactor struct {
	replacer *strings.Replacer
	longest  int // bytes of the longest form
}

// NewRedactor returns a Redactor that takes out these secrets in every form of
// [Secret.Forms].
func NewRedactor(secrets ...Secret) Redactor {
	var forms []string
	for _, s := range secrets {
		if s != "" {
			forms = append(forms, s.Reveal())
		}
		forms = append(forms, s.Forms()...)
	}
	// A shorter form may be part of a longer one, which must go first.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var r Redactor
	var pairs []string
	for _, form := range slices.Compact(forms) {
		r.longest = max(r.longest, len(form))
		pairs = append(pairs, form, redacted)
	}
	if pairs != nil {
		r.replacer = strings.NewReplacer(pairs...)
	}
	return r
}

// Redact replaces secrets by "***", and the given values of a user, if longer
// than one byte, by "…".
func (r Redactor) Redact(text string, values ...string) string {
	if r.replacer != nil {
		text = r.replacer.Replace(text)
	}
	// A shorter value may be part of a longer one, which must go first.
	longest := func(a, b string) int { return cmp.Compare(len(b), len(a)) }
	for _, v := range slices.SortedStableFunc(slices.Values(values), longest) {
		if len(v) > 1 {
			text = strings.ReplaceAll(text, v, "…")
		}
	}
	return text
}

// Excerpt redacts a text and makes one line of at most 300 bytes of it, without
// control characters.
func (r Redactor) Excerpt(text string, values ...string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case !unicode.IsPrint(c):
			return -1
		}
		return c
	}, r.Redact(text, values...))
	// What was taken out may have stood in the middle of a secret.
	if text = strings.TrimSpace(r.Redact(text, values...)); len(text) > maxExcerpt {
		text = strings.ToValidUTF8(text[:maxExcerpt], "") + "…"
	}
	return text
}

// reach is how many bytes at the end of a text that was cut may be part of
// something to take out.
func (r Redactor) reach(values []string) int {
	n := r.longest
	for _, v := range values {
		n = max(n, len(v))
	}
	return n
}
