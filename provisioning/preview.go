package provisioning

import (
	"context"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// MappedAttribute is one attribute of an account and where its value comes from.
type MappedAttribute struct {
	Attribute string `json:"attribute"`
	Source    string `json:"source"`          // "user.email", …, or "constant"
	Value     any    `json:"value,omitempty"` // as of now; only when asked for
}

// Mapping returns what the target's attributes are made of, without values. It
// asks the connector for its defaults, and the target nothing.
func (e *Engine) Mapping(ctx context.Context, target TargetName) ([]MappedAttribute, error) {
	r, err := e.opened(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return r.sources(), nil
}

// Preview is [Engine.Mapping] with the values the user's profile gives now,
// which are not those of an earlier attempt. It returns [ErrUserNotFound], and
// what keeps the profile from being mapped as an [*sdk.Error].
func (e *Engine) Preview(ctx context.Context, user UserID, target TargetName) ([]MappedAttribute, error) {
	r, err := e.opened(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	p, err := e.Users.Profile(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	r.account, r.desired = Account{User: user, Target: target}, DesiredPresent
	if err := r.mapped(p); err != nil {
		return nil, fmt.Errorf("map profile: %w", err)
	}
	out := r.sources()
	for i, a := range out {
		if v := r.wanted[a.Attribute]; !empty(v) {
			out[i].Value = v
		}
	}
	return out, nil
}

// opened is a run that only looks.
func (e *Engine) opened(ctx context.Context, target TargetName) (*run, error) {
	t, err := e.Store.Get(ctx, target)
	if err != nil {
		return nil, err
	}
	conn, err := e.Targets.Connect(ctx, t)
	if err != nil {
		return nil, sdk.AsError(err)
	}
	return &run{Engine: e, target: t, conn: conn}, nil
}

func (r *run) sources() []MappedAttribute {
	var out []MappedAttribute
	for _, rule := range mapping.Effective(mappingRules(r.target.Mapping), r.conn.Description.Attributes) {
		source := rule.Source
		if source == "" {
			source = "constant"
		}
		out = append(out, MappedAttribute{Attribute: rule.Attribute, Source: source})
	}
	return out
}

func mappingRules(from []AttributeMapping) []mapping.Rule {
	var out []mapping.Rule
	for _, m := range from {
		out = append(out, mapping.Rule{Attribute: m.Attribute, Source: m.Source, Constant: m.Constant})
	}
	return out
}
