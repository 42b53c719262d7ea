package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// KnownBrowsers tells browsers that a login signed in from before from all others:
// a signed cookie holds one mark for each login, bound to the browser's key (OWASP,
// "Slow Down Online Guessing Attacks with Device Cookies"). A mark proves nothing
// about who is there. It only keeps the guesses of strangers from being counted
// against the owner.
type KnownBrowsers struct {
	// Key signs the marks. Without one no browser is known.
	Key     []byte
	Cookies Cookies
	Now     func() time.Time
}

const (
	// maxMarks is how many logins a browser is known to; the oldest goes first.
	maxMarks    = 5
	maxMarkAge  = browserAge * time.Second
	markBytes   = 8 + sha256.Size
	markSize    = (markBytes*4 + 2) / 3 // in base64
	markDivider = "."
)

// Knows returns the name under which the guesses of this browser at the login are
// counted, "" if the login never signed in from it.
func (k KnownBrowsers) Knows(r *http.Request, loginNorm string) string {
	b, ok := k.Cookies.Browser(r)
	if !ok || len(k.Key) == 0 {
		return ""
	}
	for _, mark := range k.marks(r) {
		if k.valid(b, loginNorm, mark) {
			return base64.RawURLEncoding.EncodeToString(b.Hash())
		}
	}
	return ""
}

// Remember makes the browser known to the login, which has just signed in from it.
func (k KnownBrowsers) Remember(w http.ResponseWriter, r *http.Request, loginNorm string) {
	b, ok := k.Cookies.Browser(r)
	if !ok || len(k.Key) == 0 {
		return
	}
	marks := []string{k.mark(b, loginNorm, k.Now())}
	for _, mark := range k.marks(r) {
		if !k.valid(b, loginNorm, mark) && len(marks) < maxMarks {
			marks = append(marks, mark)
		}
	}
	http.SetCookie(w, k.Cookies.cookie(k.Cookies.knownName, strings.Join(marks, markDivider), browserAge))
}

func (k KnownBrowsers) mark(b Browser, loginNorm string, at time.Time) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(raw, k.sum(b, loginNorm, raw)...))
}

func (k KnownBrowsers) sum(b Browser, loginNorm string, at []byte) []byte {
	mac := hmac.New(sha256.New, k.Key)
	_, _ = fmt.Fprintf(mac, "known:%x:%x:%s", b.Hash(), at, loginNorm)
	return mac.Sum(nil)
}

func (k KnownBrowsers) valid(b Browser, loginNorm, mark string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(mark)
	if err != nil || len(raw) != markBytes {
		return false
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(raw)), 0)
	return hmac.Equal(raw[8:], k.sum(b, loginNorm, raw[:8])) && k.Now().Sub(at) < maxMarkAge
}

// marks returns what has the shape of our marks. Two cookies of the name mean that
// somebody planted one: none counts.
func (k KnownBrowsers) marks(r *http.Request) []string {
	found := r.CookiesNamed(k.Cookies.knownName)
	if len(found) != 1 || len(found[0].Value) > maxMarks*(markSize+1) {
		return nil
	}
	return strings.Split(found[0].Value, markDivider)
}
