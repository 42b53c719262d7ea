package console

import (
	"bytes"
	"io"
	"net/http"
)

// Inside is a transport that asks this process's own handler: the server may not be
// able to reach itself by the address that browsers reach it by.
type Inside struct {
	// Handler returns what answers; it is asked at each request, since the handler that
	// the console is part of is made after it.
	Handler func() http.Handler
}

// RoundTrip implements http.RoundTripper.
func (i Inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	answer := &recorded{header: http.Header{}, status: http.StatusOK}
	i.Handler().ServeHTTP(answer, in)
	return &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// recorded is a response that is kept.
type recorded struct {
	header  http.Header
	body    bytes.Buffer
	status  int
	written bool
}

// Header implements http.ResponseWriter.
func (a *recorded) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *recorded) WriteHeader(status int) {
	if !a.written {
		a.status, a.written = status, true
	}
}

// Write implements http.ResponseWriter.
func (a *recorded) Write(b []byte) (int, error) {
	a.written = true
	return a.body.Write(b)
}
