package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

const (
	// endTime is how long a process may take to end when it is asked to.
	endTime = 6 * time.Second
	// maxRSS is what a process may hold after the run.
	maxRSS = 256 << 20
)

func processChecks() []Check {
	return []Check{
		{ID: "process/survives", Demand: "has not ended by itself during the run", Process: true, Bare: true, run: processSurvives},
		{ID: "process/stdout-silent", Demand: "has printed nothing on standard output but the handshake", Process: true, Bare: true, run: processSilent},
		{ID: "process/memory", Demand: "holds less than 256 MiB after the run", Process: true, Bare: true, run: processMemory},
		{ID: "process/term-drains", Demand: "answers the running call before it ends on SIGTERM", Process: true, Proxy: true, run: processDrains},
		{ID: "process/term-ends", Demand: "ends on SIGTERM", Process: true, Bare: true, run: processTerm},
		{ID: "process/host-death", Demand: "ends when the host's end of standard input is closed", Process: true, Bare: true, run: processHostDeath},
	}
}

func processSurvives(_ context.Context, s *Session) error {
	if len(s.deaths) > 0 {
		return differs("the process lives through the run", "%d ended by themselves: %s", len(s.deaths), strings.Join(s.deaths, ", "))
	}
	return nil
}

func processSilent(_ context.Context, s *Session) error {
	if printed := s.subject.child.stdout.String(); printed != "" {
		return differs("nothing on standard output but the handshake", "%s", quoted(printed))
	}
	return nil
}

func processMemory(_ context.Context, s *Session) error {
	rss, err := s.subject.child.rss()
	switch {
	case err != nil:
		return notRun("the memory of a process cannot be read on this system")
	case rss >= maxRSS:
		return differs("less than 256 MiB resident", "%d MiB", rss>>20)
	}
	return nil
}

// onProcess runs a check on a process of its own, configured.
func onProcess(ctx context.Context, s *Session, run func(*subject, *wire.Remote) error) error {
	fresh, err := s.start(ctx)
	if err != nil {
		return differs("a second process starts", "%s", err)
	}
	defer fresh.stop()
	limited, cancel := call(ctx)
	defer cancel()
	_ = fresh.client.Configure(limited, mainInstance(), s.config) // it ends like any other if that fails
	return run(fresh, fresh.client.Remote(mainInstance()))
}

func (c *child) mustEnd(after string) error {
	begin := time.Now()
	if !c.ends(endTime) {
		return differs(fmt.Sprintf("the process ends within %s of %s", endTime, after), "it runs after %s", time.Since(begin).Round(time.Second))
	}
	return nil
}

func processTerm(ctx context.Context, s *Session) error {
	return onProcess(ctx, s, func(p *subject, _ *wire.Remote) error {
		if err := p.child.signal(syscall.SIGTERM); err != nil {
			return err
		}
		return p.child.mustEnd("SIGTERM")
	})
}

func processDrains(ctx context.Context, s *Session) error {
	return onProcess(ctx, s, func(p *subject, t *wire.Remote) error {
		attributes := s.people.next()
		ended, err := s.delayed(ctx, func() error {
			limited, cancel := call(ctx)
			defer cancel()
			a, err := t.Create(limited, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes, Active: true})
			if err == nil {
				s.created = append(s.created, a.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := p.child.signal(syscall.SIGTERM); err != nil {
			return err
		}
		return errors.Join(unexpected("the Create that was running at SIGTERM", <-ended), p.child.mustEnd("SIGTERM"))
	})
}

func processHostDeath(ctx context.Context, s *Session) error {
	return onProcess(ctx, s, func(p *subject, _ *wire.Remote) error {
		p.child.dropLifeline()
		return p.child.mustEnd("the end of standard input")
	})
}
