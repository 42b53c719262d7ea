package plugins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

// Host runs connectors. Its methods may be used concurrently.
type Host struct {
	opts    Options
	catalog catalog

	mu       sync.Mutex
	dir      *runner.Dir // nil while the host is not started
	programs map[programKey]*program
	restarts map[programKey]*restarts // of every program that was ever used
	calls    sync.WaitGroup           // calls in flight
	work     sync.WaitGroup           // goroutines of programs
}

// New returns a host that is not started yet. It reports every problem of opts.
func New(opts Options) (*Host, error) {
	opts, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	return &Host{
		opts: opts, catalog: catalog{dir: opts.Dir},
		programs: map[programKey]*program{}, restarts: map[programKey]*restarts{},
	}, nil
}

// Start makes the host ready. It starts no connector: the first call does.
func (h *Host) Start(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir != nil {
		return errors.New("start connector host: already started")
	}
	dir, err := runner.OpenDir(h.opts.RuntimeDir)
	if err != nil {
		return fmt.Errorf("start connector host: %w", err)
	}
	h.dir = dir
	return nil
}

// Stop refuses new calls, lets those in flight end until ctx does, and ends
// every process. When it returns no process is left, even if it returns ctx's
// error because calls were cut off.
func (h *Host) Stop(ctx context.Context) error {
	h.mu.Lock()
	dir := h.dir
	if dir == nil {
		h.mu.Unlock()
		return nil
	}
	h.dir = nil
	h.mu.Unlock()

	err := waitFor(ctx, &h.calls)
	h.mu.Lock()
	for key, p := range h.programs {
		delete(h.programs, key)
		h.work.Go(p.stop)
	}
	h.mu.Unlock()
	h.work.Wait() // bounded: every process is killed within its grace
	return errors.Join(err, dir.Close())
}

func waitFor(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for connector calls: %w", ctx.Err())
	}
}

// Inspect returns what the connector says of itself, and its digest. With
// allowUnpinned it looks at the file that is there now, approved or not: this
// EXECUTES it, as the one who is about to pin it asked for.
func (h *Host) Inspect(ctx context.Context, name string, allowUnpinned bool) (sdk.Description, string, error) {
	p, err := h.acquire(ctx, name, allowUnpinned)
	if err != nil {
		return sdk.Description{}, "", expose(hostError(err), p.redact)
	}
	defer h.release(p)
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	d, err := p.describe(ctx)
	return d, p.key.digest, expose(err, p.redact)
}

// Validate returns what the connector finds wrong with a configuration, nothing
// if it is good.
func (h *Host) Validate(ctx context.Context, connector string, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	p, err := h.acquire(ctx, connector, false)
	if err != nil {
		return nil, expose(hostError(err), p.redact)
	}
	defer h.release(p)
	owner := new(byte)
	p.secrets.add(owner, cfg.Secrets)
	defer p.secrets.remove(owner)
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	problems, err := onProcess(ctx, p, func(ctx context.Context, proc *process) ([]sdk.Problem, error) {
		return proc.wire.Validate(ctx, cfg)
	})
	for i := range problems {
		problems[i].Message = p.redact(problems[i].Message)
	}
	return problems, expose(err, p.redact)
}

// withDeadline gives a call without a deadline the default one.
func (h *Host) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, h.opts.CallTimeout)
}

// acquire returns the program that may be run for the connector and keeps it
// until release. It counts as a call in flight.
func (h *Host) acquire(ctx context.Context, name string, allowUnpinned bool) (*program, error) {
	found, err := h.admit(ctx, name, allowUnpinned)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil {
		found.close()
		return nil, ErrStopped
	}
	key := programKey{name: name, digest: found.digest}
	p, ok := h.programs[key]
	if ok {
		found.close()
	} else {
		p = newProgram(h, key, found, h.restartsOf(key))
		h.programs[key] = p
	}
	p.refs++
	h.calls.Add(1)
	return p, nil
}

// restartsOf returns what is known of earlier starts. The caller holds mu.
func (h *Host) restartsOf(key programKey) *restarts {
	r, ok := h.restarts[key]
	if !ok {
		r = &restarts{jitter: rand.Float64}
		h.restarts[key] = r
	}
	return r
}

// release ends what acquire began.
func (h *Host) release(p *program) {
	h.calls.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unref(p)
}

// unref gives up a program. One that nobody uses is stopped: an older digest
// after an upgrade, or one that was only inspected. The caller holds mu.
func (h *Host) unref(p *program) {
	p.refs--
	if p.refs == 0 && h.programs[p.key] == p {
		delete(h.programs, p.key)
		h.work.Go(p.stop)
	}
}
