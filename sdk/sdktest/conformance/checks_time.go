package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

const (
	// tolerance is how far from the deadline a request may end.
	tolerance = 50 * time.Millisecond
	// shortDeadline is what a call gets whose target hangs.
	shortDeadline = 400 * time.Millisecond
	// hangTime is how long the kit waits for what must end much sooner.
	hangTime = 2 * time.Second
	// timedTries is how often a connector may try to be in time. One that does not
	// obey its deadline is late each time; a machine that is busy is so for a while.
	timedTries = 3
	// delay is how long a target takes that answers late.
	delay = 500 * time.Millisecond
)

// load measures what this machine adds to anything: four times the slowest of a
// few calls that have nothing to do.
func (s *Session) load(ctx context.Context) (time.Duration, error) {
	slowest := time.Duration(0)
	for range 5 {
		begin := time.Now()
		if _, err := s.describe(ctx); err != nil {
			return 0, err
		}
		slowest = max(slowest, time.Since(begin))
	}
	return 4 * slowest, nil
}

// closedAddress is a loopback address where nobody listens.
func closedAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// delayed starts a call whose request the target answers late, and returns when
// the target has the request.
func (s *Session) delayed(ctx context.Context, do func() error) (ended <-chan error, err error) {
	stop := s.proxy.Always(everything, faultproxy.Delay(delay))
	before := s.requests()
	done := make(chan error, 1)
	go func() {
		err := do()
		stop() // first: whoever hears of the end may send the next request
		done <- err
	}()
	arrived, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.proxy.AwaitRequests(arrived, before+1) != nil {
		return nil, notRun("the call makes no request through the proxy")
	}
	return done, nil
}

func unknownChecks() []Check {
	return []Check{
		{ID: "unknown/reply-lost", Demand: "says outcome_unknown when the answer to a write is lost, and then finds one account", Proxy: true,
			run: func(ctx context.Context, s *Session) error {
				return replyLost(ctx, s, faultproxy.DropReply(), patience)
			}},
		{ID: "unknown/reply-late", Demand: "says outcome_unknown when the deadline ends before the answer, and then finds one account", Proxy: true,
			run: func(ctx context.Context, s *Session) error {
				return replyLost(ctx, s, faultproxy.HangReply(), shortDeadline)
			}},
	}
}

// after lets the fault happen to all requests but the first n.
func after(n int32, f faultproxy.Fault) faultproxy.Fault {
	var seen atomic.Int32
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		if seen.Add(1) <= n {
			upstream.ServeHTTP(w, r)
			return
		}
		f(w, r, upstream)
	}
}

// once lets the fault happen to one request; the others pass.
func once(f faultproxy.Fault) faultproxy.Fault {
	var happened atomic.Bool
	return func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		if happened.Swap(true) {
			upstream.ServeHTTP(w, r)
			return
		}
		f(w, r, upstream)
	}
}

// replyLost lets the target create the account and keeps its answer. A connector
// that looks for itself, or whose target knows the operation again, may succeed.
func replyLost(ctx context.Context, s *Session, f faultproxy.Fault, deadline time.Duration) error {
	if _, err := s.find(ctx, s.people.next()); err != nil { // signed in, if that takes a request
		return err
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	attributes := s.people.next()
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	stop := s.proxy.Always(faultproxy.Request.Writes, once(f))
	_, err = target.Create(limited, sdk.CreateRequest{Operation: s.operation(), Attributes: attributes, Active: true})
	stop()
	if err != nil {
		err = wantKind("Create", err, []sdk.Kind{sdk.KindOutcomeUnknown, sdk.KindTransient}, []sdk.Effect{sdk.EffectUnknown})
	}
	found, lookup := s.findOne(ctx, "after the lost answer", attributes)
	if lookup == nil {
		s.created = append(s.created, found.ID)
	}
	return errors.Join(err, lookup)
}

func timeChecks() []Check {
	return []Check{
		{ID: "time/deadline", Demand: "ends its request to the target when the deadline does, give or take 50ms", Proxy: true, run: timeDeadline},
		{ID: "time/deadline-of-a-write", Demand: "ends a write when the deadline does, and calls it undecided", Proxy: true, run: timeDeadlineWrite},
		{ID: "time/no-deadline", Demand: "refuses a call without a deadline", run: timeNone},
		{ID: "time/cancel", Demand: "ends its request to the target when the host gives the call up", Proxy: true, run: timeCancel},
		{ID: "time/alive-while-hanging", Demand: "answers other calls while the target hangs", Proxy: true, run: timeAlive},
	}
}

// hang makes a call whose request the target never answers, and returns when the
// request was ended. arrived is called when the request is there.
func (s *Session) hang(ctx context.Context, v verb, arrived func()) (ended time.Time, outcome, problem error) {
	target, err := s.target(ctx)
	if err != nil {
		return time.Time{}, nil, err
	}
	stop := s.proxy.Always(everything, faultproxy.Hang())
	defer stop()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangTime)
	defer cancel()
	before, begin := s.requests(), time.Now()
	done := make(chan error, 1)
	go func() { done <- v.call(ctx, s, target, "") }()
	if s.proxy.AwaitRequests(wait, before+1) != nil {
		return time.Time{}, <-done, notRun(v.name + " makes no request through the proxy")
	}
	arrived()
	err = s.proxy.AwaitIdle(wait)
	ended = time.Now()
	if err != nil {
		return ended, <-done, differs("the request to the target is ended", "it is still there after %s", ended.Sub(begin).Round(100*time.Millisecond))
	}
	return ended, <-done, nil
}

