package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
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
	Held   bool   `help:"Only those whose suspension or deletion waits for: anteroom target approve."`
	Limit  int    `help:"At most this many." default:"100"`
}

// Run lists accounts.
func (c accountListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		filter := provisioning.AccountFilter{Target: provisioning.TargetName(c.Target), State: provisioning.State(c.State), Held: c.Held, Limit: c.Limit}
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
		views := list(accounts, func(a provisioning.Account) accountView {
			return viewAccount(a, loginOf(ctx, s, a.User), s.Now())
		})
		return r.print(views, func(w io.Writer) {
			row(w, "USER", "TARGET", "STATE", "EXTERNAL ID", "FAILURE", "NEXT TRY")
			for _, v := range views {
				row(w, v.owner(), v.Target, v.State, dash(v.ExternalID), dash(string(v.Kind)), v.next())
			}
		})
	})
}

// loginOf returns "" for a user who was deleted: their accounts outlive them.
func loginOf(ctx context.Context, s *daemon.System, id provisioning.UserID) string {
	u, err := s.Users.Get(ctx, id)
	if err != nil {
		return ""
	}
	return u.Login
}

type accountShowCommand struct {
	User   string `arg:"" help:"Login or id."`
	Target string `arg:"" help:"Name of the target."`
	Values bool   `help:"Read the profile now and show the values it is mapped to. No value is ever recorded, so these are not those of an earlier attempt."`
}

// accountHistory is what show prints.
type accountHistory struct {
	Account  accountView   `json:"account"`
	Rules    *accountRules `json:"rules,omitempty"` // nil if they were not asked about it
	Attempts []attemptView `json:"attempts"`
	// Mapping tells what the account's attributes are made of. Values are the
	// profile's of now, and there only when they are asked for.
	Mapping      []provisioning.MappedAttribute `json:"mapping,omitempty"`
	MappingError string                         `json:"mapping_error,omitempty"`
}

// Run shows an account.
func (c accountShowCommand) Run(r *run) error {
	return r.withUser(c.User, func(ctx context.Context, s *daemon.System, u user.User) error {
		h, err := historySince(ctx, s, u.ID, provisioning.TargetName(c.Target), time.Time{})
		if err != nil {
			return about(u.Login+" in "+c.Target, err)
		}
		h = h.mappingOf(ctx, s, c.Values)
		return r.print(h, func(w io.Writer) { printHistory(w, h, c.Values) })
	})
}

const shownAttempts = 10

// historySince returns an account with its latest attempts that ended after a
// time or still run, or provisioning.ErrAccountNotFound.
func historySince(ctx context.Context, s *daemon.System, user provisioning.UserID, target provisioning.TargetName, since time.Time) (accountHistory, error) {
	a, err := s.Accounts.Get(ctx, user, target)
	if err != nil {
		return accountHistory{}, err
	}
	attempts, err := s.Attempts.ByAccount(ctx, user, target, shownAttempts)
	attempts = slices.DeleteFunc(attempts, func(a provisioning.Attempt) bool {
		return !a.EndedAt.IsZero() && !a.EndedAt.After(since)
	})
	if err != nil {
		return accountHistory{}, err
	}
	ruled, err := rulesOf(ctx, s, a)
	return accountHistory{Account: viewAccount(a, loginOf(ctx, s, user), s.Now()), Rules: ruled, Attempts: list(attempts, viewAttempt)}, err
}

func printHistory(w io.Writer, h accountHistory, values bool) {
	a := h.Account
	row(w, "user:", a.owner())
	row(w, "target:", a.Target)
	row(w, "state:", a.State)
	row(w, "desired:", fmt.Sprintf("%s, revision %d (applied %d)", a.Desired, a.DesiredRev, a.AppliedRev))
	row(w, "external id:", dash(a.ExternalID))
	row(w, "next try:", a.next())
	printAccountRules(w, "", h.Rules)
	printMapping(w, "", h, values)
	printFailure(w, "", a)
	for _, attempt := range h.Attempts {
		printAttempt(w, attempt)
	}
}

// printFailure says what went wrong last and what to do, if anything did.
func printFailure(w io.Writer, indent string, a accountView) {
	if a.Kind == "" {
		return
	}
	row(w, indent+"last failure:", failureText(a.Kind, a.Field, a.Detail))
	row(w, indent+"what to do:", a.Advice)
}

func failureText(kind sdk.Kind, field, detail string) string {
	text := string(kind)
	if field != "" {
		text += " (" + field + ")"
	}
	if detail != "" {
		text += ": " + detail
	}
	return text
}

func printAttempt(w io.Writer, a attemptView) {
	result := string(a.Outcome)
	switch {
	case a.Kind != "":
		result = failureText(a.Kind, "", a.Detail)
	case a.EndedAt.IsZero():
		result = "no end recorded: running, or the process ended"
	}
	row(w, "attempt "+when(a.StartedAt)+":", fmt.Sprintf("%s, revision %d, %s", a.Trigger, a.Rev, result))
	for _, call := range a.Calls {
		row(w, "  "+strings.TrimSpace(call.Verb+" "+call.Key)+":", strings.TrimSpace(fmt.Sprintf("%s in %s %s", call.Result, call.Took, call.Detail)))
	}
	if len(a.Changed) > 0 {
		row(w, "  sent:", strings.Join(a.Changed, ", "))
	}
}

type accountRetryCommand struct {
	User   string `arg:"" optional:"" help:"Login or id."`
	Target string `arg:"" optional:"" help:"Name of the target."`
	Failed bool   `help:"Retry every failed account instead of one."`
	Within string `name:"target" help:"With --failed: only those of this target."`
}

// Run makes accounts due at once. A running server picks them up within seconds.
func (c accountRetryCommand) Run(r *run) error {
	if c.Failed == (c.User != "" || c.Target != "") || (c.User == "") != (c.Target == "") || !c.Failed && c.Within != "" {
		return fmt.Errorf("%w: name a user and a target, or --failed", errUsage)
	}
	if c.Failed {
		return r.with(func(ctx context.Context, s *daemon.System) error {
			return retryFailed(ctx, r, s, provisioning.TargetName(c.Within))
		})
	}
	return r.withUser(c.User, func(ctx context.Context, s *daemon.System, u user.User) error {
		on := audit.Object{Kind: "account", ID: string(u.ID), Name: u.Login + " in " + c.Target}
		err := acts(ctx, s, "account.retry", on, func(ctx context.Context) error {
			return s.Lifecycle.Retry(ctx, u.ID, provisioning.TargetName(c.Target))
		})
		if err != nil {
			return about(u.Login+" in "+c.Target, err)
		}
		return r.did(done{"account", u.Login, c.Target, "due"}, "%s in %s is due", u.Login, c.Target)
	})
}

// retryFailed makes every failed account due, of one target if it is named. Nobody
// waits for them: they queue behind sign-ins.
func retryFailed(ctx context.Context, r *run, s *daemon.System, target provisioning.TargetName) error {
	if target != "" {
		if _, err := s.Targets.Get(ctx, target); err != nil {
			return about(fmt.Sprintf("target %q", target), err)
		}
	}
	var n int
	err := acts(ctx, s, "account.retry_failed", named("target", cmp.Or(string(target), "all")), func(ctx context.Context) (err error) {
		n, err = s.Accounts.RetryFailed(ctx, target, s.Now())
		return err
	})
	if err != nil {
		return err
	}
	return r.print(map[string]int{"due": n}, func(w io.Writer) { row(w, plural(n, "account is", "accounts are")+" due") })
}
