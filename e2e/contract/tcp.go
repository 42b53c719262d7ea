package contract

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"
)

// TCPLink is a Link for a protocol that is not HTTP. Who makes it knows the
// protocol.
type TCPLink struct {
	Addr string // host and port

	dial     func() (net.Conn, error)
	pair     func(l *TCPLink, client, server net.Conn) pair
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	conns   map[net.Conn]bool
	seen    []Op
	scripts []*tcpScript
}

// pair is a connection through a link. Each method carries one direction until it
// ends.
type pair interface {
	up()   // to the system
	down() // to the connector
}

type tcpScript struct {
	op     Op
	faults []Fault
	always bool
}

// newTCPLink runs a link until the test ends. With a certificate it speaks TLS.
func newTCPLink(t *testing.T, own *tls.Certificate, dial func() (net.Conn, error), p func(l *TCPLink, client, server net.Conn) pair) *TCPLink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &TCPLink{Addr: listener.Addr().String(), dial: dial, pair: p, listener: listener, conns: map[net.Conn]bool{}}
	if own != nil {
		l.listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*own}})
	}
	l.running.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

// Count implements Link.
func (l *TCPLink) Count(op Op) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, seen := range l.seen {
		if seen&op != 0 {
			n++
		}
	}
	return n
}

// Script implements Link.
func (l *TCPLink) Script(op Op, faults ...Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scripts = append(l.scripts, &tcpScript{op: op, faults: faults})
}

// Always implements Link.
func (l *TCPLink) Always(op Op, f Fault) (stop func()) {
	s := &tcpScript{op: op, faults: []Fault{f}, always: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scripts = append(l.scripts, s)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.scripts = slices.DeleteFunc(l.scripts, func(have *tcpScript) bool { return have == s })
	}
}

func (l *TCPLink) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(client) })
	}
}

func (l *TCPLink) serve(client net.Conn) {
	defer l.forget(client)
	server, err := l.dial()
	if err != nil || !l.remember(client, server) {
		return
	}
	defer l.forget(server)
	p := l.pair(l, client, server)
	var down sync.WaitGroup
	down.Go(func() {
		defer l.forget(client)
		p.down()
	})
	p.up()
	l.forget(server)
	down.Wait()
}

func (l *TCPLink) remember(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.closed {
			_ = c.Close()
		}
		l.conns[c] = true
	}
	return !l.closed
}

func (l *TCPLink) forget(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *TCPLink) close() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.running.Wait()
}

// took notes a request and returns what happens to it, "" for nothing.
func (l *TCPLink) took(op Op) Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, op)
	for _, s := range l.scripts {
		if s.op&op == 0 || len(s.faults) == 0 {
			continue
		}
		f := s.faults[0]
		if !s.always {
			s.faults = s.faults[1:]
		}
		return f
	}
	return ""
}
