package plugins

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	// retryUpgrade is the pause after an upgrade that failed.
	retryUpgrade = 30 * time.Second
	// upgradeTimeout bounds one upgrade; a start and each call in it have limits of
	// their own.
	upgradeTimeout = 2 * time.Minute
)

// upgrade is how one name moves from version to version.
type upgrade struct {
	running chan struct{} // holds one while an upgrade is under way

	mu     sync.Mutex
	failed *failedUpgrade // nil while nothing is wrong
	looked bool           // at a pin, before
	pinned time.Time      // of the pin that was seen last
}

// failedUpgrade is a version that was to take over and could not.
type failedUpgrade struct {
	digest, version, text string
	at                    time.Time
}

func (u *upgrade) failure() *failedUpgrade {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failed
}

func (h *Host) upgradeOf(name string) *upgrade {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, ok := h.upgrades[name]
	if !ok {
		u = &upgrade{running: make(chan struct{}, 1)}
		h.upgrades[name] = u
	}
	return u
}

// Upgrade moves the name's open connections to the version that is pinned now. It
// is started beside the one that serves them, must describe itself as it was
// approved and take the configuration of every connection; then new calls go to
// it, and the old one ends with its last call. An error leaves everything as it
// was. Going back to an earlier version is the same.
//
// A host does this by itself within [Options.PinsEvery].
func (h *Host) Upgrade(ctx context.Context, name string) error {
	u := h.upgradeOf(name)
	select {
	case u.running <- struct{}{}:
		defer func() { <-u.running }()
	case <-ctx.Done():
		return unavailable(fmt.Errorf("wait for upgrade of connector %s: %w", name, ctx.Err()), 0)
	}
	pin, err := h.pinOf(ctx, name)
	if err != nil {
		return expose(hostError(err), (*program)(nil).redact)
	}
	for _, old := range h.outdated(name, pin.Digest) {
		if err := h.upgradeTo(ctx, old, pin); err != nil {
			f := &failedUpgrade{pin.Digest, pin.Description.Version, err.Error(), h.opts.Now()}
			if u.note(f) {
				h.opts.Logger.Error("connector upgrade failed, the old version goes on", "connector", name,
					"from", short(old.key.digest), "to", short(pin.Digest), "error", err)
			}
			return err
		}
		h.opts.Logger.Info("connector upgraded", "connector", name, "from", short(old.key.digest), "to", short(pin.Digest))
	}
	u.note(nil)
	return nil
}

// outdated returns the programs that serve the name with another version: one for
// each set of ports that targets need.
func (h *Host) outdated(name, digest string) []*program {
	var out []*program
	for _, p := range h.inService() {
		if p.key.name == name && p.key.digest != digest {
			out = append(out, p)
		}
	}
	return out
}

// note records how the latest upgrade ended, and reports whether that is news.
func (u *upgrade) note(f *failedUpgrade) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	news := f != nil && (u.failed == nil || u.failed.digest != f.digest)
	u.failed = f
	return news
}

func (h *Host) upgradeTo(ctx context.Context, old *program, pin Pin) error {
	if err := h.folder.Check(old.key.name, pin.Digest); err != nil {
		return expose(hostError(err), old.redact)
	}
	h.mu.Lock()
	next, err := h.take(old.key.name, old.key.ports, admitted{digest: pin.Digest, pin: &pin})
	h.mu.Unlock()
	if err != nil {
		return expose(hostError(err), old.redact)
	}
	defer h.release(next)
	// What it says of itself is asked, known or not: it shows that it works.
	d, err := next.describeNow(ctx)
	if err != nil {
		return expose(err, next.redact)
	}
	return h.moveAll(ctx, old, next, d)
}

func (p *program) describeNow(ctx context.Context) (sdk.Description, error) {
	ctx, cancel := p.host.withDeadline(ctx)
	defer cancel()
	return p.askDescription(ctx)
}

