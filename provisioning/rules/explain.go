package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Explanation is a decision with what became of every policy and rule, whether the
// combining algorithm came to it or not. It is for people: it is bounded, so that
// long values are shortened and what is too much is left out.
type Explanation struct {
	Result  Result             `json:"result"`            // what Decide returns, shortened
	Policy  *PolicyExplanation `json:"policy,omitempty"`  // nil when nothing was evaluated
	Omitted int                `json:"omitted,omitempty"` // policies, rules and causes that are left out
}

// PolicyExplanation says what became of a policy, or of the native rule set, which
// is one without an id. It combines policies or rules, never both.
type PolicyExplanation struct {
	ID        string              `json:"id,omitempty"`
	Version   string              `json:"version,omitempty"`
	Source    string              `json:"source,omitempty"` // which document
	Line      int                 `json:"line,omitempty"`
	Column    int                 `json:"column,omitempty"`
	Algorithm Algorithm           `json:"combining"`
	Decision  Decision            `json:"decision"`
	Status    Status              `json:"status,omitzero"`
	Reached   bool                `json:"reached"` // whether the combining algorithm came to it
	Applies   Applicability       `json:"applies"`
	Target    []Cause             `json:"target,omitempty"` // the matches that made it apply or not
	Duties    []Cause             `json:"duties,omitempty"` // obligations and advice that failed
	Policies  []PolicyExplanation `json:"policies,omitempty"`
	Rules     []RuleExplanation   `json:"rules,omitempty"`
}

// RuleExplanation says what became of a rule, had it been asked alone.
type RuleExplanation struct {
	ID        string        `json:"id"`
	Source    string        `json:"source,omitempty"`
	Line      int           `json:"line,omitempty"`
	Column    int           `json:"column,omitempty"`
	Effect    Decision      `json:"effect"`
	Decision  Decision      `json:"decision"`
	Status    Status        `json:"status,omitzero"`
	Reached   bool          `json:"reached"`
	Applies   Applicability `json:"applies"`
	Target    []Cause       `json:"target,omitempty"`
	Condition []Cause       `json:"condition,omitempty"`
	Duties    []Cause       `json:"duties,omitempty"`
}

// Truth is what a part of a condition came to.
type Truth string

// The truths.
const (
	TruthTrue  Truth = "true"
	TruthFalse Truth = "false"
	TruthError Truth = "error"
)

// TruthOf returns the truth of a value.
func TruthOf(b bool) Truth { return Truth(strconv.FormatBool(b)) }

// Cause is a part of a target or a condition that settled it: of a conjunction that
// failed, each part that failed; of one that held, each part.
type Cause struct {
	Text     string    `json:"text"`
	Variable string    `json:"variable,omitempty"` // whose definition it is in
	Source   string    `json:"source,omitempty"`
	Line     int       `json:"line,omitempty"`
	Column   int       `json:"column,omitempty"` // in bytes, from 1
	Value    Truth     `json:"value"`
	Error    string    `json:"error,omitempty"` // why it is one; without values
	Operands []Operand `json:"operands,omitempty"`
}

// Operand is what an attribute or a variable was.
type Operand struct {
	Name  string `json:"name"`            // as the text has it
	ID    string `json:"id,omitempty"`    // of the attribute
	Value string `json:"value,omitempty"` // as Show and ShowList write it
}

// String returns the cause on one line.
func (c Cause) String() string {
	var b strings.Builder
	b.WriteString(placed(c.Source, c.Line, c.Column))
	fmt.Fprintf(&b, "%s is %s", c.Text, c.Value)
	if c.Error != "" {
		b.WriteString(": " + c.Error)
	}
	if c.Variable != "" {
		b.WriteString(" (of variable " + c.Variable + ")")
	}
	for i, o := range c.Operands {
		b.WriteString([]string{", where ", ", "}[min(i, 1)] + o.Name + " = " + o.Value)
	}
	return printable(b.String())
}

// Draft is an explanation under way. It holds the explanation to its limits.
type Draft struct {
	hide    func(Attribute) bool
	room    int // bytes
	omitted int
}

