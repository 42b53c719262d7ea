package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// print writes v as JSON, or the table that f makes of rows.
func (r *run) print(v any, table func(w io.Writer)) error {
	return r.printText(v, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		table(t)
		return t.Flush()
	})
}

// printText writes v as JSON, or what f writes, as it is.
func (r *run) printText(v any, text func(w io.Writer) error) error {
	if r.root.Output != "json" {
		return text(r.env.Stdout)
	}
	enc := json.NewEncoder(r.env.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // it is for programs and people, never inside a page
	return enc.Encode(v)
}

// row writes one line of a table; columns are aligned. A value cannot end the
// line or move the cursor: some come from a target.
func row(w io.Writer, columns ...any) {
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = strings.Map(printable, fmt.Sprint(c))
	}
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// done is the JSON of a command that changed something and has nothing to show.
type done struct {
	Object string `json:"object"` // "user", "application", "binding", …
	Name   string `json:"name"`
	Target string `json:"target,omitempty"` // of a binding or account
	Result string `json:"result"`           // "deleted", "disabled", …
}

// did says what was done, to a person by a sentence.
func (r *run) did(d done, format string, args ...any) error {
	return r.print(d, func(w io.Writer) { row(w, fmt.Sprintf(format, args...)) })
}

// list maps a list to its views. An empty one is [] in JSON, not null.
func list[T, V any](in []T, view func(T) V) []V {
	out := make([]V, len(in))
	for i, e := range in {
		out[i] = view(e)
	}
	return out
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// errUsage marks a mistake in what was typed.
var errUsage = errors.New("usage")

// about names what an error is about. What was not found needs no more words:
// the name says it all.
func about(what string, err error) error {
	for _, known := range []error{
		provisioning.ErrUserNotFound, provisioning.ErrTargetNotFound, provisioning.ErrAccountNotFound,
		provisioning.ErrBindingNotFound, provisioning.ErrRuleSetNotFound, application.ErrNotFound, registration.ErrNotFound, flow.ErrUnknown,
	} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", what, known)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// failed prints the error and returns the exit code.
func failed(env Env, err error) int {
	for _, line := range errorLines(err) {
		_, _ = fmt.Fprintln(env.Stderr, "anteroom:", line)
	}
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// errorLines gives a file's problems a line each, and any other error one line.
func errorLines(err error) []string {
	var lines []string
	if problems, ok := config.IsProblems(err); ok {
		for _, p := range problems {
			lines = append(lines, "configuration: "+p.String())
		}
		return lines
	}
	if problems, ok := resources.IsProblems(err); ok {
		for _, p := range problems {
			lines = append(lines, "resources: "+p.String())
		}
		return lines
	}
	var problems rules.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			lines = append(lines, oneLine(p.Error()))
		}
		return lines
	}
	return []string{oneLine(err.Error())}
}

// oneLine joins lines: a list below a heading, or errors that came together.
func oneLine(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case strings.HasSuffix(out.String(), ":"):
			out.WriteString(" ")
		case out.Len() > 0:
			out.WriteString("; ")
		}
		out.WriteString(line)
	}
	return out.String()
}
