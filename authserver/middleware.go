package authserver

import (
	"context"
	"crypto/rand"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

type requestIDKey struct{}

// RequestID returns the id of the request in ctx, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID gives each request an id of our own: a client's would let it
// forge log lines.
func (o Options) withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// maxBody is far more than any request of ours needs; endpoints ask for less.
const maxBody = 1 << 20

// hardened bounds what a request may send, and tells browsers to stay with HTTPS.
func (o Options) hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if o.HTTPS {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// logged writes one line per request, and counts it. The path only: a query holds
// codes.
func (o Options) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		if o.Requests != nil {
			o.Requests.Request(route(r), rec.status, time.Since(start))
		}
		o.Log.DebugContext(r.Context(), "request", "request_id", RequestID(r.Context()), "method", r.Method,
			"path", r.URL.Path, "status", rec.status, "took", time.Since(start))
	})
}

// route returns the pattern of a request that was served. All of ours have a
// method; without one it is a path the mux made up to redirect to.
func route(r *http.Request) string {
	if !strings.Contains(r.Pattern, " ") {
		return ""
	}
	return r.Pattern
}

// recovered turns a panic into an opaque page. http.ErrAbortHandler keeps its
// meaning.
func (o Options) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // the value net/http panics with
				panic(cause)
			}
			o.Log.ErrorContext(r.Context(), "handler panicked", "request_id", RequestID(r.Context()), "path", r.URL.Path,
				"panic", cause, "stack", string(debug.Stack()))
			if rec, ok := w.(*recorder); !ok || !rec.wrote {
				o.Panicked(w, r)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status. Unwrap keeps flushing and deadlines working.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes that the response has begun.
func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
