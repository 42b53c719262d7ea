package expression

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/interpreter"
)

// Plan turns a checked expression into a program, unless it could cost a large person
// too much. The error is for who wrote it.
func Plan(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	estimate, err := env.EstimateCost(checked, expected{})
	if err != nil {
		return nil, errors.New(Plain(err.Error()))
	}
	if estimate.Max == math.MaxUint64 {
		return nil, errors.New("could take any number of steps")
	}
	if estimate.Max > MaxCost {
		return nil, fmt.Errorf("could take %d steps for one user, more than %d", estimate.Max, MaxCost)
	}
	return PlanUnchecked(env, checked)
}

// PlanUnchecked is [Plan] without the estimate: the limit holds when the program runs.
func PlanUnchecked(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	p, err := env.Program(checked, cel.CostLimit(MaxCost))
	if err != nil {
		return nil, errors.New(Plain(err.Error()))
	}
	return p, nil
}

// Plain takes words off a message of the library that mean nothing to who writes an
// expression.
func Plain(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, " expecting {") // every token of the grammar
	return strings.TrimSuffix(message, " (in container '')")
}

// Failure is why an evaluation failed.
type Failure string

// The failures.
const (
	FailureCost   Failure = "cost"    // it takes too many steps
	FailureNoKey  Failure = "no_key"  // a map has no such key
	FailureShort  Failure = "short"   // a list is shorter than an index
	FailureCaller Failure = "caller"  // a function was given a wrong argument
	FailureOther  Failure = "unknown" // whatever else
)

// argumentError is a function's: it holds no value of a person.
type argumentError string

// Error returns the text.
func (e argumentError) Error() string { return string(e) }

// Reason puts an error of an evaluation into words that hold no value of a person.
func Reason(err error) (Failure, string) {
	var cancelled interpreter.EvalCancelledError
	var argument argumentError
	switch {
	case errors.As(err, &cancelled):
		return FailureCost, fmt.Sprintf("takes more than %d steps", MaxCost)
	case errors.As(err, &argument):
		return FailureCaller, argument.Error()
	case err != nil && strings.HasPrefix(err.Error(), "no such key"):
		return FailureNoKey, "there is no such key"
	case err != nil && strings.HasPrefix(err.Error(), "index out of bounds"):
		return FailureShort, "the list is shorter than that"
	}
	return FailureOther, "it cannot be evaluated"
}
