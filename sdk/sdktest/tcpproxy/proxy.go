package tcpproxy

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxChunk is how much is read at once, and how much of a request a [Match]
// sees, in bytes.
const maxChunk = 64 << 10

// Proxy forwards connections to one upstream. Its methods may be called
// concurrently.
type Proxy struct {
	// Addr is where clients connect, host and port.
	Addr string

	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	refusing bool
	links    map[*link]bool
	scripts  []*script
	requests [][]byte
	changed  chan struct{} // closed and renewed with every request
}

// Match picks requests by their first bytes. nil picks all.
type Match func(request []byte) bool

type script struct {
	match  Match
	faults []Fault
}

// TB is the part of testing.TB that [Start] and [Proxy.Await] need, so that the
// package does not link testing.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a proxy to the upstream's host and port, or to the unix socket of
// that path, until the test ends.
func Start(t TB, upstream string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	p := &Proxy{
		Addr: listener.Addr().String(), upstream: upstream, listener: listener,
		links: map[*link]bool{}, changed: make(chan struct{}),
	}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Script lets the next matching requests suffer these faults, one each.
func (p *Proxy) Script(match Match, faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, &script{match, faults})
}

// Refuse resets new connections from now on, or lets them in again. Those that
// stand are left alone; see [Proxy.Cut].
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = yes
}

// Cut closes every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.end()
	}
}

// Count tells how many matching requests came.
func (p *Proxy) Count(match Match) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(match)
}

// Connections tells how many connections stand.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Await returns once n matching requests have come; the test fails when that
// takes more than ten seconds.
func (p *Proxy) Await(t TB, match Match, n int) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		have, changed := p.count(match), p.changed
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("the proxy saw %d such requests, want %d", have, n)
		}
	}
}

func (p *Proxy) count(match Match) int {
	n := 0
	for _, r := range p.requests {
		if match == nil || match(r) {
			n++
		}
	}
	return n
}

// took records a request and returns what happens to it.
func (p *Proxy) took(request []byte) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, slices.Clone(request))
	close(p.changed)
	p.changed = make(chan struct{})
	for _, s := range p.scripts {
		if len(s.faults) > 0 && (s.match == nil || s.match(request)) {
			f := s.faults[0]
			s.faults = s.faults[1:]
			return f
		}
	}
	return Pass()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	l := &link{proxy: p, client: client}
	if !p.join(l) {
		reset(client)
		return
	}
	defer p.leave(l)
	server, err := net.Dial(network(p.upstream), p.upstream)
	if err != nil {
		reset(client)
		return
	}
	l.attach(server)
	var down sync.WaitGroup
	down.Go(l.down)
	l.up()
	down.Wait()
}

func network(address string) string {
	if strings.HasPrefix(address, "/") {
		return "unix"
	}
	return "tcp"
}

func (p *Proxy) join(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing || p.closed {
		return false
	}
	p.links[l] = true
	return true
}

func (p *Proxy) leave(l *link) {
	l.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut()
	p.running.Wait()
}

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client net.Conn

	mu     sync.Mutex
	server net.Conn // nil until dialled
	ended  bool

	replies atomic.Int32
	waiting atomic.Bool // a request is out that nobody has answered
}

func (l *link) attach(server net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server
	if l.ended {
		_ = server.Close()
	}
}

func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}

// up carries what the client sends.
func (l *link) up() {
	defer l.end()
	chunk := make([]byte, maxChunk)
	var fault Fault
	for {
		n, err := l.client.Read(chunk)
		if err != nil {
			return
		}
		if !l.waiting.Swap(true) {
			fault = l.proxy.took(chunk[:n])
			l.replies.Store(int32(fault.replies))
			time.Sleep(fault.delay)
		}
		switch {
		case fault.reset:
			reset(l.client)
			return
		case fault.answer != nil:
			_, _ = l.client.Write(fault.answer)
			return
		case fault.hold:
		default:
			if _, err := l.server.Write(chunk[:n]); err != nil {
				return
			}
		}
	}
}

// down carries what the upstream answers.
func (l *link) down() {
	defer l.end()
	chunk := make([]byte, maxChunk)
	for {
		n, err := l.server.Read(chunk)
		if err != nil {
			return
		}
		switch replies(l.replies.Load()) {
		case dropped:
			return
		case hung:
			continue
		}
		l.waiting.Store(false)
		if _, err := l.client.Write(chunk[:n]); err != nil {
			return
		}
	}
}

// reset closes a connection with RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
