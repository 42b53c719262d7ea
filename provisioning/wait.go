package provisioning

import (
	"context"
	"time"
)

// Waiters look at the rows at least this often, since the change may be another
// instance's.
const (
	pollFirst = 250 * time.Millisecond
	pollLast  = time.Second
)

// Wait blocks until the verdict is no longer wait or ctx ends, and returns the
// last decision it saw, as [Gate.Look] would. The end of ctx is not an error.
func (g *Gate) Wait(ctx context.Context, r Request) (Decision, error) {
	g.Notifier.join(r.User)
	defer g.Notifier.leave(r.User)
	timer := time.NewTimer(pollFirst)
	defer timer.Stop()
	var last Decision
	for every := pollFirst; ; every = min(2*every, pollLast) {
		changed := g.Notifier.next(r.User)
		d, err := g.Look(ctx, r)
		switch {
		case err != nil && ctx.Err() != nil && last.Verdict != "":
			return last, nil
		case err != nil:
			return Decision{}, err
		case d.Verdict != VerdictWait:
			return d, nil
		}
		last = d
		timer.Reset(every)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return last, nil
		}
	}
}
