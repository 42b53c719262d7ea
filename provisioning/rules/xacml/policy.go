package xacml

import "github.com/anteroom-id/anteroom/provisioning/rules"

// node is a rule or a policy.
type node = rules.Node[*evaluation]

// policy is a Policy or a PolicySet.
type policy struct {
	place
	id        string
	version   string
	isSet     bool
	target    target
	algorithm rules.Algorithm
	children  []node
	duties
}

// rule is a Rule.
type rule struct {
	place
	id        string
	effect    rules.Decision
	target    target
	condition expression // nil for none
	duties
}

// Applies is the target of the policy.
func (p *policy) Applies(e *evaluation) (rules.Applicability, rules.Status) {
	return p.target.applies(e)
}

// Decide is section 7.12 to 7.14.
func (p *policy) Decide(e *evaluation) rules.Result {
	if s := e.charge(1); s != nil {
		return rules.Failed(rules.IndeterminateDP, *s)
	}
	applies, status := p.target.applies(e)
	if applies == rules.NoMatch {
		return rules.Result{Decision: rules.NotApplicable}
	}
	out := rules.Combine(p.algorithm, e, p.children)
	if out.Policy == "" && out.Decision != rules.NotApplicable {
		out.Policy = p.id
	}
	switch {
	case out.Decision == rules.NotApplicable:
		return out
	case applies == rules.MatchIndeterminate: // table 7
		return rules.Failed(out.Decision.Spoil(), status)
	default:
		return p.fulfil(e, out)
	}
}

// Applies is the target of the rule.
func (r *rule) Applies(e *evaluation) (rules.Applicability, rules.Status) { return r.target.applies(e) }

// Decide is section 7.11.
func (r *rule) Decide(e *evaluation) rules.Result {
	if s := e.charge(1); s != nil {
		return rules.Failed(r.effect.Spoil(), *s)
	}
	switch applies, status := r.target.applies(e); applies {
	case rules.Match:
	case rules.NoMatch:
		return rules.Result{Decision: rules.NotApplicable}
	default:
		return rules.Failed(r.effect.Spoil(), status)
	}
	if r.condition != nil {
		held, status := r.condition.eval(e)
		if status != nil {
			return rules.Failed(r.effect.Spoil(), *status)
		}
		if !held.value.bool() {
			return rules.Result{Decision: rules.NotApplicable}
		}
	}
	return r.fulfil(e, rules.Result{Decision: r.effect, Rule: r.id})
}

// target is a conjunction of disjunctions of conjunctions of matches.
type target []anyOf

type anyOf []allOf

type allOf []*match

// match compares a literal with each value of an attribute; one is enough.
type match struct {
	place
	fn      *function
	call    call
	literal value
	from    *designator
}

// applies is section 7.7: what does not match outweighs an error.
func (t target) applies(e *evaluation) (rules.Applicability, rules.Status) {
	out, first := rules.Match, rules.Status{}
	for _, a := range t {
		switch applies, status := a.applies(e); {
		case applies == rules.NoMatch:
			return rules.NoMatch, rules.Status{}
		case applies == rules.MatchIndeterminate && out == rules.Match:
			out, first = applies, status
		}
	}
	return out, first
}

func (a anyOf) applies(e *evaluation) (rules.Applicability, rules.Status) {
	out, first := rules.NoMatch, rules.Status{}
	for _, all := range a {
		switch applies, status := all.applies(e); {
		case applies == rules.Match:
			return rules.Match, rules.Status{}
		case applies == rules.MatchIndeterminate && out == rules.NoMatch:
			out, first = applies, status
		}
	}
	return out, first
}

func (a allOf) applies(e *evaluation) (rules.Applicability, rules.Status) {
	out, first := rules.Match, rules.Status{}
	for _, m := range a {
		switch applies, status := m.applies(e); {
		case applies == rules.NoMatch:
			return rules.NoMatch, rules.Status{}
		case applies == rules.MatchIndeterminate && out == rules.Match:
			out, first = applies, status
		}
	}
	return out, first
}

// applies is section 7.6: one value that matches outweighs an error.
func (m *match) applies(e *evaluation) (rules.Applicability, rules.Status) {
	r, failure := m.from.eval(e)
	if failure != nil {
		return rules.MatchIndeterminate, *failure
	}
	if s := e.charge(1 + len(r.bag)); s != nil {
		return rules.MatchIndeterminate, *s
	}
	base := len(e.stack)
	e.stack = append(e.stack, result{value: m.literal}, result{})
	defer func() { e.stack = e.stack[:base] }()
	args := e.stack[base : base+2 : base+2]
	for _, v := range r.bag {
		args[1].value = v
		out, status := m.call(e, args)
		switch {
		case status != nil && failure == nil:
			failure = placed(status, m.place)
		case status == nil && out.value.bool():
			return rules.Match, rules.Status{}
		}
	}
	if failure != nil {
		return rules.MatchIndeterminate, *failure
	}
	return rules.NoMatch, rules.Status{}
}

// duties are what a rule or a policy adds to its decision.
type duties struct {
	obligations []duty
	advice      []duty
}

// duty is an ObligationExpression or AdviceExpression.
type duty struct {
	id          string
	on          rules.Decision
	assignments []assignment
}

type assignment struct {
	id, category, issuer string
	expr                 expression
}

// fulfil is section 7.18: a duty that cannot be evaluated spoils the decision.
func (d *duties) fulfil(e *evaluation, out rules.Result) rules.Result {
	var status *rules.Status
	if out.Obligations, status = addDuties(e, out.Obligations, d.obligations, out.Decision); status == nil {
		out.Advice, status = addDuties(e, out.Advice, d.advice, out.Decision)
	}
	if status != nil {
		return rules.Failed(out.Decision.Spoil(), *status)
	}
	return out
}

func addDuties(e *evaluation, sum []rules.Obligation, more []duty, on rules.Decision) ([]rules.Obligation, *rules.Status) {
	sum = sum[:len(sum):len(sum)]
	for _, d := range more {
		if d.on != on {
			continue
		}
		o := rules.Obligation{ID: d.id}
		for _, a := range d.assignments {
			r, status := a.expr.eval(e)
			if status != nil {
				return nil, status
			}
			o.Assignments = append(o.Assignments, a.assigned(r)...)
		}
		sum = append(sum, o)
	}
	return sum, nil
}

// assigned makes one assignment of each value: none of an empty bag.
func (a assignment) assigned(r result) []rules.Assignment {
	if !a.expr.kind().bag {
		return []rules.Assignment{a.of(r.value)}
	}
	out := make([]rules.Assignment, len(r.bag))
	for i, v := range r.bag {
		out[i] = a.of(v)
	}
	return out
}

func (a assignment) of(v value) rules.Assignment {
	return rules.Assignment{ID: a.id, Category: a.category, Issuer: a.issuer, Type: v.typ.id(), Value: v.text()}
}
