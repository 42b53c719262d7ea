package wire

import (
	"context"
	"sync"
)

// gate counts running calls and can be shut.
type gate struct {
	mu      sync.Mutex
	running int
	shut    bool
	empty   chan struct{} // closed when shut and nothing runs
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter reports whether a call may start; if so, leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.running++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.shut && g.running == 0 {
		close(g.empty)
	}
}

// drain shuts the gate and waits for the running calls.
func (g *gate) drain(ctx context.Context) error {
	g.mu.Lock()
	if !g.shut {
		g.shut = true
		if g.running == 0 {
			close(g.empty)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
