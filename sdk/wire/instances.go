package wire

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/anteroom-id/anteroom/sdk"
)

// instances are the configured targets of one connector process: at most one
// current generation of each, and older ones that only finish their calls.
type instances struct {
	log     *slog.Logger
	mu      sync.Mutex
	slots   map[string]*slot // never shrinks: a slot is small, and targets are few
	closing sync.WaitGroup
}

// slot is the place of one instance id.
type slot struct {
	turn    chan struct{} // holds one token; whoever has it may configure
	current *instance     // guarded by instances.mu, nil when not configured
}

// instance is one opened generation. Its fields are guarded by instances.mu.
type instance struct {
	generation int64
	target     sdk.Target
	calls      int
	retired    bool
}

func newInstances(log *slog.Logger) *instances {
	return &instances{log: log, slots: map[string]*slot{}}
}

func (s *instances) slot(id string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl, ok := s.slots[id]
	if !ok {
		sl = &slot{turn: make(chan struct{}, 1)}
		sl.turn <- struct{}{}
		s.slots[id] = sl
	}
	return sl
}

// configure makes ref the current generation. Callers of the same instance take
// turns, so that an instance is opened once however many calls asked for it.
func (s *instances) configure(ctx context.Context, ref Instance, open func() (sdk.Target, error)) error {
	if ref.ID == "" {
		return &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Message: "an instance needs an id"}
	}
	sl := s.slot(ref.ID)
	select {
	case <-sl.turn:
		defer func() { sl.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	switch have, ok := s.generation(sl); {
	case ok && have == ref.Generation:
		return nil
	case ok && have > ref.Generation:
		return &sdk.Error{
			Kind: sdk.KindTransient, Effect: sdk.EffectNone,
			Message: fmt.Sprintf("generation %d is configured, %d is older", have, ref.Generation),
		}
	}
	target, err := open()
	if err != nil {
		return err
	}
	s.replace(sl, &instance{generation: ref.Generation, target: target})
	return nil
}

func (s *instances) generation(sl *slot) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.current == nil {
		return 0, false
	}
	return sl.current.generation, true
}

// replace makes next current and retires what was.
func (s *instances) replace(sl *slot, next *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := sl.current; old != nil {
		s.retire(old)
	}
	sl.current = next
}

// release forgets the instance unless a newer generation has replaced it.
func (s *instances) release(ref Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl, ok := s.slots[ref.ID]
	if !ok || sl.current == nil || sl.current.generation > ref.Generation {
		return
	}
	s.retire(sl.current)
	sl.current = nil
}

// acquire returns the instance if exactly this generation is configured; done
// must follow.
func (s *instances) acquire(ref Instance) (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl, ok := s.slots[ref.ID]
	if !ok || sl.current == nil || sl.current.generation != ref.Generation {
		return nil, errNotConfigured()
	}
	sl.current.calls++
	return sl.current, nil
}

func (s *instances) done(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.calls--
	if in.retired && in.calls == 0 {
		s.shutdown(in.target)
	}
}

// retire lets an instance end after its running calls. The caller holds mu.
func (s *instances) retire(in *instance) {
	in.retired = true
	if in.calls == 0 {
		s.shutdown(in.target)
	}
}

// shutdown closes a target that wants it, off the caller's path.
func (s *instances) shutdown(t sdk.Target) {
	closer, ok := t.(io.Closer)
	if !ok {
		return
	}
	s.closing.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("connector panicked in close", "panic", fmt.Sprint(p))
			}
		}()
		if err := closer.Close(); err != nil {
			s.log.Error("close target", "error", err)
		}
	})
}

// closeAll retires every instance and waits until all are closed.
func (s *instances) closeAll(ctx context.Context) error {
	s.mu.Lock()
	for _, sl := range s.slots {
		if sl.current != nil {
			s.retire(sl.current)
			sl.current = nil
		}
	}
	s.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		s.closing.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
