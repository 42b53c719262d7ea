package plugins

import (
	"context"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// InstanceConfig is a target's configuration, for the connector that serves it.
type InstanceConfig struct {
	Instance   string // the target's name
	Generation int64  // grows with every change of the configuration
	Connector  string
	Config     sdk.RawConfig
}

// Conn is a connection to a configured target. It outlives the processes that
// serve it. A changed configuration, or a newly pinned binary, takes a new Conn;
// the old one is closed when its last call has ended.
//
// Every error of its verbs is an [*sdk.Error] with no secret of the configuration
// in it. A process that cannot be started is [sdk.KindTransient], a connector
// that may not be run is [sdk.KindInternal], both with no effect; the errors of
// this package say more. Calls without a deadline get the host's default.
type Conn struct {
	program     *program
	instance    wire.Instance
	config      sdk.RawConfig
	description sdk.Description

	// Both are guarded by Host.mu. The configuration's secrets stay known until
	// the last call has ended, since its error may show them.
	closed bool
	refs   int // 1 until Close, and 1 for each call in flight
}

// Open returns a connection to a target. It starts no process unless what the
// connector offers is not known from its pin. The configuration is sent with the
// first verb: a bad one fails there, as [sdk.KindInvalid].
func (h *Host) Open(ctx context.Context, cfg InstanceConfig) (*Conn, error) {
	p, err := h.acquire(ctx, cfg.Connector, false)
	if err != nil {
		return nil, expose(hostError(err), p.redact)
	}
	c := &Conn{
		program: p, config: cfg.Config, refs: 1,
		instance: wire.Instance{ID: cfg.Instance, Generation: cfg.Generation},
	}
	c.count(1)
	p.secrets.add(c, cfg.Config.Secrets)
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	c.description, err = p.describe(ctx)
	h.calls.Done() // from here on an open connection, no call
	if err != nil {
		err = expose(err, p.redact)
		c.count(-1)
		c.drop()
		return nil, err
	}
	return c, nil
}

// Close gives up the connection; the last one of an instance lets the connector
// forget it. Calls in flight end as they would have.
func (c *Conn) Close() {
	h := c.program.host
	h.mu.Lock()
	closed := c.closed
	c.closed = true
	h.mu.Unlock()
	if closed {
		return
	}
	if c.count(-1) == 0 {
		c.releaseInstance()
	}
	c.drop()
}

// count returns how many connections to the instance are open now.
func (c *Conn) count(change int) int {
	h := c.program.host
	h.mu.Lock()
	defer h.mu.Unlock()
	n := c.program.conns[c.instance] + change
	c.program.conns[c.instance] = n
	if n == 0 {
		delete(c.program.conns, c.instance)
	}
	return n
}

// begin counts a call; end follows.
func (c *Conn) begin() error {
	h := c.program.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil || c.closed {
		return ErrStopped
	}
	c.refs++
	h.calls.Add(1)
	return nil
}

func (c *Conn) end() {
	c.program.host.calls.Done()
	c.drop()
}

// drop gives up one reference; the last one gives up the program.
func (c *Conn) drop() {
	h := c.program.host
	h.mu.Lock()
	defer h.mu.Unlock()
	c.refs--
	if c.refs == 0 {
		c.program.secrets.remove(c)
		h.unref(c.program)
	}
}

// releaseInstance is a courtesy: a process that does not get it has an instance
// too many until it ends.
func (c *Conn) releaseInstance() {
	c.program.mu.Lock()
	proc := c.program.current
	c.program.mu.Unlock()
	if proc == nil || !proc.forget(c.instance) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := proc.wire.Release(ctx, c.instance); err != nil {
		proc.log.Logger().Debug("release instance", "instance", c.instance.ID, "error", expose(err, c.program.redact))
	}
}

// Description returns what the connector offers.
func (c *Conn) Description() sdk.Description { return c.description }

// Digest returns the digest of the binary that serves the connection.
func (c *Conn) Digest() string { return c.program.key.digest }

// invoke performs one verb: on a live process, configured for this instance, and
// once more if nothing was done because it was not.
func invoke[R any](ctx context.Context, c *Conn, verb func(context.Context, *wire.Remote) (R, error)) (R, error) {
	var none R
	h := c.program.host
	if err := c.begin(); err != nil {
		return none, expose(hostError(err), c.program.redact)
	}
	defer c.end()
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	r, err := onProcess(ctx, c.program, func(ctx context.Context, proc *process) (R, error) {
		if err := proc.configure(ctx, c.instance, c.config); err != nil {
			return none, err
		}
		r, err := verb(ctx, proc.wire.Remote(c.instance))
		if errors.Is(err, wire.ErrNotConfigured) {
			proc.forget(c.instance)
		}
		return r, err
	})
	return r, expose(err, c.program.redact)
}

// onProcess makes a call on the program's process, and once more on the next one
// if the first certainly did nothing because it was gone.
func onProcess[R any](ctx context.Context, p *program, call func(context.Context, *process) (R, error)) (R, error) {
	var none R
	for again := false; ; again = true {
		proc, err := p.live(ctx)
		if err != nil {
			return none, err
		}
		r, err := call(ctx, proc)
		proc.saw(err)
		if err == nil || again || !repeatable(err) {
			return r, err
		}
	}
}

// repeatable reports whether a call failed only for want of a process, or of a
// configuration in it, and certainly changed nothing.
func repeatable(err error) bool {
	if errors.Is(err, wire.ErrNotConfigured) {
		return true
	}
	return errors.Is(err, wire.ErrProcessGone) && sdk.AsError(err).Effect == sdk.EffectNone
}
