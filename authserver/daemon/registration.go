package daemon

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// keepRegistrationTokens is how long an initial access token is shown after it expired.
const keepRegistrationTokens = 30 * 24 * time.Hour

func (s *System) buildRegistrations() {
	c := s.Config.Registration
	s.Registrations = &registration.Service{
		Policy: registration.Policy{
			Mode: registration.Mode(c.Mode), Scopes: c.Scopes, MaxApplications: c.MaxApplications, PKCEOptional: c.PKCEOptional, KeepUnused: c.KeepUnused,
		},
		Applications: s.Applications, Store: store.Registrations{DB: s.db}, Tokens: store.Registrations{DB: s.db}, Consents: store.Consents{DB: s.db}, Sectors: s.Sectors,
		Remove: s.deleteApplication, InTx: s.db.InTx, Now: s.Now,
	}
}

// registrationPath is where applications register, "" if they cannot.
func (s *System) registrationPath() string {
	if !s.Registrations.Policy.On() {
		return ""
	}
	return registration.Path
}

func (s *System) registrationEndpoint(address func(*http.Request) string) registration.Endpoint {
	return registration.Endpoint{
		Service: s.Registrations, Issuer: s.Config.Issuer, Address: address, Log: s.log, Reference: flow.NewReference,
		Allow: func(ctx context.Context, address string) (time.Duration, error) {
			err := s.Users.AllowRegistration(ctx, address)
			if throttled, ok := errors.AsType[*user.ThrottledError](err); ok {
				return throttled.Wait, nil
			}
			return 0, err
		},
	}
}

// boundAs returns the client whose bindings are an application's: of one that
// registered itself, and that no admin gave any, the default bindings. Nobody decided
// that its users need no accounts.
func boundAs(ctx context.Context, apps application.Store, client provisioning.ClientID) (provisioning.ClientID, error) {
	app, err := apps.Get(ctx, client)
	if errors.Is(err, application.ErrNotFound) || err == nil && !app.SelfRegistered {
		return client, nil
	}
	return provisioning.DefaultClient, err
}
