package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

// programKey identifies a program: a digest under one name. One that is executed
// without approval is never used for an approved one.
type programKey struct {
	name, digest string
	unpinned     bool
	// ports are those beside the usual ones that its process may connect to, such
	// as "8443,9443": what is known of a version does not depend on them.
	ports string
}

// version returns the key of what all programs of one version share.
func (k programKey) version() programKey {
	k.ports = ""
	return k
}

// program is one binary and, while it runs, its one process.
type program struct {
	host    *Host
	key     programKey
	pin     *Pin // nil for one that is executed without approval
	secrets redactor

	// Both are guarded by Host.mu.
	refs int
	open map[*Conn]bool // the connections it serves

	record *record
	quit   chan struct{} // closed with stopped

	mu          sync.Mutex
	image       *runner.Image     // nil until the first start of a pinned program
	meta        *catalog.Manifest // nil for a plain file, and until image is there
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

func newProgram(h *Host, key programKey, a admitted, r *record) *program {
	p := &program{
		host: h, key: key, pin: a.pin, image: a.image, meta: a.meta,
		record: r, quit: make(chan struct{}), open: map[*Conn]bool{},
	}
	if a.pin != nil {
		p.description = a.pin.Description
	}
	return p
}

// redact takes the secrets of open connections out of a text. It works on a nil
// program, which has none.
func (p *program) redact(text string) string {
	if p == nil {
		return text
	}
	return p.secrets.redact(text)
}

// enter returns the running process, starting it if need be, for one call; the
// caller leaves it. It waits for a start, but not for one that is further away
// than ctx's deadline.
func (p *program) enter(ctx context.Context) (*process, error) {
	for {
		proc, s, err := p.look(ctx)
		if err != nil {
			return nil, err
		}
		var wait <-chan struct{}
		switch {
		case s != nil:
			wait = s.done
		case proc.enter():
			return proc, nil
		default:
			wait = proc.buried
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, unavailable(fmt.Errorf("wait for connector %s: %w", p.key.name, ctx.Err()), 0)
		}
		if s != nil && s.err != nil {
			return nil, s.err
		}
	}
}

// look returns the process, or the start to wait for.
func (p *program) look(ctx context.Context) (*process, *start, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.host.opts.Now()
	plan := p.record.restarts.next(now)
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
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < p.starting.at.Sub(now) { // two clocks, in tests
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
		p.record.restarts.failed(p.host.opts.Now(), 0, err)
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
	p.record.meter.started()
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
	if p.pin != nil {
		if err := p.host.stillPinned(ctx, p.key); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	img, meta := p.image, p.meta
	p.mu.Unlock()
	if img != nil {
		if meta != nil && len(meta.Files) > 0 { // what lies beside it is not in the image
			return img, p.host.folder.Check(p.key.name, p.key.digest)
		}
		return img, nil
	}
	a, err := p.host.verified(p.key)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.image, p.meta = a.image, a.meta
	p.mu.Unlock()
	return a.image, nil
}

// watch stays with a process to its end and draws the consequence.
func (p *program) watch(proc *process) {
	proc.monitor()
	p.mu.Lock()
	p.current = nil
	now := p.host.opts.Now()
	intended := p.stopped || proc.isRetired()
	if !intended {
		p.record.restarts.failed(now, now.Sub(proc.readyAt), fmt.Errorf("%w: %s", errCrashed, proc.run.Exit()))
		p.record.meter.crashed()
	}
	p.mu.Unlock()
	close(proc.buried)

	proc.cleanUp()
	if intended {
		return
	}
	crash := p.crashed(proc, proc.run.Exit())
	proc.log.Logger().Error("connector crashed", "exit", crash.Exit, "uptime", now.Sub(proc.readyAt),
		"output", strings.Join(crash.Output[max(0, len(crash.Output)-crashLines):], "\n"))
}

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

func (p *program) knownDescription() sdk.Description {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.description
}

// describe returns what the connector says of itself: the pinned description, or
// the answer of the process.
func (p *program) describe(ctx context.Context) (sdk.Description, error) {
	if known := p.knownDescription(); known.Name != "" {
		return known, nil
	}
	return p.askDescription(ctx)
}

// askDescription asks the process and holds it to its manifest and its approval.
func (p *program) askDescription(ctx context.Context) (sdk.Description, error) {
	d, err := onProcess(ctx, p, func(ctx context.Context, proc *process) (sdk.Description, error) {
		return proc.wire.Describe(ctx)
	})
	if err != nil {
		return sdk.Description{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meta != nil {
		if err := p.meta.Agrees(d); err != nil {
			return sdk.Description{}, refusal(fmt.Errorf("connector %s: %w: %w", p.key.name, ErrMisdescribed, err))
		}
	}
	if p.pin != nil {
		if err := p.pin.agrees(d); err != nil {
			return sdk.Description{}, refusal(err)
		}
	}
	p.description = d
	return d, nil
}

// validate returns what the connector finds wrong with a configuration.
func (p *program) validate(ctx context.Context, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	owner := new(byte)
	p.secrets.add(owner, cfg.Secrets)
	defer p.secrets.remove(owner)
	ctx, cancel := p.host.withDeadline(ctx)
	defer cancel()
	problems, err := onProcess(ctx, p, func(ctx context.Context, proc *process) ([]sdk.Problem, error) {
		return proc.wire.Validate(ctx, cfg)
	})
	for i := range problems {
		problems[i].Message = p.redact(problems[i].Message)
	}
	return problems, expose(err, p.redact)
}
