package provisioning

import (
	"context"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/provisioning/rules"
	"github.com/anteroom-id/anteroom/sdk"
)

// ruleLeave is how long a Permit of the gate holds for the work it asked for.
// After that, and for work that no sign-in asked for, the rules are asked when
// the work is done: it may be late in the day, or the user in other groups.
const ruleLeave = time.Minute

// kindRules is a failure of ours: rules gave no decision.
const kindRules sdk.Kind = "rules"

// errSkipped ends a run that rules do not permit.
var errSkipped = errors.New("rules do not permit the account")

// permitted asks the rules of the binding that the account is there for, unless
// they permitted it just now. What is taken away from an account needs no leave; but
// one that rules took away may be granted again.
func (r *run) permitted(ctx context.Context, p Profile) error {
	a := r.account
	lost := a.Lost && p.Active && r.desired != DesiredPresent
	if r.desired != DesiredPresent && !lost || a.Client == "" {
		return nil
	}
	b, ok, err := r.Rules.binding(ctx, a.Client, a.Target)
	if err != nil {
		return broken(err)
	}
	if !ok || !b.EnableRules || !lost && !a.RuledAt.IsZero() && r.Now().Sub(a.RuledAt) < ruleLeave {
		return nil
	}
	facts, err := r.Rules.facts(ctx, a.Decision)
	if err != nil {
		return broken(err)
	}
	q := question{
		binding: b, connector: r.target.Connector, profile: p, account: &a, facts: facts, trigger: r.ruleTrigger(), now: r.Now(),
	}
	said, err := r.Rules.ask(ctx, q)
	switch {
	case err != nil:
		return broken(err)
	case lost:
		return r.regain(ctx, q, said)
	default:
		return r.obey(ctx, q, said)
	}
}

// obey does what the binding's policies say of an answer. A binding that only
// reports goes on as if the rules had permitted. An account that is there and that
// another binding grants is there for that one from now on.
func (r *run) obey(ctx context.Context, q question, said answer) error {
	b := q.binding
	switch {
	case said.outcome == RulePermit || b.ReportOnly:
		return nil
	case said.outcome == RuleError && b.OnRuleError != RuleSkip:
		return &sdk.Error{Kind: kindRules, Effect: sdk.EffectNone, Message: said.summary()}
	}
	others, err := r.inherited(ctx, q)
	if err != nil || r.account.Client != b.Client {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.attempt.Calls = append(r.attempt.Calls, Call{Verb: verbRules, Result: string(said.outcome), Detail: said.summary()})
	r.skipped = said.summary()
	if _, loses := b.OnLoss.Desired(); loses && said.outcome == RuleDeny && r.mayBeThere() && !others.kept {
		r.loss = &Loss{User: r.account.User, Target: b.Target, Policy: b.OnLoss}
	}
	return errSkipped
}

// regain brings a lost account back once rules grant it again.
func (r *run) regain(ctx context.Context, q question, said answer) error {
	if said.outcome != RulePermit && !q.binding.ReportOnly {
		if _, err := r.inherited(ctx, q); err != nil || r.account.Client == q.binding.Client {
			return err
		}
	}
	r.desired, r.account.Lost = DesiredPresent, false
	return nil
}

// inherited passes an account that is there to another binding that grants it.
func (r *run) inherited(ctx context.Context, q question) (heritage, error) {
	if !r.mayBeThere() {
		return heritage{}, nil
	}
	others, err := r.Rules.heritage(ctx, q)
	if err != nil {
		return others, broken(err)
	}
	if others.heir != "" {
		r.account.Client = others.heir
	}
	return others, nil
}

// mayBeThere reports whether the target has the account, or may have it.
func (r *run) mayBeThere() bool { return r.account.ExternalID != "" || r.account.CreateSent }

// verbRules is a call that goes to no connector: rules were asked, and said no.
const verbRules = "rules"

func (r *run) ruleTrigger() rules.Trigger {
	switch {
	case r.account.Attempts > 1 || r.account.Trigger == TriggerManual:
		return rules.TriggerRetry
	case r.account.Trigger == TriggerSignIn:
		return rules.TriggerJIT
	default:
		return rules.TriggerChange
	}
}

// binding returns the application's binding to the target.
func (b *Rulebook) binding(ctx context.Context, client ClientID, target TargetName) (Binding, bool, error) {
	bindings, err := b.Bindings.ByClient(ctx, client)
	for _, have := range bindings {
		if have.Target == target {
			return have, true, nil
		}
	}
	return Binding{}, false, err
}
