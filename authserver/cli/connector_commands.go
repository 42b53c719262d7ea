package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
)

type connectorCommands struct {
	List     connectorListCommand     `cmd:"" help:"List what is in the connectors folder, and how servers use it."`
	New      connectorNewCommand      `cmd:"" help:"Make the repository of a new connector."`
	Inspect  connectorInspectCommand  `cmd:"" help:"Show what a connector says of itself."`
	Test     connectorTestCommand     `cmd:"" help:"Run the conformance checks on a connector's program."`
	Package  connectorPackageCommand  `cmd:"" help:"Make the package of a connector's program."`
	Install  connectorInstallCommand  `cmd:"" help:"Put a package into the connectors folder; it runs once it is pinned."`
	Pin      connectorPinCommand      `cmd:"" help:"Trust exactly this binary; a changed one is refused."`
	Rollback connectorRollbackCommand `cmd:"" help:"Pin the version that was pinned before."`
	Unpin    connectorUnpinCommand    `cmd:"" help:"Take the trust away; running servers stop the connector."`
	History  connectorHistoryCommand  `cmd:"" help:"Show who pinned what, and when."`
	Lock     connectorLockCommand     `cmd:"" help:"Write the lock file of what is pinned."`
	Logs     connectorLogsCommand     `cmd:"" help:"Show the last crashes of a connector with its last lines."`
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
			row(w, "NAME", "VERSION", "STATE", "RUNNING", "DIGEST")
			for _, e := range entries {
				row(w, e.Name, dash(e.Version), e.State, dash(running(e)), e.Digest)
			}
			for _, e := range entries {
				for _, p := range e.Processes {
					if p.Problem != "" {
						row(w, e.Name+" on "+p.Instance+": "+p.Problem)
					}
				}
			}
			row(w, "connectors are confined by: "+s.Isolation().String())
		})
	})
}

// running sums up what servers say: "2 ready, 1 upgrade failed".
func running(c daemon.Connector) string {
	var states []string
	count := map[string]int{}
	for _, p := range c.Processes {
		state := string(p.State)
		if count[state]++; count[state] == 1 {
			states = append(states, state)
		}
	}
	for i, state := range states {
		states[i] = fmt.Sprint(count[state], " ", state)
	}
	return strings.Join(states, ", ")
}

type connectorInspectCommand struct {
	Name   string `arg:"" help:"As connector list shows it."`
	Digest string `help:"Which version; default: the one that pin would take." placeholder:"SHA256"`
}

// connectorView is what inspect prints.
type connectorView struct {
	sdk.Description
	Digest       string `json:"digest"`
	SchemaDigest string `json:"schema_digest"`
}

// Run starts the binary, pinned or not, and asks it to describe itself.
func (c connectorInspectCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		d, digest, err := s.InspectConnector(ctx, c.Name, c.Digest)
		if err != nil {
			return err
		}
		return r.print(connectorView{d, digest, catalog.SchemaDigest(d)}, func(w io.Writer) {
			row(w, "name:", d.Name)
			row(w, "version:", d.Version)
			row(w, "digest:", digest)
			row(w, "capabilities:", capabilities(d.Capabilities))
			for _, f := range d.Form() {
				row(w, "config "+f.Name+":", f.Type, fieldTraits(f), f.Help)
			}
			for _, a := range d.Attributes {
				row(w, "attribute "+a.Name+":", a.Type, required(a.Required), a.Source)
			}
		})
	})
}

func capabilities(list []sdk.Capability) string {
	names := make([]string, len(list))
	for i, capability := range list {
		names[i] = string(capability)
	}
	return strings.Join(names, ", ")
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

type connectorInstallCommand struct {
	Package string `arg:"" help:"A folder, .tar.gz, .tgz or .zip with connector.json." placeholder:"FILE|FOLDER"`
}

// installed is what install and package print.
type installed struct {
	Name     string           `json:"name"`
	Version  string           `json:"version"`
	Digest   string           `json:"digest"`
	Path     string           `json:"path"`
	Manifest catalog.Manifest `json:"manifest"`
}

// Run installs the package. Nothing of it is executed.
func (c connectorInstallCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := s.Audit.Note(ctx, audit.Act{Action: "connector.install", Object: named("connector", filepath.Base(c.Package))})
		if err != nil {
			return err
		}
		e, err := s.InstallConnector(c.Package)
		if err != nil {
			return err
		}
		return r.print(installed{e.Name, e.Meta.Version, e.Digest, e.Path, *e.Meta}, func(w io.Writer) {
			row(w, fmt.Sprintf("%s %s is installed, sha256:%s", e.Name, e.Meta.Version, e.Digest))
			row(w, "next: anteroom connector pin "+e.Name)
		})
	})
}

type connectorPackageCommand struct {
	Program string   `arg:"" help:"The program, called anteroom-connector-NAME. It is EXECUTED." placeholder:"FILE"`
	Licence string   `help:"SPDX expression, such as Apache-2.0." required:""`
	Egress  []string `help:"host:port that it connects to; *.domain and * stand for many; may be repeated." placeholder:"HOST:PORT" sep:"none"`
	File    []string `help:"A file beside the program that belongs to it, relative to its folder; may be repeated." placeholder:"PATH" sep:"none"`
	Out     string   `help:"Package to write; default: NAME_VERSION_OS_ARCH.tar.gz." placeholder:"FILE"`
}

// Run makes the package. It needs no configuration.
func (c connectorPackageCommand) Run(r *run) error {
	p := daemon.Package{Program: c.Program, Licence: c.Licence, Files: c.File}
	for _, text := range c.Egress {
		e, err := catalog.ParseEgress(text)
		if err != nil {
			return fmt.Errorf("%w: --egress %w", errUsage, err)
		}
		p.Egress = append(p.Egress, e)
	}
	f, err := os.CreateTemp(".", ".package-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it was renamed if all went well
	m, err := p.Write(r.ctx, f, quiet(r))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	out := c.Out
	if out == "" {
		out = fmt.Sprintf("%s_%s_%s_%s.tar.gz", m.Name, m.Version, m.OS, m.Arch)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	return r.print(installed{m.Name, m.Version, m.Content(), out, m}, func(w io.Writer) {
		row(w, fmt.Sprintf("wrote %s: %s %s, sha256:%s", out, m.Name, m.Version, m.Content()))
	})
}
