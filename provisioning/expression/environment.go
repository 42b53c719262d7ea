package expression

import (
	"reflect"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Limits of an expression. Costs are in the units of CEL: about one for each step and
// for each ten bytes that a function reads.
const (
	MaxCost      = 100_000  // of one evaluation; when compiled, for the sizes that a large but usual person has
	MaxText      = 16 << 10 // bytes
	maxLoops     = 2        // loops within loops
	maxRegexp    = 500      // instructions
	maxRecursion = 50
	maxNodes     = 2_000
)

// New returns what expressions are compiled in, with the variables, functions and
// validators that options add. It is cheap next to compiling a few expressions, so
// that there is none for all.
func New(options ...cel.EnvOption) (*cel.Env, error) {
	base := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset())),
		cel.OptionalTypes(),
		ext.Strings(), ext.Sets(), ext.Lists(),
		cel.EnableMacroCallTracking(), // so that an explanation has exists() as it is written
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxText),
		cel.ParserRecursionLimit(maxRecursion),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops), literals{}),
	}
	return cel.NewCustomEnv(append(append(base, functions()...), options...)...)
}

// subset leaves out what would take the types off an expression, and the calendar of
// timestamps: it loads a time zone at each call, and rules have env.
func subset() *env.LibrarySubset {
	s := env.NewLibrarySubset()
	for _, name := range []string{
		overloads.TypeConvertDyn, overloads.TypeConvertType,
		overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDate,
		overloads.TimeGetDayOfMonth, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
		overloads.TimeGetSeconds, overloads.TimeGetMilliseconds,
	} {
		s.AddExcludedFunctions(env.NewFunction(name))
	}
	return s
}

// FieldName gives a field of a Go struct its name in expressions: EmailVerified is
// email_verified.
func FieldName(f reflect.StructField) string {
	var out strings.Builder
	for i, c := range f.Name {
		if unicode.IsUpper(c) && i > 0 && unicode.IsLower(rune(f.Name[i-1])) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// expected are the sizes that the cost of an expression is estimated for: those of a
// large but usual person. What is larger still is held by MaxCost.
type expected struct{}

// EstimateSize returns how large a value may be.
func (expected) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	limit := uint64(0)
	switch n.Type().Kind() {
	case types.ListKind:
		limit = 200
	case types.MapKind:
		limit = 100
	case types.StringKind:
		limit = 256
	default:
		return nil
	}
	if len(n.Path()) == 0 {
		return nil
	}
	s := cost.RangedSizeEstimate(0, limit)
	return &s
}

// EstimateCallCost leaves functions to the library.
func (expected) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
