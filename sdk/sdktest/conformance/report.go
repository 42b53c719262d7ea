package conformance

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/anteroom-id/anteroom/sdk"
)

// Status is how a check ended.
type Status string

// The ends of a check.
const (
	Passed Status = "passed"
	Failed Status = "failed"
	// Skipped means that the check does not apply: the connector does not declare
	// the capability, or has no such field.
	Skipped Status = "skipped"
	// NotRun means that the check applies and could not be run: it needs a proxy,
	// a process, or a longer secret. A connector with such checks is not fully
	// tested.
	NotRun Status = "not_run"
)

// Finding is one thing that is not as it must be.
type Finding struct {
	Expected string `json:"expected"`
	Seen     string `json:"seen"`
}

// Result is the outcome of one check.
type Result struct {
	ID       string    `json:"id"`
	Demand   string    `json:"demand"`
	Status   Status    `json:"status"`
	Findings []Finding `json:"findings,omitempty"` // of a failed check
	Reason   string    `json:"reason,omitempty"`   // why it was skipped or not run
	TookMS   int64     `json:"took_ms"`
}

// Group is the part of the id before the slash.
func (r Result) Group() string {
	group, _, _ := strings.Cut(r.ID, "/")
	return group
}

// Summary counts results by status.
type Summary struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	NotRun  int `json:"not_run"`
}

// Report is a whole run. Its JSON form is stable: fields are added, never
// renamed or removed.
type Report struct {
	Connector string   `json:"connector"`
	Version   string   `json:"version"`
	Mode      string   `json:"mode"` // in_process or process
	Summary   Summary  `json:"summary"`
	Checks    []Result `json:"checks"`
}

// NewReport counts the results.
func NewReport(d sdk.Description, mode string, results []Result) Report {
	r := Report{Connector: d.Name, Version: d.Version, Mode: mode, Checks: results}
	for _, c := range results {
		switch c.Status {
		case Passed:
			r.Summary.Passed++
		case Failed:
			r.Summary.Failed++
		case Skipped:
			r.Summary.Skipped++
		case NotRun:
			r.Summary.NotRun++
		}
	}
	return r
}

// WriteText writes the report for people: one line a check by group, what was
// expected and seen below those that failed, and a summary.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, %s\n", r.Connector, r.Version, strings.ReplaceAll(r.Mode, "_", " "))
	group := ""
	for _, c := range r.Checks {
		if c.Group() != group {
			group = c.Group()
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		writeResult(&b, c)
	}
	s := r.Summary
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d skipped, %d not run\n", s.Passed, s.Failed, s.Skipped, s.NotRun)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeResult(b *strings.Builder, c Result) {
	word := map[Status]string{Passed: "pass", Failed: "FAIL", Skipped: "skip", NotRun: "not run"}[c.Status]
	fmt.Fprintf(b, "  %-7s  %-28s  %s", word, c.ID, c.Demand)
	if c.Reason != "" {
		fmt.Fprintf(b, " (%s)", oneLine(c.Reason))
	}
	b.WriteString("\n")
	for _, f := range c.Findings {
		fmt.Fprintf(b, "             expected  %s\n             seen      %s\n", oneLine(f.Expected), oneLine(f.Seen))
	}
}

// oneLine keeps texts of a connector from moving the cursor or faking lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }
