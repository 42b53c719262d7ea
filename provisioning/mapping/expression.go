package mapping

import (
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/sdk"
)

// program is a compiled expression.
type program struct {
	text    string
	run     cel.Program
	checked *cel.Ast
}

// expression compiles the entry's expression and checks its type.
func (c *compiler) expression(e *entry) string {
	p, message := c.program(e.rule.Expression)
	if message == "" {
		message = fits(p.checked.OutputType(), e.attribute)
	}
	if message != "" {
		return "expression " + message
	}
	a := e.attribute
	e.read = func(s *subject) (any, error) { return p.value(s, a) }
	return ""
}

// program compiles an expression. The message begins with where in its text it is
// wrong: line and column, in characters from 1.
func (c *compiler) program(text string) (program, string) {
	if c.env == nil {
		env, err := expression.New(append(c.tables.variables(), personVariable(), cel.ASTValidators(ordered{}))...)
		if err != nil {
			return program{}, err.Error()
		}
		c.env = env
	}
	checked, issues := c.env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return program{}, fmt.Sprintf("%d:%d: %s", first.Location.Line(), first.Location.Column()+1, expression.Plain(first.Message))
	}
	if checked.OutputType().Kind() == types.StructKind {
		return program{}, "1:1: user cannot be used as a whole; use its fields"
	}
	run, err := expression.Plan(c.env, checked)
	if err != nil {
		return program{}, "1:1: " + err.Error()
	}
	return program{text, run, checked}, ""
}

// ordered refuses loops over what has no order: the same profile would give one account
// now and another one later.
type ordered struct{}

// Name is that of the validator.
func (ordered) Name() string { return "anteroom.ordered" }

// Validate reports each loop over something else than a list.
func (ordered) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.ComprehensionKind {
			return
		}
		if over := e.AsComprehension().IterRange(); checked.GetType(over.ID()).Kind() != types.ListKind {
			issues.ReportErrorAtID(over.ID(), "a loop needs a list, which has an order; this is a %s", checked.GetType(over.ID()))
		}
	}))
}

// fits says why a type cannot fill an attribute; "" when it can.
func fits(t *cel.Type, a sdk.Attribute) string {
	single := content(t)
	if list := single; list.Kind() == types.ListKind {
		if !a.MultiValued {
			return fmt.Sprintf("1:1: gives a %s, the attribute has one value", t)
		}
		single = content(list.Parameters()[0])
	}
	var want sdk.AttributeType
	switch single.Kind() {
	case types.StringKind:
		want = sdk.AttributeString
	case types.BoolKind:
		want = sdk.AttributeBool
	case types.IntKind, types.UintKind, types.DoubleKind:
		want = sdk.AttributeNumber
	case types.MapKind:
		if single.Parameters()[0].Kind() == types.StringKind {
			want = sdk.AttributeObject
		}
	}
	if want != a.Type {
		return fmt.Sprintf("1:1: gives a %s, the attribute is a %s", t, a.Type)
	}
	return ""
}

// content is the type of what an optional holds.
func content(t *cel.Type) *cel.Type {
	if t.Kind() == types.OpaqueKind && t.TypeName() == types.OptionalType.TypeName() {
		return t.Parameters()[0]
	}
	return t
}

// value evaluates the program for a person. An error says where in the expression,
// and holds no value.
func (p program) value(s *subject, a sdk.Attribute) (v any, err error) {
	defer func() {
		if recover() != nil { // of the library: one expression must not stop the server
			v, err = nil, errors.New("the expression cannot be evaluated")
		}
	}()
	if s.over != "" {
		return nil, errors.New("the expression is not evaluated: " + s.over)
	}
	out, _, err := p.run.Eval(s)
	if err != nil {
		return nil, p.failed(err)
	}
	values, err := plainList(out)
	if err != nil {
		return nil, err
	}
	return shape(values, a), nil
}

func (p program) failed(err error) error {
	_, text := expression.Reason(err)
	at := 0
	var e *types.Err
	if errors.As(err, &e) {
		if part, ok := expression.Find(p.checked.NativeRep(), e.NodeID()); ok {
			at, _ = expression.Start(p.checked.NativeRep(), part)
		}
	}
	line, column := expression.LineAndColumn(p.text, at)
	return fmt.Errorf("the expression fails for this user at %d:%d: %s", line, column, text)
}

var errNoValue = errors.New("the expression gives something that is no value of an attribute")

// plainList returns a value, or those of a list, without what is empty.
func plainList(v ref.Val) ([]any, error) {
	list, ok := v.(traits.Lister)
	if !ok {
		return appendPlain(nil, v)
	}
	out := []any{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		var err error
		if out, err = appendPlain(out, it.Next()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendPlain(out []any, v ref.Val) ([]any, error) {
	value, err := plain(v)
	if err != nil || value == nil || value == "" {
		return out, err
	}
	return append(out, value), nil
}

// plain returns a value as encoding/json decodes it; nil for none.
func plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return plain(v.GetValue())
	case types.Null:
		return nil, nil
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return float64(v), nil
	case types.Uint:
		return float64(v), nil
	case types.Double:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
	case traits.Mapper:
		return plainMap(v)
	case traits.Lister:
		return plainList(v)
	}
	return nil, errNoValue
}

func plainMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, errNoValue
		}
		v, err := plain(m.Get(key))
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[string(name)] = v
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
