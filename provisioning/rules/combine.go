package rules

// Algorithm is how the decisions of several rules or policies become one
// (XACML 3.0, appendix C). The ordered variants of XACML are the same
// algorithms: children are always taken in their order.
type Algorithm string

// The algorithms. Those of XACML 1.x differ from their successors only where
// they combine policies: their rule forms are DenyOverrides and PermitOverrides.
const (
	DenyOverrides         Algorithm = "deny-overrides"
	PermitOverrides       Algorithm = "permit-overrides"
	FirstApplicable       Algorithm = "first-applicable"
	OnlyOneApplicable     Algorithm = "only-one-applicable"
	DenyUnlessPermit      Algorithm = "deny-unless-permit"
	PermitUnlessDeny      Algorithm = "permit-unless-deny"
	LegacyDenyOverrides   Algorithm = "legacy-deny-overrides"   // C.11: an error denies
	LegacyPermitOverrides Algorithm = "legacy-permit-overrides" // C.13: a Deny outweighs an error
	textMoreThanOne                 = "more than one policy applies"
	textUnknownAlgorithm            = "unknown combining algorithm"
)

// Known reports whether the algorithm is one of ours.
func (a Algorithm) Known() bool {
	switch a {
	case DenyOverrides, PermitOverrides, FirstApplicable, OnlyOneApplicable,
		DenyUnlessPermit, PermitUnlessDeny, LegacyDenyOverrides, LegacyPermitOverrides:
		return true
	default:
		return false
	}
}

// Applicability is what a target says of a request.
type Applicability uint8

// The answers of a target. The zero value is an error.
const (
	MatchIndeterminate Applicability = iota
	Match
	NoMatch
)

// MarshalText returns the answer for programs: match, no_match or indeterminate.
func (a Applicability) MarshalText() ([]byte, error) {
	switch a {
	case Match:
		return []byte("match"), nil
	case NoMatch:
		return []byte("no_match"), nil
	default:
		return []byte("indeterminate"), nil
	}
}

// Node is a rule or a policy, evaluated in a context of the language's own.
type Node[C any] interface {
	// Applies evaluates the target alone; the status counts when the answer is
	// MatchIndeterminate.
	Applies(c C) (Applicability, Status)
	// Decide evaluates all of it.
	Decide(c C) Result
}

// Combine evaluates nodes in their order, as far as the algorithm needs them.
// The result has the obligations and advice of the evaluated nodes that decided
// the same, and the status of the first that failed if it is indeterminate. An
// unknown algorithm is an error.
func Combine[C any](a Algorithm, c C, nodes []Node[C]) Result {
	switch a {
	case FirstApplicable:
		return firstApplicable(c, nodes)
	case OnlyOneApplicable:
		return onlyOneApplicable(c, nodes)
	}
	if !a.Known() {
		return Failed(IndeterminateDP, Status{Code: StatusProcessingError, Message: textUnknownAlgorithm})
	}
	var t tally
	for _, n := range nodes {
		r := n.Decide(c)
		if t.add(r); t.stops(a, r.Decision) {
			break
		}
	}
	return t.result(t.decide(a))
}

// reaches returns how many nodes the algorithm comes to, given what each decides.
func (a Algorithm) reaches(decisions []Decision) int {
	var t tally
	for i, d := range decisions {
		switch {
		case a == OnlyOneApplicable:
		case a == FirstApplicable && d != NotApplicable, a != FirstApplicable && t.stops(a, d):
			return i + 1
		}
	}
	return len(decisions)
}

func firstApplicable[C any](c C, nodes []Node[C]) Result {
	for _, n := range nodes {
		if r := n.Decide(c); r.Decision != NotApplicable {
			return r
		}
	}
	return Result{Decision: NotApplicable}
}

