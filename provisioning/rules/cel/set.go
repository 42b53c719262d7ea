package cel

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/source"
)

// Default returns what the author of the set wants of a NotApplicable, Permit or
// Deny. Decide leaves it: other sets of the same binding may apply.
func (s *Set) Default() rules.Decision { return s.otherwise }

// Zone returns the time zone of the set.
func (s *Set) Zone() *time.Location { return s.zone }

// Uses returns the attributes that conditions read. A claim is known by its name, and
// "*" stands for a claim whose name is computed.
func (s *Set) Uses() []rules.Attribute { return s.uses }

// Obligations returns what rules that permit oblige to, each once, in the order of
// the source.
func (s *Set) Obligations() []string {
	var out []string
	for _, r := range s.rules {
		for _, o := range r.result.Obligations {
			if r.effect == rules.Permit && !slices.Contains(out, o.ID) {
				out = append(out, o.ID)
			}
		}
	}
	return out
}

// Decide evaluates the set. A request beyond the limits, a condition that fails or
// costs too much, and a panic are indeterminate.
func (s *Set) Decide(r *rules.Request) (result rules.Result) {
	defer func() {
		if recover() != nil {
			result = rules.Failed(rules.IndeterminateDP, broken("the rule set could not be evaluated"))
		}
	}()
	if text := rules.TooLarge(r); text != "" {
		return rules.Failed(rules.IndeterminateDP, broken(text))
	}
	return rules.Combine(s.algorithm, newInput(r, s.zone), s.nodes)
}

func broken(text string) rules.Status {
	return rules.Status{Code: rules.StatusProcessingError, Message: text}
}

// rule is one rule of a set.
type rule struct {
	at         int // its first byte in the source
	id         string
	effect     rules.Decision
	operations []rules.Operation // none for all
	condition  condition
	program    cel.Program
	result     rules.Result // when the condition holds
}

var _ rules.Node[*input] = (*rule)(nil)

// Applies reports whether the rule is about the operation.
func (r *rule) Applies(in *input) (rules.Applicability, rules.Status) {
	if r.covers(in.Operation) {
		return rules.Match, rules.Status{}
	}
	return rules.NoMatch, rules.Status{}
}

func (r *rule) covers(op rules.Operation) bool {
	return len(r.operations) == 0 || slices.Contains(r.operations, op)
}

// Decide evaluates the condition.
func (r *rule) Decide(in *input) rules.Result {
	if !r.covers(in.Operation) {
		return rules.Result{Decision: rules.NotApplicable}
	}
	holds, status := r.holds(in)
	switch {
	case status.Code != rules.StatusOK:
		return rules.Failed(r.effect.Spoil(), status)
	case holds:
		return r.result
	}
	return rules.Result{Decision: rules.NotApplicable}
}

func (r *rule) holds(in *input) (holds bool, status rules.Status) {
	defer func() {
		if recover() != nil {
			holds, status = false, r.failure(nil)
		}
	}()
	out, _, err := r.program.Eval(in)
	if err != nil {
		return false, r.failure(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, r.failure(nil)
	}
	return bool(b), rules.Status{}
}

// failure says why a condition failed, where, and never with which values.
func (r *rule) failure(err error) rules.Status {
	status := broken("")
	status.Code, status.Message = reason(err)
	offset := r.condition.source.at
	var e *types.Err
	if errors.As(err, &e) {
		if sub, ok := expression.Find(r.condition.checked, e.NodeID()); ok {
			offset = r.condition.offset(sub)
			status.Missing = missing(status.Code, sub)
		}
	}
	status.Line, status.Column = source.Position(r.condition.text, offset)
	status.Message = fmt.Sprintf("rule %q: %s", r.id, status.Message)
	return status
}

// missing names the claim that an expression has failed for want of.
func missing(code rules.StatusCode, e ast.Expr) []rules.Attribute {
	if code != rules.StatusMissingAttribute {
		return nil
	}
	var out []rules.Attribute
	for _, p := range pathsOf(e) {
		if p.claim != "" {
			out = append(out, p.attribute(vocabulary()[p.name]))
		}
	}
	return out
}

// reason puts an error of the library into words that hold no value.
func reason(err error) (rules.StatusCode, string) {
	switch {
	case errors.Is(err, errClock), errors.Is(err, errWindow):
		return rules.StatusProcessingError, "between is given a wrong time"
	case errors.Is(err, errNetwork):
		return rules.StatusProcessingError, "in_network is given a wrong network"
	}
	failure, text := expression.Reason(err)
	switch failure {
	case expression.FailureCost:
		return rules.StatusCostExceeded, text
	case expression.FailureNoKey:
		return rules.StatusMissingAttribute, text
	case expression.FailureOther:
		return rules.StatusProcessingError, "the condition cannot be evaluated"
	default:
		return rules.StatusProcessingError, text
	}
}
