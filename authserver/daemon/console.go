package daemon

import (
	"context"
	"net/http"
	"os"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/console"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// applicationsAndConsole are the stored applications and the console, which is one
// without being stored: what an admin does to applications cannot lock admins out.
type applicationsAndConsole struct {
	store.Applications
	console application.Application
}

// Get returns application.ErrNotFound for an unknown one.
func (a applicationsAndConsole) Get(ctx context.Context, id provisioning.ClientID) (application.Application, error) {
	if id == a.console.ClientID {
		return a.console, nil
	}
	return a.Applications.Get(ctx, id)
}

// applications returns the applications that people sign in to.
func (s *System) applications() applicationsAndConsole {
	return applicationsAndConsole{s.Applications, consoleApplication(s.Config.Issuer)}
}

// consoleApplication is a public client: its only secret would be one that the server
// keeps from itself.
func consoleApplication(issuer string) application.Application {
	a := application.New(application.Console, "Anteroom console")
	a.AuthMethod, a.Revision = application.AuthNone, 1
	a.RedirectURIs, a.PostLogoutRedirectURIs = []string{issuer + console.PathCallback}, []string{issuer + console.Path}
	a.GrantTypes, a.Scopes = []string{application.GrantAuthorizationCode}, []string{"openid"}
	a.InitiateLoginURI = issuer + console.Path
	return a
}

// console returns the pages at /admin. handler is the one they are part of.
func (s *System) console(pages *web.Renderer, handler func() http.Handler) (*console.Console, error) {
	return console.New(console.Options{
		Issuer: s.Config.Issuer, Client: application.Console, Secure: isHTTPS(s.Config.Issuer), Inside: console.Inside{Handler: handler},
		Sessions: s.sessions, Sealer: s.sealer, Users: s.Users, Roles: s.Admins, Resources: s.Resources(os.Getenv), Applications: s, Assets: pages.Asset,
		Reference: flow.NewReference,
		Log:       s.log, Now: s.Now,
	})
}
