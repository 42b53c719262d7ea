package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

type userCommands struct {
	List              userListCommand              `cmd:"" help:"List users."`
	Show              userShowCommand              `cmd:"" help:"Show a user with their accounts."`
	Create            userCreateCommand            `cmd:"" help:"Create a user; the password comes from standard input."`
	Set               userSetCommand               `cmd:"" help:"Change a user's profile; their accounts follow."`
	Password          userPasswordCommand          `cmd:"" help:"Set a password, from standard input."`
	ResetSecondFactor userResetSecondFactorCommand `cmd:"" name:"reset-second-factor" help:"Turn off a user's authenticator app, when the phone and the recovery codes are lost."`
	RemovePasskeys    userRemovePasskeysCommand    `cmd:"" name:"remove-passkeys" help:"Remove all passkeys of a user, when devices are lost, and sign them out."`
	Disable           userDisableCommand           `cmd:"" help:"Keep a user from signing in; their accounts are suspended."`
	Enable            userEnableCommand            `cmd:"" help:"Let a user sign in again."`
	Delete            userDeleteCommand            `cmd:"" help:"Delete a user."`
}

// withUser finds the user by login or id.
func (r *run) withUser(login string, f func(ctx context.Context, s *daemon.System, u user.User) error) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		u, err := findUser(ctx, s, login)
		if err != nil {
			return err
		}
		return f(ctx, s, u)
	})
}

func findUser(ctx context.Context, s *daemon.System, login string) (user.User, error) {
	u, err := s.Users.ByLogin(ctx, login)
	if errors.Is(err, provisioning.ErrUserNotFound) {
		u, err = s.Users.Get(ctx, provisioning.UserID(login))
	}
	if err != nil {
		return user.User{}, about(fmt.Sprintf("user %q", login), err)
	}
	return u, nil
}

type userListCommand struct {
	Search string `help:"Part of a login, e-mail or name."`
	Limit  int    `help:"At most this many." default:"100"`
	After  string `help:"Start behind this id."`
}

// Run lists users.
func (c userListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		users, err := s.Users.List(ctx, user.Query{Search: c.Search, Limit: c.Limit, After: provisioning.UserID(c.After)})
		if err != nil {
			return err
		}
		return r.print(list(users, viewUser), func(w io.Writer) {
			row(w, "LOGIN", "E-MAIL", "NAME", "STATUS", "ID")
			for _, u := range users {
				row(w, u.Login, dash(u.Email), dash(fullName(u)), u.Status, u.ID)
			}
		})
	})
}

func fullName(u user.User) string {
	if u.Name != "" {
		return u.Name
	}
	return strings.TrimSpace(u.GivenName + " " + u.FamilyName)
}

type userShowCommand struct {
	Login       string `arg:"" optional:"" help:"Login or id."`
	Subject     string `help:"In place of a login: the subject (sub) an application knows the user by." placeholder:"SUB"`
	Application string `help:"The application that has the subject." placeholder:"CLIENT_ID"`
}

// find finds the user by login, id or subject.
func (c userShowCommand) find(ctx context.Context, s *daemon.System) (user.User, error) {
	if c.Subject == "" {
		return findUser(ctx, s, c.Login)
	}
	app, err := s.Applications.Get(ctx, provisioning.ClientID(c.Application))
	if err != nil {
		return user.User{}, about(fmt.Sprintf("application %q", c.Application), err)
	}
	id, err := s.Subjects.User(ctx, app, c.Subject)
	if errors.Is(err, subject.ErrNone) {
		return user.User{}, fmt.Errorf("application %q knows nobody by the subject %q", c.Application, c.Subject)
	}
	if err != nil {
		return user.User{}, err
	}
	return findUser(ctx, s, string(id))
}

// userAccounts is what show prints.
type userAccounts struct {
	User     userView      `json:"user"`
	Passkeys []passkeyView `json:"passkeys"`
	Accounts []accountView `json:"accounts"`
}

// Run shows a user.
func (c userShowCommand) Run(r *run) error {
	if (c.Login == "") == (c.Subject == "") || (c.Subject == "") != (c.Application == "") {
		return fmt.Errorf("%w: give a login, or --subject with --application", errUsage)
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		u, err := c.find(ctx, s)
		if err != nil {
			return err
		}
		accounts, err := s.Accounts.List(ctx, provisioning.AccountFilter{User: u.ID})
		if err != nil {
			return err
		}
		keys, err := s.Users.PasskeysOf(ctx, u.ID)
		if err != nil {
			return err
		}
		views := list(accounts, func(a provisioning.Account) accountView { return viewAccount(a, u.Login, s.Now()) })
		return r.print(userAccounts{viewUser(u), list(keys, viewPasskey), views}, func(w io.Writer) {
			row(w, "login:", u.Login)
			row(w, "id:", u.ID)
			row(w, "name:", dash(fullName(u)))
			row(w, "e-mail:", dash(u.Email))
			row(w, "groups:", dash(strings.Join(u.Groups, ", ")))
			row(w, "status:", u.Status)
			row(w, "belongs to:", dash(string(u.Home)))
			for _, k := range keys {
				row(w, "passkey:", passkeyText(k))
			}
			for _, v := range views {
				row(w, "account in "+string(v.Target)+":", strings.TrimSpace(fmt.Sprintf("%s %s", v.State, v.ExternalID)))
			}
		})
	})
}

// profileFlags are the fields a command can set; nil leaves one alone.
type profileFlags struct {
	Email       *string  `help:"E-mail address."`
	GivenName   *string  `help:"Given name."`
	FamilyName  *string  `help:"Family name."`
	DisplayName *string  `help:"Full name as shown."`
	PhoneNumber *string  `help:"Phone number (E.164)."`
	Locale      *string  `help:"Language tag (BCP 47)."`
	Group       []string `help:"A group; repeat for several. Replaces all groups; an empty name removes them." sep:"none" placeholder:"NAME"`
}

