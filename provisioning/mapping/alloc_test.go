package mapping_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// sixteen is a usual mapping: half of it sources, with some expressions and a unique
// login.
func sixteen(t testing.TB) *mapping.Mapping {
	t.Helper()
	rules := []mapping.Rule{
		{Attribute: "a00", Source: "user.id"}, {Attribute: "a01", Source: "user.given_name"}, {Attribute: "a02", Source: "user.family_name"},
		{Attribute: "a03", Source: "user.email"}, {Attribute: "a04", Source: "user.locale"}, {Attribute: "a05", Source: "claims.title", Default: "Staff"},
		{Attribute: "a06", Source: "user.phone_number", OnNull: mapping.NullOmit}, {Attribute: "a07", Source: "claims.level"},
		{Attribute: "a08", Constant: "Employee"}, {Attribute: "a09", Constant: "en_US", Apply: mapping.OnCreate},
		{Attribute: "a10", Expression: "user.email.lower()"}, {Attribute: "a11", Expression: "user.given_name + ' ' + user.family_name"},
		{Attribute: "a12", Expression: "maps.roles.get(user.groups.size() > 0 ? user.groups[0] : '', 'none')"},
		{Attribute: "a13", Expression: "user.active ? 'active' : 'leaver'"},
		{Attribute: "a14", Expression: "[user.given_name, user.family_name].map(s, s.slug()).join('.')"},
		unique("a15", "user.login"),
	}
	var declared []sdk.Attribute
	for _, r := range rules {
		declared = append(declared, sdk.Attribute{Name: r.Attribute, Type: sdk.AttributeString})
	}
	m, err := mapping.Compile(rules, tables(), declared)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAllocations is the budget of mapping one person.
func TestAllocations(t *testing.T) {
	m, p := sixteen(t), ann()
	got := testing.AllocsPerRun(100, func() {
		if _, err := m.Apply(p, mapping.ForCreate); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations", got)
	if got > 150 {
		t.Errorf("%v allocations, more than 150", got)
	}
}

func BenchmarkApply(b *testing.B) {
	m, p := sixteen(b), ann()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Apply(p, mapping.ForCreate); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sixteen(b)
	}
}
