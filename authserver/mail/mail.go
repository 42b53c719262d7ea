package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"time"

	smtp "github.com/wneessen/go-mail"

	"github.com/anteroom-id/anteroom/sdk"
)

// Message is a letter of plain text.
type Message struct {
	To      string // one bare address
	Subject string
	Text    string
}

// Server is an SMTP server that takes messages for anybody (RFC 6409).
type Server struct {
	Host     string
	Port     int
	Implicit bool // TLS from the first byte (RFC 8314); otherwise STARTTLS
	Username string
	Password sdk.Secret
	From     mail.Address
	// TLS is nil for the system's certificate authorities.
	TLS *tls.Config
}

const timeout = 20 * time.Second

// ErrRefused means the server will never take the message: trying again is no use.
var ErrRefused = errors.New("mail server refuses the message")

// Send hands the message over, or returns ErrRefused or another error that may pass.
// The connection is encrypted, unless the server is on this machine.
func (s Server) Send(ctx context.Context, m Message) error {
	message, err := s.message(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	client, err := smtp.NewClient(s.Host, s.options()...)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	if failed, ok := errors.AsType[*smtp.SendError](err); ok && !failed.IsTemp() && failed.ErrorCode() >= 500 {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err != nil {
		return fmt.Errorf("hand over mail: %w", err)
	}
	return nil
}

func (s Server) message(m Message) (*smtp.Msg, error) {
	message := smtp.NewMsg()
	message.FromMailAddress(&s.From)
	if err := message.To(m.To); err != nil {
		return nil, err
	}
	message.Subject(m.Subject)
	message.SetMessageID()
	message.SetDate()
	// No out-of-office answers (RFC 3834).
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(smtp.TypeTextPlain, m.Text)
	return message, nil
}

func (s Server) options() []smtp.Option {
	options := []smtp.Option{smtp.WithPort(s.Port), smtp.WithTimeout(timeout)}
	switch {
	case s.Implicit:
		options = append(options, smtp.WithSSL())
	case isLoopback(s.Host):
		options = append(options, smtp.WithTLSPolicy(smtp.TLSOpportunistic))
	default:
		options = append(options, smtp.WithTLSPolicy(smtp.TLSMandatory))
	}
	if s.TLS != nil {
		options = append(options, smtp.WithTLSConfig(s.TLS))
	}
	if s.Username != "" {
		options = append(options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(s.Username), smtp.WithPassword(s.Password.Reveal()))
	}
	return options
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
