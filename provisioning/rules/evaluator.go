package rules

// Evaluator is a compiled rule set. It is immutable and safe for concurrent use.
type Evaluator interface {
	// Decide evaluates the rule set. It always returns, within a number of steps
	// that the language bounds, and never panics: what cannot be evaluated is
	// indeterminate. It keeps nothing of the request.
	Decide(r *Request) Result
	// Uses returns the attributes the rule set asks for, each once, in the order
	// of the source. The caller must not change them.
	Uses() []Attribute
}
