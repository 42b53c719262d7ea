package registration

import (
	"errors"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
)

// Mode says who may register applications.
type Mode string

// The modes. Whatever is none of them is off.
const (
	ModeOff   Mode = "off"
	ModeToken Mode = "token"          // who has an initial access token of an admin's
	ModeOpen  Mode = "open_to_anyone" // without any token
)

// Policy is what the server lets applications that register themselves be.
type Policy struct {
	Mode   Mode
	Scopes []string // what they may ask for
	// MaxApplications bounds how many of them there are.
	MaxApplications int
	// PKCEOptional lets those that authenticate do without PKCE.
	PKCEOptional bool
	// KeepUnused is how long one is kept that nobody uses.
	KeepUnused time.Duration
}

// On reports whether anybody may register.
func (p Policy) On() bool { return p.Mode == ModeToken || p.Mode == ModeOpen }

// DefaultScopes are what they may ask for when nothing is configured.
func DefaultScopes() []string { return []string{"openid", "profile", "email", "offline_access"} }

// Check says what is wrong with the policy.
func (p Policy) Check() error {
	switch {
	case !p.On():
		return nil
	case len(p.Scopes) == 0:
		return errors.New("registration: no scopes")
	case p.MaxApplications < 1:
		return errors.New("registration: no applications allowed")
	case p.KeepUnused <= 0:
		return errors.New("registration: unused applications are not kept at all")
	default:
		return nil
	}
}

// allowed returns those scopes that may be asked for, all if none are named.
func (p Policy) allowed(wanted []string) []string {
	if len(wanted) == 0 {
		return slices.Clone(p.Scopes)
	}
	return slices.DeleteFunc(wanted, func(s string) bool { return !slices.Contains(p.Scopes, s) })
}

// The grant types that they may use: all are for users. An application that acts for
// itself alone is an admin's to make.
func grantTypes() []string {
	return []string{application.GrantAuthorizationCode, application.GrantRefreshToken}
}
