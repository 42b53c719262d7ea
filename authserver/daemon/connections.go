package daemon

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// connections joins provisioning to the plugin host, which do not know each
// other. It keeps one open connection per target and replaces it when the target
// changes; a newly pinned connector the host moves it to.
type connections struct {
	*plugins.Host

	mu         sync.Mutex
	open       map[provisioning.TargetName]*connection
	generation int64 // of the connection opened last
}

// connection remembers what it was opened for.
type connection struct {
	*plugins.Conn
	target provisioning.Target
}

// serves reports whether the connection is what t asks for. The revision alone
// does not tell: a target that was deleted and made anew counts from 1 again.
func (c *connection) serves(t provisioning.Target) bool {
	return c.target.Revision == t.Revision && c.target.Connector == t.Connector &&
		bytes.Equal(c.target.Config, t.Config) && maps.Equal(c.target.Secrets, t.Secrets)
}

func newConnections(h *plugins.Host) *connections {
	return &connections{Host: h, open: map[provisioning.TargetName]*connection{}}
}

// Connect implements provisioning.Targets.
func (c *connections) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	conn, err := c.connect(ctx, t)
	if err != nil {
		return provisioning.Conn{}, err
	}
	return provisioning.Conn{
		Target: conn.Target(), Getter: conn.Getter(), ActiveSetter: conn.ActiveSetter(), Deleter: conn.Deleter(), Lister: conn.Lister(),
		GroupSetter: conn.GroupSetter(), Description: conn.Description(),
	}, nil
}

// connect returns the open connection, or opens one. The lock is not held while
// opening: one target's slow start must not hold up the others.
func (c *connections) connect(ctx context.Context, t provisioning.Target) (*plugins.Conn, error) {
	if conn := c.current(t); conn != nil {
		return conn, nil
	}
	fresh, err := c.Open(ctx, plugins.InstanceConfig{
		Instance: string(t.Name), Generation: c.next(), Connector: t.Connector,
		Config: sdk.RawConfig{Values: t.Config, Secrets: t.Secrets},
	})
	if err != nil {
		return nil, err
	}
	return c.keep(t, fresh), nil
}

// next returns a generation of its own for every connection: a connector refuses
// to go back to a lower one.
func (c *connections) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	return c.generation
}

// keep stores a fresh connection in place of the old one. When another worker
// opened the same meanwhile, that one is kept, since it is in use. A worker that
// read the target before it changed may put the old one back: the next worker
// puts that right, and what was under way is tried again.
func (c *connections) keep(t provisioning.Target, fresh *plugins.Conn) *plugins.Conn {
	c.mu.Lock()
	old := c.open[t.Name]
	same := old != nil && old.serves(t)
	if !same {
		c.open[t.Name] = &connection{fresh, t}
	}
	c.mu.Unlock()
	switch {
	case same:
		fresh.Close()
		return old.Conn
	case old != nil:
		old.Close()
	}
	return fresh
}

func (c *connections) current(t provisioning.Target) *plugins.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.open[t.Name]
	if conn == nil || !conn.serves(t) {
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
	return checkMapping(t, d)
}

// checkMapping holds a target's mapping and groups against what a version of its
// connector offers.
func checkMapping(t provisioning.Target, d sdk.Description) error {
	if t.Groups != nil && !d.Has(sdk.CapabilitySetGroups) {
		return resources.ErrGroups
	}
	_, err := t.CompileMapping(d.Attributes)
	return err
}
