package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// person is the user as expressions see them: the words of rules, and login, which
// is what sources call the username.
type person struct {
	ID            string
	Username      string
	Login         string
	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Name          string
	Locale        string
	PhoneNumber   string
	Active        bool
	Groups        []string
	Roles         []string
	Claims        map[string][]string
}

func personVariable() cel.EnvOption {
	return func(env *cel.Env) (*cel.Env, error) {
		env, err := cel.Types(cel.NativeTypeFor[person](cel.NativeTypeAlias("User"), types.ParseStructField(expression.FieldName)))(env)
		if err != nil {
			return nil, err
		}
		return cel.Variable("user", cel.ObjectType("User"))(env)
	}
}

// subject is one profile as entries read it. It is the activation of expressions.
type subject struct {
	Profile
	person person
	tables map[string]ref.Val
	over   string // what is too large for expressions
}

var _ cel.Activation = (*subject)(nil)

func (m *Mapping) subject(p Profile) *subject {
	s := &subject{Profile: p, tables: m.tables, person: person{
		ID: p.ID, Username: p.Login, Login: p.Login, Email: p.Email, EmailVerified: p.EmailVerified, GivenName: p.GivenName,
		FamilyName: p.FamilyName, Name: p.Name, Locale: p.Locale, PhoneNumber: p.PhoneNumber, Active: p.Active,
		Groups: p.Groups, Roles: p.Claims[rules.ClaimRoles], Claims: p.Claims,
	}}
	s.over = rules.TooLarge(&rules.Request{User: rules.User{
		ID: p.ID, Username: p.Login, Email: p.Email, GivenName: p.GivenName, FamilyName: p.FamilyName, Name: p.Name,
		Locale: p.Locale, PhoneNumber: p.PhoneNumber, Groups: p.Groups, Claims: p.Claims,
	}})
	return s
}

// ResolveName returns a variable.
func (s *subject) ResolveName(name string) (any, bool) {
	if name == "user" {
		return &s.person, true
	}
	v, ok := s.tables[name]
	return v, ok
}

// Parent returns nil: there is nothing behind the variables.
func (s *subject) Parent() cel.Activation { return nil }

// Limits of look-up tables.
const (
	MaxTables  = 20
	MaxEntries = 1000 // of one table
)

const tablePrefix = "maps."

// tableName is a name that expressions can write.
var tableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// check reports tables that are beyond the limits.
func (t Tables) check() []error {
	var out []error
	if len(t) > MaxTables {
		out = append(out, &Problem{"maps", fmt.Sprintf("has more than %d tables", MaxTables)})
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		switch {
		case !tableName.MatchString(name):
			out = append(out, &Problem{tablePrefix + name, "must be named with lower-case letters, digits and underscores, a letter first"})
		case len(t[name]) == 0 || len(t[name]) > MaxEntries:
			out = append(out, &Problem{tablePrefix + name, fmt.Sprintf("must have 1 to %d entries", MaxEntries)})
		case longest(t[name]) > expression.MaxEntry:
			out = append(out, &Problem{tablePrefix + name, fmt.Sprintf("has an entry of more than %d bytes", expression.MaxEntry)})
		}
	}
	return out
}

func longest(table map[string]string) int {
	n := 0
	for key, value := range table {
		n = max(n, len(key), len(value))
	}
	return n
}

// variables declares each table by its own name, so that a misspelt one is found when
// the mapping is compiled.
func (t Tables) variables() []cel.EnvOption {
	var out []cel.EnvOption
	for name := range t {
		out = append(out, cel.Variable(tablePrefix+name, cel.MapType(cel.StringType, cel.StringType)))
	}
	return out
}

// values returns the tables as expressions read them; nil when there is no
// expression.
func (t Tables) values(env *cel.Env) map[string]ref.Val {
	if env == nil {
		return nil
	}
	out := map[string]ref.Val{}
	for name, table := range t {
		out[tablePrefix+name] = env.CELTypeAdapter().NativeToValue(table)
	}
	return out
}
