package cel

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// newEnvironment returns what conditions are compiled in.
func newEnvironment() (*cel.Env, error) {
	options := append(variables(), functions()...)
	return expression.New(append(options, cel.ASTValidators(cel.ValidateHomogeneousAggregateLiterals(), literals{}))...)
}

// variables declares the roots of the vocabulary. A misspelt field of them is found
// when a set is compiled.
func variables() []cel.EnvOption {
	named := func(t string) types.NativeTypeOption { return cel.NativeTypeAlias(t) }
	fields := types.ParseStructField(expression.FieldName)
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
