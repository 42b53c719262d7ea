package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Connector is a binary in the connectors folder.
type Connector struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // of the pinned binary
	State   string `json:"state"`
	Digest  string `json:"digest,omitempty"`
}

// Isolation returns how far connectors are confined here.
func (s *System) Isolation() plugins.Isolation { return s.connections.Isolation() }

// Connectors lists the connectors folder.
func (s *System) Connectors(ctx context.Context) ([]Connector, error) {
	entries, err := s.connections.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Connector, len(entries))
	for i, e := range entries {
		out[i] = Connector{Name: e.Name, State: connectorState(e), Digest: e.Digest}
		if pin, err := s.Pins.Pin(ctx, e.Name); err == nil {
			out[i].Version = pin.Description.Version
		}
	}
	return out, nil
}

func connectorState(e plugins.Entry) string {
	switch {
	case e.Pinned:
		return "pinned"
	case errors.Is(e.Problem, plugins.ErrDigestMismatch):
		return "changed since it was pinned"
	case errors.Is(e.Problem, plugins.ErrNotPinned):
		return "not pinned"
	case e.Problem != nil:
		return e.Problem.Error()
	default:
		return "accepted unpinned (--dev)"
	}
}

// InspectConnector asks a binary to describe itself, pinned or not.
func (s *System) InspectConnector(ctx context.Context, name string) (sdk.Description, string, error) {
	return s.connections.Inspect(ctx, name, true)
}

// PinConnector trusts the binary as it is now.
func (s *System) PinConnector(ctx context.Context, name string) (sdk.Description, string, error) {
	d, digest, err := s.InspectConnector(ctx, name)
	if err == nil {
		err = approvable(d)
	}
	if err != nil {
		return d, "", err
	}
	return d, digest, s.Pins.Put(ctx, plugins.Pin{Name: name, Digest: digest, Description: d, PinnedAt: s.Now()})
}

// approvable refuses a connector that says of itself what cannot be: forms, checks
// and mappings go by it.
func approvable(d sdk.Description) error {
	problems := d.Problems()
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Field + ": " + p.Message
	}
	return fmt.Errorf("the connector's description is wrong: %s", strings.Join(texts, "; "))
}

// CheckTarget asks the connector to check the connection, step by step.
func (s *System) CheckTarget(ctx context.Context, name provisioning.TargetName) ([]sdk.CheckStep, error) {
	t, err := s.Targets.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	conn, err := s.connections.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	checker := conn.Checker()
	if checker == nil {
		return nil, fmt.Errorf("connector %s cannot check its connection", t.Connector)
	}
	return checker.Check(ctx)
}