func onlyOneApplicable[C any](c C, nodes []Node[C]) Result {
	var only Node[C]
	for _, n := range nodes {
		applies, status := n.Applies(c)
		switch {
		case applies == NoMatch:
		case applies != Match:
			return Failed(IndeterminateDP, status)
		case only != nil:
			return Failed(IndeterminateDP, Status{Code: StatusProcessingError, Message: textMoreThanOne})
		default:
			only = n
		}
	}
	if only == nil {
		return Result{Decision: NotApplicable}
	}
	return only.Decide(c)
}

// tally is what an algorithm needs to know of the decisions so far.
type tally struct {
	permit, deny, indP, indD, indDP bool
	permits, denies                 Result // what goes with them
	status                          Status // of the first error
}

func (t *tally) add(r Result) {
	switch {
	case r.Decision == Permit:
		t.permits = merge(t.permits, r, t.permit)
		t.permit = true
	case r.Decision == Deny:
		t.denies = merge(t.denies, r, t.deny)
		t.deny = true
	case r.Decision == NotApplicable:
	default:
		if !t.failed() {
			t.status = r.Status
		}
		t.indP = t.indP || r.Decision == IndeterminateP
		t.indD = t.indD || r.Decision == IndeterminateD
		t.indDP = t.indDP || r.Decision != IndeterminateP && r.Decision != IndeterminateD
	}
}

// merge adds obligations and advice to those of the first that decided so, in a
// slice of its own: results are shared.
func merge(sum, r Result, more bool) Result {
	if !more {
		return r
	}
	sum.Obligations = append(sum.Obligations[:len(sum.Obligations):len(sum.Obligations)], r.Obligations...)
	sum.Advice = append(sum.Advice[:len(sum.Advice):len(sum.Advice)], r.Advice...)
	return sum
}

func (t *tally) failed() bool { return t.indP || t.indD || t.indDP }

// stops reports whether a decision leaves nothing to find out.
func (t *tally) stops(a Algorithm, d Decision) bool {
	switch a {
	case DenyOverrides, PermitUnlessDeny:
		return d == Deny
	case LegacyDenyOverrides:
		return d == Deny || d.Indeterminate()
	default:
		return d == Permit
	}
}

func (t *tally) decide(a Algorithm) Decision {
	switch a {
	case DenyOverrides:
		return overrides(t, Deny, t.deny, t.permit, t.indD, t.indP)
	case PermitOverrides:
		return overrides(t, Permit, t.permit, t.deny, t.indP, t.indD)
	case DenyUnlessPermit:
		return unless(t.permit, Permit, Deny)
	case PermitUnlessDeny:
		return unless(t.deny, Deny, Permit)
	case LegacyDenyOverrides:
		return t.plain(t.deny || t.failed(), Deny, t.permit, Permit)
	default:
		return t.plain(t.permit, Permit, t.deny, Deny)
	}
}

// overrides is C.2 and C.4: strong is the effect that overrides, seen when some
// node decided so; indStrong says that one might have.
func overrides(t *tally, strong Decision, seen, other, indStrong, indOther bool) Decision {
	weak := Permit
	if strong == Permit {
		weak = Deny
	}
	switch {
	case seen:
		return strong
	case t.indDP, indStrong && (indOther || other):
		return IndeterminateDP
	case indStrong:
		return strong.Spoil()
	case other:
		return weak
	case indOther:
		return weak.Spoil()
	default:
		return NotApplicable
	}
}

func unless(seen bool, then, otherwise Decision) Decision {
	if seen {
		return then
	}
	return otherwise
}

// plain takes the first effect that was seen, then an error.
func (t *tally) plain(first bool, d Decision, second bool, e Decision) Decision {
	switch {
	case first:
		return d
	case second:
		return e
	case t.indDP, t.indP && t.indD:
		return IndeterminateDP
	case t.indP:
		return IndeterminateP
	case t.indD:
		return IndeterminateD
	default:
		return NotApplicable
	}
}

func (t *tally) result(d Decision) Result {
	switch {
	case d == Permit:
		r := t.permits
		r.Decision = Permit
		return r
	case d == Deny:
		r := t.denies
		r.Decision = Deny
		return r
	case d == NotApplicable:
		return Result{Decision: d}
	default:
		return Failed(d, t.status)
	}
}
