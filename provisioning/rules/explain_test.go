package rules

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReaches compares how far an algorithm comes with how many nodes Combine asks.
func TestReaches(t *testing.T) {
	all := []Decision{Permit, Deny, NotApplicable, IndeterminateD, IndeterminateP, IndeterminateDP}
	algorithms := []Algorithm{
		DenyOverrides, PermitOverrides, FirstApplicable, DenyUnlessPermit, PermitUnlessDeny, LegacyDenyOverrides, LegacyPermitOverrides,
	}
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				decisions := []Decision{a, b, c}
				for _, algorithm := range algorithms {
					asked := 0
					var nodes []Node[*int]
					for _, d := range decisions {
						nodes = append(nodes, counting(d))
					}
					Combine(algorithm, &asked, nodes)
					if got := algorithm.reaches(decisions); got != asked {
						t.Errorf("%s of %v reaches %d, asked %d", algorithm, decisions, got, asked)
					}
				}
			}
		}
	}
	if got := OnlyOneApplicable.reaches(all); got != len(all) {
		t.Errorf("only-one-applicable reaches %d of %d", got, len(all))
	}
}

// counting is a node that counts how often it is asked.
type counting Decision

func (counting) Applies(*int) (Applicability, Status) { return Match, Status{} }

func (c counting) Decide(asked *int) Result {
	*asked++
	return Result{Decision: Decision(c)}
}

// example is an explanation with everything in it.
func example() Explanation {
	d := NewDraft(nil)
	d.Omit()
	failed := Status{Code: StatusMissingAttribute, Message: "attribute badge is missing", Source: "b.xml", Line: 9, Column: 2, Missing: []Attribute{{Category: "user", ID: "badge", Type: "string"}}}
	cause := Cause{Text: "a", Line: 3, Column: 4, Value: TruthFalse, Operands: []Operand{{"x", "urn:x", Show("1")}, {"y", "urn:y", Hidden}}}
	p := &PolicyExplanation{
		ID: "all", Algorithm: FirstApplicable, Decision: Permit, Applies: Match,
		Policies: []PolicyExplanation{
			{ID: "b", Source: "b.xml", Line: 1, Column: 1, Algorithm: DenyOverrides, Decision: NotApplicable, Applies: NoMatch, Target: d.Add(nil, cause)},
			{ID: "c", Algorithm: DenyOverrides, Decision: Permit, Applies: Match, Rules: []RuleExplanation{{
				ID: "r\nr", Line: 5, Column: 6, Effect: Permit, Decision: Permit, Applies: Match,
				Condition: d.Add(nil, Cause{Text: "b\x1b[2J", Variable: "v", Value: TruthTrue}),
			}}},
			{ID: "d", Algorithm: DenyOverrides, Decision: IndeterminateD, Status: failed, Applies: MatchIndeterminate, Rules: []RuleExplanation{{
				ID: "s", Effect: Deny, Decision: IndeterminateD, Status: failed, Applies: MatchIndeterminate,
				Duties: d.Add(nil, Cause{Text: "o: v = c", Value: TruthError, Error: "division by zero"}),
			}}},
		},
	}
	return d.Finish(Result{Decision: Permit, Policy: "c", Rule: "r", Obligations: []Obligation{{ID: "log"}, {ID: "role", Assignments: []Assignment{{ID: "name", Type: "string", Value: "a"}, {ID: "who", Value: Hidden}}}}, Advice: []Obligation{{ID: "tell"}}}, p)
}

