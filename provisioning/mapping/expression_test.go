package mapping_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/sdk"
)

func login() mapping.Rule { return mapping.Rule{Attribute: "userName", Source: "user.login"} }

func tables() mapping.Tables {
	return mapping.Tables{"roles": {"staff": "CRM_USER", "boss": "CRM_ADMIN"}, "zones": {"NSW": "Australia/Sydney"}}
}

// zoe has a name that is not ASCII, in several scripts.
func zoe() mapping.Profile {
	p := ann()
	p.ID, p.Login, p.Email = "u2", "zoe", "Zoe.Angstrom@Example.com"
	p.GivenName, p.FamilyName, p.Name = "Zoë Mae", "Ångström-Österß", "李小龍"
	p.Claims = map[string][]string{"state": {"NSW"}, "phone": {"+49 (30) 123-4"}, "level": {"7"}, "empty": {""}}
	return p
}

// TestExpressions has the examples of the documentation, and of what people know from
// other products.
func TestExpressions(t *testing.T) {
	for _, tt := range []struct {
		attribute, text string
		want            any
	}{
		{"title", "user.email.split('@')[0]", "Zoe.Angstrom"},
		{"title", "user.login.upper() + '-' + user.username", "ZOE-zoe"},
		{"title", "[user.given_name, user.family_name].map(s, s.slug()).join('.') + '@contoso.com'", "zoemae.angstrom-osterss@contoso.com"},
		{"title", "(user.given_name.left(1) + user.family_name).normalise().lower()", "zangstrom-osterss"},
		{"title", "user.family_name.normalise('de')", "Angstroem-Oesterss"},
		{"title", "user.name.slug()", nil},
		{"title", "user.name.left(1)", "李"},
		{"title", "maps.zones.get(user.claims['state'][0], 'UTC')", "Australia/Sydney"},
		{"title", "user.claims[?'city'].orValue(['x']).join(',')", "x"},
		{"title", "user.claims[?'city'][?0].orValue('nowhere')", "nowhere"},
		{"title", "user.claims[?'city'][?0]", nil},
		{"title", "user.claims['phone'][0].replace('(', '').replace(')', '').replace('-', '').replace(' ', '')", "+49301234"},
		{"title", "user.active ? 'Employee' : 'Leaver'", "Employee"},
		{"title", "user.given_name.trim().split(' ')[0]", "Zoë"},
		{"title", "user.phone_number.matches('^[+]') ? user.phone_number : ''", "+49 1"},
		{"title", "''", nil},
		{"groups", "user.groups.map(g, g in maps.roles, maps.roles[g])", []any{"CRM_USER"}},
		{"groups", "user.groups.filter(g, g.startsWith('eng-'))", nil},
		{"groups", "user.login", []any{"zoe"}},
		{"groups", "user.groups + ['all', '']", []any{"staff", "it", "all"}},
		{"groups", "user.claims['state']", []any{"NSW"}},
		{"level", "int(user.claims['level'][0]) + 1", 8.0},
		{"level", "user.groups.size()", 2.0},
		{"level", "1.5", 1.5},
		{"level", "5u", 5.0},
		{"verified", "user.email_verified && user.email.endsWith('@Example.com')", true},
		{"verified", "'x' in user.groups", false},
		{"extra", "{'value': user.email.lower(), 'type': 'work', 'primary': true, 'n': 1, 'none': '', 'list': [1, 'a']}",
			map[string]any{"value": "zoe.angstrom@example.com", "type": "work", "primary": true, "n": 1.0, "none": "", "list": []any{1.0, "a"}}},
		{"extra", "{'a': {'b': user.claims[?'nope']}}", nil},
	} {
		m, err := mapping.Compile([]mapping.Rule{login(), {Attribute: tt.attribute, Expression: tt.text}}, tables(), declared())
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got, err := m.Apply(zoe(), mapping.ForUpdate)
		if diff := cmp.Diff(tt.want, got[tt.attribute]); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s (%v)", tt.text, diff, err)
		}
	}
}

