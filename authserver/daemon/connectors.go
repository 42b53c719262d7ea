package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Connector is one version of a connector in the folder.
type Connector struct {
	Name         string           `json:"name"`
	Version      string           `json:"version,omitempty"` // as installed, or of the pinned file
	State        string           `json:"state"`
	Digest       string           `json:"digest,omitempty"`
	Capabilities []sdk.Capability `json:"capabilities,omitempty"`
	// Processes are what running servers said of it within the last minute and a
	// half.
	Processes []ConnectorProcess `json:"processes,omitempty"`
}

// ConnectorProcess is a connector as one running server sees it.
type ConnectorProcess struct {
	Instance string    `json:"instance"`
	At       time.Time `json:"at"`
	plugins.Stats
}

// Isolation returns how far connectors are confined here.
func (s *System) Isolation() plugins.Isolation { return s.connections.Isolation() }

// Connectors lists the connectors folder.
func (s *System) Connectors(ctx context.Context) ([]Connector, error) {
	entries, err := s.connections.List(ctx)
	if err != nil {
		return nil, err
	}
	reports, err := s.reports.List(ctx, s.Now().Add(-reportAge))
	if err != nil {
		return nil, err
	}
	out := make([]Connector, len(entries))
	for i, e := range entries {
		past, err := s.Pins.History(ctx, e.Name)
		if err != nil {
			return nil, err
		}
		c := Connector{Name: e.Name, State: connectorState(e, past), Digest: e.Digest}
		if e.Meta != nil {
			c.Version, c.Capabilities = e.Meta.Version, e.Meta.Capabilities
		} else if pin, err := s.approvals.Pin(ctx, e.Name); err == nil {
			c.Version, c.Capabilities = cmp.Or(pin.Version, pin.Description.Version), pin.Description.Capabilities
		}
		c.Processes = processesOf(c, reports)
		out[i] = c
	}
	return out, nil
}

func processesOf(c Connector, reports []store.ConnectorReport) []ConnectorProcess {
	var out []ConnectorProcess
	for _, r := range reports {
		for _, stats := range r.Stats {
			if stats.Name == c.Name && stats.Digest == c.Digest {
				out = append(out, ConnectorProcess{r.Instance, r.At, stats})
			}
		}
	}
	return out
}

func connectorState(e plugins.Entry, past []store.PinEvent) string {
	approved := slices.ContainsFunc(past, func(p store.PinEvent) bool { return p.Digest == e.Digest })
	switch {
	case e.Pinned:
		return "pinned"
	case e.Problem == nil:
		return "accepted unpinned (--dev)"
	case !errors.Is(e.Problem, plugins.ErrDigestMismatch) && !errors.Is(e.Problem, plugins.ErrNotPinned):
		return e.Problem.Error()
	case e.Meta != nil && approved:
		return "pinned before"
	case e.Meta != nil:
		return "pending"
	case errors.Is(e.Problem, plugins.ErrDigestMismatch):
		return "changed since it was pinned"
	}
	return "not pinned"
}

// InspectConnector asks a version of a connector to describe itself, pinned or
// not. An empty digest stands for the one [System.ReviewConnector] would take.
func (s *System) InspectConnector(ctx context.Context, name, digest string) (sdk.Description, string, error) {
	digest, err := s.candidate(ctx, name, digest)
	if err != nil {
		return sdk.Description{}, "", err
	}
	c, err := s.plugins.Examine(ctx, name, digest)
	if err != nil {
		return sdk.Description{}, "", err
	}
	defer c.Close()
	return c.Description, c.Digest, nil
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
