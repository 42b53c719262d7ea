package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/expression"
)

// unique compiles the candidates.
func (c *compiler) unique(e *entry) string {
	for i, text := range e.rule.Unique.Candidates {
		p, message := c.program(text)
		if message == "" {
			message = fits(p.checked.OutputType(), e.attribute)
		}
		if message != "" {
			return fmt.Sprintf("unique: candidates[%d] %s", i, message)
		}
		e.candidates = append(e.candidates, p)
	}
	return ""
}

// Candidate is a value that an account may get if it is free.
type Candidate struct {
	Value string
	// Folded is the same for values that may not both be given: see
	// [expression.Fold].
	Folded string
}

// NewCandidate returns a value as a candidate.
func NewCandidate(value string) Candidate { return Candidate{value, expression.Fold(value)} }

// Candidates returns the values that a unique attribute may get for p, in the order
// in which they are to be tried: those of the candidates, then the last of them with
// each suffix. The error is an [*sdk.Error] of kind invalid that names the attribute.
func (m *Mapping) Candidates(attribute string, p Profile) ([]Candidate, error) {
	i := slices.IndexFunc(m.entries, func(e entry) bool { return e.attribute.Name == attribute && e.rule.Unique != nil })
	if i < 0 {
		return nil, fmt.Errorf("mapping: %s is not unique", attribute)
	}
	e := m.entries[i]
	values, err := e.values(m.subject(p))
	if err != nil {
		return nil, e.failed(err)
	}
	if suffix := e.rule.Unique.Suffix; suffix != nil {
		last := values[len(values)-1]
		for n := suffix.Start; n <= suffix.Max; n++ {
			values = append(values, suffixed(last, n))
		}
	}
	return distinct(values), nil
}

// values evaluates the candidates.
func (e entry) values(s *subject) ([]string, error) {
	var out []string
	for i, p := range e.candidates {
		v, err := p.value(s, e.attribute)
		text, _ := v.(string)
		if err == nil && len(text) > maxUnique {
			err = fmt.Errorf("gives more than %d bytes", maxUnique)
		}
		switch {
		case err != nil && e.rule.OnError == ErrorOmit:
		case err != nil:
			return nil, fmt.Errorf("candidates[%d]: %w", i, err)
		case text != "":
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no candidate gives a value for this user; add one that always does")
	}
	return out, nil
}

// suffixed puts a number at the end of a value, or of an address before the @.
func suffixed(value string, n int) string {
	name, domain, isAddress := strings.Cut(value, "@")
	if !isAddress {
		return value + strconv.Itoa(n)
	}
	return name + strconv.Itoa(n) + "@" + domain
}

// distinct drops values that fold like an earlier one.
func distinct(values []string) []Candidate {
	var out []Candidate
	seen := map[string]bool{}
	for _, v := range values {
		if c := NewCandidate(v); !seen[c.Folded] {
			seen[c.Folded] = true
			out = append(out, c)
		}
	}
	return out
}
