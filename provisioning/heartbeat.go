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

// held is a lease that is being kept alive. Its ctx ends when it no longer is.
type held struct {
	ctx   context.Context //nolint:containedctx // it is the lease's life, handed to one run
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
// extended in time, the context ends with ErrLeaseLost as its cause.
func (e *Engine) keep(ctx context.Context, l Lease) (*held, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &held{ctx: ctx, until: l.Until}
	var wg sync.WaitGroup
	wg.Go(func() { e.beat(h, cancel, l) })
	return h, func() {
		cancel(context.Canceled)
		wg.Wait()
	}
}

func (e *Engine) beat(h *held, cancel context.CancelCauseFunc, l Lease) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		until := e.Now().Add(LeaseFor)
		err := e.Ledger.Extend(h.ctx, l, until)
		switch {
		case err == nil:
			h.extended(until)
		case errors.Is(err, ErrLeaseLost), h.budget(e.Now()) < heartbeatEvery:
			cancel(ErrLeaseLost)
			return
		}
	}
}