// TestExpressionsRefused shows that a wrong expression is found when it is saved, with
// its place.
func TestExpressionsRefused(t *testing.T) {
	for _, tt := range []struct{ attribute, text, message string }{
		{"title", "user.emial", "expression 1:5: undefined field 'emial'"},
		{"title", "user.email +", "expression 1:13: Syntax error"},
		{"title", "user.email\n  + user.nope", "expression 2:9: undefined field 'nope'"},
		{"title", "'ä' + user.nope", "expression 1:11: undefined field 'nope'"},
		{"title", "user.groups", "expression 1:1: gives a list(string), the attribute has one value"},
		{"title", "1", "expression 1:1: gives a int, the attribute is a string"},
		{"title", "user.active", "gives a bool, the attribute is a string"},
		{"title", "null", "the attribute is a string"},
		{"title", "user", "user cannot be used as a whole"},
		{"title", "[user.login, 1]", "has one value"},
		{"groups", "[user.login, 1]", "the attribute is a string"},
		{"groups", "[1]", "gives a list(int), the attribute is a string"},
		{"level", "user.login", "gives a string, the attribute is a number"},
		{"extra", "user.login", "gives a string, the attribute is a object"},
		{"extra", "{1: 'a'}", "the attribute is a object"},
		{"title", "user.claims[?'city'].orValue(['']).first().orValue('x') + 'x'", "could take any number of steps"},
		{"title", "maps.rolez['a']", "expression 1:5: undeclared reference to 'maps.rolez'"},
		{"title", "user.claims.map(k, k).join('')", "expression 1:5: a loop needs a list, which has an order; this is a map(string, list(string))"},
		{"groups", "maps.roles.filter(k, true)", "a loop needs a list"},
		{"groups", "[[1], ['a']].filter(x, x.exists(y, y == 1)).map(x, '')", "a loop needs a list"},
		{"title", "app.name", "undeclared reference to 'app'"},
		{"title", "env.date", "undeclared reference to 'env'"},
		{"title", "user.login.slug(1)", "no matching overload"},
		{"title", "user.groups.map(a, user.groups.map(b, user.groups.map(c, c)[0])[0])[0]", "nesting"},
		{"title", "user.groups.map(a, user.groups.map(b, a + b).join('')).join('')", "steps for one user"},
		{"title", "'" + strings.Repeat("x", expression.MaxText) + "'", "size"},
	} {
		_, err := mapping.Compile([]mapping.Rule{login(), {Attribute: tt.attribute, Expression: tt.text}}, tables(), declared())
		var p *mapping.Problem
		if !errors.As(err, &p) || p.Attribute != tt.attribute || !strings.Contains(p.Message, tt.message) {
			t.Errorf("%.60s: %v, want a problem of %s with %q", tt.text, err, tt.attribute, tt.message)
		}
	}
}

// TestNoValue has what follows when there is no value, or an expression fails.
func TestNoValue(t *testing.T) {
	const absent = "(not sent)"
	empty := mapping.Rule{Attribute: "title", Source: "claims.empty"}
	fails := mapping.Rule{Attribute: "title", Expression: "user.claims['nope'][0]"}
	with := func(r mapping.Rule, edit func(*mapping.Rule)) mapping.Rule { edit(&r); return r }
	for _, tt := range []struct {
		name string
		rule mapping.Rule
		want any
		err  string
	}{
		{"by default it is cleared", empty, nil, ""},
		{"clear", with(empty, func(r *mapping.Rule) { r.OnNull = mapping.NullClear }), nil, ""},
		{"omit", with(empty, func(r *mapping.Rule) { r.OnNull = mapping.NullOmit }), absent, ""},
		{"fail", with(empty, func(r *mapping.Rule) { r.OnNull = mapping.NullFail }), nil, "the user has no value for this attribute"},
		{"default", with(empty, func(r *mapping.Rule) { r.Default = "x" }), "x", ""},
		{"default, said twice", with(empty, func(r *mapping.Rule) { r.Default, r.OnNull = "x", mapping.NullDefault }), "x", ""},
		{"default of an expression", mapping.Rule{Attribute: "title", Expression: "user.name.slug()", Default: "x"}, "x", ""},
		{"default of a list", mapping.Rule{Attribute: "groups", Expression: "user.groups.filter(g, false)", Default: []any{"a", "b"}}, []any{"a", "b"}, ""},
		{"default of a required one", mapping.Rule{Attribute: "userName", Source: "claims.empty", Default: "x"}, "x", ""},
		{"an expression fails", fails, nil, "the expression fails for this user at 1:1: there is no such key"},
		{"its default is for no value, not for a failure", with(fails, func(r *mapping.Rule) { r.Default = "x" }), nil, "no such key"},
		{"its failure is left out", with(fails, func(r *mapping.Rule) { r.OnError = mapping.ErrorOmit }), absent, ""},
	} {
		list := []mapping.Rule{tt.rule}
		if tt.rule.Attribute != "userName" {
			list = append(list, login())
		}
		got, err := apply(t, list, zoe())
		if tt.err != "" {
			if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInvalid || e.Field != tt.rule.Attribute || !strings.Contains(e.Message, tt.err) {
				t.Errorf("%s: %v, want invalid %s with %q", tt.name, err, tt.rule.Attribute, tt.err)
			}
			continue
		}
		v, sent := got[tt.rule.Attribute]
		if !sent {
			v = absent
		}
		if diff := cmp.Diff(tt.want, v); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s (%v)", tt.name, diff, err)
		}
	}
}

