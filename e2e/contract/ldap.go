package contract

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// LDAPLink is a Link that reads LDAP messages (RFC 4511, 4.1.1).
type LDAPLink struct {
	Addr string // host and port

	dial     func() (net.Conn, error)
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	conns   map[net.Conn]bool
	seen    []Op
	scripts []*ldapScript
}

type ldapScript struct {
	op     Op
	faults []Fault
	always bool
}

// NewLDAPLink runs a proxy until the test ends. With a certificate it speaks TLS.
func NewLDAPLink(t *testing.T, own *tls.Certificate, dial func() (net.Conn, error)) *LDAPLink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &LDAPLink{Addr: listener.Addr().String(), dial: dial, listener: listener, conns: map[net.Conn]bool{}}
	if own != nil {
		l.listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*own}})
	}
	l.running.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

// Count implements Link.
func (l *LDAPLink) Count(op Op) int {
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
func (l *LDAPLink) Script(op Op, faults ...Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scripts = append(l.scripts, &ldapScript{op: op, faults: faults})
}

// Always implements Link.
func (l *LDAPLink) Always(op Op, f Fault) (stop func()) {
	s := &ldapScript{op: op, faults: []Fault{f}, always: true}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scripts = append(l.scripts, s)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.scripts = slices.DeleteFunc(l.scripts, func(have *ldapScript) bool { return have == s })
	}
}

func (l *LDAPLink) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(client) })
	}
}

func (l *LDAPLink) serve(client net.Conn) {
	defer l.forget(client)
	server, err := l.dial()
	if err != nil || !l.remember(client, server) {
		return
	}
	defer l.forget(server)
	p := &ldapPair{link: l, client: client, server: server}
	var down sync.WaitGroup
	down.Go(func() {
		defer l.forget(client)
		p.down()
	})
	p.up()
	l.forget(server)
	down.Wait()
}

func (l *LDAPLink) remember(conns ...net.Conn) bool {
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

func (l *LDAPLink) forget(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *LDAPLink) close() {
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
func (l *LDAPLink) took(op Op) Fault {
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

// ldapPair is a connection through the link. The connector sends one request at a
// time over it.
type ldapPair struct {
	link           *LDAPLink
	client, server net.Conn
	password       string // from the bind

	mu   sync.Mutex
	lost any // id of the message whose answer breaks the connection
}

func (p *ldapPair) up() {
	for {
		message, err := ber.ReadPacket(p.client)
		if err != nil || len(message.Children) < 2 {
			return
		}
		request := message.Children[1]
		if request.Tag == goldap.ApplicationBindRequest && len(request.Children) == 3 {
			p.password = request.Children[2].Data.String()
		}
		switch f := p.link.took(ldapOp(request)); f {
		case Lost:
			p.mu.Lock()
			p.lost = message.Children[0].Value
			p.mu.Unlock()
			_, _ = p.server.Write(message.Bytes())
		case "":
			_, _ = p.server.Write(message.Bytes())
		case Hang:
		default:
			if !p.answer(f, message) {
				return
			}
		}
	}
}

func (p *ldapPair) down() {
	for {
		message, err := ber.ReadPacket(p.server)
		if err != nil || len(message.Children) < 2 {
			return
		}
		p.mu.Lock()
		lost := p.lost != nil && p.lost == message.Children[0].Value
		p.mu.Unlock()
		if lost {
			return
		}
		if _, err := p.client.Write(message.Bytes()); err != nil {
			return
		}
	}
}

// answer answers in the server's place, and reports whether the connection lives.
func (p *ldapPair) answer(f Fault, message *ber.Packet) bool {
	result := func(code uint16, text string) []byte {
		return ldapResult(message.Children[0].Value, message.Children[1].Tag, code, text)
	}
	switch f {
	case Unavailable:
		_, err := p.client.Write(result(goldap.LDAPResultUnavailable, "shutting down"))
		return err == nil
	case Unauthorized:
		_, err := p.client.Write(result(goldap.LDAPResultStrongAuthRequired, "bind first"))
		return err == nil
	case Echo:
		text := fmt.Sprintf("%s cannot do %s", p.password, printed(message))
		_, err := p.client.Write(result(goldap.LDAPResultUnwillingToPerform, text))
		return err == nil
	case Malformed:
		whole := result(goldap.LDAPResultSuccess, "done")
		_, _ = p.client.Write(whole[:len(whole)-2])
	case HTML:
		_, _ = p.client.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>Maintenance</title>"))
	case Huge:
		_, _ = p.client.Write(result(goldap.LDAPResultSuccess, strings.Repeat(" ", hugeBody)))
	}
	return false
}

// printed is every text in a message.
func printed(p *ber.Packet) string {
	if len(p.Children) == 0 {
		return p.Data.String() + " "
	}
	var b strings.Builder
	for _, child := range p.Children {
		b.WriteString(printed(child))
	}
	return b.String()
}

// ldapResult is the last answer to a request.
func ldapResult(id any, request ber.Tag, code uint16, text string) []byte {
	tag := request + 1 // RFC 4511: but for one, an answer's tag follows its request's
	if request == goldap.ApplicationSearchRequest {
		tag = goldap.ApplicationSearchResultDone
	}
	result := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	result.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	result.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	result.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	message := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	message.AppendChild(result)
	return message.Bytes()
}

// ldapOp tells what a request does.
func ldapOp(request *ber.Packet) Op {
	switch request.Tag {
	case goldap.ApplicationSearchRequest:
		return Read
	case goldap.ApplicationAddRequest:
		return Create
	case goldap.ApplicationModifyRequest, goldap.ApplicationModifyDNRequest, goldap.ApplicationDelRequest:
		return Change
	case goldap.ApplicationBindRequest:
		return Token
	}
	return 0
}
