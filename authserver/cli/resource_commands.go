package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/sdk"
)

type applyCommand struct {
	File   string `short:"f" help:"Resources file, - for standard input." required:"" placeholder:"FILE"`
	DryRun bool   `help:"Print the difference and change nothing."`
}

// applyResult is what apply prints.
type applyResult struct {
	Applied bool               `json:"applied"`
	Changes []resources.Change `json:"changes"`
	// Warnings are what deserves a second thought.
	Warnings []daemon.Problem `json:"warnings,omitempty"`
	// Secrets are generated client secrets. This is the only time they are shown.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// Run applies the file.
func (c applyCommand) Run(r *run) error {
	raw, err := readFile(r, c.File)
	if err != nil {
		return err
	}
	doc, err := resources.Parse(raw)
	if err != nil {
		return err
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		backend := s.Resources(r.env.Getenv)
		if c.File != "-" {
			backend.Dir = filepath.Dir(c.File)
		}
		plan, err := backend.Plan(ctx, doc)
		if err != nil {
			return err
		}
		if !c.DryRun {
			if err := backend.Apply(ctx, plan); err != nil {
				return err
			}
		}
		return printPlan(r, plan, !c.DryRun)
	})
}

func printPlan(r *run, plan resources.Plan, applied bool) error {
	result := applyResult{Applied: applied, Changes: append([]resources.Change{}, plan.Changes...), Secrets: map[string]string{}}
	if applied {
		for client, secret := range plan.Generated {
			result.Secrets[client] = secret.Reveal()
		}
	}
	for _, p := range plan.Warnings {
		result.Warnings = append(result.Warnings, daemon.Problem(p))
	}
	return r.printText(result, func(w io.Writer) error {
		for _, p := range result.Warnings {
			row(r.env.Stderr, "anteroom: warning: "+p.Path+": "+p.Text)
		}
		if err := resources.Print(w, plan.Changes); err != nil {
			return err
		}
		for _, client := range slices.Sorted(maps.Keys(result.Secrets)) {
			row(w, "client secret of "+client+" (shown once): "+result.Secrets[client])
		}
		return nil
	})
}

func readFile(r *run, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(r.env.Stdin)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	return raw, nil
}

type exportCommand struct{}

// Run prints everything as YAML, or JSON.
func (exportCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		doc, err := s.Resources(r.env.Getenv).Export(ctx)
		if err != nil {
			return err
		}
		text, err := doc.YAML()
		if err != nil {
			return err
		}
		return r.printText(doc, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	})
}

const maxSecret = 4096

// readSecret takes a secret from standard input: on the command line others
// could see it.
func readSecret(r *run) (sdk.Secret, error) {
	if f, ok := r.env.Stdin.(*os.File); ok && isTerminal(f) {
		_, _ = fmt.Fprintln(r.env.Stderr, "the password, then Enter and Ctrl-D (it will show):")
	}
	raw, err := io.ReadAll(io.LimitReader(r.env.Stdin, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read password from standard input: %w", err)
	}
	raw = bytes.TrimRight(raw, "\r\n")
	switch {
	case len(raw) == 0:
		return "", fmt.Errorf("%w: give the password on standard input", errUsage)
	case len(raw) > maxSecret:
		return "", fmt.Errorf("the password has more than %d bytes", maxSecret)
	}
	return sdk.Secret(raw), nil
}

// isTerminal reports whether somebody may type there. The null device is a
// character device as well.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