// TestKeysRefused has the keys that make no sense together, or for the attribute.
func TestKeysRefused(t *testing.T) {
	declared := append(declared(), sdk.Attribute{Name: "origin", Type: sdk.AttributeString, CreateOnly: true})
	for _, tt := range []struct {
		rule    mapping.Rule
		message string
	}{
		{mapping.Rule{Attribute: "title", Source: "user.name", Apply: "sometimes"}, `apply: "sometimes" is not one of always, on_create, on_update`},
		{mapping.Rule{Attribute: "origin", Source: "user.name", Apply: mapping.OnUpdate}, "apply: the connector takes this attribute only when it creates an account"},
		{mapping.Rule{Attribute: "userName", Source: "user.login", Apply: mapping.OnUpdate}, "apply: the connector cannot create an account without"},
		{mapping.Rule{Attribute: "externalId", Source: "user.id", Apply: mapping.OnCreate}, "apply: marks whose account it is"},
		{mapping.Rule{Attribute: "externalId", Source: "user.id", OnNull: mapping.NullOmit}, "on_null: marks whose account it is"},
		{mapping.Rule{Attribute: "title", Source: "user.name", OnNull: "skip"}, `on_null: "skip" is not one of`},
		{mapping.Rule{Attribute: "title", Source: "user.name", OnNull: mapping.NullDefault}, "on_null: default needs a default"},
		{mapping.Rule{Attribute: "title", Source: "user.name", OnNull: mapping.NullOmit, Default: "x"}, "default: is never taken, since on_null is omit"},
		{mapping.Rule{Attribute: "level", Source: "claims.level", Default: "x"}, "the default is not a number"},
		{mapping.Rule{Attribute: "title", Source: "user.name", Default: []any{"x"}}, "the default is a list"},
		{mapping.Rule{Attribute: "title", Constant: "x", OnNull: mapping.NullOmit}, "on_null: a constant is never without a value"},
		{mapping.Rule{Attribute: "userName", Source: "user.login", OnNull: mapping.NullClear}, "on_null: the connector requires this attribute; clear would leave it out"},
		{mapping.Rule{Attribute: "userName", Expression: "user.login", OnError: mapping.ErrorOmit}, "on_error: the connector requires this attribute"},
		{mapping.Rule{Attribute: "title", Source: "user.name", OnError: mapping.ErrorOmit}, "on_error: only an expression can fail"},
		{mapping.Rule{Attribute: "title", Expression: "user.name", OnError: "skip"}, `on_error: "skip" is not one of fail, omit`},
		{mapping.Rule{Attribute: "title", Expression: "user.name", UUID: true}, "has both expression and uuid: give one"},
		{mapping.Rule{Attribute: "title", UUID: true, Apply: mapping.Always}, "apply: a uuid value is made on_create and kept"},
		{mapping.Rule{Attribute: "title", UUID: true, Default: "x"}, "on_null: a uuid is never without a value"},
		{mapping.Rule{Attribute: "level", UUID: true}, "a uuid value is one string, the attribute is not"},
		{mapping.Rule{Attribute: "groups", UUID: true}, "a uuid value is one string, the attribute is not"},
		{mapping.Rule{Attribute: "externalId", UUID: true}, "must take user.id"},
		{unique("groups", "user.login"), "a unique value is one string"},
		{unique("title"), "unique: candidates: must be 1 to 10 expressions"},
		{unique("title", strings.Split(strings.Repeat("user.login ", 11), " ")...), "unique: candidates: must be 1 to 10"},
		{unique("title", "user.login", "user.groups"), "unique: candidates[1] 1:1: gives a list(string)"},
		{unique("title", "user.nope"), "unique: candidates[0] 1:5: undefined field 'nope'"},
		{suffix(3, 2), "unique: suffix: must run from 0 or more"},
		{suffix(-1, 2), "unique: suffix: must run from"},
		{suffix(0, 999), "over 999 numbers at most"},
		{suffix(9990, 10000), "to 9999 at most"},
	} {
		list := []mapping.Rule{tt.rule}
		if tt.rule.Attribute != "userName" {
			list = append(list, login())
		}
		_, err := mapping.Compile(list, nil, declared)
		var p *mapping.Problem
		if !errors.As(err, &p) || p.Attribute != tt.rule.Attribute || !strings.Contains(p.Message, tt.message) {
			t.Errorf("%+v: %v, want %q", tt.rule, err, tt.message)
		}
	}
}

