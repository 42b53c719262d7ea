package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

type connectorPinCommand struct {
	Name   string `arg:"" help:"As connector list shows it."`
	Digest string `help:"Pin exactly this version, and ask nothing." placeholder:"SHA256"`
	Yes    bool   `help:"Ask nothing, and pin although targets would no longer work."`
}

var (
	errNotApproved = errors.New("not pinned")
	errBreaks      = errors.New("not pinned: --yes pins it all the same")
)

// pinned is what pin and rollback print.
type pinned struct {
	daemon.Review
	// LockedBy is the lock file that decides in place of this pin.
	LockedBy string `json:"locked_by,omitempty"`
}

// Run shows what pinning means, asks where somebody can answer, and pins.
func (c connectorPinCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		review, err := s.ReviewConnector(ctx, c.Name, c.Digest)
		if err != nil {
			return err
		}
		if r.root.Output != "json" {
			if err := r.print(nil, func(w io.Writer) { printReview(w, review) }); err != nil {
				return err
			}
		}
		f, ok := r.env.Stdin.(*os.File)
		if err := c.approved(review, ok && isTerminal(f), r.env.Stdin, r.env.Stderr); err != nil {
			return err
		}
		err = acts(ctx, s, "connector.pin", audit.Object{Kind: "connector", ID: review.Digest, Name: review.Name}, func(ctx context.Context) error {
			return s.Approve(ctx, review, whoami())
		})
		if err != nil {
			return err
		}
		return printPinned(r, s, review)
	})
}

// approved asks, unless the flags answer. Where nobody can answer, no answer is
// needed for what breaks nothing.
func (c connectorPinCommand) approved(review daemon.Review, person bool, in io.Reader, out io.Writer) error {
	broken, ask := review.Broken(), person && c.Digest == ""
	switch {
	case c.Yes:
		return nil
	case len(broken) > 0 && !ask:
		return fmt.Errorf("%s %s does not take what these targets have: %s: %w", review.Name, review.Version, names(broken), errBreaks)
	case !ask:
		return nil
	}
	_, _ = fmt.Fprintf(out, "pin %s %s? [y/N] ", review.Name, review.Version)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errNotApproved
	}
	return nil
}

func names(list []provisioning.TargetName) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = string(n)
	}
	return strings.Join(out, ", ")
}

func printReview(w io.Writer, v daemon.Review) {
	row(w, "connector:", v.Name+" "+v.Version)
	row(w, "digest:", v.Digest)
	if v.Replaces != nil {
		row(w, "replaces:", fmt.Sprintf("%s, pinned %s by %s", v.Replaces.Version, when(v.Replaces.PinnedAt), dash(v.Replaces.PinnedBy)))
	}
	row(w, "licence:", dash(v.Licence))
	row(w, "capabilities:", capabilities(v.Capabilities))
	for _, e := range v.Egress {
		row(w, "connects to:", e)
	}
	for _, change := range v.Changes {
		mark := "change:"
		if change.Breaks {
			mark = "CHANGE:"
		}
		row(w, mark, change.What+": "+change.Text)
	}
	for _, t := range v.Targets {
		if len(t.Problems) == 0 {
			row(w, "target "+string(t.Target)+":", "goes on as it is")
		}
		for _, p := range t.Problems {
			row(w, "target "+string(t.Target)+":", p.Path+": "+p.Text)
		}
	}
}

func printPinned(r *run, s *daemon.System, review daemon.Review) error {
	return r.print(pinned{review, s.LockDecides()}, func(w io.Writer) {
		row(w, fmt.Sprintf("%s %s is pinned, sha256:%s", review.Name, review.Version, review.Digest))
		if lock := s.LockDecides(); lock != "" {
			row(w, "here "+lock+" decides what runs: anteroom connector lock writes one of what is pinned")
		}
	})
}

// whoami is who runs the command, as far as it knows.
func whoami() string {
	name := fmt.Sprint("uid ", os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

type connectorRollbackCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
}

// Run pins the version before, and says what that means.
func (c connectorRollbackCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		review, err := s.RollBackConnector(ctx, c.Name, whoami())
		if err != nil {
			return err
		}
		if r.root.Output != "json" {
			if err := r.print(nil, func(w io.Writer) { printReview(w, review) }); err != nil {
				return err
			}
		}
		return printPinned(r, s, review)
	})
}

type connectorUnpinCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
}

// Run takes the approval away.
func (c connectorUnpinCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, "connector.unpin", named("connector", c.Name), func(ctx context.Context) error {
			return s.WithdrawConnector(ctx, c.Name, whoami())
		})
		if err != nil {
			return err
		}
		return r.did(done{Object: "connector", Name: c.Name, Result: "unpinned"}, "%s is no longer pinned", c.Name)
	})
}

type connectorHistoryCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
}

// pinEvent is one line of the history.
type pinEvent struct {
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
	Action  string    `json:"action"`
	Version string    `json:"version"`
	Digest  string    `json:"digest"`
}

// Run prints the history, the latest first.
func (c connectorHistoryCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		past, err := s.Pins.History(ctx, c.Name)
		if err != nil {
			return err
		}
		events := make([]pinEvent, len(past))
		for i, e := range past {
			events[i] = pinEvent{e.PinnedAt, e.PinnedBy, string(e.Action), e.Description.Version, e.Digest}
		}
		return r.print(events, func(w io.Writer) {
			row(w, "AT", "ACTION", "VERSION", "DIGEST", "BY")
			for _, e := range events {
				row(w, when(e.At), e.Action, e.Version, e.Digest, dash(e.By))
			}
		})
	})
}

type connectorLockCommand struct {
	File string `help:"Where to write it; - for standard output." default:"connectors.lock" placeholder:"FILE"`
}

// Run writes the lock file.
func (c connectorLockCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		lock, err := s.LockConnectors(ctx)
		if err != nil {
			return err
		}
		if c.File == "-" {
			_, err := r.env.Stdout.Write(lock.Text())
			return err
		}
		if err := replaceFile(c.File, lock.Text()); err != nil {
			return err
		}
		return r.did(done{Object: "lock", Name: c.File, Result: "written"}, "wrote %s: %s", c.File, plural(len(lock.Connectors), "connector", "connectors"))
	})
}

// replaceFile writes a file beside the old one and puts it in its place.
func replaceFile(path string, text []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

type connectorLogsCommand struct {
	Name string `arg:"" help:"As connector list shows it."`
	All  bool   `help:"Every crash that is kept, not only the last one."`
}

// crash is one crash.
type crash struct {
	At     time.Time `json:"at"`
	Digest string    `json:"digest"`
	Exit   string    `json:"exit"`
	Output []string  `json:"output"`
}

// Run prints the crash reports, the latest first.
func (c connectorLogsCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		kept, err := s.ConnectorCrashes.List(ctx, c.Name)
		if err != nil {
			return err
		}
		if !c.All {
			kept = kept[:min(1, len(kept))]
		}
		crashes := make([]crash, len(kept))
		for i, k := range kept {
			crashes[i] = crash{k.At, k.Digest, k.Exit, append([]string{}, k.Output...)}
		}
		return r.print(crashes, func(w io.Writer) {
			if len(crashes) == 0 {
				row(w, "no crash of "+c.Name+" is on record")
			}
			for _, k := range crashes {
				row(w, when(k.At)+" "+k.Digest+": "+k.Exit)
				for _, line := range k.Output {
					row(w, "  "+line)
				}
			}
		})
	})
}

// quiet is a logger for a command that needs no configuration: warnings only.
func quiet(r *run) *slog.Logger {
	return slog.New(slog.NewTextHandler(r.env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
