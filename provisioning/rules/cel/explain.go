package cel

import (
	"fmt"
	"slices"
	"strconv"
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

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Hidden stands for a value that is not to be shown.
const Hidden = "•••"

const (
	maxShown     = 20  // values of a list
	maxShownText = 200 // bytes of one value
)

// Explanation is a decision with the reasons of every rule, whether the combining
// algorithm came to it or not.
type Explanation struct {
	Result rules.Result
	Rules  []RuleExplanation
}

// RuleExplanation says what became of one rule.
type RuleExplanation struct {
	ID       string
	Effect   rules.Decision
	Decision rules.Decision // NotApplicable when the condition does not hold
	Status   rules.Status
	Covers   bool    // whether the rule is about the operation at all
	Causes   []Cause // the parts of the condition that made it what it is
}

// Cause is a part of a condition that settled its value: of a conjunction that
// failed, each part that failed; of one that held, each part.
type Cause struct {
	Text     string // as written
	Line     int
	Column   int
	Value    string // "true", "false" or "error"
	Operands []Operand
}

// Operand is what an attribute was.
type Operand struct {
	Path  string // such as user.groups
	Value string // as CEL writes it, shortened; Hidden when it is not to be shown
}

// String returns the cause on one line.
func (c Cause) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d: %s is %s", c.Line, c.Column, c.Text, c.Value)
	for i, o := range c.Operands {
		b.WriteString([]string{" [", ", "}[min(i, 1)] + o.Path + " = " + o.Value)
	}
	if len(c.Operands) > 0 {
		b.WriteByte(']')
	}
	return b.String()
}

// Explain decides, and says why. Values of attributes for which hide is true are
// not in the answer; a nil hide shows everything. It evaluates each condition once
// more, in full: it is for people, not for the sign-in.
func (s *Set) Explain(r *rules.Request, hide func(rules.Attribute) bool) Explanation {
	out := Explanation{Result: s.Decide(r)}
	if rules.TooLarge(r) != "" {
		return out
	}
	if hide == nil {
		hide = func(rules.Attribute) bool { return false }
	}
	e := explainer{env: s.env, in: newInput(r, s.zone), hide: hide, vocabulary: vocabulary()}
	for _, rule := range s.rules {
		out.Rules = append(out.Rules, e.rule(rule))
	}
	return out
}

type explainer struct {
	env        *cel.Env
	in         *input
	hide       func(rules.Attribute) bool
	vocabulary map[string]rules.Attribute
}

func (e *explainer) rule(r *rule) RuleExplanation {
	decided := r.Decide(e.in)
	out := RuleExplanation{
		ID: r.id, Effect: r.effect, Decision: decided.Decision, Status: decided.Status, Covers: r.covers(e.in.Operation),
	}
	if out.Covers {
		out.Causes = e.causes(r.condition)
	}
	return out
}

func (e *explainer) causes(c condition) []Cause {
	t := tracer{explainer: e, condition: c, values: e.evaluate(c)}
	t.explain(c.checked.Expr())
	return t.causes
}

// evaluate evaluates all of a condition, also what a conjunction has no need of. A
// condition that costs too much has the values it came to.
func (e *explainer) evaluate(c condition) (values interpreter.EvalState) {
	values = interpreter.NewEvalState()
	defer func() { _ = recover() }() // the decision has said so
	program, err := e.env.PlanProgram(c.checked, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptExhaustiveEval))
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
	causes    []Cause
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
	case "true":
		t.explain(args[1])
	case "false":
		t.explain(args[2])
	}
}

func (t *tracer) leaf(e ast.Expr) {
	line, column := position(t.condition.text, t.condition.offset(e))
	c := Cause{Text: t.unparse(e), Line: line, Column: column, Value: t.value(e)}
	seen := map[string]bool{}
	for _, p := range pathsOf(e) {
		if o := t.operand(p); !seen[o.Path] {
			seen[o.Path] = true
			c.Operands = append(c.Operands, o)
		}
	}
	t.causes = append(t.causes, c)
}

func (t *tracer) unparse(e ast.Expr) string {
	text, err := parser.Unparse(e, t.condition.checked.SourceInfo())
	if err != nil {
		return strings.TrimSpace(t.condition.source.text)
	}
	return text
}

// value returns "true", "false", or "error" for anything else.
func (t *tracer) value(e ast.Expr) string {
	if e.Kind() == ast.LiteralKind {
		return bool01(e.AsLiteral())
	}
	v, ok := t.values.Value(e.ID())
	if !ok {
		return "error"
	}
	return bool01(v)
}

func bool01(v ref.Val) string {
	if b, ok := v.(types.Bool); ok {
		return strconv.FormatBool(bool(b))
	}
	return "error"
}

func (e *explainer) operand(p path) Operand {
	a := e.vocabulary[p.name]
	if p.name == pathClaims {
		return e.claims(p, a)
	}
	if e.hide(a) {
		return Operand{p.name, Hidden}
	}
	root, field, _ := strings.Cut(p.name, ".")
	object, _ := e.in.ResolveName(root)
	indexer, ok := e.env.CELTypeAdapter().NativeToValue(object).(traits.Indexer)
	if !ok {
		return Operand{p.name, "?"}
	}
	return Operand{p.name, show(indexer.Get(types.String(field)))}
}

func (e *explainer) claims(p path, a rules.Attribute) Operand {
	claim := func(name string) string {
		a.ID = name
		if e.hide(a) {
			return Hidden
		}
		values, ok := e.in.User.Claims[name]
		if !ok {
			return "nothing"
		}
		return showList(values)
	}
	if p.claim != "" {
		return Operand{fmt.Sprintf("%s[%q]", p.name, p.claim), claim(p.claim)}
	}
	names := make([]string, 0, len(e.in.User.Claims))
	for name := range e.in.User.Claims {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names[:min(len(names), maxShown)] {
		parts = append(parts, shorten(strconv.Quote(name))+": "+claim(name))
	}
	return Operand{p.name, "{" + strings.Join(append(parts, more(len(names))...), ", ") + "}"}
}

func show(v ref.Val) string {
	switch v := v.(type) {
	case types.String:
		return shorten(strconv.Quote(string(v)))
	case types.Timestamp:
		return v.Time.Format(time.RFC3339)
	case traits.Lister:
		if list, ok := v.Value().([]string); ok {
			return showList(list)
		}
	}
	return shorten(fmt.Sprint(v.Value()))
}

func showList(values []string) string {
	var parts []string
	for _, v := range values[:min(len(values), maxShown)] {
		parts = append(parts, shorten(strconv.Quote(v)))
	}
	return "[" + strings.Join(append(parts, more(len(values))...), ", ") + "]"
}

func more(n int) []string {
	if n <= maxShown {
		return nil
	}
	return []string{fmt.Sprintf("and %d more", n-maxShown)}
}

func shorten(s string) string {
	if len(s) <= maxShownText {
		return s
	}
	return strings.ToValidUTF8(s[:maxShownText], "") + "…"
}
