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
// serve it, and moves to a newly pinned version when that is ready; calls under
// way end where they began. A changed configuration takes a new Conn; the old one
// is closed when its last call has ended.
//
// Every error of its verbs is an [*sdk.Error] with no secret of the configuration
// in it. A process that cannot be started is [sdk.KindTransient], a connector
// that may not be run is [sdk.KindInternal], both with no effect; the errors of
// this package say more. Calls without a deadline get the host's default.
type Conn struct {
	host     *Host
	instance wire.Instance
	config   sdk.RawConfig

	// All are guarded by Host.mu. The configuration's secrets stay known until the
	// last call has ended, since its error may show them.
	program     *program // which serves the next call; it counts this as a reference
	description sdk.Description
	closed      bool
	refs        int // 1 until Close, and 1 for each call in flight
}

// Open returns a connection to a target. It starts no process unless what the
// connector offers is not known from its pin. The configuration is sent with the
// first verb: a bad one fails there, as [sdk.KindInvalid].
func (h *Host) Open(ctx context.Context, cfg InstanceConfig) (*Conn, error) {
	p, err := h.acquire(ctx, choice{name: cfg.Connector, ports: h.portsFor(cfg.Config), forTarget: true})
	if err != nil {
		return nil, expose(hostError(err), p.redact)
	}
	defer h.release(p)
	c := &Conn{
		host: h, program: p, config: cfg.Config, refs: 1,
		instance: wire.Instance{ID: cfg.Instance, Generation: cfg.Generation},
	}
	p.secrets.add(c, cfg.Config.Secrets)
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	d, err := p.describe(ctx)
	if err != nil {
		err = expose(err, p.redact)
		p.secrets.remove(c)
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.serving(choice{name: p.key.name, ports: p.key.ports, forTarget: true}); now != nil && now != p && !p.key.unpinned {
		// Another version took over meanwhile.
		p.secrets.remove(c)
		now.secrets.add(c, cfg.Config.Secrets)
		p, d = now, now.knownDescription()
	}
	c.program, c.description = p, d
	p.open[c] = true
	p.refs++
	return c, nil
}

// Close gives up the connection; the last one of an instance lets the connector
// forget it. Calls in flight end as they would have.
func (c *Conn) Close() {
	h := c.host
	h.mu.Lock()
	closed, p := c.closed, c.program
	c.closed = true
	delete(p.open, c)
	shared := false
	for other := range p.open {
		shared = shared || other.instance == c.instance
	}
	h.mu.Unlock()
	if closed {
		return
	}
	if !shared {
		c.releaseInstance(p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.drop()
}

// begin counts a call and returns the program that serves it; end follows.
func (c *Conn) begin() (*program, error) {
	h := c.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil || c.closed {
		return c.program, ErrStopped
	}
	c.refs++
	c.program.refs++
	h.calls++
	return c.program, nil
}

func (c *Conn) end(p *program) {
	h := c.host
	h.mu.Lock()
	defer h.mu.Unlock()
	h.called()
	c.drop()
	h.unref(p)
}

// drop gives up one reference; the last one gives up the program. The caller
// holds Host.mu.
func (c *Conn) drop() {
	c.refs--
	if c.refs == 0 {
		c.program.secrets.remove(c)
		c.host.unref(c.program)
	}
}

// releaseInstance is a courtesy: a process that does not get it has an instance
// too many until it ends.
func (c *Conn) releaseInstance(p *program) {
	p.mu.Lock()
	proc := p.current
	p.mu.Unlock()
	if proc == nil || !proc.forget(c.instance) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := proc.wire.Release(ctx, c.instance); err != nil {
		proc.log.Logger().Debug("release instance", "instance", c.instance.ID, "error", expose(err, p.redact))
	}
}

// Description returns what the connector offers.
func (c *Conn) Description() sdk.Description {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	return c.description
}

// redact takes the secrets of every connection to the connector out of a text.
func (c *Conn) redact(text string) string {
	c.host.mu.Lock()
	p := c.program
	c.host.mu.Unlock()
	return p.redact(text)
}

// Digest returns the digest of the version that serves the next call.
func (c *Conn) Digest() string {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	return c.program.key.digest
}

// invoke performs one verb, on the version that serves the connection. Where that
// can no longer be started because its file is another by now, the newly pinned
// one takes over first.
func invoke[R any](ctx context.Context, c *Conn, name string, verb func(context.Context, *wire.Remote) (R, error)) (R, error) {
	var none R
	ctx, cancel := c.host.withDeadline(ctx)
	defer cancel()
	for again := false; ; again = true {
		p, err := c.begin()
		if err != nil {
			return none, expose(hostError(err), p.redact)
		}
		r, err := invokeOn(ctx, c, p, name, verb)
		c.end(p)
		if again || !errors.Is(err, ErrDigestMismatch) || c.host.Upgrade(ctx, p.key.name) != nil {
			return r, err
		}
	}
}

// invokeOn performs one verb on a live process, configured for this instance, and
// once more if nothing was done because it was not.
func invokeOn[R any](ctx context.Context, c *Conn, p *program, name string, verb func(context.Context, *wire.Remote) (R, error)) (R, error) {
	var none R
	done := p.record.meter.begin(name, p.host.opts.Now)
	r, err := onProcess(ctx, p, func(ctx context.Context, proc *process) (R, error) {
		if err := proc.configure(ctx, c.instance, c.config); err != nil {
			return none, err
		}
		r, err := verb(ctx, proc.wire.Remote(c.instance))
		if errors.Is(err, wire.ErrNotConfigured) {
			proc.forget(c.instance)
		}
		return r, err
	})
	done(err)
	return r, expose(err, p.redact)
}

// onProcess makes a call on the program's process, and once more on the next one
// if the first certainly did nothing because it was gone.
func onProcess[R any](ctx context.Context, p *program, call func(context.Context, *process) (R, error)) (R, error) {
	var none R
	for again := false; ; again = true {
		proc, err := p.enter(ctx)
		if err != nil {
			return none, err
		}
		r, err := call(ctx, proc)
		proc.saw(err)
		proc.leave()
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
