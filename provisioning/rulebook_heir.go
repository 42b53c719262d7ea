package provisioning

import (
	"context"
	"fmt"
)

// heritage is what the other bindings of a target say of an account that one of
// them denies.
type heritage struct {
	heir ClientID // grants the account; "" if none does
	kept bool     // one of them grants it, or may: its rules gave no decision
}

// heritage asks who else grants the account of q: another application's binding to
// the target that makes accounts at sign-in, or is the one the account is there for,
// unless its rules deny. Whoever has the account may be using it there.
func (b *Rulebook) heritage(ctx context.Context, q question) (heritage, error) {
	bindings, err := b.Bindings.ByTarget(ctx, q.binding.Target)
	if err != nil {
		return heritage{}, fmt.Errorf("read bindings of target: %w", err)
	}
	var out heritage
	for _, other := range bindings {
		if other.Client == q.binding.Client || q.account.Client != other.Client && (!other.JITOutbound || other.Client == DefaultClient) {
			continue
		}
		outcome, err := b.grants(ctx, other, q)
		if err != nil {
			return heritage{}, err
		}
		switch outcome {
		case RulePermit:
			return heritage{other.Client, true}, nil
		case RuleError:
			out.kept = true
		}
	}
	return out, nil
}

// grants is what a binding comes to: one that asks no rules, or only reports what
// they say, permits.
func (b *Rulebook) grants(ctx context.Context, other Binding, q question) (RuleOutcome, error) {
	if !other.EnableRules || other.ReportOnly {
		return RulePermit, nil
	}
	if q.draft != nil && q.draft.name == "" {
		q.draft = nil // it stands for the rule sets of the one binding
	}
	q.binding = other
	said, err := b.ask(ctx, q)
	return said.outcome, err
}

// granted reports whether another binding grants what the binding is about to take
// away, or may. It reads nothing unless there is something to take.
func (b *Rulebook) granted(ctx context.Context, r Request, q question, s Standing) (bool, error) {
	if judge(s, r, q.now).work != workLose {
		return false, nil
	}
	others, err := b.heritage(ctx, q)
	return others.kept, err
}