func (f profileFlags) apply(u *user.User) error {
	if f.Email != nil && *f.Email != u.Email {
		u.EmailVerified = false // it was the other one's
	}
	for _, field := range []struct {
		from *string
		to   *string
	}{{f.Email, &u.Email}, {f.GivenName, &u.GivenName}, {f.FamilyName, &u.FamilyName}, {f.DisplayName, &u.Name}, {f.PhoneNumber, &u.PhoneNumber}, {f.Locale, &u.Locale}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if len(f.Group) > 0 {
		u.Groups = slices.DeleteFunc(slices.Clone(f.Group), func(name string) bool { return name == "" })
	}
	return nil
}

type userCreateCommand struct {
	Login       string `arg:"" help:"What they sign in with."`
	Application string `help:"Application the user belongs to; its bindings apply."`
	NoPassword  bool   `help:"Create without a password."`
	profileFlags
}

// Run creates a user.
func (c userCreateCommand) Run(r *run) error {
	var password sdk.Secret
	if !c.NoPassword {
		var err error
		if password, err = readSecret(r); err != nil {
			return err
		}
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		u := user.User{Login: c.Login, Home: provisioning.ClientID(c.Application)}
		if err := c.apply(&u); err != nil {
			return err
		}
		if c.Application != "" {
			if _, err := s.Applications.Get(ctx, u.Home); err != nil {
				return about(fmt.Sprintf("application %q", c.Application), err)
			}
		}
		var made user.User
		err := s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
			var err error
			made, err = s.Users.Import(ctx, u, password)
			return audit.Act{Action: "user.create", Object: objectOf(made)}, err
		})
		if err != nil {
			return err
		}
		return r.print(viewUser(made), func(w io.Writer) { row(w, fmt.Sprintf("%s is created, id %s", made.Login, made.ID)) })
	})
}

type userSetCommand struct {
	Login string `arg:"" help:"Login or id."`
	profileFlags
}

// given reports whether any flag is.
func (f profileFlags) given() bool {
	return f.Email != nil || f.GivenName != nil || f.FamilyName != nil || f.DisplayName != nil || f.PhoneNumber != nil ||
		f.Locale != nil || len(f.Group) > 0
}

// changes are the names of the fields that are set: their values tell of a person.
func (f profileFlags) changes() []audit.Change {
	var all []audit.Change
	for name, is := range map[string]bool{
		"email": f.Email != nil, "given_name": f.GivenName != nil, "family_name": f.FamilyName != nil, "name": f.DisplayName != nil,
		"phone_number": f.PhoneNumber != nil, "locale": f.Locale != nil, "groups": len(f.Group) > 0,
	} {
		if is {
			all = append(all, audit.Change{Field: name})
		}
	}
	slices.SortFunc(all, func(a, b audit.Change) int { return strings.Compare(a.Field, b.Field) })
	return all
}

// Run changes a profile.
func (c userSetCommand) Run(r *run) error {
	if !c.given() {
		return fmt.Errorf("%w: say what to change; see anteroom user set --help", errUsage)
	}
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		var changed user.User
		err := s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
			var err error
			changed, err = s.Users.Update(ctx, u.ID, c.apply)
			return audit.Act{Action: "user.update", Object: objectOf(u), Changes: c.changes()}, err
		})
		if err != nil {
			return err
		}
		return r.print(viewUser(changed), func(w io.Writer) { row(w, changed.Login+" is changed") })
	})
}

type userPasswordCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run sets a password.
func (c userPasswordCommand) Run(r *run) error {
	password, err := readSecret(r)
	if err != nil {
		return err
	}
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		hash, err := s.Users.HashPassword(ctx, u.ID, password)
		if err != nil {
			return err
		}
		err = acts(ctx, s, "user.set_password", objectOf(u), func(ctx context.Context) error { return s.Users.ReplacePassword(ctx, u.ID, hash) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "password_set"}, "the password of %s is set", u.Login)
	})
}

type userResetSecondFactorCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run turns the second factor off.
func (c userResetSecondFactorCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		err := acts(ctx, s, "user.reset_second_factor", objectOf(u), func(ctx context.Context) error { return s.SecondFactor.Remove(ctx, u.ID) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "second_factor_reset"}, "%s signs in with the password alone", u.Login)
	})
}

type userDisableCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run disables a user and ends their sessions.
func (c userDisableCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		err := acts(ctx, s, "user.disable", objectOf(u), func(ctx context.Context) error { return s.Users.SetActive(ctx, u.ID, false) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "disabled"}, "%s is disabled", u.Login)
	})
}

type userEnableCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run enables a user.
func (c userEnableCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		err := acts(ctx, s, "user.enable", objectOf(u), func(ctx context.Context) error { return s.Users.SetActive(ctx, u.ID, true) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "enabled"}, "%s is enabled", u.Login)
	})
}

type userDeleteCommand struct {
	Login string `arg:"" help:"Login or id."`
}

// Run deletes a user.
func (c userDeleteCommand) Run(r *run) error {
	return r.withUser(c.Login, func(ctx context.Context, s *daemon.System, u user.User) error {
		err := acts(ctx, s, "user.delete", objectOf(u), func(ctx context.Context) error { return s.Users.Delete(ctx, u.ID) })
		if err != nil {
			return err
		}
		return r.did(done{Object: "user", Name: u.Login, Result: "deleted"}, "%s is deleted", u.Login)
	})
}
