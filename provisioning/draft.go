package provisioning

import (
	"context"
	"slices"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Draft is a rule set that is not stored, to be asked in place of stored ones.
type Draft struct {
	name string // whose place it takes; "" for all of a binding's
	set  rules.Compiled
}

// Draft compiles a rule set that is asked in place of the one of its name, or of all
// of a binding's if it has none. What is wrong with its source is told as
// RulebookOptions.Compile does.
func (b *Rulebook) Draft(set rules.RuleSet) (*Draft, error) {
	compiled, err := b.Compile(set)
	if err != nil {
		return nil, err
	}
	return &Draft{set.Name, compiled}, nil
}

// concerns reports whether the draft would be asked for the binding.
func (d *Draft) concerns(b Binding) bool {
	return d != nil && (d.name == "" || slices.Contains(b.RuleSets, d.name))
}

// DraftName is what an unnamed draft is called; no rule set has a name like it.
const DraftName = "(draft)"

// stored returns the names of the sets that are still to be read.
func (d *Draft) stored(names []string) []string {
	if d != nil && d.name == "" {
		return nil
	}
	return names
}

// among returns the sets with the draft in its place.
func (d *Draft) among(sets []namedSet) []namedSet {
	switch {
	case d == nil:
		return sets
	case d.name == "":
		return []namedSet{{name: DraftName, set: d.set, draft: true}}
	}
	for i, s := range sets {
		if s.name == d.name {
			sets[i] = namedSet{name: d.name, set: d.set, draft: true}
		}
	}
	return sets
}

// heard is an answer with the reasons of each rule set.
type heard struct {
	answer
	operation rules.Operation
	sets      []SetExplanation
}

// SetExplanation is what one rule set said, and why.
type SetExplanation struct {
	RuleTrace
	Draft bool `json:"draft,omitempty"` // not stored
	// Explanation is nil when the set could not be asked; Message says why.
	Explanation *rules.Explanation `json:"explanation,omitempty"`
}

// hear is ask with reasons. Values of attributes for which hide is true are not in the
// answer.
func (b *Rulebook) hear(ctx context.Context, q question, hide func(rules.Attribute) bool) (heard, error) {
	sets, request, err := b.draw(ctx, q)
	if err != nil {
		return heard{}, err
	}
	out := heard{answer: judgeRules(sets, request), operation: request.Operation}
	for i, s := range sets {
		x := SetExplanation{RuleTrace: out.traces[i], Draft: s.draft}
		if s.set != nil {
			why := s.set.Explain(request, hide)
			x.Explanation = &why
		}
		out.sets = append(out.sets, x)
	}
	return out, nil
}
