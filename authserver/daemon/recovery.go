package daemon

import (
	"context"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/mail"
	"github.com/anteroom-id/anteroom/authserver/recovery"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/web"
)

// buildRecovery makes the service that mails links, nil without a mail server.
func (s *System) buildRecovery(pages *web.Renderer) *recovery.Service {
	c := s.Config.Mail
	if c.Host == "" {
		return nil
	}
	return recovery.New(recovery.Options{
		Issuer: s.Config.Issuer, Tokens: store.MailTokens{DB: s.db}, Requests: store.MailRequests{DB: s.db}, Users: s.Users,
		Sealer: s.sealer, Tx: s.db, Texts: pages.TextsIn, Log: s.log, Now: s.Now,
		Mailer: mail.Server{Host: c.Host, Port: c.Port, Implicit: c.Implicit, Username: c.Username, Password: c.Password, From: c.From},
	})
}

// recoveryPages serves what links lead to.
func (s *System) recoveryPages(driver *flow.Driver) recovery.Pages {
	return recovery.Pages{
		Service: s.recovery, Cookies: s.sessions.Cookies, Pages: driver.Pages, Errors: driver, Limits: s.Users, Address: driver.Address,
	}
}

// startRecovery mails links until ctx ends; the channel closes then.
func (s *System) startRecovery(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.recovery != nil {
			s.recovery.Run(ctx)
		}
	}()
	return done
}
