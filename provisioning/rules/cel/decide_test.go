package cel

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// ada is a usual request.
func ada() *rules.Request {
	return &rules.Request{
		User: rules.User{
			ID: "u1", Username: "ada", Email: "ada@example.com", EmailVerified: true, Active: true,
			GivenName: "Ada", FamilyName: "Lovelace", Groups: []string{"Engineering", "Doe, Jane"},
			Claims: map[string][]string{"department": {"R&D"}, "http://wso2.org/claims/title": {"a", "b"}},
		},
		App:       rules.App{Name: "Payroll", ClientID: "payroll"},
		Connector: rules.Connector{Name: "directory", Type: "scim2", Binding: "b1"},
		Operation: rules.OperationCreate,
		IP:        netip.MustParseAddr("10.1.2.3"),
		Trigger:   rules.TriggerJIT,
		Now:       time.Date(2026, 11, 25, 10, 30, 0, 0, time.UTC),
	}
}

func TestConditions(t *testing.T) {
	for expr, want := range map[string]rules.Decision{
		"true":                                                      rules.Permit,
		"false":                                                     rules.NotApplicable,
		"'Engineering' in user.groups":                              rules.Permit,
		"'Doe, Jane' in user.groups":                                rules.Permit, // a comma separates nothing
		"'Doe' in user.groups":                                      rules.NotApplicable,
		"user.email.endsWith('@example.com')":                       rules.Permit,
		"user.email.matches('^a.*com$')":                            rules.Permit,
		"has(user.email)":                                           rules.Permit,
		"has(user.phone_number)":                                    rules.NotApplicable, // there, and empty
		"user.claims['department'] == ['R&D']":                      rules.Permit,
		"user.claims.department == ['R&D']":                         rules.Permit,
		"user.claims['nope'] == ['x']":                              rules.IndeterminateP,
		"user.claims[?'nope'].orValue([]) == []":                    rules.Permit,
		"'nope' in user.claims && user.claims['nope'] == []":        rules.NotApplicable,
		"user.claims['nope'][0] == 'a' && env.hour > 100":           rules.NotApplicable, // false outweighs an error, as in XACML
		"user.claims['nope'][0] == 'a' || env.hour < 100":           rules.Permit,
		"user.claims['nope'][0] == 'a' && env.hour > 1":             rules.IndeterminateP,
		"user.groups[7] == 'a'":                                     rules.IndeterminateP,
		"1 / (env.hour - env.hour) == 1":                            rules.IndeterminateP,
		"env.between(user.email, '10:00')":                          rules.IndeterminateP,
		"request.ip.in_network(user.email)":                         rules.IndeterminateP,
		"request.ip.in_network('10.0.0.0/8')":                       rules.Permit,
		"request.ip.in_network('fd00::/8')":                         rules.NotApplicable,
		"user.email.in_network('10.0.0.0/8')":                       rules.NotApplicable,
		"request.operation == 'create' && request.trigger == 'jit'": rules.Permit,
		"app.client_id == 'payroll' && app.name == 'Payroll'":       rules.Permit,
		"connector.type == 'scim2'":                                 rules.Permit,
		"!account.linked && account.remote_id == ''":                rules.Permit,
		"env.weekday == 'wed' && env.date == '2026-11-25'":          rules.Permit,
		"env.now - duration('1h') < env.now":                        rules.Permit,
		"env.now - account.last_provisioned > duration('24h')":      rules.Permit,
		"user.groups.exists(g, g.lowerAscii() == 'engineering')":    rules.Permit,
		"sets.intersects(user.groups, ['Sales', 'Engineering'])":    rules.Permit,
	} {
		t.Run(expr, func(t *testing.T) {
			if got := compile(t, one(expr)).Decide(ada()); got.Decision != want {
				t.Errorf("decision = %s (%+v), want %s", got.Decision, got.Status, want)
			}
		})
	}
}

func TestMappedAddressIsInItsNetwork(t *testing.T) {
	r := ada()
	r.IP = netip.MustParseAddr("::ffff:10.1.2.3")
	if got := compile(t, one("request.ip.in_network('10.0.0.0/8')")).Decide(r); got.Decision != rules.Permit {
		t.Errorf("decision = %s", got.Decision)
	}
	r.IP = netip.Addr{}
	if got := compile(t, one("request.ip.in_network('0.0.0.0/0')")).Decide(r); got.Decision != rules.NotApplicable {
		t.Errorf("without an address: %s", got.Decision)
	}
}

