package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

// simulationView is what simulate prints.
type simulationView struct {
	provisioning.Simulation
	Receives receivedView           `json:"application_receives"`
	Late     *lateView              `json:"late,omitempty"`
	Bindings []simulatedBindingView `json:"bindings"`
	values   bool                   // are shown
}

// receivedView is what the application is told: a code, an error, or nothing yet.
type receivedView struct {
	Response         string `json:"response"` // code, error or none
	Error            string `json:"error,omitempty"`
	ErrorDescription string `json:"error_description,omitempty"`
	PersonReads      string `json:"person_reads,omitempty"`
}

// lateView is what becomes of a sign-in that waits in vain.
type lateView struct {
	After    string               `json:"after"`
	Verdict  provisioning.Verdict `json:"verdict"`
	Receives receivedView         `json:"application_receives"`
}

type simulatedBindingView struct {
	provisioning.SimulatedBinding
	Account *accountView `json:"account,omitempty"` // the ledger's, if it has one
	Sync    *syncView    `json:"sync,omitempty"`
}

// syncView has the calls as attempts show them.
type syncView struct {
	provisioning.Sync
	Calls []callView `json:"calls"`
}

func viewReceived(v provisioning.Verdict, f provisioning.Failure) receivedView {
	switch v {
	case provisioning.VerdictPermit:
		return receivedView{Response: "code"}
	case provisioning.VerdictWait:
		return receivedView{Response: "none"}
	default:
		code, description := flow.OAuthError(f.Code)
		return receivedView{"error", code, description, web.English().T(f.Text)}
	}
}

func viewSimulation(s provisioning.Simulation, values bool, now time.Time) simulationView {
	s.RulesAt = s.RulesAt.UTC()
	v := simulationView{Simulation: s, Receives: viewReceived(s.Verdict, s.Failure), Bindings: []simulatedBindingView{}, values: values}
	if l := s.Late; l != nil {
		v.Late = &lateView{l.After.String(), l.Verdict, viewReceived(l.Verdict, l.Failure)}
	}
	for _, b := range s.Bindings {
		out := simulatedBindingView{SimulatedBinding: b}
		if b.Account != nil {
			a := viewAccount(*b.Account, s.Login, now)
			out.Account = &a
		}
		if b.Sync != nil {
			out.Sync = &syncView{*b.Sync, list(b.Sync.Calls, viewCall)}
		}
		v.Bindings = append(v.Bindings, out)
	}
	return v
}

// String says it for a person.
func (v receivedView) String() string {
	switch v.Response {
	case "code":
		return "a code"
	case "none":
		return "nothing yet"
	default:
		return fmt.Sprintf("%s; the person reads: %s", v.Error, v.PersonReads)
	}
}

func (v simulationView) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row(t, "user:", strings.TrimSpace(v.Login+" "+cmp.Or(string(v.User), "(not there yet)")))
	row(t, "application:", v.Application)
	row(t, "rules asked at:", v.RulesAt.Format(time.RFC3339))
	row(t, "a sign-in:", fmt.Sprintf("%s; the application receives %s", v.Verdict, v.Receives))
	if v.Late != nil {
		row(t, "after "+v.Late.After+":", fmt.Sprintf("%s, if nothing changes; the application receives %s", v.Late.Verdict, v.Late.Receives))
	}
	for _, b := range v.Bindings {
		if err := t.Flush(); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		b.write(t, v.values)
	}
	return t.Flush()
}

func (v simulatedBindingView) write(t *tabwriter.Writer, values bool) {
	row(t, "target:", fmt.Sprintf("%s (%s)", v.Target, v.Connector))
	row(t, "binding:", v.Explain)
	row(t, "account:", v.ledger())
	row(t, "rules:", v.rules())
	if v.Gate != nil {
		row(t, "gate:", v.Gate.Verdict+" – "+provisioning.Verdict(v.Gate.Reason)+provisioning.Verdict(workText(v.Work)))
	}
	if v.Late != nil {
		row(t, "once it is late:", v.Late.Verdict+" – "+provisioning.Verdict(v.Late.Reason))
	}
	v.writeMapping(t, values)
	if v.Sync != nil {
		v.Sync.write(t)
	}
	v.writeWhy(t)
}

