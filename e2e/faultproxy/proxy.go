package faultproxy

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
)

// Proxy forwards to one upstream. Its methods may be called concurrently.
type Proxy struct {
	// URL stands for the upstream address the proxy was started with, including
	// its path.
	URL string

	base string // path of the upstream address
	done chan struct{}

	mu       sync.Mutex
	scripts  []*script
	requests []Request
}

// Request is one request the proxy got.
type Request struct {
	Method string
	Path   string // below the upstream address's path, such as /Users/7
	Query  string // raw
}

// script is what happens to the next requests that match.
type script struct {
	method, pattern string
	faults          []Fault
}

// Start runs a proxy in front of upstream until the test ends.
func Start(t testing.TB, upstream string) *Proxy {
	t.Helper()
	target, err := url.Parse(upstream)
	if err != nil || target.Host == "" {
		t.Fatalf("start fault proxy: %q is no address", upstream)
	}
	p := &Proxy{base: strings.TrimRight(target.Path, "/"), done: make(chan struct{})}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
		},
		Transport: &http.Transport{DisableCompression: true},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.take(r)(w, r, forward)
	}))
	p.URL = server.URL + p.base
	t.Cleanup(func() {
		close(p.done) // lets hanging requests go, which Close waits for
		server.Close()
		forward.Transport.(*http.Transport).CloseIdleConnections()
	})
	return p
}

// Script makes the next len(faults) requests that match method and pattern
// suffer the faults, in order; then such requests pass again. The pattern is one
// of [path.Match] for the path below the upstream address: "/Users/*". Scripts
// are tried in the order they were added.
func (p *Proxy) Script(method, pattern string, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, &script{method, pattern, faults})
}

// take records the request and returns what is to happen to it.
func (p *Proxy) take(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	req := Request{r.Method, strings.TrimPrefix(r.URL.Path, p.base), r.URL.RawQuery}
	p.requests = append(p.requests, req)
	for _, s := range p.scripts {
		if len(s.faults) > 0 && req.matches(s.method, s.pattern) {
			fault := s.faults[0]
			s.faults = s.faults[1:]
			return p.releasable(fault)
		}
	}
	return Pass()
}

// Requests returns what was requested so far, in the order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Count tells how many requests matched method and pattern (see [Proxy.Script]).
func (p *Proxy) Count(method, pattern string) int {
	n := 0
	for _, r := range p.Requests() {
		if r.matches(method, pattern) {
			n++
		}
	}
	return n
}

// Writes counts the requests that could change the upstream.
func (p *Proxy) Writes() int {
	n := 0
	for _, r := range p.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
			n++
		}
	}
	return n
}

func (r Request) matches(method, pattern string) bool {
	ok, err := path.Match(pattern, r.Path)
	return err == nil && ok && r.Method == method
}
