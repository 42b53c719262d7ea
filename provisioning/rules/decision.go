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

// MarshalText returns the decision for programs: permit, deny, not_applicable, or
// indeterminate_d, indeterminate_p and indeterminate_dp.
func (d Decision) MarshalText() ([]byte, error) {
	switch d {
	case Permit:
		return []byte("permit"), nil
	case Deny:
		return []byte("deny"), nil
	case NotApplicable:
		return []byte("not_applicable"), nil
	case IndeterminateD:
		return []byte("indeterminate_d"), nil
	case IndeterminateP:
		return []byte("indeterminate_p"), nil
	default:
		return []byte("indeterminate_dp"), nil
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
	Code    StatusCode  `json:"code"`
	Message string      `json:"message"`
	Source  string      `json:"source,omitempty"`  // which document; "" when there is but one
	Line    int         `json:"line,omitempty"`    // from 1; 0 when the place is not known
	Column  int         `json:"column,omitempty"`  // in bytes, from 1
	Missing []Attribute `json:"missing,omitempty"` // what was not there, when the code is StatusMissingAttribute
}

// IsZero reports whether there was no error.
func (s Status) IsZero() bool { return s.Code == StatusOK }

// Attribute names something that rules can ask about.
type Attribute struct {
	Category string `json:"category"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Issuer   string `json:"issuer,omitempty"` // "" for any
}

// Assignment is one named value of an obligation or an advice.
type Assignment struct {
	ID       string `json:"id"`
	Category string `json:"category,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Type     string `json:"type"`
	Value    string `json:"value"`
}

// Obligation is what goes with a decision: for an obligation, whoever enforces
// the decision must do it or treat a Permit as indeterminate; an advice may be
// left aside.
type Obligation struct {
	ID          string       `json:"id"`
	Assignments []Assignment `json:"assignments,omitempty"`
}

// Result is a decision with what belongs to it.
type Result struct {
	Decision    Decision     `json:"decision"`
	Status      Status       `json:"status,omitzero"`  // StatusOK unless the decision is indeterminate
	Policy      string       `json:"policy,omitempty"` // the policy whose rule decided; "" when none did
	Rule        string       `json:"rule,omitempty"`   // the rule that decided; "" when none did
	Obligations []Obligation `json:"obligations,omitempty"`
	Advice      []Obligation `json:"advice,omitempty"`
}

// Failed returns an indeterminate result. A decision that is none is taken for
// IndeterminateDP.
func Failed(d Decision, s Status) Result {
	if !d.Indeterminate() {
		d = IndeterminateDP
	}
	return Result{Decision: d, Status: s}
}
