package expression

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const (
	funcLeft      = "left"
	funcRight     = "right"
	funcNormalise = "normalise"
)

const (
	errCount    = argumentError("left and right need a number of characters from 0 on")
	errLanguage = argumentError(`normalise knows no language but "de"`)
)

// How many times as many characters a result may have: Unicode takes one apart into
// at most 18, of which at most 8 are of ASCII, and puts none together into more than 3.
const (
	growthNormalise = 18
	growthSlug      = 8
	growthCompose   = 3
)

// MaxEntry is how many bytes a value of a table may have.
const MaxEntry = 2 << 10

// functions are those on texts and tables.
func functions() []cel.EnvOption {
	text, number := cel.StringType, cel.IntType
	table := cel.MapType(text, text)
	return []cel.EnvOption{
		cel.Function("lower", cel.MemberOverload("string_lower", []*cel.Type{text}, text, cel.UnaryBinding(onText(strings.ToLower)))),
		cel.Function("upper", cel.MemberOverload("string_upper", []*cel.Type{text}, text, cel.UnaryBinding(onText(strings.ToUpper)))),
		cel.Function("slug", cel.MemberOverload("string_slug", []*cel.Type{text}, text, cel.UnaryBinding(onText(Slug)))),
		cel.Function(funcNormalise,
			cel.MemberOverload("string_normalise", []*cel.Type{text}, text, cel.UnaryBinding(onText(Normalise))),
			cel.MemberOverload("string_normalise_string", []*cel.Type{text, text}, text, cel.BinaryBinding(normaliseFor))),
		cel.Function(funcLeft, cel.MemberOverload("string_left_int", []*cel.Type{text, number}, text, cel.BinaryBinding(partOf(left)))),
		cel.Function(funcRight, cel.MemberOverload("string_right_int", []*cel.Type{text, number}, text, cel.BinaryBinding(partOf(right)))),
		cel.Function("get", cel.MemberOverload("map_get_string_string", []*cel.Type{table, text, text}, text, cel.FunctionBinding(get))),
		cel.CostModel(
			grows("string_lower", 1), grows("string_upper", 1), grows("string_slug", growthSlug),
			grows("string_normalise", growthNormalise), grows("string_normalise_string", growthNormalise),
			grows("string_left_int", growthCompose), grows("string_right_int", growthCompose),
			cost.MemberOverload("map_get_string_string", cost.EvalCost(cost.Const(2)), cost.ResultSize(cost.AtMost(cost.Const(MaxEntry))))),
	}
}

// grows is the cost of what reads a text and writes another, at worst times as long.
func grows(id string, times float64) cost.OverloadModel {
	return cost.MemberOverload(id,
		cost.EvalCost(cost.Sum(cost.Const(cost.CallCost), cost.StringScan(cost.Length(cost.Target())), cost.StringScan(cost.Length(cost.Result())))),
		cost.ResultSize(cost.AtMost(cost.Scale(cost.Target(), times))))
}

func onText(f func(string) string) func(ref.Val) ref.Val {
	return func(v ref.Val) ref.Val {
		s, ok := v.(types.String)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		return types.String(f(string(s)))
	}
}

func partOf(f func(string, int64) string) func(ref.Val, ref.Val) ref.Val {
	return func(s, n ref.Val) ref.Val {
		text, okText := s.(types.String)
		count, okCount := n.(types.Int)
		switch {
		case !okText || !okCount:
			return types.NoSuchOverloadErr()
		case count < 0:
			return types.WrapErr(errCount)
		}
		return types.String(f(string(text), int64(count)))
	}
}

func normaliseFor(s, language ref.Val) ref.Val {
	if l, ok := language.(types.String); !ok || l != "de" {
		return types.WrapErr(errLanguage)
	}
	return onText(normaliseGerman)(s)
}

// get returns what a table has under a key, or else the last argument.
func get(args ...ref.Val) ref.Val {
	table, ok := args[0].(interface {
		Find(ref.Val) (ref.Val, bool)
	})
	if !ok {
		return types.NoSuchOverloadErr()
	}
	if v, found := table.Find(args[1]); found {
		return v
	}
	return args[2]
}

// literals checks arguments that are written out: a mistake in them must not wait for
// the first person.
type literals struct{}

// Name is that of the validator.
func (literals) Name() string { return "anteroom.text" }

// Validate reports what is wrong at the argument.
func (literals) Validate(_ *cel.Env, _ cel.ValidatorConfig, checked *ast.AST, issues *cel.Issues) {
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 1 || e.AsCall().Args()[0].Kind() != ast.LiteralKind {
			return
		}
		argument := e.AsCall().Args()[0]
		switch v := argument.AsLiteral().(type) {
		case types.Int:
			if name := e.AsCall().FunctionName(); v < 0 && (name == funcLeft || name == funcRight) {
				issues.ReportErrorAtID(argument.ID(), "%v", errCount)
			}
		case types.String:
			if e.AsCall().FunctionName() == funcNormalise && v != "de" {
				issues.ReportErrorAtID(argument.ID(), "%v", errLanguage)
			}
		}
	}))
}
