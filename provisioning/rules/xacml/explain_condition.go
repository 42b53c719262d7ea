package xacml

import (
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// conditionWalk goes from the top of a condition to the parts that settled it.
type conditionWalk struct {
	*explainer
	seen   map[*variable]bool // each once: they may multiply
	causes []rules.Cause
}

// settle explains an expression, which is in the definition of a variable unless
// that is "".
func (w *conditionWalk) settle(e expression, variableID string) {
	switch e := e.(type) {
	case logical:
		w.all(e, e.args, variableID)
	case nOf:
		w.all(e, e.args, variableID)
	case *apply:
		if e.fn.id == fn1+"not" {
			w.settle(e.args[0], variableID)
			return
		}
		w.leaf(e, variableID)
	case *variable:
		if !w.seen[e] {
			w.seen[e] = true
			w.settle(e.expr, e.id)
		}
	default:
		w.leaf(e, variableID)
	}
}

// all follows those arguments that have the value of the whole: what makes an and
// false is what is false in it. All are followed when none does alone.
func (w *conditionWalk) all(whole expression, args []expression, variableID string) {
	value, status := w.value(whole)
	settled := false
	for _, a := range args {
		if v, _ := w.value(a); v == value {
			settled = true
			w.settle(a, variableID)
		}
	}
	switch {
	case settled:
	case value == rules.TruthError || len(args) == 0: // by itself, such as an n-of of too many
		w.cause(whole, variableID, value, status)
	default:
		for _, a := range args {
			w.settle(a, variableID)
		}
	}
}

func (w *conditionWalk) leaf(e expression, variableID string) {
	value, status := w.value(e)
	w.cause(e, variableID, value, status)
}

func (w *conditionWalk) cause(e expression, variableID string, value rules.Truth, status *rules.Status) {
	at := placeOf(e)
	c := rules.Cause{
		Text: textOf(e), Variable: variableID, Source: at.source, Line: at.line, Column: at.column, Value: value, Operands: w.operands(e),
	}
	if status != nil {
		c.Error = status.Message
	}
	w.causes = w.Add(w.causes, c)
}

// operands are the attributes and variables that an expression asks for, with those
// of its variables.
func (x *explainer) operands(e expression) (out []rules.Operand) {
	seen := map[rules.Operand]bool{}
	visit(e, map[*variable]bool{}, func(e expression) {
		var o rules.Operand
		switch e := e.(type) {
		case *designator:
			o = rules.Operand{Name: textOf(e), ID: e.attribute.ID, Value: x.shown(e)}
		case *variable:
			o = rules.Operand{Name: textOf(e), Value: x.shown(e)}
		default:
			return
		}
		if !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	})
	return out
}

// shown writes what an attribute or a variable was.
func (x *explainer) shown(e expression) string {
	if x.usesHidden(e) {
		return rules.Hidden
	}
	if !x.fresh() {
		return "?"
	}
	if d, ok := e.(*designator); ok {
		bag, status := x.e.attribute(d) // also one that must be present and is not
		if status != nil {
			return string(rules.TruthError)
		}
		return showBag(bag)
	}
	r, status := e.eval(x.e)
	switch {
	case status != nil:
		return string(rules.TruthError)
	case e.kind().bag:
		return showBag(r.bag)
	default:
		return showValue(r.value)
	}
}

// usesHidden reports whether an expression has a value of an attribute in it that is
// not to be shown.
func (x *explainer) usesHidden(e expression) bool {
	hidden := false
	visit(e, map[*variable]bool{}, func(e expression) {
		if d, ok := e.(*designator); ok {
			hidden = hidden || slices.ContainsFunc(namesOf(d.attribute), x.Hides)
		}
	})
	return hidden
}

// namesOf returns an attribute with the names under which native rule sets know what
// it answers with, if these are others.
func namesOf(a rules.Attribute) []rules.Attribute {
	all := []rules.Attribute{a}
	add := func(id string) { all = append(all, rules.Attribute{Category: categoryUser, ID: id, Type: a.Type}) }
	name, isClaim := strings.CutPrefix(a.ID, wso2Claims)
	switch {
	case a.ID == categoryCall+"/claim-group":
		add(wso2Claims + "groups")
	case a.ID == wso2Claims+"role":
		add(wso2Claims + "roles")
	case a.ID == wso2Claims+"username":
		add(categoryUser + "/username")
	case isClaim:
		add(name)
	}
	return all
}

// visit calls f with an expression and those in it. The definition of a variable is
// in it once.
func visit(e expression, seen map[*variable]bool, f func(expression)) {
	if v, ok := e.(*variable); ok {
		if !seen[v] {
			seen[v] = true
			f(v)
			visit(v.expr, seen, f)
		}
		return
	}
	f(e)
	for _, a := range argumentsOf(e) {
		visit(a, seen, f)
	}
}

func argumentsOf(e expression) []expression {
	switch e := e.(type) {
	case *apply:
		return e.args
	case *higher:
		return e.args
	case logical:
		return e.args
	case nOf:
		return append([]expression{e.count}, e.args...)
	default:
		return nil
	}
}

// hiddenAssignments are the values of obligations and advice that have an attribute
// in them which is not to be shown, by the ids of the duty and the assignment.
type hiddenAssignments map[[2]string]bool

func (x *explainer) hiddenDuties(root *policy) hiddenAssignments {
	out, seen := hiddenAssignments{}, map[*policy]bool{}
	var walk func(p *policy)
	of := func(d *duties) {
		for _, list := range [][]duty{d.obligations, d.advice} {
			for _, one := range list {
				for _, a := range one.assignments {
					if x.usesHidden(a.expr) {
						out[[2]string{one.id, a.id}] = true
					}
				}
			}
		}
	}
	walk = func(p *policy) {
		if seen[p] {
			return
		}
		seen[p] = true
		of(&p.duties)
		for _, n := range p.children {
			switch n := n.(type) {
			case *policy:
				walk(n)
			case *rule:
				of(&n.duties)
			}
		}
	}
	walk(root)
	return out
}

// redact returns obligations or advice without what is hidden.
func (h hiddenAssignments) redact(list []rules.Obligation) []rules.Obligation {
	var out []rules.Obligation
	for _, o := range list {
		shown := rules.Obligation{ID: o.ID}
		for _, a := range o.Assignments {
			if h[[2]string{o.ID, a.ID}] {
				a.Value = rules.Hidden
			}
			shown.Assignments = append(shown.Assignments, a)
		}
		out = append(out, shown)
	}
	return out
}
