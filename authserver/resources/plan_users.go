package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

func (p *planner) user(ctx context.Context, path string, u User) error {
	current, err := p.backend.Users.ByLogin(ctx, u.Login)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		p.newUser(path, u)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read user %s: %w", u.Login, err)
	}
	desired, err := user.Check(u.over(current), "")
	p.problems.fromUser(path, err)
	c := compare("user", u.Login, exportUser(current), exportUser(desired))
	p.add(c, func(ctx context.Context, b *Backend) error {
		_, err := b.Users.Update(ctx, current.ID, func(stored *user.User) error {
			*stored = u.over(*stored)
			return nil
		})
		if err != nil || desired.Active() == current.Active() {
			return err
		}
		return b.Users.SetActive(ctx, current.ID, desired.Active())
	})
	return nil
}

func (p *planner) newUser(path string, u User) {
	var password sdk.Secret
	if u.Password != nil {
		password, _ = p.backend.resolve(path+"password", *u.Password, &p.problems)
	}
	if _, ok := p.state.applications[u.Home]; u.Home != "" && !ok && !p.planned("application", u.Home) {
		p.problems.add(path+"home", "there is no application %q", u.Home)
	}
	fresh, err := user.Check(u.over(user.User{Login: u.Login, Home: provisioning.ClientID(u.Home)}), password)
	p.problems.fromUser(path, err)
	c := compare("user", u.Login, nil, exportUser(fresh))
	if password != "" {
		c.Fields = append(c.Fields, FieldChange{Path: "password", New: password.String() + " (set)"})
	}
	p.add(c, func(ctx context.Context, b *Backend) error {
		made, err := b.Users.Import(ctx, fresh, password)
		if err != nil || !u.Disabled {
			return err
		}
		return b.Users.SetActive(ctx, made.ID, false)
	})
}

// fromUser takes over what is wrong with a user, at its path.
func (p *Problems) fromUser(path string, err error) {
	found, _ := errors.AsType[user.Problems](err)
	for _, problem := range found {
		p.add(path+problem.Field, "%s", problem.Text)
	}
}

// planned reports whether the plan makes or changes the resource.
func (p *planner) planned(kind, name string) bool {
	for _, c := range p.plan.Changes {
		if c.Kind == kind && c.Name == name {
			return true
		}
	}
	return false
}

// over returns the stored user with the document's fields.
func (u User) over(stored user.User) user.User {
	stored.Login, stored.Email, stored.EmailVerified = u.Login, u.Email, u.EmailVerified
	stored.GivenName, stored.FamilyName, stored.Name = u.GivenName, u.FamilyName, u.Name
	stored.Locale, stored.PhoneNumber = u.Locale, u.PhoneNumber
	stored.Groups, stored.Claims = u.Groups, u.Claims
	stored.Status = user.StatusActive
	if u.Disabled {
		stored.Status = user.StatusDisabled
	}
	return stored
}

func exportUser(u user.User) User {
	return User{
		Login: u.Login, Email: u.Email, EmailVerified: u.EmailVerified, GivenName: u.GivenName, FamilyName: u.FamilyName, Name: u.Name,
		Locale: u.Locale, PhoneNumber: u.PhoneNumber, Groups: u.Groups, Claims: u.Claims, Disabled: !u.Active(), Home: string(u.Home),
	}
}
