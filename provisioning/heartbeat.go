package provisioning

import (
	"context"
	"errors"
	"sync"
	"time"
)

// DefaultLease is how long a lease lasts unless it is extended: the longest a
// dead worker's account waits for another.
const DefaultLease = 30 * time.Second

// MinLease is the shortest lease there can be. A worker's database must answer
// within a fraction of it, or the lease is lost for nothing.
const MinLease = 2 * time.Second

// maxCall bounds one call of a connector, however long the lease.
const maxCall = 30 * time.Second

// heartbeatEvery is how often a lease is extended: one extension may fail.
func heartbeatEvery(lease time.Duration) time.Duration { return lease / 3 }

// leaseMargin is kept free at a lease's end, so that a call is over before
// another worker may begin.
func leaseMargin(lease time.Duration) time.Duration { return lease / 15 }

// held is how long a lease that is being kept alive holds by now.
type held struct {
	lease time.Duration // how long it lasts from each extension
	mu    sync.Mutex
	until time.Time
}

func (h *held) extended(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
}

// budget is how long a call may take that starts at now.
func (h *held) budget(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(maxCall, h.until.Add(-leaseMargin(h.lease)).Sub(now))
}

// keep extends the lease until stop is called. When it is lost, or could not be
// extended in time, the returned context ends with ErrLeaseLost as its cause.
func (e *Engine) keep(ctx context.Context, l Lease) (context.Context, *held, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &held{lease: e.Lease, until: l.Until}
	var wg sync.WaitGroup
	wg.Go(func() { e.beat(ctx, cancel, h, l) })
	return ctx, h, func() {
		cancel(context.Canceled)
		wg.Wait()
	}
}

func (e *Engine) beat(ctx context.Context, cancel context.CancelCauseFunc, h *held, l Lease) {
	every := heartbeatEvery(e.Lease)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		until := e.Now().Add(e.Lease)
		err := e.extend(ctx, h, l, until)
		switch {
		case err == nil:
			h.extended(until)
		case errors.Is(err, ErrLeaseLost), h.budget(e.Now()) < every:
			cancel(ErrLeaseLost)
			return
		}
	}
}

// extend gives up when the lease is about to end: a database that hangs is no
// better than one that is away.
func (e *Engine) extend(ctx context.Context, h *held, l Lease, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, h.budget(e.Now()))
	defer cancel()
	return e.Ledger.Extend(ctx, l, until)
}
