package contract

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// NewPostgresLink runs a link that reads the messages of PostgreSQL's protocol
// (PostgreSQL, chapter 55) until the test ends. It asks for a password in the
// server's place, which is to ask for none.
//
// A request is a transaction with an account in it: what it does shows in its
// first statement that writes, or in the first at all if it is read only. A
// change is made by COMMIT, so faults that leave open what was done strike there;
// refusals and faults of reads strike at the statement. What is only prepared
// counts as nothing.
func NewPostgresLink(t *testing.T, dial func() (net.Conn, error)) *TCPLink {
	t.Helper()
	return newTCPLink(t, nil, dial, func(l *TCPLink, client, server net.Conn) pair {
		return &pgPair{link: l, client: client, server: server, prepared: map[string]string{}, gone: make(chan struct{})}
	})
}

// pgPair is a connection through the link. The connector waits for each answer
// before it goes on.
type pgPair struct {
	link           *TCPLink
	client, server net.Conn
	password       string
	prepared       map[string]string // statements by name

	readOnly bool  // the transaction
	counted  bool  // the transaction
	atCommit Fault // what COMMIT will suffer
	skipping bool  // up to the next Sync, since the statement was refused

	lost    atomic.Bool   // the next answer breaks the connection
	hanging atomic.Bool   // nothing passes any more, not even the end of the connection
	gone    chan struct{} // closed when the connector has left
}

func (p *pgPair) up() {
	defer close(p.gone)
	from := pgproto3.NewBackend(p.client, p.client)
	if !p.begin(from) {
		return
	}
	for {
		message, err := from.Receive()
		if err != nil {
			return
		}
		if p.skipping {
			_, synced := message.(*pgproto3.Sync)
			p.skipping = !synced
			continue
		}
		f := p.suffers(p.statement(message))
		p.hanging.Store(p.hanging.Load() || f == Hang)
		p.lost.Store(p.lost.Load() || f == Lost)
		switch {
		case p.hanging.Load():
		case f == "" || f == Lost:
			if !p.forward(message) {
				return
			}
		case !p.answer(f, message):
			return
		}
	}
}

// begin signs the connector in.
func (p *pgPair) begin(from *pgproto3.Backend) bool {
	startup, err := from.ReceiveStartupMessage()
	if err != nil {
		return false
	}
	// Decoded messages are overwritten by the next one.
	raw, err := startup.Encode(nil)
	if err != nil {
		return false
	}
	if _, ok := startup.(*pgproto3.StartupMessage); ok {
		p.link.took(Token)
		from.Send(&pgproto3.AuthenticationCleartextPassword{})
		if from.Flush() != nil || from.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
			return false
		}
		answer, err := from.Receive()
		given, ok := answer.(*pgproto3.PasswordMessage)
		if err != nil || !ok {
			return false
		}
		p.password = given.Password
	}
	_, err = p.server.Write(raw)
	return err == nil
}

// statement is what a message runs, "" for nothing.
func (p *pgPair) statement(message pgproto3.FrontendMessage) string {
	switch m := message.(type) {
	case *pgproto3.Parse:
		p.prepared[m.Name] = m.Query
	case *pgproto3.Bind:
		return p.prepared[m.PreparedStatement]
	case *pgproto3.Query:
		return m.String
	}
	return ""
}

// suffers follows the transaction and returns what happens to a statement.
func (p *pgPair) suffers(statement string) Fault {
	words := strings.Fields(strings.ToLower(statement))
	switch {
	case len(words) == 0:
		return ""
	case words[0] == "begin":
		p.readOnly, p.counted, p.atCommit = strings.HasPrefix(strings.Join(words, " "), "begin read only"), false, ""
		return ""
	case words[0] == "commit":
		return p.atCommit
	}
	op := pgOp(words)
	if op == 0 || p.counted || op == Read && !p.readOnly {
		return ""
	}
	p.counted = true
	f := p.link.took(op)
	switch f {
	case Unavailable, Unauthorized, Echo:
		return f
	}
	if op == Read {
		return f
	}
	p.atCommit = f
	return ""
}

// pgOp tells what a statement does.
func pgOp(words []string) Op {
	switch words[0] {
	case "select":
		return Read
	case "insert", "create":
		if strings.HasPrefix(strings.Join(words[1:], " "), "into member") {
			return Change
		}
		return Create
	case "update", "delete", "alter", "drop", "comment", "grant", "revoke":
		return Change
	}
	return 0
}

func (p *pgPair) forward(message pgproto3.FrontendMessage) bool {
	raw, err := message.Encode(nil)
	if err != nil {
		return false
	}
	_, err = p.server.Write(raw)
	return err == nil
}

func (p *pgPair) down() {
	chunk := make([]byte, 64<<10)
	for {
		n, err := p.server.Read(chunk)
		if p.hanging.Load() {
			<-p.gone
		}
		if err != nil || p.lost.Load() {
			return
		}
		if _, err := p.client.Write(chunk[:n]); err != nil {
			return
		}
	}
}

// answer answers in the server's place, and reports whether the connection lives.
func (p *pgPair) answer(f Fault, message pgproto3.FrontendMessage) bool {
	switch f {
	case Unavailable:
		p.say(pgError("FATAL", "57P01", "terminating connection due to administrator command"))
	case Unauthorized:
		p.say(pgError("FATAL", "28000", "role is not permitted to log in"))
	case Echo:
		text := p.password + " cannot do " + printedPostgres(message, p.statement(message))
		_, p.skipping = message.(*pgproto3.Bind)
		return p.say(pgError("ERROR", "P0001", text), &pgproto3.ReadyForQuery{TxStatus: 'E'})
	case Malformed:
		whole, _ := (&pgproto3.CommandComplete{CommandTag: []byte("COMMIT")}).Encode(nil)
		_, _ = p.client.Write(whole[:len(whole)-2])
	case HTML:
		_, _ = io.WriteString(p.client, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>Maintenance</title>")
	case Huge:
		p.say(&pgproto3.CommandComplete{CommandTag: bytes.Repeat([]byte(" "), hugeBody)})
	case Reset:
		if tcp, ok := p.client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	return false
}

func (p *pgPair) say(messages ...pgproto3.BackendMessage) bool {
	to := pgproto3.NewBackend(nil, p.client)
	for _, m := range messages {
		to.Send(m)
	}
	return to.Flush() == nil
}

func pgError(severity, code, text string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: text}
}

// printedPostgres is every text in a message.
func printedPostgres(message pgproto3.FrontendMessage, statement string) string {
	bind, ok := message.(*pgproto3.Bind)
	if !ok {
		return statement
	}
	return statement + " " + string(bytes.Join(bind.Parameters, []byte(" ")))
}
