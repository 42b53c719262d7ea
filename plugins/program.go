package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// programKey identifies a program: a digest under one name.
type programKey struct{ name, digest string }

// program is one binary and, while it runs, its one process.
type program struct {
	host    *Host
	key     programKey
	pinned  bool
	secrets redactor

	// Both are guarded by Host.mu.
	refs  int
	conns map[wire.Instance]int // open connections by instance

	restarts *restarts
	quit     chan struct{} // closed with stopped

	mu          sync.Mutex
	image       *runner.Image // nil until the first start of a pinned program
	description sdk.Description
	current     *process // nil when none runs
	starting    *start   // nil when none is under way
	crash       *Crash
	stopped     bool
}

// start is one start that all callers share.
type start struct {
	at   time.Time     // when the process is started, after the pause
	done chan struct{} // closed when proc and err are final
	proc *process
	err  error
}

// Crash is how a process ended that should not have.
type Crash struct {
	At     time.Time
	Exit   string   // "exit status 2", "signal: killed"
	Output []string // its last lines, redacted
}

func newProgram(h *Host, key programKey, a admitted, r *restarts) *program {
	return &program{
		host: h, key: key, pinned: a.pinned, image: a.image, description: a.description,
		restarts: r, quit: make(chan struct{}), conns: map[wire.Instance]int{},
	}
}

// redact takes the secrets of open connections out of a text. It works on a nil
// program, which has none.
func (p *program) redact(text string) string {
	if p == nil {
		return text
	}
	return p.secrets.redact(text)
}

// live returns the running process, starting it if need be. It waits for a start,
// but not for one that is further away than ctx's deadline.
func (p *program) live(ctx context.Context) (*process, error) {
	for {
		proc, s, err := p.look(ctx)
		if err != nil {
			return nil, err
		}
		var wait <-chan struct{}
		switch {
		case s != nil:
			wait = s.done
		case proc.usable():
			return proc, nil
		default:
			wait = proc.buried
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, unavailable(fmt.Errorf("wait for connector %s: %w", p.key.name, ctx.Err()), 0)
		}
		if s != nil {
			return s.proc, s.err
		}
	}
}

// look returns the process, or the start to wait for.
func (p *program) look(ctx context.Context) (*process, *start, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.host.opts.Now()
	plan := p.restarts.next(now)
	switch {
	case p.stopped:
		return nil, nil, unavailable(ErrStopped, 0)
	case p.current != nil:
		return p.current, nil, nil
	case plan.refused:
		err := fmt.Errorf("%w after %d failures, the last: %w", ErrQuarantined, plan.streak, plan.last)
		return nil, nil, unavailable(err, plan.at.Sub(now))
	}
	if p.starting == nil {
		s := &start{at: plan.at, done: make(chan struct{})}
		p.starting = s
		p.host.work.Go(func() { p.run(s) })
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(p.starting.at) {
		err := fmt.Errorf("connector %s is started again later: %w", p.key.name, plan.last)
		return nil, nil, unavailable(err, p.starting.at.Sub(now))
	}
	return nil, p.starting, nil
}

// run carries out a start and, if it succeeds, watches over the process to its
// end.
func (p *program) run(s *start) {
	proc, err := p.launchAt(s.at)
	p.mu.Lock()
	p.starting = nil
	if err != nil {
		p.restarts.failed(p.host.opts.Now(), 0, err)
		s.err = hostError(err)
	}
	p.current, s.proc = proc, proc
	p.mu.Unlock()
	close(s.done)
	if proc != nil {
		p.watch(proc)
	}
}

func (p *program) launchAt(at time.Time) (*process, error) {
	pause := time.NewTimer(at.Sub(p.host.opts.Now()))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-p.quit:
		return nil, ErrStopped
	}
	ctx, cancel := p.startContext()
	defer cancel()
	img, err := p.verifiedImage(ctx)
	if err != nil {
		return nil, err
	}
	return p.launch(ctx, img)
}

// startContext ends with the time a start may take, or when the program is
// stopped. It is no caller's: a start serves all who wait for it, and goes on
// when the first of them gives up.
func (p *program) startContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), p.host.opts.StartTimeout)
	go func() { // ends with ctx at the latest
		select {
		case <-p.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// verifiedImage returns the bytes to execute. Only one start runs at a time.
func (p *program) verifiedImage(ctx context.Context) (*runner.Image, error) {
	p.mu.Lock()
	img := p.image
	p.mu.Unlock()
	if img == nil {
		var err error
		if img, err = p.host.verified(ctx, p.key); err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.image = img
		p.mu.Unlock()
		return img, nil
	}
	if p.pinned {
		if err := p.host.stillPinned(ctx, p.key); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// watch stays with a process to its end and draws the consequence.
func (p *program) watch(proc *process) {
	proc.monitor()
	p.mu.Lock()
	p.current = nil
	now := p.host.opts.Now()
	intended := p.stopped
	if !intended {
		p.restarts.failed(now, now.Sub(proc.readyAt), fmt.Errorf("%w: %s", errCrashed, proc.run.Exit()))
	}
	p.mu.Unlock()
	close(proc.buried)

	proc.cleanUp()
	if intended {
		return
	}
	crash := Crash{At: now, Exit: proc.run.Exit(), Output: proc.log.Tail()}
	p.mu.Lock()
	p.crash = &crash
	p.mu.Unlock()
	proc.log.Logger().Error("connector crashed", "exit", crash.Exit, "uptime", now.Sub(proc.readyAt),
		"output", strings.Join(crash.Output[max(0, len(crash.Output)-crashLines):], "\n"))
}

// crashLines is how much of the last output the log record of a crash repeats.
const crashLines = 10

var errCrashed = errors.New("connector process ended")

// stop ends the process for good and lets go of the binary. It waits until a
// start that is under way has ended.
func (p *program) stop() {
	p.mu.Lock()
	p.stopped = true
	close(p.quit)
	proc, s := p.current, p.starting
	p.mu.Unlock()
	if s != nil {
		<-s.done
		proc = s.proc
	}
	if proc != nil {
		proc.halt()
		<-proc.buried
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.image != nil {
		_ = p.image.Close()
	}
}

// describe returns what the connector says of itself: the pinned description, or
// the answer of the process.
func (p *program) describe(ctx context.Context) (sdk.Description, error) {
	p.mu.Lock()
	known := p.description
	p.mu.Unlock()
	if known.Name != "" {
		return known, nil
	}
	d, err := onProcess(ctx, p, func(ctx context.Context, proc *process) (sdk.Description, error) {
		return proc.wire.Describe(ctx)
	})
	if err != nil {
		return sdk.Description{}, err
	}
	p.mu.Lock()
	p.description = d
	p.mu.Unlock()
	return d, nil
}
