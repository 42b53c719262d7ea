package salesforce

import (
	"context"
	"net/url"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
)

// session is an access token and the host it is for.
type session struct {
	token    sdk.Secret
	instance *url.URL // scheme and host only
}

// sessions keeps the one session of a target. Whoever needs one while it is
// being fetched waits for the same answer.
type sessions struct {
	fetch func(context.Context) (*session, error)

	mu      sync.Mutex
	current *session
	pending *fetching // nil when none is under way
}

// fetching is one request for a session; what came of it stands once done is
// closed.
type fetching struct {
	done chan struct{}
	got  *session
	err  error
}

// get returns the current session or a new one. A caller that gives up does not
// take the answer away from the others.
func (s *sessions) get(ctx context.Context) (*session, error) {
	s.mu.Lock()
	if s.current != nil {
		defer s.mu.Unlock()
		return s.current, nil
	}
	f := s.pending
	if f == nil {
		f = &fetching{done: make(chan struct{})}
		s.pending = f
		go s.run(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.got, f.err
	case <-ctx.Done():
		return nil, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "no session in time", Err: context.Cause(ctx)}
	}
}

func (s *sessions) run(ctx context.Context, f *fetching) {
	f.got, f.err = s.fetch(ctx)
	s.mu.Lock()
	s.current, s.pending = f.got, nil
	s.mu.Unlock()
	close(f.done)
}

// drop forgets a session that the org refused. A newer one stays.
func (s *sessions) drop(old *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == old {
		s.current = nil
	}
}
