package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/sdk"
)

type connectorCommands struct {
	List    connectorListCommand    `cmd:"" help:"List the binaries in the connectors folder."`
	New     connectorNewCommand     `cmd:"" help:"Make the repository of a new connector."`
	Inspect connectorInspectCommand `cmd:"" help:"Show what a connector says of itself."`
	Test    connectorTestCommand    `cmd:"" help:"Run the conformance checks on a connector's program."`
	Pin     connectorPinCommand     `cmd:"" help:"Trust exactly this binary; a changed one is refused."`
}

type connectorListCommand struct{}

// Run lists connectors.
func (connectorListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		entries, err := s.Connectors(ctx)
		if err != nil {
			return err
		}
		return r.print(entries, func(w io.Writer) {
			row(w, "NAME", "VERSION", "STATE", "DIGEST")
			for _, e := range entries {
				row(w, e.Name, dash(e.Version), e.State, e.Digest)
			}
		})
	})
}

type connectorInspectCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
}

// connectorView is what inspect and pin print.
type connectorView struct {
	sdk.Description
	Digest string `json:"digest"`
}

// Run starts the binary, pinned or not, and asks it to describe itself.
func (c connectorInspectCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		d, digest, err := s.InspectConnector(ctx, c.Name)
		if err != nil {
			return err
		}
		return r.print(connectorView{d, digest}, func(w io.Writer) {
			row(w, "name:", d.Name)
			row(w, "version:", d.Version)
			row(w, "digest:", digest)
			caps := make([]string, len(d.Capabilities))
			for i, capability := range d.Capabilities {
				caps[i] = string(capability)
			}
			row(w, "capabilities:", strings.Join(caps, ", "))
			for _, f := range d.Form() {
				row(w, "config "+f.Name+":", f.Type, fieldTraits(f), f.Help)
			}
			for _, a := range d.Attributes {
				row(w, "attribute "+a.Name+":", a.Type, required(a.Required), a.Source)
			}
		})
	})
}

// fieldTraits says everything about a configuration field but its name, type and
// help.
func fieldTraits(f sdk.Field) string {
	traits := []string{required(f.Required)}
	for _, t := range []struct{ name, value string }{
		{"one of", strings.Join(f.Enum, "|")}, {"default", f.Default}, {"when", f.When.String()}, {"group", f.Group},
	} {
		if t.value != "" {
			traits = append(traits, t.name+" "+t.value)
		}
	}
	if f.Secret {
		traits = append(traits, "secret")
	}
	return strings.Join(traits, ", ")
}

func required(b bool) string {
	if b {
		return "required"
	}
	return "optional"
}

type connectorPinCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
}

// Run pins the binary as it is now.
func (c connectorPinCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		d, digest, err := s.PinConnector(ctx, c.Name)
		if err != nil {
			return err
		}
		return r.print(connectorView{d, digest}, func(w io.Writer) {
			row(w, fmt.Sprintf("%s %s is pinned, sha256:%s", d.Name, d.Version, digest))
		})
	})
}
