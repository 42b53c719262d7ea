package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/anteroom-id/anteroom/authserver/mail"
	"github.com/anteroom-id/anteroom/sdk"
)

// office is an SMTP server in this process.
type office struct {
	got    chan string
	answer error  // to a recipient
	secret string // of the user anteroom; "" lets everybody send
}

func (o *office) NewSession(*smtp.Conn) (smtp.Session, error) { return &visit{office: o}, nil }

type visit struct {
	*office
	to     string
	passed bool
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

func (v *visit) Mail(string, *smtp.MailOptions) error {
	if v.secret != "" && !v.passed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.to = to
	return v.answer
}

func (v *visit) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	v.got <- string(raw)
	return err
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "anteroom" || password != v.secret {
			return smtp.ErrAuthFailed
		}
		v.passed = true
		return nil
	}), nil
}

// open starts the office with a certificate that the returned server trusts; it
// offers STARTTLS, TLS from the start, or nothing.
func open(t *testing.T, o *office, kind string) mail.Server {
	t.Helper()
	https := httptest.NewUnstartedServer(nil)
	https.StartTLS()
	t.Cleanup(https.Close)
	pool := x509.NewCertPool()
	pool.AddCert(https.Certificate())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	config := &tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12}
	s := smtp.NewServer(o)
	s.Domain = "example.com"
	switch kind {
	case "starttls":
		s.TLSConfig = config
	case "tls":
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return mail.Server{
		Host: "127.0.0.1", Port: port, Implicit: kind == "tls", From: netmail.Address{Name: "Anteröm", Address: "login@example.com"},
		TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, ServerName: "example.com"},
	}
}

func TestSend(t *testing.T) {
	for _, kind := range []string{"starttls", "tls", "plain"} {
		o := &office{got: make(chan string, 1)}
		s := open(t, o, kind)
		if kind != "plain" {
			o.secret, s.Username, s.Password = "s3cret", "anteroom", "s3cret"
		}
		m := mail.Message{To: "ada@example.com", Subject: "Grüße\r\nBcc: eve@example.com", Text: "Hello Ada,\n\nhttps://login.example.com/?token=" + strings.Repeat("x", 90) + "\n"}
		if err := s.Send(t.Context(), m); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		parsed, err := netmail.ReadMessage(strings.NewReader(<-o.got))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
		h := parsed.Header
		if err != nil || !strings.Contains(string(body), "token="+strings.Repeat("x", 90)) || h.Get("Bcc") != "" || h.Get("Auto-Submitted") != "auto-generated" ||
			h.Get("To") != "<ada@example.com>" || h.Get("Message-Id") == "" || h.Get("Date") == "" || !strings.Contains(h.Get("From"), "<login@example.com>") {
			t.Errorf("%s: %v\n%s", kind, h, body)
		}
	}
}

func TestSendFails(t *testing.T) {
	o := &office{got: make(chan string, 1), secret: "s3cret"}
	s := open(t, o, "starttls")
	m := mail.Message{To: "ada@example.com", Subject: "x", Text: "x"}
	s.Username, s.Password = "anteroom", sdk.Secret("wr0ng")
	if err := s.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong password: %v", err)
	}
	s.Password = "s3cret"
	o.answer = &smtp.SMTPError{Code: 550, Message: "no such user"}
	if err := s.Send(t.Context(), m); !errors.Is(err, mail.ErrRefused) {
		t.Errorf("a mailbox that is not there: %v", err)
	}
	o.answer = &smtp.SMTPError{Code: 451, Message: "come back later"}
	if err := s.Send(t.Context(), m); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("greylisting: %v", err)
	}
	o.answer = nil
	if err := s.Send(t.Context(), mail.Message{To: "not an address"}); !errors.Is(err, mail.ErrRefused) {
		t.Errorf("no address: %v", err)
	}
	s.TLS = nil
	if err := s.Send(t.Context(), m); err == nil {
		t.Error("a certificate nobody vouches for is accepted")
	}
}

// Beyond this machine nothing is sent in the clear, whatever the server offers.
func TestSendNeedsTLS(t *testing.T) {
	o := &office{got: make(chan string, 1)}
	s := open(t, o, "plain")
	s.Host = "0.0.0.0" // reaches this machine, and does not say so
	m := mail.Message{To: "ada@example.com", Subject: "x", Text: "x"}
	if err := s.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("sent in the clear, or not tried: %v", err)
	}
}
