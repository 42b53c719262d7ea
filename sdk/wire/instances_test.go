package wire

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/sdk"
)

// holdingTarget returns a target whose Create waits for release.
func holdingTarget(id string) (target *fakeTarget, entered, release chan struct{}) {
	entered, release = make(chan struct{}), make(chan struct{})
	return &fakeTarget{
		closed: make(chan struct{}),
		create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) {
			close(entered)
			<-release
			return sdk.Account{ID: id}, nil
		},
		lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) {
			return []sdk.Account{{ID: id}}, nil
		},
	}, entered, release
}

func TestUnknownInstanceAsksToBeConfigured(t *testing.T) {
	target, _, _ := holdingTarget("a")
	f := newFixture(t, connectorOf(target))
	ctx, one := soon(t), Instance{ID: "one", Generation: 1}
	_, err := f.Remote(one).Lookup(ctx, sdk.LookupRequest{})
	if !errors.Is(err, ErrNotConfigured) {
		t.Fatalf("error %v, want ErrNotConfigured", err)
	}
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	if err := f.Configure(ctx, one, goodConfig); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Remote(one).Lookup(ctx, sdk.LookupRequest{}); err != nil {
		t.Errorf("after Configure: %v", err)
	}
	for _, other := range []Instance{{ID: "one", Generation: 2}, {ID: "two", Generation: 1}, {}} {
		if _, err := f.Remote(other).Lookup(ctx, sdk.LookupRequest{}); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("%+v: error %v, want ErrNotConfigured", other, err)
		}
	}
}

func TestNewGenerationReplacesAndDrainsTheOlder(t *testing.T) {
	first, entered, release := holdingTarget("first")
	second, _, _ := holdingTarget("second")
	f := newFixture(t, connectorOf(first, second))
	ctx := soon(t)
	v1, v2 := Instance{ID: "one", Generation: 1}, Instance{ID: "one", Generation: 2}
	if err := f.Configure(ctx, v1, goodConfig); err != nil {
		t.Fatal(err)
	}
	created := make(chan error, 1)
	go func() {
		a, err := f.Remote(v1).Create(ctx, sdk.CreateRequest{})
		if err == nil && a.ID != "first" {
			err = errors.New("answered by " + a.ID)
		}
		created <- err
	}()
	wait(t, "the first call", entered)

	if err := f.Configure(ctx, v2, goodConfig); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Remote(v2).Lookup(ctx, sdk.LookupRequest{}); err != nil || got[0].ID != "second" {
		t.Errorf("the new generation answers %v, %v", got, err)
	}
	if _, err := f.Remote(v1).Lookup(ctx, sdk.LookupRequest{}); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("a new call on the old generation: %v, want ErrNotConfigured", err)
	}
	err := f.Configure(ctx, v1, goodConfig)
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	if errors.Is(err, ErrNotConfigured) {
		t.Error("configuring an older generation must not ask for another try")
	}
	select {
	case <-first.closed:
		t.Error("the old generation was closed under a running call")
	default:
	}
	close(release)
	if err := <-created; err != nil {
		t.Errorf("the running call: %v", err)
	}
	wait(t, "close of the old generation", first.closed)
}

func TestConfigureOpensOnceForManyCallers(t *testing.T) {
	var opened atomic.Int32
	f := newFixture(t, sdk.Define("fake", "1.0.0", func(context.Context, fakeConfig) (*fakeTarget, error) {
		opened.Add(1)
		return &fakeTarget{}, nil
	}))
	ctx := soon(t)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if err := f.Configure(ctx, Instance{ID: "one", Generation: 3}, goodConfig); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("opened %d times, want once", n)
	}
}

func TestFailedConfigureKeepsWhatWasThere(t *testing.T) {
	target, _, _ := holdingTarget("a")
	f := newFixture(t, connectorOf(target))
	v1 := Instance{ID: "one", Generation: 1}
	if err := f.Configure(soon(t), v1, goodConfig); err != nil {
		t.Fatal(err)
	}
	checkError(t, f.Configure(soon(t), Instance{ID: "one", Generation: 2}, sdk.RawConfig{}), sdk.KindInvalid, sdk.EffectNone)
	if _, err := f.Remote(v1).Lookup(soon(t), sdk.LookupRequest{}); err != nil {
		t.Errorf("the old generation after a bad one: %v", err)
	}
}

