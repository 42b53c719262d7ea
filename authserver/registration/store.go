package registration

import (
	"context"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// The errors of the stores.
var (
	// ErrNotFound means there is no such registration or token.
	ErrNotFound = errors.New("not found")
	// ErrSpent means that an initial access token is unknown, expired, revoked or used
	// up: which, its holder is not told.
	ErrSpent = errors.New("the initial access token is not valid")
)

// Hash is the SHA-256 of a token. Only hashes are stored.
type Hash []byte

// Registration is what is kept of an application that registered itself, beside the
// application.
type Registration struct {
	Client    provisioning.ClientID
	TokenHash Hash    // of its registration access token
	Initial   TokenID // of the token it registered with; "" if it needed none
	CreatedAt time.Time
}

// TokenID names an initial access token. It is no secret.
type TokenID string

// InitialToken lets whoever has it register applications.
type InitialToken struct {
	ID        TokenID
	Hash      Hash
	Note      string // what it is for, to an admin
	MaxUses   int    // how many applications it registers
	Uses      int    // how many it did
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero while it stands
}

// Usable reports whether another application can be registered with it at that time.
func (t InitialToken) Usable(at time.Time) bool {
	return t.RevokedAt.IsZero() && t.Uses < t.MaxUses && at.Before(t.ExpiresAt)
}

// Store keeps registrations. One goes with its application.
type Store interface {
	// Add adds a registration, after its application.
	Add(ctx context.Context, r Registration) error
	// ByToken returns the registration with that token, or ErrNotFound.
	ByToken(ctx context.Context, hash Hash) (Registration, error)
	// Count counts the applications that registered themselves. Inside a transaction
	// nobody else registers until it ends.
	Count(ctx context.Context) (int, error)
	// Unused returns up to limit of them that did not change since a time, that no
	// user allows anything and that hold no grant.
	Unused(ctx context.Context, since, now time.Time, limit int) ([]provisioning.ClientID, error)
}

// TokenStore keeps initial access tokens.
type TokenStore interface {
	AddToken(ctx context.Context, t InitialToken) error
	// CheckToken returns ErrSpent unless the token can be used.
	CheckToken(ctx context.Context, hash Hash, at time.Time) error
	// UseToken counts a use and returns the token, or ErrSpent. Of concurrent calls no
	// more succeed than it has uses.
	UseToken(ctx context.Context, hash Hash, at time.Time) (TokenID, error)
	// Tokens returns all, the newest first.
	Tokens(ctx context.Context) ([]InitialToken, error)
	// RevokeToken revokes it; the first time counts. ErrNotFound if there is none.
	RevokeToken(ctx context.Context, id TokenID, at time.Time) error
}
