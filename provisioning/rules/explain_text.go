package rules

import (
	"fmt"
	"strings"
)

// Text returns the explanation for people: a line for each policy, rule and cause,
// those below a policy or a rule indented.
func (x Explanation) Text() string {
	w := &writer{}
	w.line(0, "%s", x.Result.sentence())
	for _, list := range []struct {
		name   string
		duties []Obligation
	}{{"obligation", x.Result.Obligations}, {"advice", x.Result.Advice}} {
		for _, o := range list.duties {
			w.line(1, "%s %s%s", list.name, o.ID, o.values())
		}
	}
	if x.Policy != nil {
		w.policy(0, x.Policy)
	}
	if x.Omitted > 0 {
		w.line(0, "and %d more, left out", x.Omitted)
	}
	return w.out.String()
}

// sentence says who decided what, or why nobody could.
func (r Result) sentence() string {
	out := r.Decision.String()
	if r.Rule != "" {
		out += fmt.Sprintf(" by rule %q", r.Rule)
	}
	if r.Policy != "" {
		out += fmt.Sprintf(" of policy %q", r.Policy)
	}
	return out + r.Status.because()
}

func (s Status) because() string {
	if s.IsZero() {
		return ""
	}
	return fmt.Sprintf(": %s%s (%s)", placed(s.Source, s.Line, s.Column), s.Message, s.Code)
}

func (o Obligation) values() string {
	var parts []string
	for _, a := range o.Assignments {
		value := a.Value
		if value != Hidden {
			value = Show(value)
		}
		parts = append(parts, a.ID+" = "+value)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

type writer struct{ out strings.Builder }

func (w *writer) line(depth int, format string, args ...any) {
	w.out.WriteString(strings.Repeat("  ", depth) + printable(fmt.Sprintf(format, args...)) + "\n")
}

func (w *writer) policy(depth int, p *PolicyExplanation) {
	name := "rule set"
	if p.ID != "" {
		name = fmt.Sprintf("policy %q", p.ID)
	}
	w.line(depth, "%s%s (%s): %s%s", placed(p.Source, p.Line, p.Column), name, p.Algorithm, p.Decision.unless(p.Reached), p.Status.because())
	w.causes(depth+1, "target", p.Target)
	for i := range p.Policies {
		w.policy(depth+1, &p.Policies[i])
	}
	for _, r := range p.Rules {
		w.rule(depth+1, r)
	}
	w.causes(depth+1, "obligations and advice", p.Duties)
}

func (w *writer) rule(depth int, r RuleExplanation) {
	w.line(depth, "%srule %q (%s): %s%s", placed(r.Source, r.Line, r.Column), r.ID, r.Effect, r.Decision.unless(r.Reached), r.Status.because())
	w.causes(depth+1, "target", r.Target)
	w.causes(depth+1, "condition", r.Condition)
	w.causes(depth+1, "obligations and advice", r.Duties)
}

// unless says of a decision that nobody asked for it.
func (d Decision) unless(reached bool) string {
	if reached {
		return d.String()
	}
	return "not reached, would be " + d.String()
}

func (w *writer) causes(depth int, what string, causes []Cause) {
	if len(causes) == 0 {
		return
	}
	w.line(depth, "%s", what)
	for _, c := range causes {
		w.line(depth+1, "%s", c)
	}
}