// timed makes try again while what it measured differs from what is demanded, and
// returns the last outcome. Any other problem ends it.
func timed(try func() (outcome, difference, problem error)) (outcome, problem error) {
	var difference error
	for range timedTries {
		outcome, difference, problem = try()
		if problem != nil || difference == nil {
			return outcome, problem
		}
	}
	return outcome, difference
}

func (s *Session) deadline(ctx context.Context, v verb) (outcome, problem error) {
	return timed(func() (outcome, difference, problem error) {
		slack, err := s.load(ctx)
		if err != nil {
			return nil, nil, err
		}
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, shortDeadline)
		defer cancel()
		ended, outcome, err := s.hang(limited, v, func() {})
		if err != nil {
			return outcome, nil, err
		}
		took, earliest, latest := ended.Sub(begin), shortDeadline-tolerance, shortDeadline+tolerance+slack
		if took < earliest || took > latest {
			difference = differs(fmt.Sprintf("the request to the target ends %s after the begin, between %s and %s", shortDeadline, earliest, latest.Round(time.Millisecond)),
				"%s", took.Round(time.Millisecond))
		}
		return outcome, difference, nil
	})
}

func timeDeadline(ctx context.Context, s *Session) error {
	outcome, err := s.deadline(ctx, lookupVerb())
	if err != nil {
		return err
	}
	return refused("Lookup", outcome, sdk.KindTransient)
}

func timeDeadlineWrite(ctx context.Context, s *Session) error {
	outcome, err := s.deadline(ctx, createVerb())
	if err != nil {
		return err
	}
	return wantKind("Create", outcome, []sdk.Kind{sdk.KindOutcomeUnknown, sdk.KindTransient}, []sdk.Effect{sdk.EffectUnknown})
}

func timeNone(ctx context.Context, s *Session) error {
	if _, err := s.target(ctx); err != nil {
		return err
	}
	// The context is cut loose, and a limit of the kit's own stands in for the
	// deadline that the connector must not see.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := time.AfterFunc(patience, cancel)
	defer stop.Stop()
	main := mainInstance()
	_, err := s.subject.raw.Lookup(ctx, &connectorv1.LookupRequest{
		Instance: &connectorv1.InstanceRef{InstanceId: main.ID, Generation: main.Generation}, Key: "kit", Value: s.run + "-nobody",
	})
	if code := status.Code(err); code != codes.InvalidArgument {
		return differs("Lookup without a deadline answers INVALID_ARGUMENT", "%s", code)
	}
	return nil
}

func timeCancel(ctx context.Context, s *Session) error {
	return errors.Join(s.cancelled(ctx, lookupVerb()), s.cancelled(ctx, createVerb()))
}

func (s *Session) cancelled(ctx context.Context, v verb) error {
	_, problem := timed(func() (outcome, difference, problem error) {
		slack, err := s.load(ctx)
		if err != nil {
			return nil, nil, err
		}
		limited, cancel := call(ctx)
		defer cancel()
		var begin time.Time
		ended, outcome, err := s.hang(limited, v, func() { begin = time.Now(); cancel() })
		if err != nil {
			return outcome, nil, err
		}
		if after, within := ended.Sub(begin), 4*tolerance+slack; after > within {
			difference = differs(fmt.Sprintf("the request of %s ends within %s of the cancellation", v.name, within.Round(time.Millisecond)),
				"%s", after.Round(time.Millisecond))
		}
		return outcome, difference, nil
	})
	return problem
}

// timeAlive lets one request hang and looks whether the next gets through.
func timeAlive(ctx context.Context, s *Session) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = timed(func() (outcome, difference, problem error) { return s.alive(ctx, target) })
	return err
}

// alive has one Lookup wait for the target and makes another.
func (s *Session) alive(ctx context.Context, target *wire.Remote) (outcome, difference, problem error) {
	limited, cancel := call(ctx)
	defer cancel()
	stop := s.proxy.Always(everything, once(faultproxy.Hang()))
	defer stop()
	before := s.requests()
	done := make(chan error, 1)
	go func() { done <- lookupVerb().call(limited, s, target, "") }()
	if s.proxy.AwaitRequests(limited, before+1) != nil {
		return nil, nil, notRun("Lookup makes no request through the proxy")
	}
	quick, end := context.WithTimeout(ctx, hangTime)
	defer end()
	outcome = lookupVerb().call(quick, s, target, "")
	cancel()
	<-done
	if outcome != nil {
		difference = differs(fmt.Sprintf("another Lookup is answered within %s while one waits for the target", hangTime), "%s", errorText(outcome))
	}
	return outcome, difference, nil
}
