package xacml

import (
	"fmt"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Set is a compiled policy with everything it refers to: an Evaluator.
type Set struct {
	options    Options
	root       *policy
	attributes []rules.Attribute
	variables  int
}

var _ rules.Evaluator = (*Set)(nil)

// Decide evaluates the policy for a request. A request beyond the limits and a
// panic are indeterminate.
func (s *Set) Decide(r *rules.Request) (out rules.Result) {
	defer recovered(&out)
	if text := rules.TooLarge(r); text != "" {
		return rules.Failed(rules.IndeterminateDP, rules.Status{Code: rules.StatusProcessingError, Message: text})
	}
	return s.decide(&vocabulary{request: r, options: s.options}, r.Now)
}

// DecideContext evaluates the policy for a request of XACML's own. Now stands for
// the current time where the request does not say, and its zone for that of
// times without one.
func (s *Set) DecideContext(c *Context, now time.Time) (out rules.Result) {
	defer recovered(&out)
	return s.decide(&contextFacts{context: c, now: now}, now)
}

// Uses returns the attributes that the policy asks for.
func (s *Set) Uses() []rules.Attribute { return slices.Clone(s.attributes) }

func (s *Set) decide(f facts, now time.Time) rules.Result {
	return s.root.Decide(s.evaluation(f, now))
}

func (s *Set) evaluation(f facts, now time.Time) *evaluation {
	_, offset := now.Zone()
	return &evaluation{
		facts: f, zone: int16(offset / 60), stack: make([]result, 0, 16),
		attributes: make([]remembered, len(s.attributes)), variables: make([]remembered, s.variables),
	}
}

// recovered makes a panic refuse one decision: a mistake of ours must not stop the
// server.
func recovered(out *rules.Result) {
	if p := recover(); p != nil {
		*out = rules.Failed(rules.IndeterminateDP, rules.Status{Code: rules.StatusProcessingError, Message: fmt.Sprintf("internal error: %v", p)})
	}
}
