package passkey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Passkey is a key of a user's authenticator (a credential record, WebAuthn section 4).
type Passkey struct {
	ID         []byte // what the authenticator calls it
	User       provisioning.UserID
	Name       string // what its user calls it
	PublicKey  []byte // COSE (RFC 9052)
	Transports []string
	// SignCount is what the authenticator last said; most say 0 for ever.
	SignCount uint32
	// Synced is set when the key may leave the device it was made on, which never
	// changes; BackedUp when it did.
	Synced, BackedUp bool
	CreatedAt        time.Time
	UsedAt           time.Time // zero while it was not
	// SuspectAt is when SignCount did not grow: there is a copy of the key. It signs
	// nobody in since then.
	SuspectAt time.Time
}

// Owner is whose passkey is to be made.
type Owner struct {
	ID    provisioning.UserID
	Login string
	Name  string
}

// Proof is what a browser's answer proves.
type Proof struct {
	User   provisioning.UserID
	Synced bool // the key may be on other devices of the user
}

// The errors of this package. A name that cannot be used is a [NameError].
var (
	// ErrNone means the user has no such passkey.
	ErrNone = errors.New("no such passkey")
	// ErrRefused means that an answer proves nothing. What it wraps is for the log.
	ErrRefused = errors.New("answer refused")
	// ErrCopied means that the passkey's counter did not grow.
	ErrCopied = errors.New("passkey may have been copied")
	// ErrTaken means that the passkey is registered already.
	ErrTaken = errors.New("passkey is registered already")
	// ErrMany means that the user has as many as there may be.
	ErrMany = errors.New("too many passkeys")
)

const (
	maxPasskeys = 20
	maxName     = 64 // letters
	// lifetime of a challenge: a sign-in's, whose page asks as soon as it is there.
	lifetime = 30 * time.Minute
)

// NameError says why a name cannot be used.
type NameError struct{ Reason string }

// Error names the reason.
func (e *NameError) Error() string { return "name: " + e.Reason }

// Store keeps passkeys.
type Store interface {
	// Add adds a passkey, or returns ErrTaken.
	Add(ctx context.Context, p Passkey) error
	// Get returns a passkey of anybody, or ErrNone.
	Get(ctx context.Context, id []byte) (Passkey, error)
	// Of returns the user's passkeys, the oldest first.
	Of(ctx context.Context, user provisioning.UserID) ([]Passkey, error)
	// Rename returns ErrNone unless it is the user's.
	Rename(ctx context.Context, user provisioning.UserID, id []byte, name string) error
	// Remove returns ErrNone unless it is the user's.
	Remove(ctx context.Context, user provisioning.UserID, id []byte) error
}

// Uses notes what becomes of passkeys when they are used.
type Uses interface {
	// Use stores SignCount, BackedUp and UsedAt. It returns ErrCopied if the stored
	// count is as high, unless both are 0: of two uses at once with one count, one
	// succeeds.
	Use(ctx context.Context, p Passkey) error
	// Suspect stores SuspectAt.
	Suspect(ctx context.Context, p Passkey) error
}

// Challenges keeps the digests of what browsers were asked to sign.
type Challenges interface {
	// Put replaces the challenge that is bound to the same.
	Put(ctx context.Context, bound string, hash []byte, expires time.Time) error
	// Take removes exactly this challenge, or returns ErrRefused.
	Take(ctx context.Context, bound string, hash []byte, now time.Time) error
}

// Limits bounds how often answers may be tried.
type Limits interface {
	// TakePasskey counts a try from the address, or returns *user.ThrottledError.
	TakePasskey(ctx context.Context, address string) error
	// ForgivePasskey takes the try back: it was right.
	ForgivePasskey(ctx context.Context, address string) error
}

// Tx runs a function in one transaction; see sqldb.DB.InTx.
type Tx interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}
