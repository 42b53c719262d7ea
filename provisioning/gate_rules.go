package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning/rules"
)

// ruled fills in what rules say of the standings whose bindings ask them, and what
// they were told of the sign-in. Most applications ask none, and then it reads
// nothing.
func (g *Gate) ruled(ctx context.Context, d *Decision, standings []Standing) error {
	var profile *Profile
	for i, s := range standings {
		if !s.Binding.EnableRules || g.Rules == nil {
			continue
		}
		if profile == nil {
			p, err := g.Rules.Users.Profile(ctx, d.Request.User)
			if err != nil {
				return fmt.Errorf("read user: %w", err)
			}
			profile = &p
			if d.Request.Facts, err = g.facts(ctx, d.Request); err != nil {
				return err
			}
		}
		q := question{
			binding: s.Binding, connector: s.Connector, profile: *profile, account: s.Account,
			facts: d.Request.Facts, since: d.Request.Facts.Began, trigger: rules.TriggerJIT, now: d.DecidedAt,
		}
		said, err := g.Rules.ask(ctx, q)
		if err != nil {
			return err
		}
		standings[i].Rule, standings[i].Rules = said.outcome, said.traces
		if standings[i].Granted, err = g.Rules.granted(ctx, d.Request, q, standings[i]); err != nil {
			return err
		}
	}
	return nil
}

// facts returns what is known of the sign-in: at a grant after it, what its
// decision has. A decision that is gone told nothing.
func (g *Gate) facts(ctx context.Context, r Request) (Facts, error) {
	if r.Grant == GrantAuthorize || r.Earlier == "" {
		r.Facts.Began = r.WaitingSince
		return r.Facts, nil
	}
	return g.Rules.facts(ctx, r.Earlier)
}

func (b *Rulebook) facts(ctx context.Context, id DecisionID) (Facts, error) {
	if id == "" {
		return Facts{}, nil
	}
	d, err := b.Decisions.Get(ctx, id)
	if errors.Is(err, ErrDecisionNotFound) {
		return Facts{}, nil
	}
	if err != nil {
		return Facts{}, fmt.Errorf("read what was known of the sign-in: %w", err)
	}
	return d.Request.Facts, nil
}
