package rules

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var everyDecision = []Decision{Permit, Deny, NotApplicable, IndeterminateD, IndeterminateP, IndeterminateDP}

// fixed is a node that decides one thing and counts how often it is asked. Its
// target fails when it is indeterminate.
type fixed struct {
	decision Decision
	name     string
}

func (f fixed) Applies(*int) (Applicability, Status) {
	switch {
	case f.decision == NotApplicable:
		return NoMatch, Status{}
	case f.decision.Indeterminate():
		return MatchIndeterminate, Status{Code: StatusProcessingError, Message: f.name}
	default:
		return Match, Status{}
	}
}

func (f fixed) Decide(asked *int) Result {
	*asked++
	if f.decision.Indeterminate() {
		return Failed(f.decision, Status{Code: StatusProcessingError, Message: f.name})
	}
	if f.decision == NotApplicable {
		return Result{Decision: NotApplicable}
	}
	o := []Obligation{{ID: f.name}}
	return Result{Decision: f.decision, Obligations: o, Advice: o}
}

// sequences returns every sequence of up to three decisions.
func sequences() [][]Decision {
	out := [][]Decision{nil}
	for from, n := 0, 0; n < 3; n++ {
		to := len(out)
		for _, head := range out[from:to] {
			for _, d := range everyDecision {
				out = append(out, append(slices.Clone(head), d))
			}
		}
		from = to
	}
	return out
}

// worlds is the meaning of an indeterminate decision, and the oracle of the two
// overriding algorithms: it stands for each decision that it could have been.
func worlds(d Decision) []Decision {
	switch d {
	case IndeterminateD:
		return []Decision{Deny, NotApplicable}
	case IndeterminateP:
		return []Decision{Permit, NotApplicable}
	case IndeterminateDP:
		return []Decision{Permit, Deny, NotApplicable}
	default:
		return []Decision{d}
	}
}

// possible combines every world of a sequence and names the set of outcomes.
func possible(seq []Decision, strong, weak Decision) Decision {
	seen := map[Decision]bool{}
	var walk func(rest, world []Decision)
	walk = func(rest, world []Decision) {
		if len(rest) > 0 {
			for _, d := range worlds(rest[0]) {
				walk(rest[1:], append(slices.Clone(world), d))
			}
			return
		}
		switch {
		case slices.Contains(world, strong):
			seen[strong] = true
		case slices.Contains(world, weak):
			seen[weak] = true
		default:
			seen[NotApplicable] = true
		}
	}
	walk(seq, nil)
	switch {
	case len(seen) == 1:
		for d := range seen {
			return d
		}
	case seen[Permit] && seen[Deny]:
		return IndeterminateDP
	case seen[Permit]:
		return IndeterminateP
	}
	return IndeterminateD
}

// oracle says what appendix C wants, written from its prose.
func oracle(a Algorithm, seq []Decision) Decision {
	failed := slices.ContainsFunc(seq, Decision.Indeterminate)
	applicable := slices.DeleteFunc(slices.Clone(seq), func(d Decision) bool { return d == NotApplicable })
	errors := slices.DeleteFunc(slices.Clone(seq), func(d Decision) bool { return !d.Indeterminate() })
	switch {
	case a == DenyOverrides:
		return possible(seq, Deny, Permit)
	case a == PermitOverrides:
		return possible(seq, Permit, Deny)
	case a == DenyUnlessPermit && !slices.Contains(seq, Permit):
		return Deny
	case a == DenyUnlessPermit:
		return Permit
	case a == PermitUnlessDeny && !slices.Contains(seq, Deny):
		return Permit
	case a == PermitUnlessDeny:
		return Deny
	case len(applicable) == 0:
		return NotApplicable
	case a == FirstApplicable:
		return applicable[0]
	case a == OnlyOneApplicable && (failed || len(applicable) > 1):
		return IndeterminateDP
	case a == OnlyOneApplicable:
		return applicable[0]
	case a == LegacyDenyOverrides && (failed || slices.Contains(seq, Deny)):
		return Deny
	case a == LegacyDenyOverrides:
		return Permit
	case slices.Contains(seq, Permit):
		return Permit
	case slices.Contains(seq, Deny):
		return Deny
	default:
		return possible(errors, Permit, Deny)
	}
}

var everyAlgorithm = []Algorithm{
	DenyOverrides, PermitOverrides, FirstApplicable, OnlyOneApplicable,
	DenyUnlessPermit, PermitUnlessDeny, LegacyDenyOverrides, LegacyPermitOverrides,
}

func nodesOf(seq []Decision) []Node[*int] {
	nodes := make([]Node[*int], len(seq))
	for i, d := range seq {
		nodes[i] = fixed{d, fmt.Sprint(i)}
	}
	return nodes
}

func TestCombineEverySequence(t *testing.T) {
	seqs := sequences()
	if len(seqs) != 1+6+36+216 {
		t.Fatalf("%d sequences", len(seqs))
	}
	for _, a := range everyAlgorithm {
		for _, seq := range seqs {
			var asked int
			got := Combine(a, &asked, nodesOf(seq))
			if want := oracle(a, seq); got.Decision != want {
				t.Errorf("%s of %v = %v, want %v", a, seq, got.Decision, want)
			}
			checkBelongings(t, a, seq[:min(asked, len(seq))], got)
		}
	}
}

