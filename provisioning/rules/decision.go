package rules

// Decision is what a rule, a policy or a rule set says. The zero value is
// [IndeterminateDP]: what was never decided is an error, not a leave.
type Decision uint8

// The decisions. The three indeterminate ones are those of XACML 3.0, section
// 7.10: they say what the decision could have been, had there been no error.
const (
	IndeterminateDP Decision = iota // could have been Deny or Permit
	IndeterminateD                  // could have been Deny, never Permit
	IndeterminateP                  // could have been Permit, never Deny
	NotApplicable                   // has nothing to say
	Deny
	Permit
)

// String returns the decision as XACML writes it, with the extension of an
// indeterminate one in braces.
func (d Decision) String() string {
	switch d {
	case Permit:
		return "Permit"
	case Deny:
		return "Deny"
	case NotApplicable:
		return "NotApplicable"
	case IndeterminateD:
		return "Indeterminate{D}"
	case IndeterminateP:
		return "Indeterminate{P}"
	default:
		return "Indeterminate{DP}"
	}
}

// Indeterminate reports whether the decision could not be made. A value that is
// no decision could not.
func (d Decision) Indeterminate() bool {
	return d != Permit && d != Deny && d != NotApplicable
}

// MayPermit reports whether the decision is Permit or could have been.
func (d Decision) MayPermit() bool {
	return d != Deny && d != NotApplicable && d != IndeterminateD
}

// Spoil returns what becomes of a decision when something else about its rule
// or policy could not be evaluated: its target (XACML 3.0, table 7), or what it
// obliges to (section 7.18).
func (d Decision) Spoil() Decision {
	switch d {
	case Permit:
		return IndeterminateP
	case Deny:
		return IndeterminateD
	default:
		return d
	}
}

// StatusCode says why a decision is indeterminate.
type StatusCode string

// The status codes: appendix B.8 of XACML 3.0, and one of ours.
const (
	StatusOK               StatusCode = "" // so that a decision without errors needs no status
	StatusMissingAttribute StatusCode = "missing-attribute"
	StatusSyntaxError      StatusCode = "syntax-error"
	StatusProcessingError  StatusCode = "processing-error"
	StatusCostExceeded     StatusCode = "cost-exceeded" // the evaluation took too many steps
)

// Status is the error behind an indeterminate decision. Its message names
// attributes and functions, never values.
type Status struct {
	Code    StatusCode
	Message string
	Line    int         // in the source, from 1; 0 when the place is not known
	Column  int         // in bytes, from 1
	Missing []Attribute // what was not there, when the code is StatusMissingAttribute
}

// Attribute names something that rules can ask about.
type Attribute struct {
	Category string
	ID       string
	Type     string
	Issuer   string // "" for any
}

// Assignment is one named value of an obligation or an advice.
type Assignment struct {
	ID       string
	Category string
	Issuer   string
	Type     string
	Value    string
}

// Obligation is what goes with a decision: for an obligation, whoever enforces
// the decision must do it or treat a Permit as indeterminate; an advice may be
// left aside.
type Obligation struct {
	ID          string
	Assignments []Assignment
}

// Result is a decision with what belongs to it.
type Result struct {
	Decision    Decision
	Status      Status // StatusOK unless the decision is indeterminate
	Policy      string // the policy whose rule decided; "" when none did
	Rule        string // the rule that decided; "" when none did
	Obligations []Obligation
	Advice      []Obligation
}

// Failed returns an indeterminate result. A decision that is none is taken for
// IndeterminateDP.
func Failed(d Decision, s Status) Result {
	if !d.Indeterminate() {
		d = IndeterminateDP
	}
	return Result{Decision: d, Status: s}
}
