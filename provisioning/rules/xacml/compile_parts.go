package xacml

import "strings"

// target compiles a Target; an empty one applies to everything.
func (c *compiler) target(e *element) (target, error) {
	if err := plain(e); err != nil {
		return nil, err
	}
	var out target
	for _, child := range e.children {
		if child.name != "AnyOf" {
			return nil, child.unknown(e)
		}
		group, err := c.anyOf(child)
		if err != nil {
			return nil, err
		}
		out = append(out, group)
	}
	return out, nil
}

// plain holds of elements that have neither attributes nor text.
func plain(e *element) error {
	if err := e.expect(); err != nil {
		return err
	}
	return e.noText()
}

func (c *compiler) anyOf(e *element) (anyOf, error) {
	if err := plain(e); err != nil {
		return nil, err
	}
	if len(e.children) == 0 {
		return nil, e.errorf("AnyOf is empty")
	}
	var out anyOf
	for _, child := range e.children {
		if child.name != "AllOf" {
			return nil, child.unknown(e)
		}
		all, err := c.allOf(child)
		if err != nil {
			return nil, err
		}
		out = append(out, all)
	}
	return out, nil
}

func (c *compiler) allOf(e *element) (allOf, error) {
	if err := plain(e); err != nil {
		return nil, err
	}
	if len(e.children) == 0 {
		return nil, e.errorf("AllOf is empty")
	}
	var out allOf
	for _, child := range e.children {
		if child.name != "Match" {
			return nil, child.unknown(e)
		}
		m, err := c.match(child)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// match compiles a Match: a literal, then an attribute.
func (c *compiler) match(e *element) (*match, error) {
	if err := e.expect("!MatchId"); err != nil {
		return nil, err
	}
	fn, ok := c.library[strings.TrimSpace(e.attrs["MatchId"])]
	switch {
	case !ok:
		return nil, e.errorf("unknown function %q", e.attrs["MatchId"])
	case len(e.children) != 2 || e.children[0].name != "AttributeValue":
		return nil, e.errorf("Match wants an AttributeValue and an AttributeDesignator")
	case !fn.accepts(2) || fn.out != one(typeBoolean) || fn.param(0).bag || fn.param(1).bag:
		return nil, e.errorf("function %q does not compare two values", e.attrs["MatchId"])
	}
	literal, err := literal(e.children[0])
	if err != nil {
		return nil, err
	}
	from, err := c.expression(e.children[1])
	if err != nil {
		return nil, err
	}
	d, ok := from.(*designator)
	if !ok {
		return nil, e.children[1].unknown(e)
	}
	m := &match{place: e.place, fn: fn, literal: literal.val.value, from: d}
	if literal.of != fn.param(0) || d.typ != fn.param(1).typ {
		return nil, e.errorf("Match compares %s with %s, but its function takes %s and %s", literal.of, d.kind(), fn.param(0), fn.param(1))
	}
	m.call, err = prepared(fn, []expression{literal, d}, e)
	return m, err
}

// prepared returns the body of a function for its arguments.
func prepared(fn *function, args []expression, e *element) (call, error) {
	if fn.prepare == nil {
		return fn.call, nil
	}
	body, err := fn.prepare(args)
	if err != nil {
		return nil, e.errorf("%v", err)
	}
	return body, nil
}

func (c *compiler) condition(e *element) (expression, error) {
	if err := plain(e); err != nil {
		return nil, err
	}
	if len(e.children) != 1 {
		return nil, e.errorf("Condition wants one expression, not %d", len(e.children))
	}
	x, err := c.expression(e.children[0])
	if err == nil && x.kind() != one(typeBoolean) {
		return nil, e.children[0].errorf("a condition is one boolean, not %s", x.kind())
	}
	return x, err
}

// duties compiles ObligationExpressions or AdviceExpressions.
func (c *compiler) duties(d *duties, e *element) error {
	if err := plain(e); err != nil {
		return err
	}
	name, idName, on := "ObligationExpression", "ObligationId", "FulfillOn"
	if e.name == "AdviceExpressions" {
		name, idName, on = "AdviceExpression", "AdviceId", "AppliesTo"
	}
	if len(e.children) == 0 {
		return e.errorf("%s is empty", e.name)
	}
	for _, child := range e.children {
		if child.name != name {
			return child.unknown(e)
		}
		one, err := c.duty(child, idName, on)
		if err != nil {
			return err
		}
		if name == "AdviceExpression" {
			d.advice = append(d.advice, one)
		} else {
			d.obligations = append(d.obligations, one)
		}
	}
	return nil
}

func (c *compiler) duty(e *element, idName, on string) (duty, error) {
	if err := e.expect("!"+idName, "!"+on); err != nil {
		return duty{}, err
	}
	if err := e.noText(); err != nil {
		return duty{}, err
	}
	effect, err := effectOf(e, on)
	if err != nil {
		return duty{}, err
	}
	d := duty{id: strings.TrimSpace(e.attrs[idName]), on: effect}
	for _, child := range e.children {
		a, err := c.assignment(e, child)
		if err != nil {
			return duty{}, err
		}
		d.assignments = append(d.assignments, a)
	}
	return d, nil
}

func (c *compiler) assignment(parent, e *element) (assignment, error) {
	if e.name != "AttributeAssignmentExpression" {
		return assignment{}, e.unknown(parent)
	}
	if err := e.expect("!AttributeId", "Category", "Issuer"); err != nil {
		return assignment{}, err
	}
	if len(e.children) != 1 {
		return assignment{}, e.errorf("%s wants one expression, not %d", e.name, len(e.children))
	}
	x, err := c.expression(e.children[0])
	return assignment{id: strings.TrimSpace(e.attrs["AttributeId"]), category: e.attrs["Category"], issuer: e.attrs["Issuer"], expr: x}, err
}
