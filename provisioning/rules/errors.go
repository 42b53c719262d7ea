package rules

import (
	"fmt"
	"strings"
)

// Error is a mistake in the source of a rule set.
type Error struct {
	Source string // which document; "" when there is but one
	Line   int    // from 1; 0 when the place is not known
	Column int    // in bytes, from 1
	Text   string
}

// Error returns the text with the place in front.
func (e *Error) Error() string {
	place := e.Source
	if e.Line > 0 {
		if place != "" {
			place += ":"
		}
		place += fmt.Sprintf("%d:%d", e.Line, e.Column)
	}
	if place == "" {
		return e.Text
	}
	return place + ": " + e.Text
}

// Problems is everything wrong with a source, in its order.
type Problems []*Error

// Unwrap returns each problem.
func (p Problems) Unwrap() []error {
	out := make([]error, 0, len(p))
	for _, e := range p {
		out = append(out, e)
	}
	return out
}

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}
