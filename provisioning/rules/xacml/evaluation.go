package xacml

import "github.com/anteroom-id/anteroom/provisioning/rules"

// facts is where attributes come from.
type facts interface {
	// values returns the bag of an attribute, nil when the request has none; the
	// status is set when it has a value that is none of its type.
	values(d *designator) ([]value, *rules.Status)
}

// evaluation is one decision under way.
type evaluation struct {
	facts      facts
	zone       int16 // of times without one, in minutes east of UTC
	steps      int
	stack      []result // arguments of the calls under way
	attributes []remembered
	variables  []remembered
}

// remembered is what was evaluated already; within a request it cannot change.
type remembered struct {
	known  bool
	result result
	status *rules.Status
}

func (e *evaluation) attribute(d *designator) ([]value, *rules.Status) {
	m := &e.attributes[d.slot]
	if !m.known {
		m.result.bag, m.status = e.facts.values(d)
		m.known = true
	}
	return m.result.bag, m.status
}

// charge takes steps off the budget.
func (e *evaluation) charge(n int) *rules.Status {
	e.steps += n
	if e.steps > MaxSteps {
		return failed(rules.StatusCostExceeded, "the evaluation took more than %d steps", MaxSteps)
	}
	return nil
}
