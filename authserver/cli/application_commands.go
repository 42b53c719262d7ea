package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

type applicationCommands struct {
	List   applicationListCommand   `cmd:"" help:"List applications."`
	Show   applicationShowCommand   `cmd:"" help:"Show an application with its bindings."`
	Create applicationCreateCommand `cmd:"" help:"Create an application and print its secret once."`
	Secret applicationSecretCommand `cmd:"" help:"Replace the client secret and print the new one once."`
	Delete applicationDeleteCommand `cmd:"" help:"Delete an application and its bindings."`

	Disable applicationDisableCommand `cmd:"" help:"Disable an application: nobody can sign in to it, and its tokens are good for nothing."`
	Enable  applicationEnableCommand  `cmd:"" help:"Take that back."`

	RegistrationToken registrationTokenCommands `cmd:"" help:"Tokens with which applications register themselves."`
}

type applicationListCommand struct{}

// Run lists applications.
func (applicationListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		all, err := s.Applications.List(ctx, "", maxList)
		if err != nil {
			return err
		}
		return r.print(list(all, viewApplication), func(w io.Writer) {
			row(w, "CLIENT ID", "NAME", "TYPE", "AUTH METHOD", "ENABLED")
			for _, a := range all {
				row(w, a.ClientID, a.Name, a.Type, a.AuthMethod, yes(a.Enabled))
			}
		})
	})
}

// maxList bounds what a list command prints.
const maxList = 1000

type applicationShowCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id."`
}

// applicationBindings is what show prints.
type applicationBindings struct {
	Application applicationView `json:"application"`
	Bindings    []bindingView   `json:"outbound_provisioning"`
}

// Run shows an application.
func (c applicationShowCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		a, err := s.Applications.Get(ctx, provisioning.ClientID(c.ClientID))
		if err != nil {
			return about(fmt.Sprintf("application %q", c.ClientID), err)
		}
		bindings, err := s.Bindings.ByClient(ctx, a.ClientID)
		if err != nil {
			return err
		}
		return r.print(applicationBindings{viewApplication(a), list(bindings, viewBinding)}, func(w io.Writer) {
			row(w, "client_id:", a.ClientID)
			row(w, "name:", a.Name)
			row(w, "type:", a.Type)
			row(w, "auth_method:", a.AuthMethod)
			row(w, "redirect_uris:", strings.Join(a.RedirectURIs, " "))
			row(w, "scopes:", strings.Join(a.Scopes, " "))
			row(w, "dpop_bound_access_tokens:", yes(a.DPoPBoundAccessTokens))
			row(w, "subject_type:", cmp.Or(a.SubjectType, application.SubjectPublic))
			if sector := a.Sector(); sector != "" {
				row(w, "sector:", sector)
			}
			row(w, "registration:", yes(a.Registration))
			row(w, "enabled:", yes(a.Enabled))
			row(w, "self-registered:", yes(a.SelfRegistered))
			for _, b := range bindings {
				row(w, "target "+string(b.Target)+":", b.Explain())
			}
		})
	})
}

type applicationCreateCommand struct {
	ClientID     string   `arg:"" name:"client_id" help:"The application's client_id."`
	Name         string   `help:"Name shown to people."`
	RedirectURI  []string `help:"Where codes may go; repeat for several." required:"" sep:"none" placeholder:"URL"`
	Public       bool     `help:"No client secret (auth_method none)."`
	Native       bool     `help:"Runs on the user's device; any port on loopback."`
	Registration bool     `help:"People may register through it."`
	Pairwise     bool     `help:"Know users by subjects that other sectors do not see."`
	Sector       string   `name:"sector-identifier-uri" help:"Lists the redirect URIs of all applications of the sector." placeholder:"URL"`
}

// Run creates an application.
func (c applicationCreateCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		a := application.New(provisioning.ClientID(c.ClientID), c.Name)
		if a.Name == "" {
			a.Name = c.ClientID
		}
		a.RedirectURIs, a.Registration = c.RedirectURI, c.Registration
		if c.Native {
			a.Type = application.TypeNative
		}
		var secret sdk.Secret
		if c.Public {
			a.AuthMethod = application.AuthNone
		} else {
			secret = application.GenerateSecret()
			a.SecretHash = application.HashSecret(secret)
		}
		if a.SectorIdentifierURI = c.Sector; c.Pairwise {
			a.SubjectType = application.SubjectPairwise
		}
		if err := a.Validate(); err != nil {
			return err
		}
		if err := s.Sectors.Check(ctx, application.Application{}, a); err != nil {
			return err
		}
		err := acts(ctx, s, "application.create", named("application", c.ClientID), func(ctx context.Context) error {
			_, err := s.Applications.Put(ctx, a)
			return err
		})
		if errors.Is(err, application.ErrStale) {
			return fmt.Errorf("application %q exists already", c.ClientID)
		}
		if err != nil {
			return err
		}
		return r.printSecret(c.ClientID, secret)
	})
}

func (r *run) printSecret(clientID string, secret sdk.Secret) error {
	view := map[string]string{"client_id": clientID}
	if secret != "" {
		view["client_secret"] = secret.Reveal()
	}
	return r.print(view, func(w io.Writer) {
		row(w, "client_id:", clientID)
		if secret != "" {
			row(w, "client_secret (shown once):", secret.Reveal())
		}
	})
}

type applicationSecretCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id."`
}

// Run replaces the secret.
func (c applicationSecretCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		secret, err := s.ReplaceSecret(ctx, provisioning.ClientID(c.ClientID))
		if err != nil {
			return about(fmt.Sprintf("application %q", c.ClientID), err)
		}
		return r.printSecret(c.ClientID, secret)
	})
}

type applicationDeleteCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id."`
}

// Run deletes an application with its bindings, whose on_loss policies say what
// becomes of the accounts.
func (c applicationDeleteCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		if err := s.DeleteApplication(ctx, provisioning.ClientID(c.ClientID)); err != nil {
			return about(fmt.Sprintf("application %q", c.ClientID), err)
		}
		return r.did(done{Object: "application", Name: c.ClientID, Result: "deleted"}, "%s is deleted", c.ClientID)
	})
}
