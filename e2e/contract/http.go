package contract

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// HTTPLink is a Link over a reverse proxy.
type HTTPLink struct {
	*faultproxy.Proxy
	op func(faultproxy.Request) Op
}

// NewHTTPLink runs a proxy in front of address until the test ends. The function
// tells what a request does.
func NewHTTPLink(t *testing.T, address string, op func(faultproxy.Request) Op) *HTTPLink {
	t.Helper()
	return &HTTPLink{faultproxy.Start(t, address), op}
}

// Count implements Link.
func (l *HTTPLink) Count(op Op) int {
	n := 0
	for _, r := range l.Requests() {
		if l.op(r)&op != 0 {
			n++
		}
	}
	return n
}

// Script implements Link.
func (l *HTTPLink) Script(op Op, faults ...Fault) {
	var list []faultproxy.Fault
	for _, f := range faults {
		list = append(list, httpFault(f))
	}
	l.ScriptMatching(l.matching(op), list...)
}

// Always implements Link.
func (l *HTTPLink) Always(op Op, f Fault) (stop func()) {
	return l.Proxy.Always(l.matching(op), httpFault(f))
}

func (l *HTTPLink) matching(op Op) func(faultproxy.Request) bool {
	return func(r faultproxy.Request) bool { return l.op(r)&op != 0 }
}

// hugeBody is more, in bytes, than any connector should read of an answer.
const hugeBody = 12 << 20

func httpFault(f Fault) faultproxy.Fault {
	json := http.Header{"Content-Type": {"application/json"}}
	switch f {
	case RateLimited:
		return faultproxy.Status(http.StatusTooManyRequests, http.Header{"Retry-After": {strconv.Itoa(RetryAfter)}}, "")
	case RateLimitedDate:
		return retryAtDate
	case Unavailable:
		return faultproxy.Status(http.StatusServiceUnavailable, nil, "")
	case Unauthorized:
		return faultproxy.Status(http.StatusUnauthorized, json, "{}")
	case Hang:
		return faultproxy.Hang()
	case Lost:
		return faultproxy.DropReply()
	case Reset:
		return faultproxy.Reset()
	case Malformed:
		return faultproxy.Status(http.StatusOK, json, `{"id": "1", "Resources": [{"id"`)
	case HTML:
		return faultproxy.HTML(http.StatusOK)
	case Huge:
		return huge
	case Echo:
		return echo
	}
	panic(fmt.Sprintf("no such fault: %q", f))
}

// huge says in the words of several protocols that nobody was found, or somebody
// made, and is only too large.
func huge(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id": "1", "success": true, "totalResults": 0, "Resources": [], "totalSize": 0, "done": true, "records": []%s}`,
		strings.Repeat(" ", hugeBody))
}

func retryAtDate(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	now := time.Now().UTC()
	w.Header().Set("Date", now.Format(http.TimeFormat))
	w.Header().Set("Retry-After", now.Add(RetryAfter*time.Second).Format(http.TimeFormat))
	w.WriteHeader(http.StatusTooManyRequests)
}

// echo refuses a request in the words of many protocols and quotes all of it.
func echo(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	body, _ := io.ReadAll(r.Body)
	text := strconv.Quote(fmt.Sprintf("cannot do %s %s with %v: %s", r.Method, r.URL, r.Header, body))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, `{"detail": %s, "message": %[1]s, "error_description": %[1]s, "error": {"message": %[1]s}}`, text)
}
