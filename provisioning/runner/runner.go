package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
)

// Queue is where due accounts come from.
type Queue interface {
	// Due returns when work of each target can be claimed.
	Due(ctx context.Context) (map[provisioning.TargetName]provisioning.Due, error)
	// Claim leases up to limit due accounts of a target, fewer when its limits, or
	// its health, allow no more over all instances.
	Claim(ctx context.Context, target provisioning.TargetName, owner string, now, until time.Time, limit int) ([]provisioning.Lease, error)
	// Release hands a lease back unused; one that is lost it leaves alone.
	Release(ctx context.Context, l provisioning.Lease, now time.Time) error
}

// Worker works on a leased account until the result is written.
type Worker interface {
	Run(ctx context.Context, l provisioning.Lease) error
}

// Options are the parts of a Runner. Poll and Lease have defaults.
type Options struct {
	Queue  Queue
	Worker Worker
	Owner  string // names this process among all; new at every start
	// Poll is how often the queue is looked at when nothing says it changed; 0
	// means DefaultPoll.
	Poll time.Duration
	// Lease is how long accounts are claimed for; 0 means
	// [provisioning.DefaultLease].
	Lease  time.Duration
	Logger *slog.Logger
	Now    func() time.Time
}

// DefaultPoll is the default of Options.
const DefaultPoll = 5 * time.Second

// releaseTimeout bounds handing back one lease while stopping.
const releaseTimeout = 5 * time.Second

// Runner works on due accounts between Start and Stop.
type Runner struct {
	Options
	nudge chan struct{}
	quit  chan struct{}
	stop  sync.Once
	done  chan struct{} // closed when the loop and every run have ended

	cancel context.CancelFunc // ends the runs
	wg     sync.WaitGroup
	mu     sync.Mutex
	busy   map[provisioning.TargetName]int
}

// New returns a runner that is not started. Nudge may be called at once.
func New(o Options) *Runner {
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Lease <= 0 {
		o.Lease = provisioning.DefaultLease
	}
	return &Runner{
		Options: o, nudge: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		cancel: func() {}, busy: map[provisioning.TargetName]int{},
	}
}

// Nudge says that work may be due. It never blocks.
func (r *Runner) Nudge() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// Start begins to work and returns. It must be called once, and followed by
// Stop. The end of ctx ends the runs, but not the runner.
func (r *Runner) Start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		r.loop(ctx)
		r.wg.Wait()
	}()
}

// Stop claims nothing more and waits for the runs. When ctx ends first they are
// cancelled, and still waited for: each writes what it knows or hands its lease
// back. It may be called more than once.
func (r *Runner) Stop(ctx context.Context) error {
	r.stop.Do(func() { close(r.quit) })
	defer r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	r.cancel()
	<-r.done
	return ctx.Err()
}

func (r *Runner) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-ctx.Done():
			return
		case <-r.nudge:
		case <-timer.C:
		}
		timer.Reset(r.sweep(ctx))
	}
}

// sweep claims what is due and returns how long to sleep.
func (r *Runner) sweep(ctx context.Context) time.Duration {
	due, err := r.Queue.Due(ctx)
	if err != nil {
		r.complain(ctx, "read due work", err)
		return r.Poll
	}
	sleep := r.Poll
	for target, d := range due {
		wait := d.At.Sub(r.Now())
		free := d.Slots - r.running(target)
		switch {
		case free <= 0: // the end of a run nudges
		case wait > 0:
			sleep = min(sleep, wait)
		default:
			r.claim(ctx, target, free)
			if d.Every > 0 { // more may be due that had no token
				sleep = min(sleep, d.Every)
			}
		}
	}
	return sleep
}

func (r *Runner) claim(ctx context.Context, target provisioning.TargetName, free int) {
	now := r.Now()
	leases, err := r.Queue.Claim(ctx, target, r.Owner, now, now.Add(r.Lease), free)
	if err != nil {
		r.complain(ctx, "claim work", err)
		return
	}
	for _, l := range leases {
		r.take(target, 1)
		r.wg.Go(func() { r.work(ctx, l) })
	}
}

func (r *Runner) work(ctx context.Context, l provisioning.Lease) {
	defer r.Nudge() // a slot is free, and the account may be due again
	defer r.take(l.Account.Target, -1)
	err := r.run(ctx, l)
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		r.handBack(ctx, l)
		return
	}
	r.complain(ctx, "run account", err, "user_id", l.Account.User, "target", l.Account.Target)
}

// run turns a panic into an error: one account must not end the process. Its
// lease runs out, so it is not tried at once.
func (r *Runner) run(ctx context.Context, l provisioning.Lease) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.Worker.Run(ctx, l)
}

// handBack spares the next worker the wait for the lease's end.
func (r *Runner) handBack(ctx context.Context, l provisioning.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := r.Queue.Release(ctx, l, r.Now()); err != nil {
		r.complain(ctx, "release account", err, "user_id", l.Account.User, "target", l.Account.Target)
	}
}

func (r *Runner) running(target provisioning.TargetName) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy[target]
}

func (r *Runner) take(target provisioning.TargetName, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[target] += n; r.busy[target] == 0 {
		delete(r.busy, target)
	}
}

// complain logs a failure that the next sweep, or the lease's end, mends. A lost
// lease is no failure: another worker has the account.
func (r *Runner) complain(ctx context.Context, doing string, err error, args ...any) {
	if errors.Is(err, provisioning.ErrLeaseLost) || ctx.Err() != nil {
		return
	}
	r.Logger.ErrorContext(ctx, "provisioning runner failed", append(args, "doing", doing, "error", err)...)
}
