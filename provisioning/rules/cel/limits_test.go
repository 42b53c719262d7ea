package cel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/expression"
	"github.com/anteroom-id/anteroom/provisioning/rules"
)

func groups(n, length int) []string {
	out := make([]string, n)
	for i := range out {
		name := fmt.Sprintf("group-%04d-", i)
		out[i] = name + strings.Repeat("x", max(length-len(name), 0))
	}
	return out
}

// TestManyGroups shows that a user of 500 groups is no problem, nor one of 2000.
func TestManyGroups(t *testing.T) {
	for _, expr := range []string{
		"'group-0499-' in user.groups",
		"user.groups.exists(g, g.startsWith('group-0499'))",
		"user.groups.exists(g, g.matches('^group-0[0-9]+9-$'))",
		"sets.contains(user.groups, ['group-0000-', 'group-0499-'])",
		"user.groups.filter(g, g.startsWith('group-')).size() >= 500",
	} {
		for _, n := range []int{500, rules.MaxListValues} {
			r := ada()
			r.User.Groups = groups(n, 0)
			s := compile(t, one(expr))
			start := time.Now()
			if got := s.Decide(r); got.Decision != rules.Permit {
				t.Errorf("%s of %d groups: %+v", expr, n, got)
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("%s of %d groups took %s", expr, n, d)
			}
		}
	}
}

// TestTooLarge shows that a request beyond the limits is not evaluated, whatever
// the condition.
func TestTooLarge(t *testing.T) {
	r := ada()
	r.User.Groups = groups(rules.MaxListValues+1, 0)
	s := compile(t, one("true"))
	got := s.Decide(r)
	if got.Decision != rules.IndeterminateDP || got.Status.Message != "user.groups has more than 2000 values" {
		t.Errorf("%s, %+v", got.Decision, got.Status)
	}
	if x := s.Explain(r, nil); x.Result.Decision != rules.IndeterminateDP || x.Policy != nil {
		t.Errorf("explained: %+v", x)
	}
}

// TestCost shows that a condition that runs away is stopped, in little time, and
// decides nothing.
func TestCost(t *testing.T) {
	big := strings.Repeat("a", rules.MaxValueBytes)
	for _, expr := range []string{
		"user.email.replace('', user.name).replace('', user.name).size() > 0",
		"user.groups.join(user.name).size() > 0",
		"user.groups.all(g, user.roles.all(h, g != h + 'x'))",
		"user.email.split('').join(user.name).split('').size() > 0",
	} {
		s, err := compileUnchecked(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		r := ada()
		r.User.Email, r.User.Name, r.User.Groups, r.User.Roles = big, big, groups(1000, 120), groups(1000, 120)
		start := time.Now()
		got := s.Decide(r)
		if got.Decision != rules.IndeterminateP || got.Status.Code != rules.StatusCostExceeded {
			t.Errorf("%s: %s, %+v", expr, got.Decision, got.Status)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %s", expr, d)
		}
	}
}

// compileUnchecked leaves out the estimate, which would refuse most of what the
// limit at run time is for.
func compileUnchecked(expr string) (*Set, error) {
	doc, r := parse(one(expr))
	env, err := newEnvironment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(expr)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	out := &rule{effect: rules.Permit, condition: condition{checked: checked.NativeRep(), source: doc.rules[0].when, text: r.Source}}
	if out.program, err = expression.PlanUnchecked(env, checked); err != nil {
		return nil, err
	}
	return &Set{algorithm: rules.DenyOverrides, zone: time.UTC, env: env, rules: []*rule{out}, nodes: []rules.Node[*input]{out}}, nil
}
