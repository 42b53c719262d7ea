package provisioning

import (
	"context"
	"log/slog"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Conn is an open target with what it can do besides the required verbs; nil
// means it cannot.
type Conn struct {
	sdk.Target
	Getter       sdk.Getter
	ActiveSetter sdk.ActiveSetter
	Deleter      sdk.Deleter
	Description  sdk.Description
}

// Targets opens targets. It is called for every run, so it keeps what it opened.
type Targets interface {
	// Connect returns a target configured as t is at t.Revision. Its errors are
	// those of a verb: an [*sdk.Error], or something that counts as internal.
	Connect(ctx context.Context, t Target) (Conn, error)
}

// TargetReader reads targets.
type TargetReader interface {
	// Get returns the target with its secrets, or [ErrTargetNotFound].
	Get(ctx context.Context, name TargetName) (Target, error)
}

// Ledger is what the engine writes. Every method returns [ErrLeaseLost], and has
// changed nothing of the account, when another worker has it.
type Ledger interface {
	// Begin writes down an attempt before its first call.
	Begin(ctx context.Context, l Lease, a Attempt) error
	// Creating writes down that a create is about to go out.
	Creating(ctx context.Context, l Lease) error
	// Extend moves the lease's end.
	Extend(ctx context.Context, l Lease, until time.Time) error
	// Finish writes the result and ends the lease. It returns [ErrLinked], and
	// keeps the lease, when the external id is another user's.
	Finish(ctx context.Context, l Lease, r Result) error
	// LinkedTo returns the user whose account has the external id, "" if none.
	LinkedTo(ctx context.Context, target TargetName, externalID string) (UserID, error)
}

// Result is what a run leaves behind.
type Result struct {
	Rev     int64    // the desired revision the run worked for
	Account Account  // the row as it is to be; revisions, fence and lease aside
	Attempt *Attempt // nil when no call was made
}

// EngineOptions are the parts of an Engine.
type EngineOptions struct {
	Ledger   Ledger
	Store    TargetReader
	Targets  Targets
	Users    Users
	Notifier *Notifier // may be nil
	// DigestKey keys the digests of what was sent; the ledger keeps those instead
	// of values. At least 32 bytes.
	DigestKey []byte
	Logger    *slog.Logger
	Now       func() time.Time
	// Random returns a number in [0,1) for the jitter of retries.
	Random func() float64
}
