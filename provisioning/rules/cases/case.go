package cases

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// File is a file of cases.
type File struct {
	RuleSet *Reference // what the cases are asked of; nil when the file does not say
	Cases   []Case
}

// Case is one request and what is to be decided.
type Case struct {
	Name    string
	Line    int // of its beginning, from 1
	Column  int // in bytes, from 1
	Request rules.Request
	At      string // the time of the decision; "" when the case has none
	Expect  Expectation
	Rule    string // the rule that is to decide; "" for any
}

// Expectation is what a case wants of a decision.
type Expectation string

// The expectations.
const (
	ExpectPermit        Expectation = "permit"
	ExpectDeny          Expectation = "deny"
	ExpectNotApplicable Expectation = "not_applicable"
	ExpectIndeterminate Expectation = "indeterminate" // of any kind
)

// Of returns what a decision would have satisfied.
func Of(d rules.Decision) Expectation {
	switch d {
	case rules.Permit:
		return ExpectPermit
	case rules.Deny:
		return ExpectDeny
	case rules.NotApplicable:
		return ExpectNotApplicable
	default:
		return ExpectIndeterminate
	}
}

// Outcome is what became of a case.
type Outcome struct {
	Case        Case
	Problem     string // why it failed; "" when it passed
	Explanation rules.Explanation
}

// Run asks a rule set about each case. The error is [rules.Problems]: a case that the
// rule set cannot be asked about without knowing the time.
func (f File) Run(set rules.Compiled) ([]Outcome, error) {
	var problems rules.Problems
	clock := asksForTime(set)
	var out []Outcome
	for _, c := range f.Cases {
		if c.At == "" && clock {
			problems = append(problems, &rules.Error{Line: c.Line, Column: c.Column, Text: fmt.Sprintf("case %q: at: required, for the rule set asks for the time", c.Name)})
			continue
		}
		out = append(out, c.run(set))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return out, nil
}

// asksForTime reports whether a decision may depend on when it is made.
func asksForTime(set rules.Compiled) bool {
	return slices.ContainsFunc(set.Uses(), func(a rules.Attribute) bool {
		return strings.HasSuffix(a.Category, ":attribute-category:environment") && !strings.HasSuffix(a.ID, ":environment-id")
	})
}

func (c Case) run(set rules.Compiled) Outcome {
	r := c.Request
	if c.At != "" {
		r.Now, _ = parseMoment(c.At, set.Zone()) // Parse has made sure
	}
	out := Outcome{Case: c, Explanation: set.Explain(&r, nil)}
	got := out.Explanation.Result
	switch {
	case Of(got.Decision) != c.Expect:
		out.Problem = fmt.Sprintf("want %s, got %s", c.Expect, Of(got.Decision))
	case c.Rule != "" && got.Rule != c.Rule:
		out.Problem = fmt.Sprintf("want rule %q to decide, but it was %s", c.Rule, decider(got))
	}
	return out
}

func decider(r rules.Result) string {
	if r.Rule == "" {
		return "none"
	}
	return fmt.Sprintf("%q", r.Rule)
}

// parseMoment reads a time with its zone, or without one in the zone given.
func parseMoment(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15:04Z07:00"} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
