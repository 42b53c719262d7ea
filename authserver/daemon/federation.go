package daemon

import (
	"context"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/outbound"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
)

// federated makes what signs people in with upstreams.
func (s *System) federated() *federation.Service {
	f := &federation.Service{
		Issuer: s.Config.Issuer, Upstreams: s.Upstreams, Attempts: store.Attempts{DB: s.db, Sealer: s.sealer}, Links: store.Links{DB: s.db},
		Users: s.Users, Emails: store.Users{DB: s.db}, Departures: store.Departures{DB: s.db, Sealer: s.sealer}, HTTP: outbound.NewClient(s.Config.OutboundNetworks), Now: s.Now,
	}
	if s.recovery != nil {
		f.Verify = s.recovery.AskVerification
	}
	return f
}

// unlinking is the lifecycle that also forgets what upstreams and applications know a
// deleted user as, in the same transaction.
type unlinking struct {
	*provisioning.Lifecycle
	links    store.Links
	subjects store.Subjects
}

// Deleted implements user.Lifecycle.
func (u unlinking) Deleted(ctx context.Context, id provisioning.UserID) error {
	if err := u.links.DeleteAllOf(ctx, id); err != nil {
		return err
	}
	if err := u.subjects.DeleteAllOf(ctx, id); err != nil {
		return err
	}
	return u.Lifecycle.Deleted(ctx, id)
}
