package faultproxy

import "context"

// AwaitRequests waits until the proxy has got at least n requests, counted from
// its start, and returns ctx's error if that ends first.
func (p *Proxy) AwaitRequests(ctx context.Context, n int) error {
	return p.await(ctx, func() bool { return len(p.requests) >= n })
}

// AwaitIdle waits until no request is in flight. A request whose client has left
// is not in flight any more.
func (p *Proxy) AwaitIdle(ctx context.Context) error {
	return p.await(ctx, func() bool { return p.open == 0 })
}

// await waits for a state, which is asked for with mu held.
func (p *Proxy) await(ctx context.Context, reached func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := reached(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
