package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

type accountCommands struct {
	List  accountListCommand  `cmd:"" help:"List accounts."`
	Show  accountShowCommand  `cmd:"" help:"Show an account with its attempts."`
	Retry accountRetryCommand `cmd:"" help:"Try again now."`
}

type accountListCommand struct {
	User   string `help:"Login or id."`
	Target string `help:"Only this target."`
	State  string `help:"Only this state: pending, in_sync, retrying, failed, suspended or absent." enum:",pending,in_sync,retrying,failed,suspended,absent" default:""`
	Limit  int    `help:"At most this many." default:"100"`
}

// Run lists accounts.
func (c accountListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		filter := provisioning.AccountFilter{Target: provisioning.TargetName(c.Target), State: provisioning.State(c.State), Limit: c.Limit}
		if c.User != "" {
			u, err := findUser(ctx, s, c.User)
			if err != nil {
				return err
			}
			filter.User = u.ID
		}
		accounts, err := s.Accounts.List(ctx, filter)
		if err != nil {
			return err
		}
		return r.print(accounts, func(w io.Writer) {
			row(w, "USER", "TARGET", "STATE", "EXTERNAL ID", "KIND", "NEXT TRY")
			for _, a := range accounts {
				row(w, loginOf(ctx, s, a.User), a.Target, a.State, dash(a.ExternalID), dash(string(a.Kind)), when(a.NextAttemptAt))
			}
		})
	})
}

func loginOf(ctx context.Context, s *daemon.System, id provisioning.UserID) string {
	if u, err := s.Users.Get(ctx, id); err == nil {
		return u.Login
	}
	return string(id)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

type accountShowCommand struct {
	User   string `arg:"" help:"Login or id."`
	Target string `arg:""`
}

// accountView is what show prints.
type accountView struct {
	Account  provisioning.Account   `json:"account"`
	Attempts []provisioning.Attempt `json:"attempts"`
	Advice   string                 `json:"advice,omitempty"`
}

// Run shows an account.
func (c accountShowCommand) Run(r *run) error {
	return r.withUser(c.User, func(ctx context.Context, s *daemon.System, u user.User) error {
		view, err := accountSince(ctx, s, u.ID, provisioning.TargetName(c.Target), time.Time{})
		if err != nil {
			return fmt.Errorf("%s in %s: %w", u.Login, c.Target, err)
		}
		if view == nil {
			return fmt.Errorf("%s in %s: %w", u.Login, c.Target, provisioning.ErrAccountNotFound)
		}
		return r.print(view, func(w io.Writer) { printAccount(w, u.Login, *view) })
	})
}

const shownAttempts = 10

// accountSince returns an account with its latest attempts that ended after a
// time or still run; nil if there is no account.
func accountSince(ctx context.Context, s *daemon.System, user provisioning.UserID, target provisioning.TargetName, since time.Time) (*accountView, error) {
	a, err := s.Accounts.Get(ctx, user, target)
	if errors.Is(err, provisioning.ErrAccountNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	view := &accountView{Account: a}
	if a.Kind != "" {
		view.Advice = provisioning.Advice(a.Kind)
	}
	attempts, err := s.Attempts.ByAccount(ctx, user, target, shownAttempts)
	for _, attempt := range attempts {
		if attempt.EndedAt.IsZero() || attempt.EndedAt.After(since) {
			view.Attempts = append(view.Attempts, attempt)
		}
	}
	return view, err
}

func printAccount(w io.Writer, login string, v accountView) {
	a := v.Account
	row(w, "user:", login)
	row(w, "target:", a.Target)
	row(w, "state:", a.State)
	row(w, "desired:", fmt.Sprintf("%s, revision %d (applied %d)", a.Desired, a.DesiredRev, a.AppliedRev))
	row(w, "external id:", dash(a.ExternalID))
	row(w, "next try:", when(a.NextAttemptAt))
	if a.Kind != "" {
		row(w, "last failure:", strings.TrimSpace(fmt.Sprintf("%s %s %s", a.Kind, a.Field, a.Detail)))
		row(w, "what to do:", v.Advice)
	}
	for _, attempt := range v.Attempts {
		printAttempt(w, attempt)
	}
}

func printAttempt(w io.Writer, a provisioning.Attempt) {
	result := string(a.Outcome)
	switch {
	case a.Kind != "":
		result = string(a.Kind) + ": " + a.Detail
	case a.EndedAt.IsZero():
		result = "no end recorded: running, or the process ended"
	}
	row(w, "attempt "+when(a.StartedAt)+":", fmt.Sprintf("%s, revision %d, %s", a.Trigger, a.Rev, result))
	for _, call := range a.Calls {
		row(w, "  "+strings.TrimSpace(call.Verb+" "+call.Key), fmt.Sprintf("%s in %s %s", call.Result, call.Took.Round(time.Millisecond), call.Detail))
	}
	if len(a.Changed) > 0 {
		row(w, "  sent", strings.Join(a.Changed, ", "))
	}
}

type accountRetryCommand struct {
	User   string `arg:"" optional:"" help:"Login or id."`
	Target string `arg:"" optional:""`
	Failed bool   `help:"Retry every failed account instead of one."`
}

// Run makes accounts due at once. A running server picks them up within seconds.
func (c accountRetryCommand) Run(r *run) error {
	if c.Failed == (c.User != "" || c.Target != "") || (c.User == "") != (c.Target == "") {
		return fmt.Errorf("%w: name a user and a target, or --failed", errUsage)
	}
	if c.Failed {
		return r.with(func(ctx context.Context, s *daemon.System) error { return retryFailed(ctx, r, s) })
	}
	return r.withUser(c.User, func(ctx context.Context, s *daemon.System, u user.User) error {
		if err := s.Lifecycle.Retry(ctx, u.ID, provisioning.TargetName(c.Target)); err != nil {
			return fmt.Errorf("%s in %s: %w", u.Login, c.Target, err)
		}
		r.say("%s in %s is due", u.Login, c.Target)
		return nil
	})
}

func retryFailed(ctx context.Context, r *run, s *daemon.System) error {
	filter, n := provisioning.AccountFilter{State: provisioning.StateFailed, Limit: maxList}, 0
	for {
		accounts, err := s.Accounts.List(ctx, filter)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if err := s.Lifecycle.Retry(ctx, a.User, a.Target); err != nil && !errors.Is(err, provisioning.ErrAccountNotFound) {
				return err
			}
			n++
		}
		if len(accounts) < maxList {
			r.say("%d accounts are due", n)
			return nil
		}
		last := accounts[len(accounts)-1]
		filter.AfterUser, filter.AfterTarget = last.User, last.Target
	}
}
