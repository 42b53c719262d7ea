package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/sdk"
)

type registrationTokenCommands struct {
	Create registrationTokenCreateCommand `cmd:"" help:"Make a token with which applications register themselves, and print it once."`
	List   registrationTokenListCommand   `cmd:"" help:"List tokens, without their secrets."`
	Revoke registrationTokenRevokeCommand `cmd:"" help:"End a token; applications that registered with it stay."`
}

type registrationTokenCreateCommand struct {
	Uses    int           `help:"How many applications it registers." default:"1"`
	Expires time.Duration `help:"How long it can be used." default:"24h" placeholder:"24h"`
	Note    string        `help:"What it is for."`
}

// registrationTokenView is what is printed of a token. Token is the secret, there once.
type registrationTokenView struct {
	ID        string    `json:"id"`
	Token     string    `json:"token,omitempty"`
	Note      string    `json:"note,omitempty"`
	Uses      int       `json:"uses"`
	MaxUses   int       `json:"max_uses"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Usable    bool      `json:"usable"`
}

func viewRegistrationToken(now time.Time) func(registration.InitialToken) registrationTokenView {
	return func(t registration.InitialToken) registrationTokenView {
		return registrationTokenView{
			ID: string(t.ID), Note: t.Note, Uses: t.Uses, MaxUses: t.MaxUses,
			CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), Usable: t.Usable(now),
		}
	}
}

// Run makes a token. It may be made while registration is off, and is of no use then.
func (c registrationTokenCreateCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		var t registration.InitialToken
		var secret sdk.Secret
		err := s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
			var err error
			t, secret, err = s.Registrations.IssueToken(ctx, c.Note, c.Uses, c.Expires)
			return audit.Act{Action: "registration_token.create", Object: audit.Object{Kind: "registration_token", ID: string(t.ID), Name: t.Note}}, err
		})
		if err != nil {
			return err
		}
		view := viewRegistrationToken(s.Now())(t)
		view.Token = secret.Reveal()
		return r.print(view, func(w io.Writer) {
			row(w, "id:", view.ID)
			row(w, "token (shown once):", view.Token)
			row(w, "applications:", view.MaxUses)
			row(w, "expires:", view.ExpiresAt.Format(time.RFC3339))
			if !s.Registrations.Policy.On() {
				row(w, "note:", "dynamic_registration.mode is off: the server takes no token")
			}
		})
	})
}

type registrationTokenListCommand struct{}

// Run lists tokens.
func (registrationTokenListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		all, err := s.Registrations.Tokens.Tokens(ctx)
		if err != nil {
			return err
		}
		views := list(all, viewRegistrationToken(s.Now()))
		return r.print(views, func(w io.Writer) {
			row(w, "ID", "APPLICATIONS", "EXPIRES", "USABLE", "NOTE")
			for _, v := range views {
				row(w, v.ID, fmt.Sprintf("%d/%d", v.Uses, v.MaxUses), v.ExpiresAt.Format(time.RFC3339), yes(v.Usable), dash(v.Note))
			}
		})
	})
}

type registrationTokenRevokeCommand struct {
	ID string `arg:"" help:"The token's id, from list."`
}

// Run revokes a token.
func (c registrationTokenRevokeCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, "registration_token.revoke", audit.Object{Kind: "registration_token", ID: c.ID}, func(ctx context.Context) error {
			return s.Registrations.Tokens.RevokeToken(ctx, registration.TokenID(c.ID), s.Now())
		})
		if err != nil {
			return about(fmt.Sprintf("registration token %q", c.ID), err)
		}
		return r.did(done{Object: "registration_token", Name: c.ID, Result: "revoked"}, "%s is revoked", c.ID)
	})
}
