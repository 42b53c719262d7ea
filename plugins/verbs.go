package plugins

import (
	"context"
	"iter"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// Target returns the verbs every connector has.
func (c *Conn) Target() sdk.Target { return verbs{c} }

// Getter returns nil if the connector cannot read an account by its id.
func (c *Conn) Getter() sdk.Getter {
	if !c.Description().Has(sdk.CapabilityGet) {
		return nil
	}
	return verbs{c}
}

// ActiveSetter returns nil if the connector cannot suspend accounts.
func (c *Conn) ActiveSetter() sdk.ActiveSetter {
	if !c.Description().Has(sdk.CapabilitySetActive) {
		return nil
	}
	return verbs{c}
}

// Deleter returns nil if the connector cannot delete accounts.
func (c *Conn) Deleter() sdk.Deleter {
	if !c.Description().Has(sdk.CapabilityDelete) {
		return nil
	}
	return verbs{c}
}

// Lister returns nil if the connector cannot enumerate accounts.
func (c *Conn) Lister() sdk.Lister {
	if !c.Description().Has(sdk.CapabilityList) {
		return nil
	}
	return verbs{c}
}

// GroupSetter returns nil if the connector knows no groups.
func (c *Conn) GroupSetter() sdk.GroupSetter {
	if !c.Description().Has(sdk.CapabilitySetGroups) {
		return nil
	}
	return verbs{c}
}

// Checker returns nil if the connector cannot check its configuration.
func (c *Conn) Checker() sdk.Checker {
	if !c.Description().Has(sdk.CapabilityCheck) {
		return nil
	}
	return verbs{c}
}

// verbs has every verb; [Conn] decides which of them are shown.
type verbs struct{ c *Conn }

func (v verbs) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	return invoke(ctx, v.c, "lookup", func(ctx context.Context, r *wire.Remote) ([]sdk.Account, error) { return r.Lookup(ctx, req) })
}

func (v verbs) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	return invoke(ctx, v.c, "create", func(ctx context.Context, r *wire.Remote) (sdk.Account, error) { return r.Create(ctx, req) })
}

func (v verbs) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	return invoke(ctx, v.c, "update", func(ctx context.Context, r *wire.Remote) (sdk.Account, error) { return r.Update(ctx, req) })
}

func (v verbs) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	return invoke(ctx, v.c, "get", func(ctx context.Context, r *wire.Remote) (sdk.Account, error) { return r.Get(ctx, req) })
}

func (v verbs) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return invoke(ctx, v.c, "set_active", func(ctx context.Context, r *wire.Remote) (sdk.Account, error) { return r.SetActive(ctx, req) })
}

func (v verbs) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	_, err := invoke(ctx, v.c, "delete", func(ctx context.Context, r *wire.Remote) (struct{}, error) { return struct{}{}, r.Delete(ctx, req) })
	return err
}

func (v verbs) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	_, err := invoke(ctx, v.c, "set_groups", func(ctx context.Context, r *wire.Remote) (struct{}, error) { return struct{}{}, r.SetGroups(ctx, req) })
	return err
}

// Check redacts what the connector says of each step: it is most talkative here.
func (v verbs) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	redact := v.c.redact
	steps, err := invoke(ctx, v.c, "check", func(ctx context.Context, r *wire.Remote) ([]sdk.CheckStep, error) { return r.Check(ctx) })
	for i, s := range steps {
		steps[i].Detail, steps[i].Fix = redact(s.Detail), redact(s.Fix)
	}
	return steps, err
}

// List is one call however long it takes: its deadline spans the whole sequence.
// It is repeated only while it has yielded nothing.
func (v verbs) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		stopped := false
		_, err := invoke(ctx, v.c, "list", func(ctx context.Context, r *wire.Remote) (struct{}, error) {
			var failure error
			yielded := false
			for a, err := range r.List(ctx, req) {
				if err != nil {
					failure = err
					break
				}
				yielded = true
				if !yield(a, nil) {
					stopped = true
					return struct{}{}, nil
				}
			}
			return struct{}{}, midway(failure, yielded)
		})
		if err != nil && !stopped {
			yield(sdk.Account{}, err)
		}
	}
}

// midway makes sure that a sequence which was cut is not started over: the caller
// has seen its beginning.
func midway(err error, yielded bool) error {
	if err == nil || !yielded {
		return err
	}
	e := *sdk.AsError(err)
	e.Effect = sdk.EffectUnknown
	return &e
}
