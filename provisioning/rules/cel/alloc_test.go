package cel

import (
	"testing"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

const typical = "'Engineering' in user.groups && user.email.endsWith('@example.com') && app.client_id == 'payroll' && env.between('09:00', '17:00')"

// TestAllocations is the budget of a typical rule.
func TestAllocations(t *testing.T) {
	s, r := compile(t, one(typical)), ada()
	got := testing.AllocsPerRun(200, func() {
		if s.Decide(r).Decision != rules.Permit {
			t.Fatal("the rule does not permit")
		}
	})
	if got > 25 {
		t.Errorf("%v allocations, more than 25", got)
	}
	t.Logf("%v allocations", got)
}

func BenchmarkDecide(b *testing.B) {
	s, r := compile(b, one(typical)), ada()
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(r)
	}
}

func BenchmarkCompile(b *testing.B) {
	source := one(typical)
	b.ReportAllocs()
	for b.Loop() {
		compile(b, source)
	}
}