// TestCombining shows that the algorithms of package rules are at work, with the
// obligations of what decided.
func TestCombining(t *testing.T) {
	const set = `combining: %s
rules:
  - {id: engineers, effect: permit, operations: [create], when: "'Engineering' in user.groups", obligations: [{id: role, values: {role: developer, also: [a, b]}}]}
  - {id: outsiders, effect: deny, when: "user.email.endsWith('.com')", obligations: [{id: report}]}
  - {id: broken, effect: permit, operations: [update], when: "user.claims['nope'] == []"}
`
	role := rules.Obligation{ID: "role", Assignments: []rules.Assignment{
		{ID: "role", Type: "string", Value: "developer"}, {ID: "also", Type: "string", Value: "a"}, {ID: "also", Type: "string", Value: "b"},
	}}
	permit := rules.Result{Decision: rules.Permit, Rule: "engineers", Obligations: []rules.Obligation{role}}
	deny := rules.Result{Decision: rules.Deny, Rule: "outsiders", Obligations: []rules.Obligation{{ID: "report"}}}
	for _, c := range []struct {
		algorithm rules.Algorithm
		operation rules.Operation
		want      rules.Result
	}{
		{rules.DenyOverrides, rules.OperationCreate, deny},
		{rules.PermitOverrides, rules.OperationCreate, permit},
		{rules.FirstApplicable, rules.OperationCreate, permit},
		{rules.FirstApplicable, rules.OperationUpdate, deny},
		{rules.DenyUnlessPermit, rules.OperationUpdate, deny},
		{rules.PermitUnlessDeny, rules.OperationCreate, deny},
	} {
		r := ada()
		r.Operation = c.operation
		got := compile(t, fmt.Sprintf(set, c.algorithm)).Decide(r)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", c.algorithm, c.operation, diff)
		}
	}
	r := ada()
	r.Operation = rules.OperationUpdate
	if got := compile(t, fmt.Sprintf(set, rules.PermitOverrides)).Decide(r); got.Decision != rules.IndeterminateDP {
		t.Errorf("an error beside a Deny = %s, want Indeterminate{DP}", got.Decision)
	}
}

// TestStatus shows what is said of an error: where, what kind, and no value.
func TestStatus(t *testing.T) {
	for expr, want := range map[string]rules.Status{
		"user.claims['nope'] == [user.email]": {
			Code: rules.StatusMissingAttribute, Message: `rule "it": there is no such key`, Line: 5, Column: 7,
			Missing: []rules.Attribute{{Category: categoryUser, ID: "nope", Type: typeString}},
		},
		"user.active && {'a': 'b'}[user.email] == 'b'": {
			Code: rules.StatusMissingAttribute, Message: `rule "it": there is no such key`, Line: 5, Column: 22,
		},
		"user.active && user.groups[9] == 'b'": {
			Code: rules.StatusProcessingError, Message: `rule "it": the list is shorter than that`, Line: 5, Column: 22,
		},
		"timestamp(user.email) > env.now": {
			Code: rules.StatusProcessingError, Message: `rule "it": the condition cannot be evaluated`, Line: 5, Column: 7,
		},
	} {
		got := compile(t, one(expr)).Decide(ada())
		if diff := cmp.Diff(want, got.Status); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
		if strings.Contains(got.Status.Message, "ada") {
			t.Errorf("the status tells a value: %s", got.Status.Message)
		}
	}
}

// faulty is a program that goes wrong in a way of its own.
type faulty struct {
	cel.Program
	eval func() error
}

func (f faulty) Eval(any) (ref.Val, *cel.EvalDetails, error) { return nil, nil, f.eval() }

func TestPanicIsIndeterminate(t *testing.T) {
	for name, eval := range map[string]func() error{
		"a panic":           func() error { panic("boom") },
		"an error":          func() error { return errors.New("boom") },
		"no value at all":   func() error { return nil },
		"a runtime problem": func() error { var m map[string]int; m["a"] = 1; return nil },
	} {
		s := compile(t, one("true"))
		s.rules[0].program = faulty{eval: eval}
		got := s.Decide(ada())
		if got.Decision != rules.IndeterminateP || got.Status.Code != rules.StatusProcessingError || strings.Contains(got.Status.Message, "boom") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := compile(t, one("true")).Decide(nil); got.Decision != rules.IndeterminateDP {
		t.Errorf("without a request: %+v", got)
	}
}

// TestParallel has something to find for the race detector.
func TestParallel(t *testing.T) {
	s := compile(t, one("user.claims['nope'] == ['x'] || (env.between('09:00', '17:00') && user.groups.exists(g, g == 'Engineering'))"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := s.Decide(ada()); got.Decision != rules.Permit {
					t.Errorf("decision = %s", got.Decision)
				}
				s.Explain(ada(), nil)
			}
		})
	}
	wg.Wait()
}
