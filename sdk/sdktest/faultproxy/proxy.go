package faultproxy

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
)

// Proxy forwards to one upstream. Its methods may be called concurrently.
type Proxy struct {
	// URL stands for the upstream address the proxy was started with, including
	// its path.
	URL string

	base    string // path of the upstream address
	server  *http.Server
	forward *httputil.ReverseProxy
	done    chan struct{} // closed when the proxy ends

	mu       sync.Mutex
	scripts  []*script
	requests []Request
	open     int           // requests in flight
	closed   bool          // no request begins any more
	changed  chan struct{} // closed and renewed whenever requests or open change
}

// Request is one request the proxy got.
type Request struct {
	Method string
	Path   string // below the upstream address's path, such as /Users/7
	Query  string // raw
	Header http.Header
}

// Writes reports whether the request could change the upstream.
func (r Request) Writes() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// script is what happens to requests that match: to the next ones, a fault each,
// or to all of them while it stands.
type script struct {
	match  func(Request) bool
	faults []Fault
	always bool          // the one fault is never used up
	done   chan struct{} // closed when the script is taken away; nil for one that is used up
}

// TB is the part of testing.TB that [Start] needs, so that the package does not
// link testing.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a proxy in front of upstream until the test ends.
func Start(t TB, upstream string) *Proxy {
	t.Helper()
	p, err := New(upstream)
	if err != nil {
		t.Fatalf("start fault proxy: %v", err)
		return nil
	}
	t.Cleanup(p.Close)
	return p
}

// New runs a proxy in front of upstream, an absolute address, on a free port of
// the loopback interface until Close.
func New(upstream string) (*Proxy, error) {
	target, err := url.Parse(upstream)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("%q is no absolute address", upstream)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	p := &Proxy{base: strings.TrimRight(target.Path, "/"), done: make(chan struct{}), changed: make(chan struct{})}
	p.URL = "http://" + listener.Addr().String() + p.base
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
			r.SetXForwarded() // for a target that tells its own address
		},
		Transport: &http.Transport{DisableCompression: true, Proxy: http.ProxyFromEnvironment},
		ErrorLog:  quiet,
	}
	p.server = &http.Server{Handler: p, ErrorLog: quiet}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// Close lets hanging requests go and ends the proxy.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.done)
	_ = p.server.Close()
	_ = p.AwaitIdle(context.Background())
	p.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// ServeHTTP takes one request; see [Proxy.Script].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := p.take(r)
	defer p.leave()
	fault(w, r, http.HandlerFunc(p.pass))
}

// pass lets the request through. An upstream may answer before it has read all of
// the request; the server would then swallow what the forwarder still has to send.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex() // not every writer has a connection
	p.forward.ServeHTTP(w, r)
}

// Script makes the next len(faults) requests that match method and pattern
// suffer the faults, in order; then such requests pass again. The pattern is one
// of [path.Match] for the path below the upstream address: "/Users/*". Scripts
// are tried in the order they were added.
func (p *Proxy) Script(method, pattern string, faults ...Fault) {
	p.ScriptMatching(func(r Request) bool { return r.matches(method, pattern) }, faults...)
}

// ScriptMatching is [Proxy.Script] for the requests that match accepts.
func (p *Proxy) ScriptMatching(match func(Request) bool, faults ...Fault) {
	p.add(&script{match: match, faults: faults})
}

// Always makes every request that match accepts suffer the fault, until stop is
// called. It comes after the scripts that were added before. stop, which is called
// once, lets go of the requests that still suffer, without an answer.
func (p *Proxy) Always(match func(Request) bool, f Fault) (stop func()) {
	s := &script{match: match, faults: []Fault{f}, always: true, done: make(chan struct{})}
	p.add(s)
	return func() {
		close(s.done)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.scripts = slices.DeleteFunc(p.scripts, func(have *script) bool { return have == s })
	}
}

func (p *Proxy) add(s *script) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, s)
}

// take records the request and returns what is to happen to it; leave follows. A
// request that arrives while the proxy ends gets no answer.
func (p *Proxy) take(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		panic(http.ErrAbortHandler)
	}
	req := Request{r.Method, strings.TrimPrefix(r.URL.Path, p.base), r.URL.RawQuery, r.Header.Clone()}
	p.requests = append(p.requests, req)
	p.open++
	p.signal()
	for _, s := range p.scripts {
		if len(s.faults) == 0 || !s.match(req) {
			continue
		}
		fault := s.faults[0]
		if !s.always {
			s.faults = s.faults[1:]
		}
		return p.releasable(fault, s.done)
	}
	return Pass()
}

func (p *Proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.signal()
}

// signal wakes whoever waits for a change. The caller holds mu.
func (p *Proxy) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Requests returns what was requested so far, in the order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
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
		if r.Writes() {
			n++
		}
	}
	return n
}

func (r Request) matches(method, pattern string) bool {
	ok, err := path.Match(pattern, r.Path)
	return err == nil && ok && r.Method == method
}
