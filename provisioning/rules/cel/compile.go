package cel

import (
	"slices"
	"time"
	_ "time/tzdata" // the zone of a rule set must not depend on the machine

	"cel.dev/cel-go/cel"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Set is a compiled rule set. It is immutable and safe for concurrent use.
type Set struct {
	algorithm rules.Algorithm
	otherwise rules.Decision
	zone      *time.Location
	env       *cel.Env
	rules     []*rule
	nodes     []rules.Node[*input] // the same
	uses      []rules.Attribute
}

var _ rules.Evaluator = (*Set)(nil)

// Compile reads a native rule set. The error is a [rules.Problems] with everything that is
// wrong: an unknown field, a value out of range, a condition that does not parse,
// is of the wrong type or could cost too much.
func Compile(source string) (*Set, error) {
	doc, r := parse(source)
	if doc == nil || doc.rules == nil {
		return nil, r.Err()
	}
	env, err := newEnvironment()
	if err != nil {
		return nil, err
	}
	s := &Set{algorithm: doc.algorithm, otherwise: doc.otherwise, zone: doc.zone, env: env}
	c := compiler{env: env, reader: r, vocabulary: vocabulary()}
	for _, src := range doc.rules {
		compiled := c.rule(src)
		s.rules = append(s.rules, compiled)
		s.nodes = append(s.nodes, compiled)
	}
	s.uses = c.uses
	if err := r.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

type compiler struct {
	env        *cel.Env
	reader     *reader
	vocabulary map[string]rules.Attribute
	uses       []rules.Attribute
}

func (c *compiler) rule(src *ruleSource) *rule {
	out := &rule{at: src.at, id: src.id, effect: src.effect, operations: src.operations, result: rules.Result{
		Decision: src.effect, Rule: src.id, Obligations: src.obligations,
	}}
	if src.when.places == nil {
		return out // the reader has said why
	}
	checked, issues := c.env.Compile(src.when.text)
	for _, e := range issues.Errors() {
		at := src.when.place(src.when.index(e.Location.Line(), e.Location.Column()))
		c.reader.At(at, "%s", expression.Plain(e.Message))
	}
	if issues.Err() != nil {
		return out
	}
	if checked.OutputType() != cel.BoolType {
		c.reader.At(src.when.at, "must be true or false, not %s", checked.OutputType())
		return out
	}
	out.condition = condition{checked: checked.NativeRep(), source: src.when, text: c.reader.Source}
	if c.collect(out.condition) {
		out.program = c.plan(checked, src.when)
	}
	return out
}

// plan refuses a condition that would cost too much for a large user.
func (c *compiler) plan(checked *cel.Ast, e placedText) cel.Program {
	p, err := expression.Plan(c.env, checked)
	if err != nil {
		c.reader.At(e.at, "%v", err)
	}
	return p
}

// collect notes what a condition uses, and refuses what is outside the vocabulary.
func (c *compiler) collect(cond condition) bool {
	all := true
	for _, p := range pathsOf(cond.checked.Expr()) {
		a, ok := c.vocabulary[p.name]
		if !ok {
			c.reader.At(cond.offset(p.expr), "%s cannot be used as a whole; use its fields", p.name)
			all = false
			continue
		}
		if a = p.attribute(a); !slices.Contains(c.uses, a) {
			c.uses = append(c.uses, a)
		}
	}
	return all
}
