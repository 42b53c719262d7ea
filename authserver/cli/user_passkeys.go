package cli

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/user"
)

type passkeyView struct {
	Name      string    `json:"name"`
	Synced    bool      `json:"synced"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	SuspectAt time.Time `json:"suspect_at,omitzero"` // when a copy was noticed
}

func viewPasskey(k passkey.Passkey) passkeyView {
	return passkeyView{Name: k.Name, Synced: k.Synced, CreatedAt: k.CreatedAt.UTC(), UsedAt: k.UsedAt.UTC(), SuspectAt: k.SuspectAt.UTC()}
}

func passkeyText(k passkey.Passkey) string {
	if !k.SuspectAt.IsZero() {
		return k.Name + ", of no use: there seems to be a copy"
	}
	return k.Name
}

type userRemovePasskeysCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run removes all passkeys.
func (c userRemovePasskeysCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		var n int64
		err := acts(ctx, s, "user.remove_passkeys", objectOf(u), func(ctx context.Context) (err error) {
			n, err = s.Users.RemovePasskeys(ctx, u.ID)
			return err
		})
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "passkeys_removed"}, "%d passkeys of %s are removed", n, u.Login)
	})
}
