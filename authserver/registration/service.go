package registration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

var (
	// ErrFull means that there are as many applications as the policy allows.
	ErrFull = errors.New("no more applications can be registered")
	// ErrDisabled means that an admin disabled the application.
	ErrDisabled = errors.New("the application is disabled")
)

// Consents is what users let applications have.
type Consents interface {
	// ForgetApplication forgets all of them of one application.
	ForgetApplication(ctx context.Context, client provisioning.ClientID) error
}

// Sectors knows which applications a sector lists (OpenID Connect Core 1.0 section 8.1).
type Sectors interface {
	// Check returns an error unless the application belongs to the sector it names;
	// before is the application as it is stored.
	Check(ctx context.Context, before, a application.Application) error
}

// Service registers applications. All fields are required.
type Service struct {
	Policy       Policy
	Applications application.Store
	Store        Store
	Tokens       TokenStore
	Consents     Consents
	Sectors      Sectors
	// Remove deletes an application with all that hangs on it.
	Remove func(ctx context.Context, id provisioning.ClientID) error
	InTx   func(ctx context.Context, fn func(context.Context) error) error
	Now    func() time.Time
}

// registered is an application with what its client learns of it but once.
type registered struct {
	app    application.Application
	secret sdk.Secret // "" if there is no new one
	token  sdk.Secret // registration access token; "" but when it is made
}

// register makes an application of the metadata. Whatever is refused uses up nothing of
// the token. Errors: *Refusal, ErrSpent, ErrFull.
func (s *Service) register(ctx context.Context, token sdk.Secret, m metadata) (registered, error) {
	a := application.Application{ClientID: provisioning.ClientID(strings.ToLower(rand.Text())), Enabled: true}
	out, err := s.shape(ctx, a, m)
	if err != nil {
		return registered{}, err
	}
	out.token = newSecret()
	err = s.InTx(ctx, func(ctx context.Context) error {
		initial, err := s.use(ctx, token)
		if err != nil {
			return err
		}
		n, err := s.Store.Count(ctx)
		if err == nil && n >= s.Policy.MaxApplications {
			err = ErrFull
		}
		if err != nil {
			return err
		}
		if out.app, err = s.put(ctx, out.app); err != nil {
			return err
		}
		return s.Store.Add(ctx, Registration{
			Client: out.app.ClientID, TokenHash: hashOf(out.token), Initial: initial, CreatedAt: out.app.CreatedAt,
		})
	})
	return out, err
}

// shape applies the metadata to an application as it was before, with a secret of the
// client's if it needs one and has none, and checks the result. It may ask the sector,
// so it is for no transaction.
func (s *Service) shape(ctx context.Context, before application.Application, m metadata) (registered, error) {
	a, err := m.apply(before, s.Policy)
	if err != nil {
		return registered{}, err
	}
	out := registered{app: a}
	switch {
	case !a.AuthMethod.UsesSecret():
		out.app.SecretHash = ""
	case a.SecretHash == "":
		out.secret = application.GenerateSecret()
		out.app.SecretHash = application.HashSecret(out.secret)
	}
	if err := out.app.Validate(); err != nil {
		return out, refusalOf(err)
	}
	if err := s.Sectors.Check(ctx, before, out.app); err != nil {
		// How an address failed would tell a stranger of networks they cannot see.
		refused := invalid("sector_identifier_uri", "must lead to a JSON array that lists every redirect URI")
		refused.cause = err
		return out, refused
	}
	return out, nil
}

func (s *Service) put(ctx context.Context, a application.Application) (application.Application, error) {
	a, err := s.Applications.Put(ctx, a)
	return a, refusalOf(err)
}

// read returns an application to its own client. Errors: ErrNotFound, ErrDisabled.
func (s *Service) read(ctx context.Context, id string, token sdk.Secret) (application.Application, error) {
	r, err := s.managed(ctx, id, token)
	if err != nil {
		return application.Application{}, err
	}
	a, err := s.Applications.Get(ctx, r.Client)
	if errors.Is(err, application.ErrNotFound) || err == nil && !a.SelfRegistered {
		return application.Application{}, ErrNotFound // an admin took it over
	}
	if err == nil && !a.Enabled {
		return application.Application{}, ErrDisabled
	}
	return a, err
}

// change replaces all metadata of an application (RFC 7592 section 2.2). Errors:
// *Refusal, ErrNotFound, ErrDisabled, application.ErrStale.
func (s *Service) change(ctx context.Context, id string, token sdk.Secret, u update) (registered, error) {
	a, err := s.read(ctx, id, token)
	if err != nil {
		return registered{}, err
	}
	if err := u.check(a); err != nil {
		return registered{}, err
	}
	out, err := s.shape(ctx, a, u.metadata)
	if err != nil {
		return registered{}, err
	}
	err = s.InTx(ctx, func(ctx context.Context) error {
		if looksDifferent(a, out.app) {
			if err := s.Consents.ForgetApplication(ctx, a.ClientID); err != nil {
				return err
			}
		}
		var err error
		out.app, err = s.put(ctx, out.app)
		return err
	})
	return out, err
}

// looksDifferent reports whether people who allowed the one would have to be asked
// about the other: it has another name or other addresses.
func looksDifferent(a, b application.Application) bool {
	return a.Name != b.Name || !slices.Equal(a.RedirectURIs, b.RedirectURIs) || a.About.ClientURI != b.About.ClientURI ||
		a.About.PolicyURI != b.About.PolicyURI || a.About.TermsURI != b.About.TermsURI
}

// check refuses what a client must not send, or must send as it is.
func (u update) check(a application.Application) error {
	for field, sent := range map[string]bool{
		"registration_access_token": u.Token != nil, "registration_client_uri": u.URI != nil,
		"client_id_issued_at": u.IssuedAt != nil, "client_secret_expires_at": u.ExpiresAt != nil,
	} {
		if sent {
			return invalid(field, "must not be sent")
		}
	}
	if u.ClientID != string(a.ClientID) {
		return invalid("client_id", "must be the one that is registered")
	}
	if u.ClientSecret != "" && !application.VerifySecret(a.SecretHash, sdk.Secret(u.ClientSecret)) {
		return invalid("client_secret", "must be the one that is registered, or be left out")
	}
	return nil
}

// remove deletes an application for its own client. Errors: ErrNotFound, ErrDisabled.
func (s *Service) remove(ctx context.Context, id string, token sdk.Secret) error {
	a, err := s.read(ctx, id, token)
	if err != nil {
		return err
	}
	return s.Remove(ctx, a.ClientID)
}

// RemoveUnused deletes up to limit applications that nobody has used for as long as
// the policy keeps such, and returns how many.
func (s *Service) RemoveUnused(ctx context.Context, limit int) (int, error) {
	if s.Policy.KeepUnused <= 0 { // a policy that was not configured: to keep is safe
		return 0, nil
	}
	now := s.Now()
	clients, err := s.Store.Unused(ctx, now.Add(-s.Policy.KeepUnused), now, limit)
	if err != nil {
		return 0, fmt.Errorf("find unused applications: %w", err)
	}
	for i, id := range clients {
		if err := s.Remove(ctx, id); err != nil && !errors.Is(err, application.ErrNotFound) {
			return i, fmt.Errorf("remove unused application %s: %w", id, err)
		}
	}
	return len(clients), nil
}
