package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning"
)

type signinCommands struct {
	Explain signinExplainCommand `cmd:"" help:"Say why a sign-in went as it did, by the reference a person was shown."`
}

type signinExplainCommand struct {
	Reference string `arg:"" help:"As the page showed it."`
	Values    bool   `help:"Read the profile now and show the values it is mapped to. No value is ever recorded, so these are not those of the sign-in."`
}

// explanation is everything recorded of one sign-in. What is recorded are names of
// attributes, never values.
type explanation struct {
	Reference   string                `json:"reference"`
	Application provisioning.ClientID `json:"application"`
	User        provisioning.UserID   `json:"user,omitempty"`
	Login       string                `json:"login,omitempty"`
	Status      flow.Status           `json:"status"`
	Failure     *provisioning.Failure `json:"failure,omitempty"`
	StartedAt   time.Time             `json:"started_at"`
	AuthTime    time.Time             `json:"auth_time,omitzero"`
	WaitingFrom time.Time             `json:"waiting_since,omitzero"`
	Decisions   []decisionView        `json:"decisions"`
	Accounts    []accountHistory      `json:"accounts"`
}

// Run explains a sign-in.
func (c signinExplainCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		e, err := explain(ctx, s, strings.ToUpper(strings.TrimSpace(c.Reference)))
		if err != nil {
			return err
		}
		for i, h := range e.Accounts {
			e.Accounts[i] = h.mappingOf(ctx, s, c.Values)
		}
		return r.print(e, func(w io.Writer) { printExplanation(w, e, c.Values) })
	})
}

func explain(ctx context.Context, s *daemon.System, reference string) (explanation, error) {
	signIn, err := s.SignIns.ByReference(ctx, reference)
	if err != nil {
		return explanation{}, about(fmt.Sprintf("reference %q", reference), err)
	}
	e := explanation{
		Reference: reference, Application: signIn.Request.Client, User: signIn.User, Status: signIn.Status,
		StartedAt: utc(signIn.CreatedAt), AuthTime: utc(signIn.AuthTime), WaitingFrom: utc(signIn.ProvisionStart),
		Accounts: []accountHistory{},
	}
	if signIn.Failure.Code != "" {
		e.Failure = &signIn.Failure
	}
	decisions, err := s.Decisions.ByReference(ctx, reference)
	if err != nil {
		return e, err
	}
	e.Decisions = list(decisions, viewDecision)
	if e.User == "" {
		return e, nil
	}
	e.Login = loginOf(ctx, s, e.User)
	e.Accounts, err = explainAccounts(ctx, s, e)
	return e, err
}

// explainAccounts shows the accounts that the decisions speak of, with what was
// done for them since the sign-in began.
func explainAccounts(ctx context.Context, s *daemon.System, e explanation) ([]accountHistory, error) {
	out := []accountHistory{}
	seen := map[provisioning.TargetName]bool{}
	for _, d := range e.Decisions {
		for _, f := range d.Findings {
			if seen[f.Target] {
				continue
			}
			seen[f.Target] = true
			h, err := historySince(ctx, s, e.User, f.Target, e.StartedAt)
			if errors.Is(err, provisioning.ErrAccountNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, h)
		}
	}
	return out, nil
}

func printExplanation(w io.Writer, e explanation, values bool) {
	row(w, "reference:", e.Reference)
	row(w, "application:", e.Application)
	row(w, "user:", strings.TrimSpace(e.Login+" "+string(e.User)))
	row(w, "started:", when(e.StartedAt))
	row(w, "authenticated:", when(e.AuthTime))
	row(w, "waiting since:", when(e.WaitingFrom))
	row(w, "status:", e.Status)
	if e.Failure != nil {
		row(w, "failure:", string(e.Failure.Code))
		row(w, "the person was told:", web.English().T(e.Failure.Text))
	}
	for _, d := range e.Decisions {
		row(w, "decision "+when(d.DecidedAt)+":", fmt.Sprintf("%s, for %s", d.Verdict, d.Grant))
		for _, f := range d.Findings {
			row(w, "  "+string(f.Target)+":", strings.TrimSpace(fmt.Sprintf("%s: %s %s", f.Verdict, f.Reason, f.Kind)))
			if f.Rule != "" {
				row(w, "    rules:", string(f.Rule))
				printTraces(w, "    ", f.Rules)
			}
		}
	}
	for _, h := range e.Accounts {
		row(w, "account in "+string(h.Account.Target)+":", strings.TrimSpace(fmt.Sprintf("%s %s", h.Account.State, h.Account.ExternalID)))
		printAccountRules(w, "  ", h.Rules)
		printMapping(w, "  ", h, values)
		printFailure(w, "  ", h.Account)
		for _, attempt := range h.Attempts {
			printAttempt(w, attempt)
		}
	}
}
