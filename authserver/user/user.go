package user

import (
	"errors"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Status says whether a user may sign in.
type Status string

// The statuses of a user.
const (
	StatusActive   Status = "active"
	StatusDisabled Status = "disabled"
	// StatusDeleted is a tombstone: the id and the times remain, so that the id is
	// never given again; everything personal is gone and the login is free.
	StatusDeleted Status = "deleted"
)

// User is a person.
type User struct {
	ID provisioning.UserID // the OIDC sub; a UUID version 7

	Login     string // as typed
	LoginNorm string // what must be unique: NFKC and case folded

	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Name          string
	Locale        string // BCP 47
	PhoneNumber   string // E.164
	Groups        []string
	Claims        map[string][]string

	Status Status
	// Home is the application the user registered through or was created by; ""
	// for one made by an admin outside any application.
	Home provisioning.ClientID
	// Source is the upstream that the user came from and that keeps their fields up to
	// date; "" for one of our own.
	Source    string
	Revision  int64 // grows with every change
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Active reports whether the user may sign in.
func (u User) Active() bool { return u.Status == StatusActive }

// Profile returns the user as provisioning sees them.
func (u User) Profile() provisioning.Profile {
	return provisioning.Profile{
		ID: u.ID, Login: u.Login, Email: u.Email, EmailVerified: u.EmailVerified,
		GivenName: u.GivenName, FamilyName: u.FamilyName, Name: u.Name, Locale: u.Locale,
		PhoneNumber: u.PhoneNumber, Active: u.Active(),
		Groups: slices.Clone(u.Groups), Claims: u.Claims, Source: u.Source,
	}
}

// tombstone returns what is kept of a deleted user.
func (u User) tombstone() User {
	return User{ID: u.ID, Status: StatusDeleted, Revision: u.Revision, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
}

// The errors of this package. A missing or deleted user is
// provisioning.ErrUserNotFound, a disabled one provisioning.ErrUserInactive.
var (
	ErrLoginTaken = errors.New("login is taken")
	// ErrCredentials means the login or the password is wrong; it never says which.
	ErrCredentials = errors.New("login or password is wrong")
	// ErrStale means the user changed since it was read.
	ErrStale = errors.New("user was changed by somebody else")
)
