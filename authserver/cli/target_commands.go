package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

type targetCommands struct {
	List      targetListCommand      `cmd:"" help:"List targets."`
	Show      targetShowCommand      `cmd:"" help:"Show a target's configuration without its secrets."`
	Mapping   targetMappingCommand   `cmd:"" help:"Show what a target's attributes are made of, or for a user their values."`
	Check     targetCheckCommand     `cmd:"" help:"Check the connection to a target, step by step."`
	Reconcile targetReconcileCommand `cmd:"" help:"Compare a target's accounts with the ledger and report how they differ."`
	Approve   targetApproveCommand   `cmd:"" help:"Let held accounts be suspended or deleted, or keep them."`
	Delete    targetDeleteCommand    `cmd:"" help:"Delete a target that nothing is bound to."`

	Maintenance targetMaintenanceCommand `cmd:"" help:"Hold up all work of a target, or let it go on."`
	Resume      targetResumeCommand      `cmd:"" help:"End a pause, and try a target that is down now."`
}

type targetListCommand struct{}

// Run lists targets.
func (targetListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		targets, err := s.Targets.List(ctx)
		if err != nil {
			return err
		}
		states, err := targetStates(ctx, s)
		if err != nil {
			return err
		}
		return r.print(list(targets, states.view), func(w io.Writer) {
			row(w, "NAME", "CONNECTOR", "ADOPT", "ON USER DELETE", "REVISION", "STATE")
			for _, t := range targets {
				row(w, t.Name, t.Connector, t.Adopt, t.OnUserDelete, t.Revision, states[t.Name])
			}
		})
	})
}

type targetShowCommand struct {
	Name string `arg:"" help:"Name of the target."`
}

// Run shows a target.
func (c targetShowCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		t, err := s.Targets.Get(ctx, provisioning.TargetName(c.Name))
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		states, err := targetStates(ctx, s)
		if err != nil {
			return err
		}
		v := states.view(t)
		last, err := s.Reconciliations.Last(ctx, t.Name)
		if err != nil {
			return err
		}
		if last != nil {
			drift := viewDrift(*last)
			v.LastReconciliation = &drift
		}
		return r.print(v, func(w io.Writer) {
			row(w, "name:", t.Name)
			row(w, "connector:", t.Connector)
			row(w, "config:", string(t.Config))
			for _, name := range v.Secrets {
				row(w, "secret "+name+":", t.Secrets[name])
			}
			for _, m := range t.Mapping {
				row(w, "mapping "+m.Attribute+":", mappedFrom(m))
			}
			row(w, "adopt:", t.Adopt)
			row(w, "on_user_delete:", t.OnUserDelete)
			row(w, "revision:", t.Revision)
			printTargetState(w, v)
			row(w, "reconcile_every:", cmp.Or(v.ReconcileEvery, "never"))
			if v.LastReconciliation != nil {
				row(w, "reconciled "+when(last.EndedAt)+":", v.LastReconciliation.summary())
			}
		})
	})
}

func mappedFrom(m provisioning.AttributeMapping) string {
	if m.Constant != nil {
		return fmt.Sprintf("constant %v", m.Constant)
	}
	return m.From()
}

type targetCheckCommand struct {
	Name    string        `arg:"" help:"Name of the target."`
	Timeout time.Duration `help:"For the whole check." default:"30s"`
}

// Run checks a target and fails if a step failed.
func (c targetCheckCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		steps, err := s.CheckTarget(ctx, provisioning.TargetName(c.Name))
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		failed := 0
		for _, step := range steps {
			if step.Status == sdk.CheckFailed {
				failed++
			}
		}
		err = r.print(list(steps, viewCheckStep), func(w io.Writer) {
			for _, step := range steps {
				row(w, step.Status, step.Name, step.Detail)
				if step.Fix != "" {
					row(w, "", "", step.Fix)
				}
			}
		})
		if err == nil && failed > 0 {
			err = fmt.Errorf("target %q: %s", c.Name, plural(failed, "step failed", "steps failed"))
		}
		return err
	})
}

type targetDeleteCommand struct {
	Name string `arg:"" help:"Name of the target."`
}

// Run deletes a target.
func (c targetDeleteCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		err := acts(ctx, s, "target.delete", named("target", c.Name), func(ctx context.Context) error {
			return s.Targets.Delete(ctx, provisioning.TargetName(c.Name))
		})
		if errors.Is(err, provisioning.ErrTargetInUse) {
			return fmt.Errorf("target %q: %w: an application is bound to it, or users have accounts in it", c.Name, provisioning.ErrTargetInUse)
		}
		if err != nil {
			return about(fmt.Sprintf("target %q", c.Name), err)
		}
		return r.did(done{Object: "target", Name: c.Name, Result: "deleted"}, "%s is deleted", c.Name)
	})
}

type bindingCommands struct {
	List     bindingListCommand     `cmd:"" help:"List bindings, with what each combination of options does."`
	Set      bindingSetCommand      `cmd:"" help:"Create or change a binding."`
	Simulate bindingSimulateCommand `cmd:"" help:"Say what rules, mapping and gate would do about a user, and what would be done to the target. Changes nothing."`
	Delete   bindingDeleteCommand   `cmd:"" help:"Delete a binding; its on_loss policy says what becomes of the accounts."`
}

type bindingListCommand struct{}

// Run lists bindings.
func (bindingListCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		all, err := s.Bindings.List(ctx)
		if err != nil {
			return err
		}
		return r.print(list(all, viewBinding), func(w io.Writer) {
			row(w, "APPLICATION", "TARGET", "BLOCKING", "ENABLE RULES", "RULE SETS", "JIT OUTBOUND", "WHAT IT DOES")
			for _, b := range all {
				row(w, b.Client, b.Target, yes(b.Blocking), yes(b.EnableRules), dash(strings.Join(b.RuleSets, ", ")), yes(b.JITOutbound), b.Explain())
			}
		})
	})
}

