package web

import (
	"net/http"
	"strconv"
	"time"
)

// FormTarget says where the forms of a page may lead.
type FormTarget int

const (
	// FormsStay is for pages whose forms end on this server.
	FormsStay FormTarget = iota
	// FormsLeave is for pages whose forms end at an application: a sign-in posts to
	// us and is redirected on to the application's callback, and from there to
	// wherever it likes. Browsers hold form-action against every step of that
	// chain, not only the first, and we know at most the second. So the directive
	// is left out; the token in each form and the escaping of the templates do its
	// work.
	FormsLeave
)

// contentPolicy allows our own style sheet, script and status stream, nothing
// else: no inline code, no frames around us.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

// RetryAfter says in a header when to come back (RFC 9110, section 10.2.3), and
// returns the same in seconds for the page: more than the wait, never less.
func RetryAfter(w http.ResponseWriter, wait time.Duration) (seconds int) {
	seconds = int(wait.Seconds()) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return seconds
}

// JSON answers a page's script.
func JSON(w http.ResponseWriter, body []byte) {
	SecureHeaders(w, FormsStay)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the browser may be gone
}

// SecureHeaders sets the headers every page has.
func SecureHeaders(w http.ResponseWriter, forms FormTarget) {
	policy := contentPolicy
	if forms != FormsLeave {
		policy += "; form-action 'self'"
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
