package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime/debug"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/demo"
	"github.com/anteroom-id/anteroom/authserver/keys"
)

type serveCommand struct{}

// Run serves until the process is told to stop.
func (serveCommand) Run(r *run) error {
	c, err := r.load()
	if err != nil {
		return err
	}
	s, err := daemon.Open(r.ctx, c, r.logger(c))
	if err != nil {
		return err
	}
	if err := s.VerifyLock(r.ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), s.Close())
	}
	return errors.Join(s.Serve(r.ctx, listener), s.Close())
}

type demoCommand struct {
	Check      bool   `help:"Do the walk headless, on any free ports, and print what was seen."`
	Connectors string `help:"Folder of connector binaries." default:"connectors" placeholder:"DIR"`
	Listen     string `help:"Address of the server; the application and the directory take the next two ports." default:"127.0.0.1:8080"`
}

// Run starts the demo.
func (c demoCommand) Run(r *run) error {
	return demo.Run(r.ctx, demo.Options{Check: c.Check, Connectors: c.Connectors, Launcher: r.env.Launcher, Listen: c.Listen, Out: r.env.Stdout, Log: r.env.Stderr})
}

type checkCommand struct{}

// checkResult is what check prints.
type checkResult struct {
	OK        bool             `json:"ok"`
	Isolation string           `json:"isolation,omitempty"` // of connectors
	Problems  []daemon.Problem `json:"problems,omitempty"`
	Warnings  []daemon.Problem `json:"warnings,omitempty"` // ok is true all the same
}

// Run reports every problem and fails if there is one.
func (checkCommand) Run(r *run) error {
	report := daemon.Check(r.ctx, daemon.CheckOptions{
		Path: r.root.Config, Getenv: r.env.Getenv, Dev: r.root.Dev, Launcher: r.env.Launcher,
	})
	problems := report.Problems
	result := checkResult{OK: len(problems) == 0, Isolation: report.Isolation, Problems: problems, Warnings: report.Warnings}
	err := r.print(result, func(w io.Writer) {
		if result.Isolation != "" {
			row(w, "connectors are confined by:", result.Isolation)
		}
		for _, p := range result.Warnings {
			row(w, p.Path+":", "warning: "+p.Text)
		}
		if result.OK {
			row(w, "ok")
		}
		for _, p := range problems {
			row(w, p.Path+":", p.Text)
		}
	})
	if err == nil && !result.OK {
		err = errors.New(plural(len(problems), "problem", "problems"))
	}
	return err
}

type migrateCommand struct {
	Status bool `help:"Only print the versions."`
}

// Run migrates, or prints how far the database is.
func (c migrateCommand) Run(r *run) error {
	cfg, err := r.load()
	if err != nil {
		return err
	}
	lines, err := daemon.Migrate(r.ctx, cfg, c.Status)
	if err != nil {
		return err
	}
	return r.print(lines, func(w io.Writer) {
		for _, l := range lines {
			row(w, l.Line, fmt.Sprintf("version %d of %d", l.Current, l.Latest))
		}
	})
}

type keyCommands struct {
	Generate keyGenerateCommand `cmd:"" help:"Make the keyset that seals secrets in the database."`
	List     keyListCommand     `cmd:"" help:"List the keys that sign tokens."`
	Rotate   keyRotateCommand   `cmd:"" help:"Make the next keys that sign tokens: published now, in use in an hour."`
}

type keyGenerateCommand struct {
	File string `help:"Where to write it; an existing file is left alone." required:"" placeholder:"FILE"`
}

// Run writes a new keyset that only its owner can read.
func (c keyGenerateCommand) Run(r *run) error {
	if err := keys.CreateKeysetFile(c.File); err != nil {
		return err
	}
	return r.did(done{Object: "keyset", Name: c.File, Result: "written"},
		"wrote %s; keep a copy: without it the secrets in the database are lost", c.File)
}

type versionCommand struct{}

// Run prints the module's version.
func (versionCommand) Run(r *run) error {
	version := cmp.Or(builtVersion(), "devel")
	return r.print(map[string]string{"version": version}, func(w io.Writer) { row(w, "anteroom", version) })
}

// builtVersion is the module's version as the binary was built from it, "" if it
// was not from a version.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

var release = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

// releasedVersion is builtVersion if others can fetch it, and "" for what was
// built from a checkout.
func releasedVersion() string {
	if v := builtVersion(); release.MatchString(v) {
		return v
	}
	return ""
}
