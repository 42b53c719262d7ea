package provisioning

import (
	"context"
	"errors"
	"sync"
	"time"
)

// LeaseFor is how long a lease lasts unless it is extended: the longest a dead
// worker's account waits for another.
const LeaseFor = 30 * time.Second

const (
	heartbeatEvery = 10 * time.Second
	// leaseMargin is kept free at a lease's end, so that a call is over before
	// another worker may begin.
	leaseMargin = 2 * time.Second
	maxCall     = 30 * time.Second
)

// held is how long a lease that is being kept alive holds by now.
type held struct {
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
	return min(maxCall, h.until.Add(-leaseMargin).Sub(now))
}

// keep extends the lease until stop is called. When it is lost, or could not be
// extended in time, the returned context ends with ErrLeaseLost as its cause.
func (e *Engine) keep(ctx context.Context, l Lease) (context.Context, *held, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &held{until: l.Until}
	var wg sync.WaitGroup
	wg.Go(func() { e.beat(ctx, cancel, h, l) })
	return ctx, h, func() {
		cancel(context.Canceled)
		wg.Wait()
	}
}

func (e *Engine) beat(ctx context.Context, cancel context.CancelCauseFunc, h *held, l Lease) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		until := e.Now().Add(LeaseFor)
		err := e.Ledger.Extend(ctx, l, until)
		switch {
		case err == nil:
			h.extended(until)
		case errors.Is(err, ErrLeaseLost), h.budget(e.Now()) < heartbeatEvery:
			cancel(ErrLeaseLost)
			return
		}
	}
}
