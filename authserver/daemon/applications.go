package daemon

import (
	"context"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func applicationObject(id provisioning.ClientID) audit.Object {
	return audit.Object{Kind: "application", Name: string(id)}
}

// ReplaceSecret gives an application another client secret and returns it, this once.
// The earlier one is worth nothing from then on. It returns application.ErrNotFound or
// application.ErrNoSecret.
func (s *System) ReplaceSecret(ctx context.Context, id provisioning.ClientID) (sdk.Secret, error) {
	secret := application.GenerateSecret()
	return secret, s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
		act := audit.Act{Action: "application.replace_secret", Object: applicationObject(id)}
		a, err := s.Applications.Get(ctx, id)
		if err == nil && !a.AuthMethod.UsesSecret() {
			err = application.ErrNoSecret
		}
		if err != nil {
			return act, err
		}
		a.SecretHash = application.HashSecret(secret)
		_, err = s.Applications.Put(ctx, a)
		return act, err
	})
}

// DeleteApplication removes an application, its bindings, and all that was issued to
// it; accounts go by the bindings' on_loss policies.
func (s *System) DeleteApplication(ctx context.Context, id provisioning.ClientID) error {
	return s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
		return audit.Act{Action: "application.delete", Object: applicationObject(id)}, s.deleteAll(ctx, id)
	})
}

// deleteApplication is for those who are no admins: an application may end itself.
func (s *System) deleteApplication(ctx context.Context, id provisioning.ClientID) error {
	return s.db.InTx(ctx, func(ctx context.Context) error { return s.deleteAll(ctx, id) })
}

func (s *System) deleteAll(ctx context.Context, id provisioning.ClientID) error {
	a, err := s.Applications.Get(ctx, id)
	if err != nil {
		return err
	}
	bindings, err := s.Bindings.ByClient(ctx, id)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if err := s.Bindings.Delete(ctx, id, b.Target); err != nil {
			return err
		}
	}
	if err := (store.Consents{DB: s.db}).ForgetApplication(ctx, id); err != nil {
		return err
	}
	if err := s.ResourceServers.ForgetApplication(ctx, id); err != nil {
		return err
	}
	if _, err := s.tokens.RevokeClient(ctx, id, s.Now()); err != nil {
		return err
	}
	return s.Applications.Delete(ctx, id, a.Revision)
}
