package daemon

import (
	"context"
	"fmt"
	"sync"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// connections joins provisioning to the plugin host, which do not know each
// other. It keeps one open connection per target and replaces it when the
// target's revision or the pinned binary changes.
type connections struct {
	*plugins.Host
	pins plugins.Pins

	mu   sync.Mutex
	open map[provisioning.TargetName]*connection
}

type connection struct {
	*plugins.Conn
	connector string
	revision  int64
}

func newConnections(h *plugins.Host, pins plugins.Pins) *connections {
	return &connections{Host: h, pins: pins, open: map[provisioning.TargetName]*connection{}}
}

// Connect implements provisioning.Targets.
func (c *connections) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	conn, err := c.connect(ctx, t)
	if err != nil {
		return provisioning.Conn{}, err
	}
	return provisioning.Conn{
		Target: conn.Target(), Getter: conn.Getter(), ActiveSetter: conn.ActiveSetter(), Deleter: conn.Deleter(), Lister: conn.Lister(),
		Description: conn.Description(),
	}, nil
}

// connect returns the open connection, or opens one. The lock is not held while
// opening: one target's slow start must not hold up the others.
func (c *connections) connect(ctx context.Context, t provisioning.Target) (*plugins.Conn, error) {
	if conn := c.current(ctx, t); conn != nil {
		return conn, nil
	}
	fresh, err := c.Open(ctx, plugins.InstanceConfig{
		Instance: string(t.Name), Generation: t.Revision, Connector: t.Connector,
		Config: sdk.RawConfig{Values: t.Config, Secrets: t.Secrets},
	})
	if err != nil {
		return nil, err
	}
	return c.keep(t, fresh), nil
}

// keep stores a fresh connection in place of the old one. When another worker
// opened the same meanwhile, that one is kept, since it is in use.
func (c *connections) keep(t provisioning.Target, fresh *plugins.Conn) *plugins.Conn {
	c.mu.Lock()
	old := c.open[t.Name]
	same := old != nil && old.revision == t.Revision && old.connector == t.Connector && old.Digest() == fresh.Digest()
	newer := old != nil && old.revision > t.Revision
	if !same && !newer {
		c.open[t.Name] = &connection{fresh, t.Connector, t.Revision}
	}
	c.mu.Unlock()
	switch {
	case same:
		fresh.Close()
		return old.Conn
	case old != nil && !newer:
		old.Close()
	}
	return fresh
}

func (c *connections) current(ctx context.Context, t provisioning.Target) *plugins.Conn {
	c.mu.Lock()
	conn := c.open[t.Name]
	c.mu.Unlock()
	if conn == nil || conn.revision != t.Revision || conn.connector != t.Connector {
		return nil
	}
	// A newly pinned binary is an upgrade: it takes a new connection.
	if pin, err := c.pins.Pin(ctx, t.Connector); err == nil && pin.Digest != conn.Digest() {
		return nil
	}
	return conn.Conn
}

// CheckMapping implements resources.Connectors.
func (c *connections) CheckMapping(ctx context.Context, t provisioning.Target) error {
	d, _, err := c.Inspect(ctx, t.Connector, false)
	if err != nil {
		return fmt.Errorf("ask connector %s: %w", t.Connector, err)
	}
	_, err = mapping.Compile(rules(t.Mapping), d.Attributes)
	return err
}

func rules(m []provisioning.AttributeMapping) []mapping.Rule {
	var out []mapping.Rule
	for _, r := range m {
		out = append(out, mapping.Rule(r))
	}
	return out
}
