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

// Decide evaluates the policy for a request.
func (s *Set) Decide(r *rules.Request) rules.Result {
	return s.decide(&vocabulary{request: r, options: s.options}, r.Now)
}

// DecideContext evaluates the policy for a request of XACML's own. Now stands for
// the current time where the request does not say, and its zone for that of
// times without one.
func (s *Set) DecideContext(c *Context, now time.Time) rules.Result {
	return s.decide(&contextFacts{context: c, now: now}, now)
}

// Uses returns the attributes that the policy asks for.
func (s *Set) Uses() []rules.Attribute { return slices.Clone(s.attributes) }

func (s *Set) decide(f facts, now time.Time) (out rules.Result) {
	defer func() { // a mistake of ours must refuse one decision, not stop the server
		if p := recover(); p != nil {
			out = rules.Failed(rules.IndeterminateDP, rules.Status{Code: rules.StatusProcessingError, Message: fmt.Sprintf("internal error: %v", p)})
		}
	}()
	_, offset := now.Zone()
	e := &evaluation{
		facts: f, zone: int16(offset / 60), stack: make([]result, 0, 16),
		attributes: make([]remembered, len(s.attributes)), variables: make([]remembered, s.variables),
	}
	return s.root.Decide(e)
}
