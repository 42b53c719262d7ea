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

// WriteText writes the report for people; see [Printer].
func (r Report) WriteText(w io.Writer) error {
	p := NewPrinter(w)
	p.Begin(r.Connector, r.Version, r.Mode)
	for _, c := range r.Checks {
		p.Result(c)
	}
	return p.End(r.Summary)
}

// Printer writes a report for people as it comes about: one line a check by
// group, what was expected and seen below those that failed, and a summary.
type Printer struct {
	w     io.Writer
	group string
	err   error
}

// NewPrinter returns a Printer to w.
func NewPrinter(w io.Writer) *Printer { return &Printer{w: w} }

// Begin names the connector.
func (p *Printer) Begin(name, version, mode string) {
	p.printf("%s %s, %s\n", oneLine(name), oneLine(version), strings.ReplaceAll(mode, "_", " "))
}

// Result adds a check.
func (p *Printer) Result(c Result) {
	if c.Group() != p.group {
		p.group = c.Group()
		p.printf("\n%s\n", p.group)
	}
	var b strings.Builder
	writeResult(&b, c)
	p.printf("%s", b.String())
}

// End writes the summary and returns the first error of writing.
func (p *Printer) End(s Summary) error {
	p.printf("\n%d passed, %d failed, %d skipped, %d not run\n", s.Passed, s.Failed, s.Skipped, s.NotRun)
	return p.err
}

func (p *Printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
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
