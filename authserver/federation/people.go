package federation

import (
	"context"
	"errors"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Users is what federation needs of users; user.Service has the meaning. What it
// writes belongs to ctx's transaction.
type Users interface {
	Get(ctx context.Context, id provisioning.UserID) (user.User, error)
	Import(ctx context.Context, u user.User, password sdk.Secret) (user.User, error)
	Update(ctx context.Context, id provisioning.UserID, change func(*user.User) error) (user.User, error)
}

// Emails knows whose an e-mail address is.
type Emails interface {
	// EmailTaken reports whether a user other than that one has verified the address.
	EmailTaken(ctx context.Context, email string, except provisioning.UserID) (bool, error)
}

// Resolve returns the user an identity belongs to: the linked one, brought up to
// date, or a new one, if the upstream may make users, whose home is the application.
// Call it in the transaction that begins the session: everything is written with it
// or nothing. Errors: [*Error], provisioning.ErrUserInactive, ErrUnconfirmed if the new
// user has to look at it first; see [Service.Confirm].
func (s *Service) Resolve(ctx context.Context, id Identity, home provisioning.ClientID) (user.User, error) {
	u, err := s.linked(ctx, id)
	switch {
	case errors.Is(err, ErrNoLink):
		return s.create(ctx, id, home)
	case err != nil:
		return user.User{}, err
	case !u.Active():
		return user.User{}, provisioning.ErrUserInactive
	case u.Source != id.Upstream.Name:
		return u, nil // not the upstream's to change
	}
	wanted := id.onto(u)
	if wanted.Email != u.Email {
		if err := s.checkEmail(ctx, id, wanted.Email, u.ID); err != nil {
			return user.User{}, err
		}
	}
	u, err = s.Users.Update(ctx, u.ID, func(u *user.User) error {
		*u = id.onto(*u)
		return nil
	})
	return u, id.asProfile(err)
}

func (s *Service) linked(ctx context.Context, id Identity) (user.User, error) {
	link, err := s.Links.Find(ctx, id.Issuer, id.Subject)
	if err != nil {
		return user.User{}, err
	}
	return s.Users.Get(ctx, link.User)
}

func (s *Service) create(ctx context.Context, id Identity, home provisioning.ClientID) (user.User, error) {
	switch id.Upstream.JIT {
	case JITOn:
	case JITConfirm:
		return user.User{}, id.unconfirmed(home)
	default:
		return user.User{}, id.Upstream.fail(KindNoAccount, "subject %q is linked to nobody, and jit is %s", id.Subject, id.Upstream.JIT)
	}
	fresh := id.fresh(home)
	if err := s.checkEmail(ctx, id, fresh.Email, ""); err != nil {
		return user.User{}, err
	}
	return s.make(ctx, id, fresh)
}

// fresh returns the user that the upstream's word alone makes.
func (id Identity) fresh(home provisioning.ClientID) user.User {
	return id.onto(user.User{Home: home, Source: id.Upstream.Name})
}

func (s *Service) make(ctx context.Context, id Identity, fresh user.User) (user.User, error) {
	u, err := s.Users.Import(ctx, fresh, "")
	if err != nil {
		return user.User{}, id.asProblems(err)
	}
	return u, s.Links.Insert(ctx, Link{Issuer: id.Issuer, Subject: id.Subject, User: u.ID, CreatedAt: s.Now()})
}

// checkEmail refuses an address that somebody else verified here: two users would
// pass for one person downstream. It does not matter whether the upstream verified
// it, too: that proves nothing to us about our user.
func (s *Service) checkEmail(ctx context.Context, id Identity, email string, except provisioning.UserID) error {
	if email == "" {
		return nil
	}
	taken, err := s.Emails.EmailTaken(ctx, email, except)
	if err != nil {
		return err
	}
	if taken {
		return id.Upstream.fail(KindTaken, "the e-mail address of subject %q belongs to another user", id.Subject)
	}
	return nil
}

// asProfile tells what an upstream got wrong from our own errors.
func (id Identity) asProfile(err error) error {
	wrong, ok := errors.AsType[user.Problems](err)
	if !ok {
		return err
	}
	kind := KindProfile
	for _, p := range wrong {
		if p.Code == user.CodeLoginTaken {
			kind = KindTaken
		}
	}
	return id.Upstream.fail(kind, "subject %q: %w", id.Subject, wrong)
}
