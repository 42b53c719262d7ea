package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/provisioning"
)

type signinCommands struct {
	Explain signinExplainCommand `cmd:"" help:"Say why a sign-in went as it did, by the reference a person was shown."`
}

type signinExplainCommand struct {
	Reference string `arg:""`
}

// explanation is everything recorded of one sign-in. It holds names of
// attributes, never values.
type explanation struct {
	Reference   string                  `json:"reference"`
	Application provisioning.ClientID   `json:"application"`
	User        provisioning.UserID     `json:"user,omitempty"`
	Login       string                  `json:"login,omitempty"`
	Status      flow.Status             `json:"status"`
	Failure     provisioning.Failure    `json:"failure,omitzero"`
	StartedAt   time.Time               `json:"started_at"`
	AuthTime    time.Time               `json:"auth_time,omitzero"`
	WaitingFrom time.Time               `json:"waiting_since,omitzero"`
	Decisions   []provisioning.Decision `json:"decisions"`
	Accounts    []accountView           `json:"accounts"`
}

// Run explains a sign-in.
func (c signinExplainCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		e, err := explain(ctx, s, strings.ToUpper(strings.TrimSpace(c.Reference)))
		if err != nil {
			return err
		}
		return r.print(e, func(w io.Writer) { printExplanation(w, e) })
	})
}

func explain(ctx context.Context, s *daemon.System, reference string) (explanation, error) {
	signIn, err := s.SignIns.ByReference(ctx, reference)
	if err != nil {
		return explanation{}, fmt.Errorf("reference %q: %w", reference, err)
	}
	e := explanation{
		Reference: reference, Application: signIn.Request.Client, User: signIn.User, Status: signIn.Status,
		Failure: signIn.Failure, StartedAt: signIn.CreatedAt, AuthTime: signIn.AuthTime, WaitingFrom: signIn.ProvisionStart,
	}
	if e.Decisions, err = s.Decisions.ByReference(ctx, reference); err != nil {
		return e, err
	}
	if e.User == "" {
		return e, nil
	}
	e.Login = loginOf(ctx, s, e.User)
	e.Accounts, err = explainAccounts(ctx, s, e)
	return e, err
}

// explainAccounts shows the accounts that the decisions speak of, with what was
// done for them since the sign-in began.
func explainAccounts(ctx context.Context, s *daemon.System, e explanation) ([]accountView, error) {
	var out []accountView
	seen := map[provisioning.TargetName]bool{}
	for _, d := range e.Decisions {
		for _, f := range d.Findings {
			if seen[f.Target] {
				continue
			}
			seen[f.Target] = true
			view, err := accountSince(ctx, s, e.User, f.Target, e.StartedAt)
			if err != nil {
				return nil, err
			}
			if view != nil {
				out = append(out, *view)
			}
		}
	}
	return out, nil
}

func printExplanation(w io.Writer, e explanation) {
	row(w, "reference:", e.Reference)
	row(w, "application:", e.Application)
	row(w, "user:", strings.TrimSpace(e.Login+" "+string(e.User)))
	row(w, "started:", when(e.StartedAt))
	row(w, "authenticated:", when(e.AuthTime))
	row(w, "waiting since:", when(e.WaitingFrom))
	row(w, "status:", e.Status)
	if e.Failure.Code != "" {
		row(w, "failure:", fmt.Sprintf("%s (%s)", e.Failure.Code, e.Failure.Text))
	}
	for _, d := range e.Decisions {
		row(w, "decision "+when(d.DecidedAt)+":", fmt.Sprintf("%s, for %s", d.Verdict, d.Request.Grant))
		for _, f := range d.Findings {
			row(w, "  "+string(f.Target)+":", strings.TrimSpace(fmt.Sprintf("%s: %s %s", f.Verdict, f.Reason, f.Kind)))
		}
	}
	for _, a := range e.Accounts {
		row(w, "account in "+string(a.Account.Target)+":", strings.TrimSpace(fmt.Sprintf("%s %s", a.Account.State, a.Account.ExternalID)))
		if a.Advice != "" {
			row(w, "  last failure:", strings.TrimSpace(fmt.Sprintf("%s %s %s", a.Account.Kind, a.Account.Field, a.Account.Detail)))
			row(w, "  what to do:", a.Advice)
		}
		for _, attempt := range a.Attempts {
			printAttempt(w, attempt)
		}
	}
}
