package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/provisioning"
)

// accountRules is the recorded answer of rules that counts for an account now.
type accountRules struct {
	Answer   accountAnswer            `json:"answer"`
	At       time.Time                `json:"at,omitzero"`        // of a permit
	Decision provisioning.DecisionID  `json:"decision,omitempty"` // of the sign-in that they permitted it for
	Rules    []provisioning.RuleTrace `json:"rules,omitempty"`    // what each rule set said there
	Detail   string                   `json:"detail,omitempty"`   // where there is no permit: what they said, on one line
}

// accountAnswer is what rules mean for an account.
type accountAnswer string

const (
	answerPermitted accountAnswer = "permitted"
	answerSkipped   accountAnswer = "skipped" // they did not permit the last change
	answerUndecided accountAnswer = "undecided"
)

// rulesOf returns what is recorded of rules about an account, nil if nothing is: a
// permit to work that no sign-in asked for leaves no trace.
func rulesOf(ctx context.Context, s *daemon.System, a provisioning.Account) (*accountRules, error) {
	switch {
	case a.Skipped():
		return &accountRules{Answer: answerSkipped, Detail: a.Detail}, nil
	case a.Kind == "rules":
		return &accountRules{Answer: answerUndecided, Detail: a.Detail}, nil
	case a.RuledAt.IsZero():
		return nil, nil
	}
	out := &accountRules{Answer: answerPermitted, At: utc(a.RuledAt), Decision: a.Decision}
	d, err := s.Decisions.Get(ctx, a.Decision)
	if errors.Is(err, provisioning.ErrDecisionNotFound) { // longer ago than decisions are kept
		return out, nil
	}
	i := slices.IndexFunc(d.Findings, func(f provisioning.Finding) bool { return f.Target == a.Target })
	if i >= 0 {
		out.Rules = d.Findings[i].Rules
	}
	return out, err
}

// printAccountRules says what rules said of an account.
func printAccountRules(w io.Writer, indent string, r *accountRules) {
	switch {
	case r == nil:
		row(w, indent+"rules:", "not asked, or permitted it without a sign-in")
	case r.Answer == answerPermitted:
		row(w, indent+"rules:", "permitted it at "+when(r.At))
		printTraces(w, indent, r.Rules)
	case r.Answer == answerSkipped:
		row(w, indent+"rules:", "do not permit it: "+r.Detail)
	default:
		row(w, indent+"rules:", "give no decision: "+r.Detail)
	}
}

// printTraces writes a line for each rule set.
func printTraces(w io.Writer, indent string, traces []provisioning.RuleTrace) {
	for _, t := range traces {
		name := t.Set
		if t.Revision > 0 {
			name += fmt.Sprintf(" revision %d", t.Revision)
		}
		row(w, indent+"  "+name+":", traceText(t))
	}
}

// traceText is what one rule set said and why, for a person.
func traceText(t provisioning.RuleTrace) string {
	text := t.Decision
	if t.Rule != "" {
		text += " by rule " + t.Rule
	}
	if t.Policy != "" {
		text += " of policy " + t.Policy
	}
	if t.Default {
		text += ", so that its default decision counts"
	}
	if t.Message != "" {
		text += fmt.Sprintf(": %s (%s)", t.Message, t.Status)
	}
	return text
}

// traced is what rule sets said, on one line.
func traced(traces []provisioning.RuleTrace) string {
	return strings.Join(list(traces, func(t provisioning.RuleTrace) string { return t.Set + " " + traceText(t) }), ", ")
}
