package federation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Attempt is one trip of a browser to an upstream. It is good for one answer.
type Attempt struct {
	ID        string // hash of the state parameter
	SignIn    string // the sign-in it belongs to, and with it the browser; "" to link
	Upstream  string
	Nonce     string
	Verifier  string // of PKCE (RFC 7636)
	Fresh     bool   // the person must prove again who they are
	Owner     Owner  // who links; the zero Owner for a sign-in
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Owner is a user in the session in which they link an upstream.
type Owner struct {
	User    provisioning.UserID
	Session string // its id
}

// Attempts keeps attempts; nonce, verifier and owner sealed.
type Attempts interface {
	// Insert adds an attempt.
	Insert(ctx context.Context, a Attempt) error
	// Take removes the attempt and returns it, or ErrState: the second time, too.
	Take(ctx context.Context, id string) (Attempt, error)
}

// Link says whose subject it is. It is never guessed from an e-mail address.
type Link struct {
	Issuer, Subject string
	User            provisioning.UserID
	CreatedAt       time.Time
}

// Links keeps links. Every method takes part in a transaction that ctx carries.
type Links interface {
	// Find returns the link of issuer and subject, or ErrNoLink.
	Find(ctx context.Context, issuer, subject string) (Link, error)
	// Insert adds a link, or returns ErrLinked.
	Insert(ctx context.Context, l Link) error
	// Of returns the user's links, the oldest first.
	Of(ctx context.Context, user provisioning.UserID) ([]Link, error)
	// Delete removes exactly this link of this user, or returns ErrNoLink. Until the
	// transaction ends nobody else removes another of theirs.
	Delete(ctx context.Context, l Link) error
	// DeleteAllOf removes the user's links.
	DeleteAllOf(ctx context.Context, user provisioning.UserID) error
}

// Upstreams reads upstreams.
type Upstreams interface {
	// List returns all of them, by name.
	List(ctx context.Context) ([]Upstream, error)
	// Get returns one, or ErrNotFound.
	Get(ctx context.Context, name string) (Upstream, error)
}

// attemptLifetime is how long somebody may take at the upstream; the sign-in itself
// ends no later.
const attemptLifetime = 30 * time.Minute

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}
