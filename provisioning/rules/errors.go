package rules

import "fmt"

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
