package cel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/provisioning/rules/source"
)

// Explain decides, and says why. Values of attributes for which hide is true are
// not in the answer; a nil hide shows everything. It evaluates each condition once
// more, in full: it is for people, not for the sign-in.
func (s *Set) Explain(r *rules.Request, hide func(rules.Attribute) bool) (out rules.Explanation) {
	result := s.Decide(r)
	defer func() {
		if recover() != nil {
			out = rules.Explanation{Result: result}
		}
	}()
	draft := rules.NewDraft(hide)
	if rules.TooLarge(r) != "" {
		return draft.Finish(result, nil)
	}
	e := explainer{Draft: draft, env: s.env, in: newInput(r, s.zone), vocabulary: vocabulary()}
	all := &rules.PolicyExplanation{Algorithm: s.algorithm, Decision: result.Decision, Status: result.Status, Applies: rules.Match}
	for _, rule := range s.rules {
		if draft.Part() {
			all.Rules = append(all.Rules, e.rule(rule))
		}
	}
	return draft.Finish(result, all)
}

type explainer struct {
	*rules.Draft
	env        *cel.Env
	in         *input
	vocabulary map[string]rules.Attribute
}

func (e *explainer) rule(r *rule) rules.RuleExplanation {
	decided := r.Decide(e.in)
	applies, _ := r.Applies(e.in)
	line, column := source.Position(r.condition.text, r.at)
	out := rules.RuleExplanation{
		ID: r.id, Line: line, Column: column, Effect: r.effect, Decision: decided.Decision, Status: decided.Status, Applies: applies,
	}
	if len(r.operations) > 0 {
		out.Target = e.Add(nil, e.operations(r, applies == rules.Match))
	}
	if applies == rules.Match {
		t := tracer{explainer: e, condition: r.condition, values: e.evaluate(r.condition)}
		t.explain(r.condition.checked.Expr())
		out.Condition = t.causes
	}
	return out
}

// operations is the target of a rule.
func (e *explainer) operations(r *rule, covers bool) rules.Cause {
	listed := rules.ShowList(len(r.operations), func(i int) string { return string(r.operations[i]) })
	c := rules.Cause{Text: "request.operation in [" + listed + "]", Value: rules.TruthOf(covers)}
	c.Line, c.Column = source.Position(r.condition.text, r.at)
	if o, ok := e.operand(path{name: "request.operation"}); ok {
		c.Operands = []rules.Operand{o}
	}
	return c
}

// evaluate evaluates all of a condition, also what a conjunction has no need of. A
// condition that costs too much has the values it came to.
func (e *explainer) evaluate(c condition) (values interpreter.EvalState) {
	values = interpreter.NewEvalState()
	defer func() { _ = recover() }() // the decision has said so
	program, err := e.env.PlanProgram(c.checked, cel.CostLimit(expression.MaxCost), cel.EvalOptions(cel.OptExhaustiveEval))
	if err != nil {
		return values
	}
	_, details, _ := program.Eval(e.in)
	if details != nil && details.State() != nil {
		values = details.State()
	}
	return values
}

// tracer walks one condition from the top to the parts that settled it.
type tracer struct {
	*explainer
	condition condition
	values    interpreter.EvalState
	causes    []rules.Cause
}

func (t *tracer) explain(e ast.Expr) {
	if e.Kind() == ast.CallKind {
		args := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr:
			t.operands(e, args)
			return
		case operators.LogicalNot:
			t.explain(args[0])
			return
		case operators.Conditional:
			t.branch(args)
			return
		}
	}
	t.leaf(e)
}

// operands follows those operands of && and || that have the value of the whole:
// what makes a conjunction false is what is false in it. All of them are followed
// when none does alone.
func (t *tracer) operands(e ast.Expr, args []ast.Expr) {
	value, settled := t.value(e), false
	for _, a := range args {
		if t.value(a) == value {
			settled = true
			t.explain(a)
		}
	}
	if settled {
		return
	}
	for _, a := range args {
		t.explain(a)
	}
}

