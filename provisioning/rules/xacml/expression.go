package xacml

import (
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// kind is the static type of an expression: one value of a type, or a bag of
// them.
type kind struct {
	typ dataType
	bag bool
}

func one(t dataType) kind   { return kind{typ: t} }
func bagOf(t dataType) kind { return kind{typ: t, bag: true} }

func (k kind) String() string {
	if k.bag {
		return "a bag of " + k.typ.short()
	}
	return "one " + k.typ.short()
}

// result is what an expression evaluates to; its kind says which field counts.
type result struct {
	value value
	bag   []value // shared: never written to
}

func single(v value) (result, *rules.Status) { return result{value: v}, nil }

func truth(b bool) (result, *rules.Status) { return result{value: booleanValue(b)}, nil }

// expression is a compiled part of a condition. A status that is not nil is an
// error, with its place.
type expression interface {
	kind() kind
	eval(e *evaluation) (result, *rules.Status)
}

// failed makes an error of an evaluation.
func failed(code rules.StatusCode, format string, args ...any) *rules.Status {
	return &rules.Status{Code: code, Message: fmt.Sprintf(format, args...)}
}

func processing(format string, args ...any) (result, *rules.Status) {
	return result{}, failed(rules.StatusProcessingError, format, args...)
}

// constant is an AttributeValue, or what came out of constants when the policy
// was compiled.
type constant struct {
	of  kind
	val result
	at  place
}

func (c constant) kind() kind                               { return c.of }
func (c constant) eval(*evaluation) (result, *rules.Status) { return c.val, nil }

// designator asks the request for an attribute.
type designator struct {
	attribute     rules.Attribute
	typ           dataType
	mustBePresent bool
	slot          int // in the evaluation's memory of attributes
	at            place
}

func (d *designator) kind() kind { return bagOf(d.typ) }

func (d *designator) eval(e *evaluation) (result, *rules.Status) {
	bag, status := e.attribute(d)
	if status != nil {
		return result{}, status
	}
	if len(bag) == 0 && d.mustBePresent {
		s := placed(failed(rules.StatusMissingAttribute, "attribute %s is missing", d.attribute.ID), d.at)
		s.Missing = []rules.Attribute{d.attribute}
		return result{}, s
	}
	return result{bag: bag}, nil
}

// placed gives an error its place unless it has one.
func placed(s *rules.Status, at place) *rules.Status {
	if s.Line == 0 {
		s.Source, s.Line, s.Column = at.source, at.line, at.column
	}
	return s
}

// variable is a VariableDefinition; it is evaluated once for a request.
type variable struct {
	id   string
	expr expression
	slot int
}

func (v *variable) kind() kind { return v.expr.kind() }

func (v *variable) eval(e *evaluation) (result, *rules.Status) {
	m := &e.variables[v.slot]
	if !m.known {
		m.result, m.status = v.expr.eval(e)
		m.known = true
	}
	return m.result, m.status
}

// apply calls a function.
type apply struct {
	fn   *function
	call call
	args []expression
	at   place
}

func (a *apply) kind() kind { return a.fn.out }

func (a *apply) eval(e *evaluation) (result, *rules.Status) {
	if s := e.charge(1); s != nil {
		return result{}, s
	}
	base := len(e.stack)
	defer func() { e.stack = e.stack[:base] }()
	for _, x := range a.args {
		r, status := x.eval(e)
		if status != nil {
			return result{}, status
		}
		e.stack = append(e.stack, r)
	}
	r, status := a.call(e, e.stack[base:len(e.stack):len(e.stack)])
	if status != nil {
		return result{}, placed(status, a.at)
	}
	return r, nil
}

// logical is and and or, which are not quite functions: it need not evaluate all
// arguments, and an error among them counts only where the others do not decide.
type logical struct {
	args   []expression
	decide bool // the value that decides: true for or, false for and
	at     place
}

func (logical) kind() kind { return one(typeBoolean) }

func (l logical) eval(e *evaluation) (result, *rules.Status) {
	if s := e.charge(1); s != nil {
		return result{}, s
	}
	var first *rules.Status
	for _, x := range l.args {
		r, status := x.eval(e)
		switch {
		case status != nil && first == nil:
			first = status
		case status == nil && r.value.bool() == l.decide:
			return truth(l.decide)
		}
	}
	if first != nil {
		return result{}, first
	}
	return truth(!l.decide)
}

// nOf is true when at least so many of its arguments are.
type nOf struct {
	count expression
	args  []expression
	at    place
}

func (nOf) kind() kind { return one(typeBoolean) }

func (n nOf) eval(e *evaluation) (result, *rules.Status) {
	if s := e.charge(1); s != nil {
		return result{}, s
	}
	r, status := n.count.eval(e)
	if status != nil {
		return result{}, status
	}
	need := r.value.num
	if need < 0 || need > int64(len(n.args)) {
		return result{}, placed(failed(rules.StatusProcessingError, "n-of wants more arguments than it has"), n.at)
	}
	var first *rules.Status
	var failures int64
	for _, x := range n.args {
		if need == 0 {
			break
		}
		r, status := x.eval(e)
		switch {
		case status != nil:
			failures++
			if first == nil {
				first = status
			}
		case r.value.bool():
			need--
		}
	}
	if need > 0 && failures >= need {
		return result{}, first
	}
	return truth(need == 0)
}
