package cel

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// Limits of a condition, in the cost units of CEL: about one for each step and for
// each ten bytes that a function reads.
const (
	MaxCost      = 100_000 // of one evaluation of one condition; at compile time, for the sizes that expected assumes
	maxLoops     = 2       // loops within loops
	maxRegexp    = 500     // instructions
	maxRecursion = 50
	maxNodes     = 2_000
)

// newEnvironment returns what conditions are compiled in. It is cheap next to what
// compiling a set costs, so that there is none for all.
func newEnvironment() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset())),
		cel.OptionalTypes(),
		ext.Strings(), ext.Sets(), ext.Lists(),
		cel.EnableMacroCallTracking(), // so that an explanation has exists() as it is written
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxRecursion),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxLoops), literals{}),
	}
	options = append(options, variables()...)
	return cel.NewCustomEnv(append(options, functions()...)...)
}

// variables declares the roots of the vocabulary. A misspelt field of them is found
// when a set is compiled.
func variables() []cel.EnvOption {
	named := func(t string) types.NativeTypeOption { return cel.NativeTypeAlias(t) }
	fields := types.ParseStructField(fieldName)
	return []cel.EnvOption{
		cel.Types(
			cel.NativeTypeFor[rules.User](named("User"), fields),
			cel.NativeTypeFor[rules.App](named("App"), fields),
			cel.NativeTypeFor[rules.Connector](named("Connector"), fields),
			cel.NativeTypeFor[request](named("Request"), fields),
			cel.NativeTypeFor[rules.Account](named("Account"), fields),
			cel.NativeTypeFor[clock](named("Env"), fields),
		),
		cel.Variable("user", cel.ObjectType("User")),
		cel.Variable("app", cel.ObjectType("App")),
		cel.Variable("connector", cel.ObjectType("Connector")),
		cel.Variable("request", cel.ObjectType("Request")),
		cel.Variable("account", cel.ObjectType("Account")),
		cel.Variable("env", cel.ObjectType("Env")),
	}
}

// subset leaves out what would take the types off a condition, and the calendar of
// timestamps: it loads a time zone at each call, and env has the answers.
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

// expected are the sizes that the cost of a condition is estimated for: those of a
// large but usual user. What is larger still is held by MaxCost.
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
