package mapping_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// FuzzExpression compiles any expression for any attribute and applies it to any
// person: it is refused with the attribute's name, or gives values of the declared
// type, the same each time, or fails for that person; and all of that soon.
func FuzzExpression(f *testing.F) {
	for i, text := range []string{
		"user.email.split('@')[0].slug()", "user.groups.map(g, g in maps.roles, maps.roles[g])", "user.claims[user.login][0]", "int(user.name)",
		"user.active", "{'a': user.claims, 'b': [1, 2.5, user.login]}", "user.groups.map(g, g.normalise('de').left(2))[?0]",
		"user.name.replace('', user.email)", "user.name.matches(user.email) ? 1.0/0.0 : 2.0", "maps.roles.get(user.name, user.email)", "optional.none()",
		"user.groups.join(user.name).split('').map(s, s.upper()).join('')", "{1: 2}", "[[user.login]]", "user.claims.map(k, k).join(user.name)", "timestamp(user.name)", "b'x'",
	} {
		f.Add(uint8(i), text, "Zoë", "staff")
	}
	f.Fuzz(func(t *testing.T, which uint8, text, name, group string) {
		begun := time.Now()
		defer func() {
			if d := time.Since(begun); d > 5*time.Second {
				t.Errorf("took %s", d)
			}
		}()
		attributes := declared()[2:]
		a := attributes[int(which)%len(attributes)]
		rules := []mapping.Rule{{Attribute: a.Name, Expression: text}, unique("userName", text)}
		for _, rule := range rules {
			list := []mapping.Rule{rule}
			if rule.Unique == nil {
				list = append(list, login())
			}
			m, err := mapping.Compile(list, tables(), declared())
			if err != nil {
				problems, ok := err.(interface{ Unwrap() []error })
				if !ok || len(problems.Unwrap()) != 1 || problems.Unwrap()[0].(*mapping.Problem).Attribute != rule.Attribute {
					t.Fatalf("%v names no attribute", err)
				}
				continue
			}
			p := mapping.Profile{ID: "u", Login: "l", Name: name, Email: group, Groups: []string{group, name}, Claims: map[string][]string{name: {group}}}
			first, err := m.Apply(p, mapping.ForUpdate)
			again, errAgain := m.Apply(p, mapping.ForUpdate)
			named(t, err)
			if (err == nil) != (errAgain == nil) || !cmp.Equal(first, again) {
				t.Errorf("gives %v, %v and then %v, %v", first, err, again, errAgain)
			}
			if v := first[a.Name]; v != nil && !fits(v, a) {
				t.Errorf("%#v is no %s (multi-valued %v)", v, a.Type, a.MultiValued)
			}
			if rule.Unique != nil {
				candidates, err := m.Candidates("userName", p)
				named(t, err)
				if err == nil && (len(candidates) != 1 || candidates[0].Value == "") {
					t.Errorf("candidates %v", candidates)
				}
			}
		}
	})
}

// named fails unless an error is of a person's attribute.
func named(t *testing.T, err error) {
	t.Helper()
	if e := sdk.AsError(err); e != nil && (e.Kind != sdk.KindInvalid || e.Field == "" || e.Message == "") {
		t.Errorf("error %v names no attribute", err)
	}
}
