package xacml

import (
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Explain decides, and says why. Values of attributes for which hide is true are
// not in the answer; a nil hide shows everything. It evaluates every policy, rule
// and settling part of a condition once more: it is for people, not for the sign-in.
func (s *Set) Explain(r *rules.Request, hide func(rules.Attribute) bool) (out rules.Explanation) {
	result := s.Decide(r)
	defer func() {
		if recover() != nil {
			result.Obligations, result.Advice = nil, nil // they may have what is to be hidden
			out = rules.Explanation{Result: result}
		}
	}()
	if rules.TooLarge(r) != "" {
		return rules.NewDraft(hide).Finish(result, nil)
	}
	return s.explain(&vocabulary{request: r, options: s.options}, r.Now, result, hide)
}

func (s *Set) explain(f facts, now time.Time, result rules.Result, hide func(rules.Attribute) bool) rules.Explanation {
	x := &explainer{Draft: rules.NewDraft(hide), e: s.evaluation(f, now)}
	root := x.policy(s.root)
	hidden := x.hiddenDuties(s.root)
	result.Obligations, result.Advice = hidden.redact(result.Obligations), hidden.redact(result.Advice)
	return x.Finish(result, root)
}

// maxExplanation bounds the steps of an explanation: each part is evaluated on its
// own, with all of MaxSteps, until they are together more than this.
const maxExplanation = 4 * MaxSteps

// explainer evaluates parts of a policy by themselves.
type explainer struct {
	*rules.Draft
	e     *evaluation
	steps int // of the parts before
}

// fresh gives the next part its own budget. It reports false when the explanation
// has used up what it may.
func (x *explainer) fresh() bool {
	if x.e.steps > MaxSteps { // what was remembered may have failed for that alone
		clear(x.e.variables)
	}
	x.steps += x.e.steps
	x.e.steps = 0
	return x.steps <= maxExplanation
}

// part begins a policy or a rule, if there is room and budget for it.
func (x *explainer) part() bool {
	if !x.fresh() {
		x.Omit()
		return false
	}
	return x.Part()
}

func (x *explainer) policy(p *policy) *rules.PolicyExplanation {
	if !x.part() {
		return nil
	}
	decided := p.Decide(x.e)
	x.fresh()
	applies, _ := p.target.applies(x.e)
	out := &rules.PolicyExplanation{
		ID: p.id, Version: p.version, Source: p.source, Line: p.line, Column: p.column, Algorithm: p.algorithm,
		Decision: decided.Decision, Status: decided.Status, Applies: applies, Target: x.target(p.target, applies),
	}
	if applies == rules.NoMatch {
		return out
	}
	for _, n := range p.children {
		switch n := n.(type) {
		case *policy:
			if child := x.policy(n); child != nil {
				out.Policies = append(out.Policies, *child)
			}
		case *rule:
			if x.part() {
				out.Rules = append(out.Rules, x.rule(n))
			}
		}
	}
	if applies == rules.Match && x.fresh() {
		out.Duties = x.duties(&p.duties, rules.Combine(p.algorithm, x.e, p.children).Decision)
	}
	return out
}

func (x *explainer) rule(r *rule) rules.RuleExplanation {
	decided := r.Decide(x.e)
	x.fresh()
	applies, _ := r.target.applies(x.e)
	out := rules.RuleExplanation{
		ID: r.id, Source: r.source, Line: r.line, Column: r.column, Effect: r.effect,
		Decision: decided.Decision, Status: decided.Status, Applies: applies, Target: x.target(r.target, applies),
	}
	if applies != rules.Match {
		return out
	}
	held := rules.TruthTrue
	if r.condition != nil {
		held, _ = x.value(r.condition)
		w := conditionWalk{explainer: x, seen: map[*variable]bool{}}
		w.settle(r.condition, "")
		out.Condition = w.causes
	}
	if held == rules.TruthTrue {
		out.Duties = x.duties(&r.duties, r.effect)
	}
	return out
}

// target names the matches by which a target applies or does not: of what failed,
// each match that failed; of what applies, each of the first AllOf that does.
func (x *explainer) target(t target, applies rules.Applicability) (causes []rules.Cause) {
	for _, group := range t {
		if x.fresh(); x.applies(group.applies) != applies {
			continue
		}
		for _, all := range group {
			if x.fresh(); x.applies(all.applies) != applies {
				continue
			}
			causes = x.matches(causes, all, applies)
			if applies == rules.Match {
				break
			}
		}
	}
	return causes
}

func (x *explainer) applies(f func(*evaluation) (rules.Applicability, rules.Status)) rules.Applicability {
	out, _ := f(x.e)
	return out
}

func (x *explainer) matches(causes []rules.Cause, all allOf, wanted rules.Applicability) []rules.Cause {
	for _, m := range all {
		if !x.fresh() {
			x.Omit()
			continue
		}
		applies, status := m.applies(x.e)
		if applies != wanted {
			continue
		}
		c := rules.Cause{
			Text: m.text(), Source: m.source, Line: m.line, Column: m.column, Value: rules.TruthOf(applies == rules.Match),
			Operands: x.operands(m.from),
		}
		if applies == rules.MatchIndeterminate {
			c.Value, c.Error = rules.TruthError, status.Message
		}
		causes = x.Add(causes, c)
	}
	return causes
}

// duties names the values of obligations and advice that could not be evaluated.
func (x *explainer) duties(d *duties, on rules.Decision) (causes []rules.Cause) {
	for _, list := range [][]duty{d.obligations, d.advice} {
		for _, one := range list {
			for _, a := range one.assignments {
				if one.on != on {
					continue
				}
				if truth, status := x.value(a.expr); truth == rules.TruthError {
					at := placeOf(a.expr)
					causes = x.Add(causes, rules.Cause{
						Text: one.id + ": " + a.id + " = " + textOf(a.expr), Source: at.source, Line: at.line, Column: at.column,
						Value: truth, Error: status.Message, Operands: x.operands(a.expr),
					})
				}
			}
		}
	}
	return causes
}

// value evaluates an expression by itself. What is no boolean is true unless it
// fails.
func (x *explainer) value(e expression) (rules.Truth, *rules.Status) {
	if !x.fresh() {
		return rules.TruthError, failed(rules.StatusCostExceeded, "the explanation takes too many steps")
	}
	r, status := e.eval(x.e)
	switch {
	case status != nil:
		return rules.TruthError, status
	case e.kind() == one(typeBoolean):
		return rules.TruthOf(r.value.bool()), nil
	default:
		return rules.TruthTrue, nil
	}
}