// moveAll configures every connection on the next program and then moves all of
// them at once. Those opened meanwhile are configured too.
func (h *Host) moveAll(ctx context.Context, old, next *program, d sdk.Description) error {
	ready := map[*Conn]bool{}
	for {
		h.mu.Lock()
		todo := missing(old.open, ready)
		if len(todo) == 0 {
			h.move(old, next, d, ready)
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		for _, c := range todo {
			ready[c] = true
			next.secrets.add(c, c.config.Secrets)
			if err := c.rehearse(ctx, next); err != nil {
				err = expose(err, next.redact)
				forget(next, ready)
				return fmt.Errorf("target %s: %w", c.instance.ID, err)
			}
		}
	}
}

func missing(open, ready map[*Conn]bool) []*Conn {
	var out []*Conn
	for c := range open {
		if !ready[c] {
			out = append(out, c)
		}
	}
	return out
}

func forget(p *program, conns map[*Conn]bool) {
	for c := range conns {
		p.secrets.remove(c)
	}
}

// rehearse configures the connection's instance on a program that does not serve
// it yet. A failure that comes from the target is none of the version's: the one
// before would have it too.
func (c *Conn) rehearse(ctx context.Context, next *program) error {
	ctx, cancel := c.host.withDeadline(ctx)
	defer cancel()
	_, err := onProcess(ctx, next, func(ctx context.Context, proc *process) (struct{}, error) {
		return struct{}{}, proc.configure(ctx, c.instance, c.config)
	})
	switch sdk.KindOf(err) {
	case sdk.KindTransient, sdk.KindRateLimited, sdk.KindUnauthorized, sdk.KindForbidden, sdk.KindQuota:
		if isHosts(err) {
			return err
		}
		return nil
	}
	return err
}

// isHosts reports whether a failure is about the process, not the target.
func isHosts(err error) bool {
	for _, s := range sentinels() {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// move makes next serve what old has served. The caller holds mu.
func (h *Host) move(old, next *program, d sdk.Description, ready map[*Conn]bool) {
	for c := range old.open {
		delete(ready, c)
		next.open[c] = true
		next.refs++
		c.program, c.description = next, d
		// Calls under way keep references of their own; old, which knows the secrets
		// for their errors, is gone with them.
		old.refs--
	}
	clear(old.open)
	forget(next, ready) // those closed meanwhile
	if old.refs == 0 && h.programs[old.key] == old {
		delete(h.programs, old.key)
		h.work.Go(old.stop)
	}
}

// followPins looks for changed pins of what is in use, until ctx ends.
func (h *Host) followPins(ctx context.Context) {
	tick := time.NewTicker(h.opts.PinsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, p := range h.inService() {
				h.followPin(ctx, p)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (h *Host) inService() []*program {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*program
	for key, p := range h.programs {
		if !key.unpinned && len(p.open) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func (h *Host) followPin(ctx context.Context, p *program) {
	name := p.key.name
	u := h.upgradeOf(name)
	pin, err := h.pinOf(ctx, name)
	switch {
	case errors.Is(err, ErrNotPinned):
		p.withdraw()
		return
	case err != nil:
		return // the store is away: nothing is known, so nothing changes
	}
	if u.pinnedAnew(pin) {
		h.mu.Lock()
		h.recordOf(programKey{name: name, digest: pin.Digest}).restarts.reset()
		h.mu.Unlock()
	} else if f := u.failure(); f != nil && f.digest == pin.Digest && h.opts.Now().Sub(f.at) < retryUpgrade {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, upgradeTimeout)
	defer cancel()
	_ = h.Upgrade(ctx, name) // it logs what is new, and shows the rest in Stats
}

// pinnedAnew reports whether an admin has pinned since the last look: that is
// how a connector leaves quarantine before its time.
func (u *upgrade) pinnedAnew(pin Pin) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	anew := u.looked && !pin.PinnedAt.Equal(u.pinned)
	u.looked, u.pinned = true, pin.PinnedAt
	return anew
}

// withdraw ends the process of a program whose approval is gone, when its calls
// have ended; it is not started again.
func (p *program) withdraw() {
	p.mu.Lock()
	proc := p.current
	p.mu.Unlock()
	if proc != nil && !proc.isRetired() {
		proc.log.Logger().Warn("connector is no longer pinned, stopping it")
		proc.retire()
	}
}
