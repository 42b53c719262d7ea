package provisioning

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Sweep is work over many users that is done a batch at a time, in the
// background. It survives the process: After is stored with each batch.
type Sweep struct {
	Target TargetName
	Cause  SweepCause
	Client ClientID   // the binding's; "" for SweepChanged
	OnLoss LossPolicy // for SweepLost
	After  UserID     // users up to this one are done
}

// SweepCause says what a sweep does.
type SweepCause string

// The causes of a sweep.
const (
	SweepChanged SweepCause = "changed" // the target changed: its accounts are due
	SweepJoined  SweepCause = "joined"  // a binding was added: who belongs to it gets an account
	SweepLost    SweepCause = "lost"    // a binding was removed: its on_loss policy applies
)

// SweepBatch is how many users are done in one transaction.
const SweepBatch = 500

// SweepLedger is what a sweep reads and writes. Every method takes part in the
// transaction of ctx.
type SweepLedger interface {
	// Next returns a sweep to go on with and keeps others from it until the
	// transaction ends; ok is false when there is none.
	Next(ctx context.Context) (s Sweep, ok bool, err error)
	// Redo makes the next accounts of a changed target due, and Lose applies the
	// policy of a lost binding to the next accounts that no other binding wants.
	// Both return the last user they looked at, "" when there are no more.
	Redo(ctx context.Context, s Sweep, limit int, now time.Time) (UserID, error)
	Lose(ctx context.Context, s Sweep, limit int, now time.Time) (UserID, error)
	// Want is as for [GateLedger].
	Want(ctx context.Context, w Wish, now time.Time) error
	// Reached stores how far the sweep came; "" ends it.
	Reached(ctx context.Context, s Sweep, after UserID) error
}

// Members reads who belongs to an application.
type Members interface {
	// Members returns the active users of the application who come after a user,
	// in the order of their ids. [DefaultClient] has those of no application.
	Members(ctx context.Context, client ClientID, after UserID, limit int) ([]UserID, error)
}

// SweeperOptions are the parts of a Sweeper. All are required.
type SweeperOptions struct {
	Ledger  SweepLedger
	Members Members
	Tx      Tx
	Nudge   func() // tells the runner that work became due; must not block
	Logger  *slog.Logger
	Now     func() time.Time
}

// Sweeper carries sweeps out. Several may share one database.
type Sweeper struct{ SweeperOptions }

// NewSweeper returns a sweeper.
func NewSweeper(o SweeperOptions) *Sweeper { return &Sweeper{o} }

// The pauses of a sweeper: between batches, so that sign-ins get their turn at
// the database, and when there is nothing to do.
const (
	sweepPause = 50 * time.Millisecond
	sweepPoll  = 2 * time.Second
)

// Run carries sweeps out until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		more, err := s.Step(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "provisioning sweep failed", "error", err)
		}
		if more && err == nil {
			timer.Reset(sweepPause)
		} else {
			timer.Reset(sweepPoll)
		}
	}
}

// Step does one batch of one sweep, in one transaction. It reports whether there
// was one.
func (s *Sweeper) Step(ctx context.Context) (bool, error) {
	var found bool
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		sweep, ok, err := s.Ledger.Next(ctx)
		if found = ok; err != nil || !ok {
			return err
		}
		after, err := s.batch(ctx, sweep)
		if err != nil {
			return fmt.Errorf("%s %s: %w", sweep.Target, sweep.Cause, err)
		}
		s.Tx.AfterCommit(ctx, s.Nudge)
		return s.Ledger.Reached(ctx, sweep, after)
	})
	if err != nil {
		return false, fmt.Errorf("sweep: %w", err)
	}
	return found, nil
}

func (s *Sweeper) batch(ctx context.Context, sweep Sweep) (UserID, error) {
	switch sweep.Cause {
	case SweepChanged:
		return s.Ledger.Redo(ctx, sweep, SweepBatch, s.Now())
	case SweepLost:
		return s.Ledger.Lose(ctx, sweep, SweepBatch, s.Now())
	case SweepJoined:
		return s.join(ctx, sweep)
	default:
		return "", fmt.Errorf("unknown cause")
	}
}

func (s *Sweeper) join(ctx context.Context, sweep Sweep) (UserID, error) {
	users, err := s.Members.Members(ctx, sweep.Client, sweep.After, SweepBatch)
	if err != nil {
		return "", err
	}
	for _, user := range users {
		w := Wish{User: user, Client: sweep.Client, Targets: []TargetName{sweep.Target}, Trigger: TriggerBackground, Belongs: true}
		if err := s.Ledger.Want(ctx, w, s.Now()); err != nil {
			return "", err
		}
	}
	if len(users) < SweepBatch {
		return "", nil
	}
	return users[len(users)-1], nil
}
