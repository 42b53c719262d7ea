package daemon

import (
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/user"
)

// mailbox is an SMTP server that keeps what it is given.
type mailbox chan string

func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m mailbox) Reset()                                      {}
func (m mailbox) Logout() error                               { return nil }
func (m mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m mailbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (m mailbox) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	m <- string(raw)
	return err
}

// With a mail server in the configuration, who registers gets a link to verify their
// address, and who forgot their password one to replace it.
func TestLinksAreMailed(t *testing.T) {
	box := make(mailbox, 2)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(box)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s := openSystem(t)
	s.Config.Mail = config.Mail{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, From: netmail.Address{Address: "login@example.com"},
	}
	handler, err := s.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Users.Register(t.Context(), user.User{Login: "ada", Email: "ada@example.com", Home: "payroll"}, "correct horse staple"); err != nil {
		t.Fatal(err)
	}
	if err := s.recovery.AskReset(t.Context(), "ada", "en"); err != nil {
		t.Fatal(err)
	}
	if err := s.recovery.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(regexp.QuoteMeta(s.Config.Issuer) + `(/\S+\?link=\S+)`)
	for _, says := range []string{"Confirm your e-mail address", "Choose a new password"} {
		m, err := netmail.ReadMessage(strings.NewReader(<-box))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		found := link.FindSubmatch(body)
		if err != nil || found == nil || m.Header.Get("To") != "<ada@example.com>" {
			t.Fatalf("%v %v\n%s", err, m.Header, body)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, string(found[1]), nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d\n%s", found[1], w.Code, w.Body)
		}
	}
}

// Without one there is no such page.
func TestNoMailServerNoRecovery(t *testing.T) {
	s := openSystem(t)
	handler, err := s.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/recover", "/verify-email", "/recover/password"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