func TestReleaseClosesAfterTheLastCall(t *testing.T) {
	target, entered, release := holdingTarget("a")
	f := newFixture(t, connectorOf(target))
	ctx, one := soon(t), Instance{ID: "one", Generation: 2}
	if err := f.Configure(ctx, one, goodConfig); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.Remote(one).Create(ctx, sdk.CreateRequest{})
	}()
	wait(t, "the call", entered)
	for _, in := range []Instance{{ID: "one", Generation: 1}, {ID: "two", Generation: 1}, one, one} {
		if err := f.Release(ctx, in); err != nil {
			t.Errorf("Release(%+v): %v", in, err)
		}
	}
	if _, err := f.Remote(one).Lookup(ctx, sdk.LookupRequest{}); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("after Release: %v, want ErrNotConfigured", err)
	}
	select {
	case <-target.closed:
		t.Error("closed under a running call")
	default:
	}
	close(release)
	wait(t, "the call's end", done)
	wait(t, "close", target.closed)
}

func TestDrain(t *testing.T) {
	target, entered, release := holdingTarget("a")
	f := newFixture(t, connectorOf(target))
	remote := f.configured(t)
	created := make(chan error, 1)
	go func() {
		_, err := remote.Create(soon(t), sdk.CreateRequest{})
		created <- err
	}()
	wait(t, "the call", entered)

	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.server.Drain(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("Drain out of time = %v, want the context's error", err)
	}
	_, err := remote.Lookup(soon(t), sdk.LookupRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	if errors.Is(err, ErrProcessGone) || errors.Is(err, ErrNotConfigured) {
		t.Errorf("a draining process says %v", err)
	}
	close(release)
	if err := f.server.Drain(soon(t)); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if err := <-created; err != nil {
		t.Errorf("the running call: %v", err)
	}
	wait(t, "close", target.closed)
}

// closeCounter is a target that knows how often it was closed.
type closeCounter struct {
	fakeTarget
	closes atomic.Int32
}

func (c *closeCounter) Close() error {
	c.closes.Add(1)
	return nil
}

// TestInstancesLifeCycle drives one instance through random steps: a generation
// is closed exactly once, after it was replaced or released and its last call
// has ended, and only the current one takes calls.
func TestInstancesLifeCycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newInstances(slog.New(slog.DiscardHandler))
		type opened struct {
			generation int64
			target     *closeCounter
			calls      []*instance
		}
		var all []*opened
		var current *opened
		generation := rapid.Int64Range(1, 5)
		t.Repeat(map[string]func(*rapid.T){
			"configure": func(t *rapid.T) {
				g, next := generation.Draw(t, "generation"), &closeCounter{}
				err := s.configure(t.Context(), Instance{"one", g}, func() (sdk.Target, error) { return next, nil })
				if older := current != nil && g < current.generation; older != (err != nil) {
					t.Fatalf("configure %d over %+v: %v", g, current, err)
				}
				if err == nil && (current == nil || g > current.generation) {
					current = &opened{generation: g, target: next}
					all = append(all, current)
				}
			},
			"release": func(t *rapid.T) {
				g := generation.Draw(t, "generation")
				s.release(Instance{"one", g})
				if current != nil && g >= current.generation {
					current = nil
				}
			},
			"call": func(t *rapid.T) {
				g := generation.Draw(t, "generation")
				in, err := s.acquire(Instance{"one", g})
				if want := current != nil && current.generation == g; want != (err == nil) {
					t.Fatalf("call on %d with current %+v: %v", g, current, err)
				}
				if err == nil {
					current.calls = append(current.calls, in)
				}
			},
			"end of a call": func(t *rapid.T) {
				for _, o := range all {
					if len(o.calls) > 0 {
						s.done(o.calls[0])
						o.calls = o.calls[1:]
						return
					}
				}
				t.Skip("no call runs")
			},
			"": func(t *rapid.T) {
				s.closing.Wait()
				for _, o := range all {
					want := int32(0)
					if o != current && len(o.calls) == 0 {
						want = 1
					}
					if got := o.target.closes.Load(); got != want {
						t.Fatalf("generation %d with %d calls was closed %d times, want %d", o.generation, len(o.calls), got, want)
					}
				}
			},
		})
	})
}
