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
// they permitted it just now. What is taken away from an account needs no leave.
func (r *run) permitted(ctx context.Context, p Profile) error {
	a := r.account
	if r.desired != DesiredPresent || a.Client == "" {
		return nil
	}
	b, ok, err := r.Rules.binding(ctx, a.Client, a.Target)
	if err != nil {
		return broken(err)
	}
	if !ok || !b.EnableRules || !a.RuledAt.IsZero() && r.Now().Sub(a.RuledAt) < ruleLeave {
		return nil
	}
	facts, err := r.Rules.facts(ctx, a.Decision)
	if err != nil {
		return broken(err)
	}
	said, err := r.Rules.ask(ctx, question{
		binding: b, connector: r.target.Connector, profile: p, account: &a, facts: facts, trigger: r.ruleTrigger(), now: r.Now(),
	})
	if err != nil {
		return broken(err)
	}
	return r.obey(ctx, b, said)
}

// obey does what the binding's policies say of an answer. A binding that only
// reports goes on as if the rules had permitted.
func (r *run) obey(ctx context.Context, b Binding, said answer) error {
	switch {
	case said.outcome == RulePermit || b.ReportOnly:
		return nil
	case said.outcome == RuleError && b.OnRuleError != RuleSkip:
		return &sdk.Error{Kind: kindRules, Effect: sdk.EffectNone, Message: said.summary()}
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.attempt.Calls = append(r.attempt.Calls, Call{Verb: verbRules, Result: string(said.outcome), Detail: said.summary()})
	r.skipped = said.summary()
	if _, loses := b.OnLoss.Desired(); loses && said.outcome == RuleDeny && (r.account.ExternalID != "" || r.account.CreateSent) {
		r.loss = &Loss{User: r.account.User, Client: b.Client, Target: b.Target, Policy: b.OnLoss}
	}
	return errSkipped
}

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
