package scim2

import "context"

// shared is a value that whoever needs it first fetches, within its own deadline,
// while the others wait, each within theirs.
type shared[T any] struct {
	turn  chan struct{}
	value *T // nil until it was fetched; only by whoever has the turn
}

func newShared[T any]() *shared[T] { return &shared[T]{turn: make(chan struct{}, 1)} }

// get returns the value if fresh accepts it, and else what fetch returns. The
// error is fetch's or the context's.
func (s *shared[T]) get(ctx context.Context, fresh func(T) bool, fetch func(context.Context) (T, error)) (T, error) {
	var none T
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if s.value != nil && fresh(*s.value) {
		return *s.value, nil
	}
	fetched, err := fetch(ctx)
	if err != nil {
		return none, err
	}
	s.value = &fetched
	return fetched, nil
}
