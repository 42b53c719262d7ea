package plugins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

// Host runs connectors. Its methods may be used concurrently.
type Host struct {
	opts      Options
	folder    catalog.Folder
	isolation Isolation

	mu       sync.Mutex
	dir      *runner.Dir        // nil while the host is not started
	cancel   context.CancelFunc // ends the looks for changed pins
	programs map[programKey]*program
	records  map[programKey]*record // of every program that was ever used
	upgrades map[string]*upgrade    // by name, once it had to be upgraded
	users    map[int]string         // which connector runs as which user
	calls    int                    // in flight
	idle     chan struct{}          // closed and forgotten when none is; nil while nobody waits for that
	work     sync.WaitGroup         // goroutines of programs, and the one that looks for changed pins
}

// record is what outlives a program's being used.
type record struct {
	restarts restarts
	meter    meter
}

// New returns a host that is not started yet. It reports every problem of opts.
func New(opts Options) (*Host, error) {
	opts, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	return &Host{
		opts: opts, folder: catalog.Folder{Dir: opts.Dir}, isolation: isolationOf(opts.Isolation), users: map[int]string{},
		programs: map[programKey]*program{}, records: map[programKey]*record{}, upgrades: map[string]*upgrade{},
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
	if h.isolation.UIDs != [2]int{} {
		if err := dir.Allow(); err != nil {
			return errors.Join(fmt.Errorf("start connector host: %w", err), dir.Close())
		}
	}
	h.dir = dir
	h.opts.Logger.Info("connector isolation", "mode", h.isolation.Mode, "level", h.isolation.String())
	ctx, cancel := context.WithCancel(context.Background()) // ended by Stop
	h.cancel = cancel
	h.work.Go(func() { h.followPins(ctx) })
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
	h.cancel()
	idle := h.awaitIdle()
	h.mu.Unlock()

	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("wait for connector calls: %w", ctx.Err())
	}
	h.mu.Lock()
	for key, p := range h.programs {
		delete(h.programs, key)
		h.work.Go(p.stop)
	}
	h.mu.Unlock()
	h.work.Wait() // bounded: every process is killed within its grace
	return errors.Join(err, dir.Close())
}

// awaitIdle returns what is closed when no call is in flight. It is no WaitGroup,
// because calls begin again if the host does, while one that was cut off ends. The
// caller holds mu.
func (h *Host) awaitIdle() <-chan struct{} {
	idle := make(chan struct{})
	if h.calls == 0 {
		close(idle)
		return idle
	}
	h.idle = idle
	return idle
}

// called counts the end of a call. The caller holds mu.
func (h *Host) called() {
	h.calls--
	if h.calls == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil
	}
}

// Inspect returns what the connector says of itself, and its digest. With
// allowUnpinned it looks at what is there now, approved or not: this EXECUTES it,
// as the one who is about to pin it asked for.
func (h *Host) Inspect(ctx context.Context, name string, allowUnpinned bool) (sdk.Description, string, error) {
	p, err := h.acquire(ctx, choice{name: name, unpinned: allowUnpinned})
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
	p, err := h.acquire(ctx, choice{name: connector})
	if err != nil {
		return nil, expose(hostError(err), p.redact)
	}
	defer h.release(p)
	return p.validate(ctx, cfg)
}

// withDeadline gives a call without a deadline the default one.
func (h *Host) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, h.opts.CallTimeout)
}

// acquire returns the program that may be run for the connector and keeps it
// until release. It counts as a call in flight. While the name is served, that is
// the program that serves it: a newly pinned one takes over when it is ready.
func (h *Host) acquire(ctx context.Context, c choice) (*program, error) {
	found, err := h.admit(ctx, c)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if found.pin != nil {
		if p := h.serving(c); p != nil && h.dir != nil {
			p.refs++
			h.calls++
			return p, nil
		}
	}
	return h.take(c.name, c.ports, found)
}

// take returns the program of what was admitted. The caller holds mu.
func (h *Host) take(name, ports string, found admitted) (*program, error) {
	if h.dir == nil {
		found.close()
		return nil, ErrStopped
	}
	key := programKey{name: name, digest: found.digest, unpinned: found.pin == nil, ports: ports}
	p, ok := h.programs[key]
	if ok {
		found.close()
	} else {
		p = newProgram(h, key, found, h.recordOf(key.version()))
		h.programs[key] = p
	}
	p.refs++
	h.calls++
	return p, nil
}

// serving returns the approved program that open connections use, nil if there
// are none. The caller holds mu.
func (h *Host) serving(c choice) *program {
	for key, p := range h.programs {
		if key.name == c.name && !key.unpinned && len(p.open) > 0 && (!c.forTarget || key.ports == c.ports) {
			return p
		}
	}
	return nil
}

func (h *Host) serves(c choice) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.serving(c) != nil
}

// recordOf returns what is known of earlier uses. The caller holds mu.
func (h *Host) recordOf(key programKey) *record {
	r, ok := h.records[key]
	if !ok {
		r = &record{restarts: restarts{jitter: rand.Float64}}
		h.records[key] = r
	}
	return r
}

// release ends what acquire began.
func (h *Host) release(p *program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.called()
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
