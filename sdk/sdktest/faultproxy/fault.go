package faultproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Fault is what happens to one request; upstream passes it on.
type Fault func(w http.ResponseWriter, r *http.Request, upstream http.Handler)

// releasable ends the request's context when the proxy ends or stopped is closed,
// so that nothing hangs for longer. What was let go gets no answer.
func (p *Proxy) releasable(f Fault, stopped <-chan struct{}) Fault {
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		go func() {
			select {
			case <-p.done:
			case <-stopped:
			case <-ctx.Done():
				return
			}
			cancel(errReleased)
		}()
		f(w, r.WithContext(ctx), upstream)
		if errors.Is(context.Cause(ctx), errReleased) {
			panic(http.ErrAbortHandler)
		}
	}
}

var errReleased = errors.New("the fault is over")

// Pass lets the request through.
func Pass() Fault {
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) { upstream.ServeHTTP(w, r) }
}

// Delay waits and then lets the request through, unless the client leaves.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			upstream.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// Status answers instead of the upstream. The header may be nil.
func Status(code int, header http.Header, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// HTML answers with a page as a gateway shows it, whatever was asked for.
func HTML(code int) Fault {
	return Status(code, http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		"<!doctype html><title>Maintenance</title><h1>Please come back later</h1>")
}

// Huge answers with status code and a body of size bytes.
func Huge(code, size int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(code)
		chunk := make([]byte, 64<<10)
		for i := range chunk {
			chunk[i] = ' '
		}
		for ; size > 0; size -= len(chunk) {
			if _, err := w.Write(chunk[:min(size, len(chunk))]); err != nil {
				return
			}
		}
	}
}

// DropReply lets the upstream do the work and then closes the connection
// without an answer.
func DropReply() Fault {
	return func(_ http.ResponseWriter, r *http.Request, upstream http.Handler) {
		upstream.ServeHTTP(nowhere{}, r)
		panic(http.ErrAbortHandler)
	}
}

// nowhere takes an answer that nobody gets.
type nowhere http.Header

func (n nowhere) Header() http.Header         { return http.Header(n) }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// HangReply lets the upstream do the work and never answers.
func HangReply() Fault {
	return func(_ http.ResponseWriter, r *http.Request, upstream http.Handler) {
		upstream.ServeHTTP(nowhere{}, r)
		<-r.Context().Done()
	}
}

// Hang takes the request and never answers; the upstream does not see it.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		// Only once the body is read does the server notice that a client left.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
}

// Reset takes the request and resets the connection; the upstream does not see
// it.
func Reset() Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}
