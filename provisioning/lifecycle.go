package provisioning

import (
	"context"
	"fmt"
	"time"
)

// LifecycleLedger is what lifecycle events change in the ledger. Every method
// takes part in a transaction that ctx carries.
type LifecycleLedger interface {
	// Want is as for [GateLedger].
	Want(ctx context.Context, w Wish, now time.Time) error
	// Change makes every account of the user due that is not desired absent.
	Change(ctx context.Context, user UserID, now time.Time) error
	// Desire turns accounts of the user that are desired as one of from into to,
	// and makes those due. What no binding wants does not become present again.
	Desire(ctx context.Context, user UserID, from []Desired, to Desired, now time.Time) error
	// Retry is as for [GateLedger].
	Retry(ctx context.Context, user UserID, targets []TargetName, now time.Time) (int, error)
}

// BindingReader reads bindings.
type BindingReader interface {
	ByClient(ctx context.Context, client ClientID) ([]Binding, error)
	// ByTarget returns every application's binding to the target.
	ByTarget(ctx context.Context, target TargetName) ([]Binding, error)
}

// LifecycleOptions are the parts of a Lifecycle. All are required.
type LifecycleOptions struct {
	Ledger   LifecycleLedger
	Bindings BindingReader
	Tx       Tx
	Nudge    func() // tells the runner that work became due; must not block
	Now      func() time.Time
}

// Lifecycle carries what happens to users into the ledger. Call it inside the
// transaction that changes the user: what must become of the accounts is then
// committed with the change, or not at all.
type Lifecycle struct{ LifecycleOptions }

// NewLifecycle returns a lifecycle.
func NewLifecycle(o LifecycleOptions) *Lifecycle { return &Lifecycle{o} }

// Registered gives a new user the accounts of the application they registered
// through, whether or not its bindings work at sign-in; those of the default
// bindings when client is "". Rules are asked when the account is made.
func (l *Lifecycle) Registered(ctx context.Context, user UserID, client ClientID) error {
	if client == "" {
		client = DefaultClient
	}
	return l.change(ctx, "register", func(ctx context.Context) error {
		bindings, err := l.Bindings.ByClient(ctx, client)
		if err != nil {
			return err
		}
		targets := make([]TargetName, 0, len(bindings))
		for _, b := range bindings {
			targets = append(targets, b.Target)
		}
		if len(targets) == 0 {
			return nil
		}
		return l.Ledger.Want(ctx, Wish{User: user, Client: client, Targets: targets, Trigger: TriggerBackground, Belongs: true}, l.Now())
	})
}

// Changed brings a changed profile to the user's accounts.
func (l *Lifecycle) Changed(ctx context.Context, user UserID) error {
	return l.change(ctx, "change", func(ctx context.Context) error { return l.Ledger.Change(ctx, user, l.Now()) })
}

// Disabled suspends the user's accounts.
func (l *Lifecycle) Disabled(ctx context.Context, user UserID) error {
	return l.desire(ctx, "disable", user, DesiredSuspended, DesiredPresent)
}

// Enabled brings the user's suspended accounts back.
func (l *Lifecycle) Enabled(ctx context.Context, user UserID) error {
	return l.desire(ctx, "enable", user, DesiredPresent, DesiredSuspended)
}

// Deleted ends the user's accounts as each target's policy says.
func (l *Lifecycle) Deleted(ctx context.Context, user UserID) error {
	return l.desire(ctx, "delete", user, DesiredAbsent, DesiredPresent, DesiredSuspended)
}

// Retry makes one account due at once and has the target read. It returns
// [ErrAccountNotFound] if there is none.
func (l *Lifecycle) Retry(ctx context.Context, user UserID, target TargetName) error {
	return l.change(ctx, "retry", func(ctx context.Context) error {
		n, err := l.Ledger.Retry(ctx, user, []TargetName{target}, l.Now())
		if err == nil && n == 0 {
			return ErrAccountNotFound
		}
		return err
	})
}

func (l *Lifecycle) desire(ctx context.Context, event string, user UserID, to Desired, from ...Desired) error {
	return l.change(ctx, event, func(ctx context.Context) error {
		return l.Ledger.Desire(ctx, user, from, to, l.Now())
	})
}

func (l *Lifecycle) change(ctx context.Context, event string, fn func(context.Context) error) error {
	err := l.Tx.InTx(ctx, func(ctx context.Context) error {
		l.Tx.AfterCommit(ctx, l.Nudge)
		return fn(ctx)
	})
	if err != nil {
		return fmt.Errorf("carry %s to accounts: %w", event, err)
	}
	return nil
}
