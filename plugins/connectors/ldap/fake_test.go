package ldap_test

import (
	"net"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
)

// fake is a directory that answers as told: for what real ones do not do when
// asked to.
type fake struct {
	addr   string
	answer func(message request) // for everything but binds; nil never answers
	bind   uint16                // the answer to binds
	silent bool                  // binds are not answered

	mu    sync.Mutex
	count map[ber.Tag]int
	conns []net.Conn
}

// request is a message and where its answer goes.
type request struct {
	*ber.Packet
	conn net.Conn
	n    int // how many of this kind came before
}

func (r request) tag() ber.Tag { return r.Children[1].Tag }

func startFake(t *testing.T, f *fake) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr, f.count = listener.Addr().String(), map[ber.Tag]int{}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		f.hangUp()
		running.Wait()
	})
	return f
}

// hangUp closes every connection.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// seen tells how many requests of a kind came.
func (f *fake) seen(tag ber.Tag) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[tag]
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	for {
		message, err := ber.ReadPacket(conn)
		if err != nil || len(message.Children) < 2 {
			return
		}
		r := request{Packet: message, conn: conn}
		f.mu.Lock()
		r.n = f.count[r.tag()]
		f.count[r.tag()]++
		f.mu.Unlock()
		switch {
		case r.tag() == goldap.ApplicationBindRequest && !f.silent:
			r.result(f.bind, "")
		case r.tag() != goldap.ApplicationBindRequest && f.answer != nil:
			f.answer(r)
		}
	}
}

// send writes an answer with controls.
func (r request) send(answer *ber.Packet, controls ...goldap.Control) {
	message := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.Children[0].Value, ""))
	message.AppendChild(answer)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		message.AppendChild(list)
	}
	_, _ = r.conn.Write(message.Bytes())
}

// result ends the answer.
func (r request) result(code uint16, text string, controls ...goldap.Control) {
	tag := r.tag() + 1
	if r.tag() == goldap.ApplicationSearchRequest {
		tag = goldap.ApplicationSearchResultDone
	}
	answer := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	answer.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	answer.AppendChild(octets(""))
	answer.AppendChild(octets(text))
	r.send(answer, controls...)
}

// entry is one of a search's.
func (r request) entry(dn string, attributes map[string]string) {
	answer := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	answer.AppendChild(octets(dn))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for name, value := range attributes {
		one := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		one.AppendChild(octets(name))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		values.AppendChild(octets(value))
		one.AppendChild(values)
		list.AppendChild(one)
	}
	answer.AppendChild(list)
	r.send(answer)
}

// reference points to another server.
func (r request) reference(url string) {
	answer := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultReference, nil, "")
	answer.AppendChild(octets(url))
	r.send(answer)
}

func octets(text string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, "")
}

// to is a configuration for the fake.
func (f *fake) to() ldap.Config {
	return openldapConfig(ldapservers.Server{
		Addr: f.addr, BindDN: "cn=manager", Password: ldapservers.Password, BaseDN: ldapservers.People,
	})
}

// someone is what an account is read with.
func someone(id string) map[string]string {
	return map[string]string{"entryUUID": id, "uid": "ada", "employeeNumber": "user-ada"}
}

const someID = "6b29fc40-ca47-1067-b31d-00dd010662da"
