package daemon

import (
	"context"

	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/authserver/outbound"
)

// makeSender makes the sender that is nudged from now on. No request is served
// before, so that nobody reads logoutSoon while it changes.
func (s *System) makeSender() *logout.Sender {
	sender := logout.NewSender(s.logouts, s.ring, outbound.NewClient(s.Config.OutboundNetworks), s.log)
	s.logoutSoon = sender.Nudge
	return sender
}

// startLogouts tells applications of ended sessions until ctx ends; the channel
// closes then.
func (s *System) startLogouts(ctx context.Context) <-chan struct{} {
	sender, done := s.makeSender(), make(chan struct{})
	go func() {
		defer close(done)
		sender.Run(ctx)
	}()
	return done
}
