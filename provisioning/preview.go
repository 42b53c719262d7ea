package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// MappedAttribute is one attribute of an account and where its value comes from.
type MappedAttribute struct {
	Attribute string       `json:"attribute"`
	Kind      mapping.Kind `json:"kind"`
	From      string       `json:"from"`  // the profile field, the expression, or the kind alone
	Apply     mapping.When `json:"apply"` // in which writes it is sent
	Value     any          `json:"value,omitempty"`
	Error     string       `json:"error,omitempty"` // why there is no value
}

// Mapping returns what the target's attributes are made of, without values. It
// asks the connector for its defaults, and the target nothing.
func (e *Engine) Mapping(ctx context.Context, target TargetName) ([]MappedAttribute, error) {
	r, err := e.opened(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return shown(r.mapping.Rules()), nil
}

// Preview is [Engine.Mapping] with the values the user's profile gives now,
// which are not those of an earlier attempt. It returns [ErrUserNotFound]; what keeps
// an attribute from being mapped is said with it.
func (e *Engine) Preview(ctx context.Context, user UserID, target TargetName) ([]MappedAttribute, error) {
	r, err := e.opened(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	p, err := e.Users.Profile(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return shown(r.mapping.Preview(p.mapped())), nil
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
	r := &run{Engine: e, target: t, conn: conn, account: Account{Target: target}}
	r.mapping, err = e.mappings.of(t, conn.Description.Attributes)
	return r, err
}

func shown(attributes []mapping.Shown) []MappedAttribute {
	var out []MappedAttribute
	for _, a := range attributes {
		m := MappedAttribute{Attribute: a.Rule.Attribute, Kind: a.Rule.Kinds()[0], From: a.Rule.From(), Apply: a.When}
		if !empty(a.Value) {
			m.Value = a.Value
		}
		var e *sdk.Error
		if errors.As(a.Err, &e) {
			m.Error = e.Message
		}
		out = append(out, m)
	}
	return out
}
