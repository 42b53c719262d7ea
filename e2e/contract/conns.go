package contract

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// conns opens a connector in this process, once per target and revision.
type conns struct {
	connector sdk.Connector

	mu   sync.Mutex
	open map[string]provisioning.Conn
}

// Connect implements provisioning.Targets.
func (c *conns) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprint(t.Name, " ", t.Revision)
	if conn, ok := c.open[key]; ok {
		return conn, nil
	}
	opened, err := c.connector.Open(ctx, sdk.RawConfig{Values: t.Config, Secrets: t.Secrets})
	if err != nil {
		return provisioning.Conn{}, err
	}
	conn := connOf(opened, c.connector.Describe())
	c.open[key] = conn
	return conn, nil
}

// connOf finds what a target can do beyond the required verbs, as the host does.
func connOf(opened sdk.Target, d sdk.Description) provisioning.Conn {
	conn := provisioning.Conn{Target: opened, Description: d}
	if d.Has(sdk.CapabilityGet) {
		conn.Getter = opened.(sdk.Getter)
	}
	if d.Has(sdk.CapabilitySetActive) {
		conn.ActiveSetter = opened.(sdk.ActiveSetter)
	}
	if d.Has(sdk.CapabilityDelete) {
		conn.Deleter = opened.(sdk.Deleter)
	}
	if d.Has(sdk.CapabilityList) {
		conn.Lister = opened.(sdk.Lister)
	}
	if d.Has(sdk.CapabilitySetGroups) {
		conn.GroupSetter = opened.(sdk.GroupSetter)
	}
	return conn
}

func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		if closer, ok := conn.Target.(io.Closer); ok {
			_ = closer.Close()
		}
	}
}
