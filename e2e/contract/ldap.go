package contract

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// NewLDAPLink runs a link that reads LDAP messages (RFC 4511, 4.1.1) until the
// test ends. With a certificate it speaks TLS.
func NewLDAPLink(t *testing.T, own *tls.Certificate, dial func() (net.Conn, error)) *TCPLink {
	t.Helper()
	return newTCPLink(t, own, dial, func(l *TCPLink, client, server net.Conn) pair {
		return &ldapPair{link: l, client: client, server: server}
	})
}

// ldapPair is a connection through the link. The connector sends one request at a
// time over it.
type ldapPair struct {
	link           *TCPLink
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
