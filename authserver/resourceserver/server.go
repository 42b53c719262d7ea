package resourceserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// ErrNotFound means there is no resource server with the identifier.
var ErrNotFound = errors.New("resource server not found")

// Server is a resource server.
type Server struct {
	// Identifier is what the parameter resource (RFC 8707 section 2) and the audience of
	// tokens say: an absolute URI, compared character by character.
	Identifier string `yaml:"identifier" json:"identifier"`
	Settings   `yaml:",inline"`
}

// Settings are what an admin says of a resource server. Each left out is its zero
// value, which is the default.
type Settings struct {
	// Scopes are those a token for it may have; whoever asks must have them, too.
	Scopes []string `yaml:"scopes,omitempty" json:"scopes,omitempty"`
	// Applications may ask for tokens for it; [Any] and [SelfRegistered] stand for many.
	Applications []provisioning.ClientID `yaml:"applications,omitempty" json:"applications,omitempty"`
	// Introspection are the applications that may introspect tokens for it (RFC 7662):
	// those whose credentials the resource server has.
	Introspection []provisioning.ClientID `yaml:"introspection,omitempty" json:"introspection,omitempty"`
	// TokenFormat is that of its access tokens; "" is application.TokenOpaque.
	TokenFormat application.TokenFormat `yaml:"token_format,omitempty" json:"token_format,omitempty"`
	// TokenAlg signs those that are JWTs, one of application.SigningAlgs; "" is RS256,
	// which every resource server can verify (RFC 9068 section 2.1). See [Settings.Alg].
	TokenAlg string `yaml:"token_alg,omitempty" json:"token_alg,omitempty"`
	// TokenLifetime is how long its access tokens are good for, such as "15m"; "" takes
	// the server's. See [Settings.Lifetime].
	TokenLifetime string `yaml:"token_lifetime,omitempty" json:"token_lifetime,omitempty"`
	Disabled      bool   `yaml:"disabled,omitempty" json:"disabled,omitempty"`
}

// What stands for many applications. No client_id looks like it.
const (
	Any            provisioning.ClientID = "*"                 // all that an admin made
	SelfRegistered provisioning.ClientID = "(self-registered)" // all others: strangers are meant by this word alone
)

// Serves reports whether the application may have tokens for the resource server. The
// console may not, even if it is listed: the gate lets everybody in there.
func (s Server) Serves(a application.Application) bool {
	if a.ClientID == application.Console {
		return false
	}
	many := Any
	if a.SelfRegistered {
		many = SelfRegistered
	}
	return !s.Disabled && (slices.Contains(s.Applications, a.ClientID) || slices.Contains(s.Applications, many))
}

// Introspects reports whether the application may introspect its tokens.
func (s Server) Introspects(client provisioning.ClientID) bool {
	return !s.Disabled && slices.Contains(s.Introspection, client)
}

// Forget takes the application from all lists, and reports whether it was in any.
func (s *Server) Forget(client provisioning.ClientID) bool {
	before := len(s.Applications) + len(s.Introspection)
	is := func(c provisioning.ClientID) bool { return c == client }
	s.Applications, s.Introspection = slices.DeleteFunc(s.Applications, is), slices.DeleteFunc(s.Introspection, is)
	return len(s.Applications)+len(s.Introspection) < before
}

// Alg returns the algorithm that signs its access tokens, if they are JWTs.
func (s Settings) Alg() string { return cmp.Or(s.TokenAlg, application.AlgRS256) }

// Lifetime returns what TokenLifetime says, and otherwise what is the default.
func (s Settings) Lifetime(otherwise time.Duration) time.Duration {
	if d, err := parseLifetime(s.TokenLifetime); err == nil {
		return d
	}
	return otherwise
}

// Store keeps resource servers.
type Store interface {
	// Get returns the resource server with the identifier, or ErrNotFound.
	Get(ctx context.Context, identifier string) (Server, error)
	// List returns all of them, by identifier.
	List(ctx context.Context) ([]Server, error)
	// Put creates or replaces one.
	Put(ctx context.Context, s Server) error
}
