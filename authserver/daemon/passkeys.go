package daemon

import (
	"context"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/selfservice"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
)

// buildPasskeys returns nil if passkeys are switched off, or browsers make none for the
// issuer.
func (s *System) buildPasskeys() (*passkey.Service, error) {
	party, ok := passkey.PartyOf(s.Config.Issuer)
	if !ok || s.Config.NoPasskeys {
		return nil, nil
	}
	keys := store.Passkeys{DB: s.db}
	return passkey.New(passkey.Options{
		Party: party, Store: keys, Uses: keys, Challenges: store.PasskeyChallenges{DB: s.db}, Limits: s.Users, Tx: s.db, Now: s.Now,
	})
}

// passkeySignIns and ownPasskeys keep a nil service from being an interface that is not.
func (s *System) passkeySignIns() flow.Passkeys {
	if s.Passkeys == nil {
		return nil
	}
	return s.Passkeys
}

func (s *System) ownPasskeys() selfservice.Passkeys {
	if s.Passkeys == nil {
		return nil
	}
	return s.Passkeys
}

// RemovePasskeys removes all passkeys of the user, ends their sessions, and returns how
// many there were: the keys may be in other hands.
func (p people) RemovePasskeys(ctx context.Context, id provisioning.UserID) (removed int64, err error) {
	err = p.Tx.InTx(ctx, func(ctx context.Context) error {
		removed, err = p.keys.RemoveAllOf(ctx, id)
		return p.thenSignOut(ctx, id, err)
	})
	return removed, err
}

// PasskeysOf returns the passkeys of the user.
func (p people) PasskeysOf(ctx context.Context, id provisioning.UserID) ([]passkey.Passkey, error) {
	return p.keys.Of(ctx, id)
}
