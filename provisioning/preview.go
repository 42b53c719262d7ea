package provisioning

import (
	"context"
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
	// WouldBe is set for a value that is made when the account is: it is reserved for
	// nobody, and may be another's by then.
	WouldBe bool   `json:"would_be,omitempty"`
	Hidden  bool   `json:"hidden,omitempty"` // there is a value, and the connector calls it secret
	Error   string `json:"error,omitempty"`  // what keeps the attribute from having a value
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
// which are not those of an earlier attempt. Whether a unique value is free is asked of
// the target, and nothing is written. It returns [ErrUserNotFound]; what keeps an
// attribute from having a value is said with it.
func (e *Engine) Preview(ctx context.Context, user UserID, target TargetName) ([]MappedAttribute, error) {
	r, err := e.opened(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	p, err := e.Users.Profile(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	r.account.User, r.person = user, p.mapped()
	out, err := r.preview(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	return out, nil
}

// preview is the mapping with the values that the run's person gives.
func (r *run) preview(ctx context.Context) ([]MappedAttribute, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	attributes := r.mapping.Preview(r.person)
	out := shown(attributes)
	for i, a := range attributes {
		if err := r.foresee(ctx, a, &out[i]); err != nil {
			return nil, err
		}
		out[i].hide(a.Attribute)
	}
	return out, nil
}

// foresee says of a value that is made once what it is, or would be.
func (r *run) foresee(ctx context.Context, a mapping.Shown, m *MappedAttribute) error {
	if m.Kind != mapping.KindUnique && m.Kind != mapping.KindUUID {
		return nil
	}
	names, err := r.reserved(ctx)
	if err != nil {
		return err
	}
	if name := names[m.Attribute]; name != "" {
		m.Value = name
		return nil
	}
	if m.WouldBe = true; m.Kind == mapping.KindUUID {
		return nil
	}
	candidates, err := r.mapping.Candidates(m.Attribute, r.person)
	if err != nil {
		m.Error = sdk.AsError(err).Message
		return nil
	}
	taken, err := r.Reservations.Taken(ctx, r.account.User, r.account.Target, m.Attribute, candidates)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		if taken[c.Folded] {
			continue
		}
		free, err := r.seemsFree(ctx, a.Attribute, c.Value)
		if err != nil {
			m.Error = "whether the target has it already is not known: " + string(sdk.KindOf(err))
		}
		if free || err != nil {
			m.Value = c.Value
			return nil
		}
	}
	m.Error = sdk.AsError(allTaken(m.Attribute)).Message
	return nil
}

// seemsFree asks the target, as far as it can be asked by the attribute.
func (r *run) seemsFree(ctx context.Context, a sdk.Attribute, value string) (bool, error) {
	if a.Correlate == 0 {
		return true, nil
	}
	answer, err := r.conn.Lookup(ctx, sdk.LookupRequest{Key: a.Name, Value: value})
	if sdk.KindOf(err) == sdk.KindUnsupported {
		return true, nil
	}
	if err != nil {
		return false, sdk.AsError(err)
	}
	found, err := matching(answer, a, value)
	return len(found) == 0 || len(found) == 1 && r.owns(found[0]), err
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
		if a.Err != nil {
			m.Error = sdk.AsError(a.Err).Message
		}
		m.hide(a.Attribute)
		out = append(out, m)
	}
	return out
}

// hide takes the value away if it is not for who looks at it.
func (m *MappedAttribute) hide(a sdk.Attribute) {
	if a.Secret && m.Value != nil {
		m.Value, m.Hidden = nil, true
	}
}