type bindingSetCommand struct {
	ClientID        string         `arg:"" name:"client_id" help:"The application's client_id; (default) for users of no application."`
	Target          string         `arg:"" help:"Name of the target."`
	Blocking        *bool          `help:"No account, no token." negatable:""`
	EnableRules     *bool          `name:"enable-rules" help:"Rule sets decide who gets an account." negatable:""`
	RuleSets        []string       `name:"rule-set" help:"Rule set to ask, instead of those named so far; repeat for several." placeholder:"NAME" xor:"sets"`
	NoRuleSets      bool           `name:"no-rule-sets" help:"Name no rule set any more." xor:"sets"`
	JITOutbound     *bool          `name:"jit-outbound" help:"Make accounts at sign-in." negatable:""`
	Timeout         *time.Duration `help:"How long a sign-in waits."`
	OnCreateFailure string         `enum:"deny,allow," default:"" help:"deny or allow a sign-in whose account could not be made."`
	OnUpdateFailure string         `enum:"deny,allow," default:"" help:"deny or allow a sign-in whose account could not be updated."`
	OnRefresh       string         `enum:"check,ensure,skip," default:"" help:"check, ensure or skip at a refresh."`
	OnRuleDeny      string         `enum:"skip,refuse," default:"" help:"skip the target for users whom rules deny, or refuse their sign-in."`
	OnRuleError     string         `enum:"refuse,skip," default:"" help:"refuse a sign-in about which rules give no decision, or skip the target."`
	OnLoss          string         `enum:"keep,suspend,delete," default:"" help:"keep, suspend or delete accounts that are no longer granted."`
	ReportOnly      *bool          `help:"Decide and record, never hold or refuse." negatable:""`
}

// Run puts a binding: what is not given stays, or takes its default.
func (c bindingSetCommand) Run(r *run) error {
	if c.Timeout != nil {
		if err := resources.CheckTimeout(*c.Timeout); err != nil {
			return fmt.Errorf("%w: --timeout %w", errUsage, err)
		}
	}
	return r.with(func(ctx context.Context, s *daemon.System) error {
		client, target := provisioning.ClientID(c.ClientID), provisioning.TargetName(c.Target)
		if _, err := s.Applications.Get(ctx, client); err != nil && client != provisioning.DefaultClient {
			return about(fmt.Sprintf("application %q", c.ClientID), err)
		}
		if _, err := s.Targets.Get(ctx, target); err != nil {
			return about(fmt.Sprintf("target %q", c.Target), err)
		}
		b := provisioning.NewBinding(client, target)
		all, err := s.Bindings.ByClient(ctx, client)
		if err != nil {
			return err
		}
		b.Position = len(all)
		for _, have := range all {
			if have.Target == target {
				b = have
			}
		}
		c.apply(&b)
		if problems := (resources.Binding{EnableRules: b.EnableRules, RuleSets: b.RuleSets}).CheckRules(); len(problems) > 0 {
			return fmt.Errorf("%w: %s", errUsage, problems[0])
		}
		err = acts(ctx, s, "binding.set", bindingObject(b.Client, b.Target), func(ctx context.Context) error { return s.Bindings.Put(ctx, b) })
		if err != nil {
			return err
		}
		return r.print(viewBinding(b), func(w io.Writer) { row(w, b.Client, b.Target, b.Explain()) })
	})
}

func (c bindingSetCommand) apply(b *provisioning.Binding) {
	for _, o := range []struct{ from, to *bool }{{c.Blocking, &b.Blocking}, {c.EnableRules, &b.EnableRules}, {c.JITOutbound, &b.JITOutbound}, {c.ReportOnly, &b.ReportOnly}} {
		if o.from != nil {
			*o.to = *o.from
		}
	}
	if c.Timeout != nil {
		b.Timeout = *c.Timeout
	}
	if len(c.RuleSets) > 0 || c.NoRuleSets {
		b.RuleSets = c.RuleSets
	}
	given(&b.OnCreateFailure, c.OnCreateFailure)
	given(&b.OnUpdateFailure, c.OnUpdateFailure)
	given(&b.OnRuleDeny, c.OnRuleDeny)
	given(&b.OnRuleError, c.OnRuleError)
	given(&b.OnRefresh, c.OnRefresh)
	given(&b.OnLoss, c.OnLoss)
}

// given sets a policy to the value of a flag that was given.
func given[T ~string](policy *T, value string) {
	if value != "" {
		*policy = T(value)
	}
}

type bindingDeleteCommand struct {
	ClientID string `arg:"" name:"client_id" help:"The application's client_id; (default) for users of no application."`
	Target   string `arg:"" help:"Name of the target."`
}

// Run deletes a binding.
func (c bindingDeleteCommand) Run(r *run) error {
	return r.with(func(ctx context.Context, s *daemon.System) error {
		client, target := provisioning.ClientID(c.ClientID), provisioning.TargetName(c.Target)
		err := acts(ctx, s, "binding.delete", bindingObject(client, target), func(ctx context.Context) error {
			return s.Bindings.Delete(ctx, client, target)
		})
		if err != nil {
			return about("binding "+c.ClientID+" "+c.Target, err)
		}
		return r.did(done{"binding", c.ClientID, c.Target, "deleted"}, "%s is no longer bound to %s", c.ClientID, c.Target)
	})
}

func bindingObject(client provisioning.ClientID, target provisioning.TargetName) audit.Object {
	return audit.Object{Kind: "binding", ID: string(client), Name: string(client) + " to " + string(target)}
}
