package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

func instanceChecks() []Check {
	return []Check{
		{ID: "instance/unknown", Demand: "answers a call for an instance it does not have with INSTANCE_NOT_CONFIGURED", run: instanceUnknown},
		{ID: "instance/same-generation", Demand: "takes the same generation twice", run: instanceSame},
		{ID: "instance/newer-generation", Demand: "replaces an older generation by a newer one", run: instanceNewer},
		{ID: "instance/older-generation", Demand: "refuses a generation older than the one it has", run: instanceOlder},
		{ID: "instance/running-call-ends", Demand: "lets calls of the replaced generation end", Proxy: true, run: instanceRunning},
		{ID: "instance/release", Demand: "forgets a released instance, and does not mind releasing what it does not have", run: instanceRelease},
		{ID: "instance/many", Demand: "keeps several instances apart", run: instanceMany},
	}
}

// stage is an instance of its own for one check.
type stage struct {
	s   *Session
	ctx context.Context
	id  string
}

func (g stage) at(generation int64) wire.Instance {
	return wire.Instance{ID: g.id, Generation: generation}
}

func (g stage) configure(generation int64) error {
	return g.s.subject.client.Configure(g.ctx, g.at(generation), g.s.config)
}

// ask makes a harmless call.
func (g stage) ask(generation int64) error {
	key := "kit"
	if keys := g.s.people.keys(); len(keys) > 0 {
		key = keys[0].Name
	}
	_, err := g.s.subject.client.Remote(g.at(generation)).Lookup(g.ctx, sdk.LookupRequest{Key: key, Value: g.s.run + "-nobody"})
	return err
}

func (g stage) release(generation int64) error {
	return g.s.subject.client.Release(g.ctx, g.at(generation))
}

// onStage runs a check on an instance of its own.
func onStage(ctx context.Context, s *Session, id string, run func(stage) error) error {
	ctx, cancel := call(ctx)
	defer cancel()
	g := stage{s, ctx, "kit-" + id}
	err := run(g)
	_ = g.release(1 << 40)
	return err
}

func instanceUnknown(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "unknown", func(g stage) error {
		return notConfigured("Lookup on an instance that was never configured", g.ask(1))
	})
}

func instanceSame(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "same", func(g stage) error {
		for range 2 {
			if err := g.configure(3); err != nil {
				return unexpected("Configure of generation 3, twice", err)
			}
		}
		return unexpected("Lookup afterwards", g.ask(3))
	})
}

func instanceNewer(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "newer", func(g stage) error {
		for _, generation := range []int64{1, 2} {
			if err := g.configure(generation); err != nil {
				return unexpected(fmt.Sprintf("Configure of generation %d", generation), err)
			}
		}
		return errors.Join(
			unexpected("Lookup on generation 2", g.ask(2)),
			notConfigured("Lookup on the replaced generation 1", g.ask(1)))
	})
}

func instanceOlder(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "older", func(g stage) error {
		if err := g.configure(5); err != nil {
			return unexpected("Configure of generation 5", err)
		}
		if err := g.configure(4); err == nil {
			return differs("Configure of generation 4 after 5 fails", "success")
		}
		return unexpected("Lookup on generation 5", g.ask(5))
	})
}

func instanceRunning(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "running", func(g stage) error {
		if err := g.configure(1); err != nil {
			return unexpected("Configure", err)
		}
		ended, err := s.delayed(g.ctx, func() error { return g.ask(1) })
		if err != nil {
			return err
		}
		if err := g.configure(2); err != nil {
			return unexpected("Configure of generation 2 while a call of generation 1 runs", err)
		}
		return errors.Join(unexpected("the call of generation 1 that was running", <-ended), unexpected("Lookup on generation 2", g.ask(2)))
	})
}

func instanceRelease(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "release", func(g stage) error {
		if err := g.configure(1); err != nil {
			return unexpected("Configure", err)
		}
		for range 2 {
			if err := g.release(1); err != nil {
				return unexpected("Release, twice", err)
			}
		}
		if err := notConfigured("Lookup after Release", g.ask(1)); err != nil {
			return err
		}
		if err := g.configure(2); err != nil {
			return unexpected("Configure after Release", err)
		}
		return unexpected("Lookup after that", g.ask(2))
	})
}

func instanceMany(ctx context.Context, s *Session) error {
	return onStage(ctx, s, "one", func(one stage) error {
		return onStage(ctx, s, "two", func(two stage) error {
			for _, g := range []stage{one, two} {
				if err := g.configure(7); err != nil {
					return unexpected("Configure of two instances", err)
				}
			}
			if err := one.release(7); err != nil {
				return unexpected("Release of one", err)
			}
			return errors.Join(
				unexpected("Lookup on the other", two.ask(7)),
				notConfigured("Lookup on the released one", one.ask(7)))
		})
	})
}