func (t *tracer) branch(args []ast.Expr) {
	t.explain(args[0])
	switch t.value(args[0]) {
	case rules.TruthTrue:
		t.explain(args[1])
	case rules.TruthFalse:
		t.explain(args[2])
	}
}

func (t *tracer) leaf(e ast.Expr) {
	line, column := source.Position(t.condition.text, t.condition.offset(e))
	c := rules.Cause{Text: t.unparse(e), Line: line, Column: column, Value: t.value(e)}
	if c.Value == rules.TruthError {
		c.Error = t.failure(e)
	}
	seen := map[string]bool{}
	for _, p := range pathsOf(e) {
		if o, ok := t.operand(p); ok && !seen[o.Name] {
			seen[o.Name] = true
			c.Operands = append(c.Operands, o)
		}
	}
	t.causes = t.Add(t.causes, c)
}

func (t *tracer) unparse(e ast.Expr) string {
	text, err := parser.Unparse(e, t.condition.checked.SourceInfo())
	if err != nil {
		return strings.TrimSpace(t.condition.source.text)
	}
	return text
}

// value returns an error for anything that is neither true nor false.
func (t *tracer) value(e ast.Expr) rules.Truth {
	if e.Kind() == ast.LiteralKind {
		return truth(e.AsLiteral())
	}
	v, ok := t.values.Value(e.ID())
	if !ok {
		return rules.TruthError
	}
	return truth(v)
}

func truth(v ref.Val) rules.Truth {
	if b, ok := v.(types.Bool); ok {
		return rules.TruthOf(bool(b))
	}
	return rules.TruthError
}

// failure says why a part has no value. What was never come to has cost too much.
func (t *tracer) failure(e ast.Expr) string {
	v, _ := t.values.Value(e.ID())
	err, ok := v.(*types.Err)
	if !ok {
		return "was not evaluated"
	}
	_, text := reason(err)
	return text
}

// operand returns what a path of the vocabulary was.
func (e *explainer) operand(p path) (rules.Operand, bool) {
	a, ok := e.vocabulary[p.name]
	if !ok {
		return rules.Operand{}, false
	}
	if p.name == pathClaims {
		return e.claims(p, a), true
	}
	if e.Hides(a) {
		return rules.Operand{Name: p.name, ID: a.ID, Value: rules.Hidden}, true
	}
	root, field, _ := strings.Cut(p.name, ".")
	object, _ := e.in.ResolveName(root)
	indexer, ok := e.env.CELTypeAdapter().NativeToValue(object).(traits.Indexer)
	if !ok {
		return rules.Operand{}, false
	}
	return rules.Operand{Name: p.name, ID: a.ID, Value: show(indexer.Get(types.String(field)))}, true
}

func (e *explainer) claims(p path, a rules.Attribute) rules.Operand {
	claim := func(name string) string {
		a.ID = name
		if e.Hides(a) {
			return rules.Hidden
		}
		values, ok := e.in.User.Claims[name]
		if !ok {
			return rules.Nothing
		}
		return showList(values)
	}
	if p.claim != "" {
		return rules.Operand{Name: fmt.Sprintf("%s[%q]", p.name, p.claim), ID: p.claim, Value: claim(p.claim)}
	}
	names := slices.Sorted(maps.Keys(e.in.User.Claims))
	return rules.Operand{Name: p.name, ID: a.ID, Value: "{" + rules.ShowList(len(names), func(i int) string {
		return rules.Show(names[i]) + ": " + claim(names[i])
	}) + "}"}
}

func show(v ref.Val) string {
	switch v := v.(type) {
	case types.String:
		return rules.Show(string(v))
	case types.Timestamp:
		return v.Time.Format(time.RFC3339)
	case traits.Lister:
		if list, ok := v.Value().([]string); ok {
			return showList(list)
		}
	}
	return fmt.Sprint(v.Value())
}

func showList(values []string) string {
	return "[" + rules.ShowList(len(values), func(i int) string { return rules.Show(values[i]) }) + "]"
}