// TestExplanationText is the form for people: a line each, whatever is in a name.
func TestExplanationText(t *testing.T) {
	want := `Permit by rule "r" of policy "c"
  obligation log
  obligation role: name = "a", who = •••
  advice tell
policy "all" (first-applicable): Permit
  b.xml:1:1: policy "b" (deny-overrides): NotApplicable
    target
      3:4: a is false, where x = "1", y = •••
  policy "c" (deny-overrides): Permit
    5:6: rule "r\nr" (Permit): Permit
      condition
        b [2J is true (of variable v)
  policy "d" (deny-overrides): not reached, would be Indeterminate{D}: b.xml:9:2: attribute badge is missing (missing-attribute)
    rule "s" (Deny): not reached, would be Indeterminate{D}: b.xml:9:2: attribute badge is missing (missing-attribute)
      obligations and advice
        o: v = c is error: division by zero
and 1 more, left out
`
	if diff := cmp.Diff(want, example().Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// TestExplanationJSON is the form for programs, which must not change.
func TestExplanationJSON(t *testing.T) {
	x := example()
	x.Policy.Policies = x.Policy.Policies[1:]
	x.Policy.Policies[1].Rules[0].Status = Status{}
	want := `{
 "result": {
  "decision": "permit",
  "policy": "c",
  "rule": "r",
  "obligations": [
   {
    "id": "log"
   },
   {
    "id": "role",
    "assignments": [
     {
      "id": "name",
      "type": "string",
      "value": "a"
     },
     {
      "id": "who",
      "type": "",
      "value": "•••"
     }
    ]
   }
  ],
  "advice": [
   {
    "id": "tell"
   }
  ]
 },
 "policy": {
  "id": "all",
  "combining": "first-applicable",
  "decision": "permit",
  "reached": true,
  "applies": "match",
  "policies": [
   {
    "id": "c",
    "combining": "deny-overrides",
    "decision": "permit",
    "reached": true,
    "applies": "match",
    "rules": [
     {
      "id": "r\nr",
      "line": 5,
      "column": 6,
      "effect": "permit",
      "decision": "permit",
      "reached": true,
      "applies": "match",
      "condition": [
       {
        "text": "b\u001b[2J",
        "variable": "v",
        "value": "true"
       }
      ]
     }
    ]
   },
   {
    "id": "d",
    "combining": "deny-overrides",
    "decision": "indeterminate_d",
    "status": {
     "code": "missing-attribute",
     "message": "attribute badge is missing",
     "source": "b.xml",
     "line": 9,
     "column": 2,
     "missing": [
      {
       "category": "user",
       "id": "badge",
       "type": "string"
      }
     ]
    },
    "reached": false,
    "applies": "indeterminate",
    "rules": [
     {
      "id": "s",
      "effect": "deny",
      "decision": "indeterminate_d",
      "reached": false,
      "applies": "indeterminate",
      "duties": [
       {
        "text": "o: v = c",
        "value": "error",
        "error": "division by zero"
       }
      ]
     }
    ]
   }
  ]
 },
 "omitted": 1
}`
	got, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

// TestDraftIsBounded shows that nothing that comes from a policy or a user makes an
// explanation large.
func TestDraftIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<16)
	d := NewDraft(nil)
	p := &PolicyExplanation{ID: long, Version: long, Status: Status{Code: StatusProcessingError, Message: long, Missing: make([]Attribute, 1000)}}
	cause := Cause{Text: long, Error: long, Variable: long, Value: TruthError}
	for range 1000 {
		cause.Operands = append(cause.Operands, Operand{long, long, "[" + ShowList(1000, func(int) string { return long }) + "]"})
	}
	for range 5000 {
		if d.Part() {
			p.Rules = append(p.Rules, RuleExplanation{ID: long, Status: p.Status, Condition: d.Add(nil, cause)})
		}
	}
	duty := Obligation{ID: long, Assignments: make([]Assignment, 1000)}
	duty.Assignments[0].Value = long
	r := Result{Policy: long, Rule: long, Status: p.Status, Obligations: make([]Obligation, 1000)}
	r.Obligations[0] = duty
	x := d.Finish(r, p)
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 2*maxRoom || len(x.Text()) > 2*maxRoom || x.Omitted < 1000 {
		t.Errorf("%d bytes of JSON, %d of text, %d left out", len(raw), len(x.Text()), x.Omitted)
	}
	if len(duty.ID) != len(long) || len(duty.Assignments[0].Value) != len(long) {
		t.Error("the result itself was shortened")
	}
}
