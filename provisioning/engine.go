package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	Lister       sdk.Lister
	GroupSetter  sdk.GroupSetter
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
	Loss    *Loss    // what becomes of an account that rules deny; nil if nothing
}

// HealthRecorder keeps how targets are doing.
type HealthRecorder interface {
	// Observe notes what a run that ended at now says about its target.
	Observe(ctx context.Context, target TargetName, o Observation, now time.Time) error
}

// EngineOptions are the parts of an Engine.
type EngineOptions struct {
	Ledger Ledger
	Health HealthRecorder
	// Reservations keep the values that no two accounts of a target may have.
	Reservations Reservations
	// Admission is asked before every call that suspends or deletes an account.
	Admission Admission
	Store     TargetReader
	Targets   Targets
	Users     Users
	// Rules are asked before an account is made or changed.
	Rules    *Rulebook
	Notifier *Notifier // may be nil
	// Lease is how long the leases of this engine's runs last from each extension;
	// 0 means DefaultLease. It should be what the leases were claimed for.
	Lease time.Duration
	// DigestKey keys the digests of what was sent; the ledger keeps those instead
	// of values. At least 32 bytes.
	DigestKey []byte
	Logger    *slog.Logger
	Now       func() time.Time
	// Random returns a number in [0,1) for the jitter of retries.
	Random func() float64
}

// Engine brings due accounts to what is desired of them.
type Engine struct {
	EngineOptions
	mappings mappings
}

// minDigestKey is the least length of a key for HMAC-SHA-256 (RFC 2104 section 3).
const minDigestKey = 32

// NewEngine returns an engine. It fails when the digest key is too short: the
// digests of short values could be guessed. It fails without an Admission or a Rulebook.
func NewEngine(o EngineOptions) (*Engine, error) {
	if len(o.DigestKey) < minDigestKey {
		return nil, fmt.Errorf("engine: digest key has %d bytes, needs %d", len(o.DigestKey), minDigestKey)
	}
	if o.Admission == nil {
		return nil, errors.New("engine: no admission: nothing would bound how many accounts are deleted")
	}
	if o.Rules == nil {
		return nil, errors.New("engine: no rulebook: nothing would ask the rules of bindings")
	}
	if o.Reservations == nil {
		return nil, errors.New("engine: no reservations: two accounts would get the same unique value")
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Lease < MinLease {
		return nil, fmt.Errorf("engine: a lease of %s is shorter than %s", o.Lease, MinLease)
	}
	return &Engine{EngineOptions: o}, nil
}

// finishTimeout bounds writing a result when the run's context has ended.
const finishTimeout = 5 * time.Second

// Run works on a leased account until its result is written. How the work went
// is in the ledger; the error is about the ledger itself, or [ErrLeaseLost], and
// then the account is due again when the lease ends.
func (e *Engine) Run(ctx context.Context, l Lease) error {
	alive, held, stop := e.keep(ctx, l)
	r := &run{Engine: e, held: held, lease: l, account: l.Account, desired: l.Account.Desired}
	err := r.work(alive)
	stop()
	stopped := ctx.Err() != nil
	if errors.Is(err, ErrLeaseLost) { // for all we know: Finish will say
		stopped, err = true, errOverslept
	}
	var broken *ledgerError
	if errors.As(err, &broken) {
		return fmt.Errorf("run account: %w", broken.err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if r.waits = errors.Is(err, errHeld); r.waits {
		err = nil
		e.Logger.WarnContext(ctx, "too many accounts would end within an hour: held for an admin", "user_id", l.Account.User, "target", l.Account.Target)
	}
	if errors.Is(err, errSkipped) {
		err = nil
	}
	failure := sdk.AsError(err)
	if err := r.finish(ctx, failure); err != nil {
		return fmt.Errorf("run account: %w", err)
	}
	if failure != nil {
		level := slog.LevelWarn
		if failure.Kind == sdk.KindPending { // it goes its way
			level = slog.LevelInfo
		}
		e.Logger.Log(ctx, level, "account could not be brought in sync", "user_id", l.Account.User, "target", l.Account.Target,
			"kind", failure.Kind, "attempt", l.Account.Attempts)
	}
	e.Notifier.Notify(l.Account.User)
	if err := e.Health.Observe(ctx, l.Account.Target, r.observed(failure, stopped || r.superseded(ctx, failure)), e.Now()); err != nil {
		return fmt.Errorf("run account: %w", err)
	}
	return nil
}

// errOverslept ends a run whose lease ended first: the machine slept, or the
// database was away. If another worker has the account by now the ledger drops
// the result and keeps the record of the attempt.
var errOverslept = &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the lease ended before the run did"}

// superseded reports whether a run failed whose target has changed meanwhile. The
// connection is replaced under such runs, however well the target is: that many of
// them fail at once is no outage, and says nothing of the target as it is now.
func (r *run) superseded(ctx context.Context, failure *sdk.Error) bool {
	if failure == nil {
		return false
	}
	now, err := r.Store.Get(ctx, r.account.Target)
	return err == nil && now.Revision != r.target.Revision
}

// observed is what the run says about its target: nothing when we stopped it
// ourselves, or the target changed. A connector that could not be opened was not a
// call that the target answered, but as good as one it did not.
func (r *run) observed(failure *sdk.Error, stopped bool) Observation {
	o := Observation{Probe: r.lease.Probe, Repeated: r.lease.Account.Kind != "" || r.lease.Account.Attempts > 1}
	if stopped {
		return o
	}
	if failure != nil && failure.Kind != kindRules { // our own rules say nothing of it
		o.Kind, o.RetryAfter = failure.Kind, failure.RetryAfter
	}
	if r.attempt != nil {
		o.Called = slices.ContainsFunc(r.attempt.Calls, func(c Call) bool { return c.Verb != "connect" && c.Verb != verbRules }) ||
			o.Kind == sdk.KindTransient || o.Kind == sdk.KindUnauthorized
	}
	return o
}

// ledgerError is a failure of our own database within a run: the run ends and
// nothing is concluded about the target.
type ledgerError struct{ err error }

// Error returns the cause's text.
func (e *ledgerError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *ledgerError) Unwrap() error { return e.err }

func broken(err error) error {
	if err == nil {
		return nil
	}
	return &ledgerError{err}
}