// Limits of an explanation.
const (
	maxRoom     = 1 << 20 // bytes, about
	partSize    = 500     // bytes that a policy or a rule takes without its causes
	maxText     = 500     // bytes of a part of a condition, or of a message
	maxOperands = 10
	maxMissing  = 3
	maxDuties   = 50 // of a result, and assignments of each
)

// NewDraft begins an explanation. Hide says which attributes are not to be shown; nil
// shows all.
func NewDraft(hide func(Attribute) bool) *Draft {
	if hide == nil {
		hide = func(Attribute) bool { return false }
	}
	return &Draft{hide: hide, room: maxRoom}
}

// Hides reports whether an attribute is not to be shown.
func (d *Draft) Hides(a Attribute) bool { return d.hide(a) }

// Part takes room for a policy or a rule, and notes that it is left out if there is
// none.
func (d *Draft) Part() bool { return d.take(partSize) }

func (d *Draft) take(n int) bool {
	if d.room <= 0 {
		d.omitted++
		return false
	}
	d.room -= n
	return true
}

// Omit notes that something is left out.
func (d *Draft) Omit() { d.omitted++ }

// Add adds a cause, shortened, if there is room for it.
func (d *Draft) Add(list []Cause, c Cause) []Cause {
	c.Text, c.Error, c.Variable = shorten(c.Text, maxText), shorten(c.Error, maxText), shorten(c.Variable, maxShownText)
	if len(c.Operands) > maxOperands {
		d.omitted += len(c.Operands) - maxOperands
		c.Operands = c.Operands[:maxOperands]
	}
	size := len(c.Text) + len(c.Error) + partSize/4
	c.Operands = slices.Clone(c.Operands)
	for i, o := range c.Operands {
		c.Operands[i].Name, c.Operands[i].ID = shorten(o.Name, maxShownText), shorten(o.ID, maxShownText)
		size += 2*maxShownText + len(o.Value)
	}
	if !d.take(size) {
		return list
	}
	return append(list, c)
}

// Finish returns the explanation of a result.
func (d *Draft) Finish(r Result, p *PolicyExplanation) Explanation {
	if p != nil {
		p.finish(true)
	}
	out := Explanation{Result: r, Policy: p, Omitted: d.omitted}
	out.Result.Policy, out.Result.Rule, out.Result.Status = shorten(r.Policy, maxShownText), shorten(r.Rule, maxShownText), r.Status.short()
	out.Result.Obligations, out.Result.Advice = shortDuties(r.Obligations), shortDuties(r.Advice)
	return out
}

// finish says of each part whether it was reached, and shortens it.
func (p *PolicyExplanation) finish(reached bool) {
	p.ID, p.Version, p.Status, p.Reached = shorten(p.ID, maxShownText), shorten(p.Version, maxShownText), p.Status.short(), reached
	var decisions []Decision
	for _, c := range p.Policies {
		decisions = append(decisions, c.Decision)
	}
	for _, c := range p.Rules {
		decisions = append(decisions, c.Decision)
	}
	n := p.Algorithm.reaches(decisions)
	for i := range p.Policies {
		p.Policies[i].finish(reached && i < n)
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		r.ID, r.Status, r.Reached = shorten(r.ID, maxShownText), r.Status.short(), reached && i < n
	}
}

func (s Status) short() Status {
	s.Message = shorten(s.Message, maxText)
	s.Missing = slices.Clone(s.Missing[:min(len(s.Missing), maxMissing)])
	for i, a := range s.Missing {
		s.Missing[i] = Attribute{shorten(a.Category, maxShownText), shorten(a.ID, maxShownText), a.Type, shorten(a.Issuer, maxShownText)}
	}
	return s
}

func shortDuties(list []Obligation) []Obligation {
	list = slices.Clone(list[:min(len(list), maxDuties)])
	for i, o := range list {
		list[i].ID = shorten(o.ID, maxShownText)
		list[i].Assignments = slices.Clone(o.Assignments[:min(len(o.Assignments), maxDuties)])
		for j, a := range list[i].Assignments {
			list[i].Assignments[j] = Assignment{
				shorten(a.ID, maxShownText), shorten(a.Category, maxShownText), shorten(a.Issuer, maxShownText), a.Type, shorten(a.Value, maxShownText),
			}
		}
	}
	return list
}