// checkBelongings holds that a decision comes with the obligations of exactly the
// asked nodes that decided so, and an error with its status.
func checkBelongings(t *testing.T, a Algorithm, asked []Decision, got Result) {
	t.Helper()
	var want []Obligation
	if a != OnlyOneApplicable { // asks another node than the first
		for i, d := range asked {
			if d == got.Decision && !d.Indeterminate() && d != NotApplicable {
				want = append(want, Obligation{ID: fmt.Sprint(i)})
			}
		}
		if diff := cmp.Diff(want, got.Obligations); diff != "" {
			t.Errorf("%s of %v obliges (-want +got):\n%s", a, asked, diff)
		}
		if diff := cmp.Diff(want, got.Advice); diff != "" {
			t.Errorf("%s of %v advises (-want +got):\n%s", a, asked, diff)
		}
	}
	if got.Decision.Indeterminate() != (got.Status.Code != StatusOK) {
		t.Errorf("%s of %v = %v with status %q", a, asked, got.Decision, got.Status.Code)
	}
}

// TestCombineAsksNoMore holds how many nodes are asked: a decision that no other
// could change is the last, so what comes after it adds no obligations.
func TestCombineAsksNoMore(t *testing.T) {
	tests := []struct {
		algorithm Algorithm
		seq       []Decision
		asked     int
	}{
		{DenyOverrides, []Decision{Permit, Deny, Deny}, 2},
		{DenyOverrides, []Decision{IndeterminateDP, Permit, Permit}, 3},
		{PermitOverrides, []Decision{Permit, Permit}, 1},
		{FirstApplicable, []Decision{NotApplicable, IndeterminateD, Permit}, 2},
		{OnlyOneApplicable, []Decision{NotApplicable, Deny, NotApplicable}, 1},
		{OnlyOneApplicable, []Decision{Permit, Permit}, 0},
		{DenyUnlessPermit, []Decision{Deny, Permit, Permit}, 2},
		{PermitUnlessDeny, []Decision{Permit, Deny, Deny}, 2},
		{LegacyDenyOverrides, []Decision{Permit, IndeterminateP, Deny}, 2},
		{LegacyPermitOverrides, []Decision{Deny, IndeterminateD, Permit, Permit}, 3},
	}
	for _, tt := range tests {
		var asked int
		if Combine(tt.algorithm, &asked, nodesOf(tt.seq)); asked != tt.asked {
			t.Errorf("%s of %v asked %d, want %d", tt.algorithm, tt.seq, asked, tt.asked)
		}
	}
}

// TestCombineUnordered holds that order changes no decision of the algorithms
// that have no order.
func TestCombineUnordered(t *testing.T) {
	for _, a := range []Algorithm{DenyOverrides, PermitOverrides, DenyUnlessPermit, PermitUnlessDeny, LegacyDenyOverrides, LegacyPermitOverrides, OnlyOneApplicable} {
		for _, seq := range sequences() {
			back := slices.Clone(seq)
			slices.Reverse(back)
			var n int
			one, two := Combine(a, &n, nodesOf(seq)), Combine(a, &n, nodesOf(back))
			if one.Decision != two.Decision {
				t.Errorf("%s of %v = %v, backwards %v", a, seq, one.Decision, two.Decision)
			}
		}
	}
}

func TestCombineKeepsResultsApart(t *testing.T) {
	var n int
	shared := make([]Obligation, 1, 4)
	shared[0].ID = "first"
	nodes := []Node[*int]{given{Result{Decision: Permit, Obligations: shared}}, given{Result{Decision: Permit, Obligations: []Obligation{{ID: "second"}}}}}
	got := Combine(DenyOverrides, &n, nodes)
	if len(got.Obligations) != 2 || shared[:2][1].ID != "" {
		t.Errorf("obligations = %v, and the node's own became %v", got.Obligations, shared[:2])
	}
}

type given struct{ r Result }

func (given) Applies(*int) (Applicability, Status) { return Match, Status{} }
func (g given) Decide(*int) Result                 { return g.r }

func TestCombineUnknownFails(t *testing.T) {
	var n int
	got := Combine("majority", &n, nodesOf([]Decision{Permit}))
	if got.Decision != IndeterminateDP || n != 0 {
		t.Errorf("unknown algorithm = %v after %d nodes, want an error before any", got.Decision, n)
	}
}

func TestZeroDecisionFails(t *testing.T) {
	var r Result
	if !r.Decision.Indeterminate() || !r.Decision.MayPermit() {
		t.Errorf("the zero decision is %v, want an error that could have been anything", r.Decision)
	}
	if got := Failed(Permit, Status{Code: StatusSyntaxError}); got.Decision != IndeterminateDP {
		t.Errorf("Failed(Permit) = %v", got.Decision)
	}
	if !Decision(99).Indeterminate() {
		t.Error("a value that is no decision counts as one")
	}
}

func TestSpoil(t *testing.T) {
	want := map[Decision]Decision{
		Permit: IndeterminateP, Deny: IndeterminateD, NotApplicable: NotApplicable,
		IndeterminateD: IndeterminateD, IndeterminateP: IndeterminateP, IndeterminateDP: IndeterminateDP,
	}
	for d, w := range want {
		if got := d.Spoil(); got != w {
			t.Errorf("%v spoilt = %v, want %v", d, got, w)
		}
	}
}