func (v simulatedBindingView) ledger() string {
	a := v.Account
	if a == nil {
		return "none in the ledger"
	}
	text := strings.TrimSpace(fmt.Sprintf("%s %s", a.State, a.ExternalID))
	if a.Kind != "" {
		text += ", " + failureText(a.Kind, a.Field, a.Detail)
	}
	return text
}

// workText says what a sign-in would do to the account besides.
func workText(work string) string {
	switch work {
	case "want", "again":
		return "; makes it due"
	case "hasten":
		return "; tries again at once"
	case "lose":
		return "; takes it away, as on_loss says"
	default:
		return ""
	}
}

func (v simulatedBindingView) writeMapping(t io.Writer, values bool) {
	if v.MappingError != "" {
		row(t, "mapping:", "not known: "+v.MappingError)
		return
	}
	for i, m := range v.Mapping {
		label := []string{"mapping:", ""}[min(i, 1)]
		text := m.Attribute + " from " + m.From
		switch {
		case values:
			text += ": " + nowText(m)
		case m.Error != "":
			text += ": " + m.Error
		}
		row(t, label, text)
	}
}

func (v simulatedBindingView) rules() string {
	if v.Rules.Outcome == provisioning.RuleNone {
		return "not asked"
	}
	text := fmt.Sprintf("%s, for %s", v.Rules.Outcome, v.Rules.Operation)
	if v.Rules.Supposed {
		text += "; the binding asks none, and is simulated as if it asked the draft"
	}
	return text
}

// writeWhy writes what each rule set said. It is no table.
func (v simulatedBindingView) writeWhy(t *tabwriter.Writer) {
	for _, set := range v.Rules.Sets {
		_ = t.Flush()
		row(t, ruleSetText(set))
		if set.Explanation == nil {
			continue
		}
		for line := range strings.Lines(set.Explanation.Text()) {
			row(t, "  "+strings.TrimRight(line, "\n"))
		}
	}
}

func ruleSetText(set provisioning.SetExplanation) string {
	text := fmt.Sprintf("rule set %s, revision %d", set.Set, set.Revision)
	switch {
	case set.Draft && set.Set == provisioning.DraftName:
		text = "the draft"
	case set.Draft:
		text = "the draft of rule set " + set.Set
	}
	switch {
	case set.Explanation == nil:
		text += ": " + set.Message
	case set.Default:
		text += ": does not apply, its default decision counts"
	}
	return text
}

func (v *syncView) write(t io.Writer) {
	row(t, "in the target:", v.action())
	for _, c := range v.Changes {
		row(t, "", changeText(c))
	}
	if v.Reactivate {
		row(t, "", "is made active")
	}
	if g := v.Groups; g != nil {
		text := plural(g.Count, "group", "groups")
		if len(g.Names) > 0 {
			text = strings.Join(g.Names, ", ")
		}
		row(t, "", "is put into exactly: "+text)
	}
	for _, call := range v.Calls {
		row(t, "", strings.TrimSpace(fmt.Sprintf("asked: %s: %s in %s %s", strings.TrimSpace(call.Verb+" "+call.Key), call.Result, call.Took, call.Detail)))
	}
}

// action says what would be done and when.
func (v *syncView) action() string {
	text := string(v.Action)
	if v.ExternalID != "" {
		text += " " + v.ExternalID
	}
	if v.Gone {
		text += " (the linked account is gone)"
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	switch v.Action {
	case provisioning.SyncNothing, provisioning.SyncSkip:
		return text
	}
	if !v.Due {
		text += "; not due: done when the user or the target changes, or at anteroom account retry"
	}
	return text
}

func changeText(c provisioning.AttributeChange) string {
	text := c.Attribute + " is set"
	if c.Remove {
		text = c.Attribute + " is removed"
	}
	if c.Gets != nil {
		text += " to " + valueText(c.Gets)
	}
	if c.WouldBe {
		text += ", not reserved"
	}
	switch {
	case c.Has != nil:
		text += ", was " + valueText(c.Has)
	case c.Read && c.Gets != nil:
		text += ", had none"
	}
	return text
}