func TestTablesRefused(t *testing.T) {
	many, large := mapping.Tables{}, map[string]string{}
	for i := range mapping.MaxTables + 1 {
		many[fmt.Sprintf("t%d", i)] = map[string]string{"a": "b"}
	}
	for i := range mapping.MaxEntries + 1 {
		large[fmt.Sprint(i)] = "x"
	}
	for name, tt := range map[string]struct {
		tables    mapping.Tables
		attribute string
	}{
		"many":      {many, "maps"},
		"large":     {mapping.Tables{"roles": large}, "maps.roles"},
		"empty":     {mapping.Tables{"roles": {}}, "maps.roles"},
		"name":      {mapping.Tables{"Roles-2": {"a": "b"}}, "maps.Roles-2"},
		"long text": {mapping.Tables{"roles": {"a": strings.Repeat("x", expression.MaxEntry+1)}}, "maps.roles"},
	} {
		_, err := mapping.Compile(nil, tt.tables, declared())
		var p *mapping.Problem
		if !errors.As(err, &p) || p.Attribute != tt.attribute {
			t.Errorf("%s: %v, want a problem of %s", name, err, tt.attribute)
		}
	}
}

// TestPhases shows what is sent when.
func TestPhases(t *testing.T) {
	declared := []sdk.Attribute{
		{Name: "id", Type: sdk.AttributeString, Owner: true, Correlate: 1},
		{Name: "login", Type: sdk.AttributeString, Required: true, Correlate: 2},
		{Name: "mail", Type: sdk.AttributeString, Correlate: 3},
		{Name: "origin", Type: sdk.AttributeString, CreateOnly: true},
		{Name: "first", Type: sdk.AttributeString},
		{Name: "later", Type: sdk.AttributeString},
		{Name: "uid", Type: sdk.AttributeString},
	}
	m, err := mapping.Compile([]mapping.Rule{
		unique("login", "user.login"), {Attribute: "mail", Source: "user.email", Apply: mapping.OnCreate},
		{Attribute: "origin", Constant: "o"}, {Attribute: "first", Constant: "f", Apply: mapping.OnCreate},
		{Attribute: "later", Constant: "l", Apply: mapping.OnUpdate}, {Attribute: "uid", UUID: true},
	}, nil, declared)
	if err != nil {
		t.Fatal(err)
	}
	for phase, want := range map[mapping.Phase]sdk.Attributes{
		mapping.ForCreate: {"id": "u1", "mail": "ann@example.com", "origin": "o", "first": "f"},
		mapping.ForUpdate: {"id": "u1", "later": "l"},
		mapping.ForLookup: {"id": "u1", "mail": "ann@example.com"},
	} {
		got, err := m.Apply(ann(), phase)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s (%v)", phase, diff, err)
		}
	}
	if got := m.Kept(); len(got) != 2 || got[0].Attribute.Name != "login" || got[0].UUID || got[1].Attribute.Name != "uid" || !got[1].UUID {
		t.Errorf("kept = %+v", got)
	}
	if got := m.OnlyUpdated(); len(got) != 1 || got[0] != "later" {
		t.Errorf("only updated = %v", got)
	}
}

// TestTooLargeAPerson shows that nothing is evaluated for one, and the rest is mapped.
func TestTooLargeAPerson(t *testing.T) {
	p := ann()
	p.Groups = make([]string, rules.MaxListValues+1)
	title := mapping.Rule{Attribute: "title", Expression: "user.login"}
	_, err := apply(t, []mapping.Rule{login(), title}, p)
	if e := sdk.AsError(err); e == nil || e.Field != "title" || !strings.Contains(e.Message, "user.groups has more than 2000 values") {
		t.Errorf("error = %v", err)
	}
	if got, err := apply(t, []mapping.Rule{login()}, p); err != nil || got["userName"] != "ann" {
		t.Errorf("without an expression: %v, %v", got, err)
	}
	title.OnError = mapping.ErrorOmit
	if got, err := apply(t, []mapping.Rule{login(), title}, p); err != nil || got["userName"] != "ann" {
		t.Errorf("with on_error: omit: %v, %v", got, err)
	}
}
