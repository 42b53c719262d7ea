package wire

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Remote is a target in a connector process. It has every verb; one the
// connector does not offer is [sdk.KindUnsupported]. Beside the errors of the
// verbs, every method may return [ErrNotConfigured] and [ErrProcessGone], each
// inside an [*sdk.Error] that says what is known of the effect.
type Remote struct {
	rpc      connectorv1.ConnectorClient
	instance *connectorv1.InstanceRef
}

var (
	_ sdk.Target       = (*Remote)(nil)
	_ sdk.Getter       = (*Remote)(nil)
	_ sdk.ActiveSetter = (*Remote)(nil)
	_ sdk.Deleter      = (*Remote)(nil)
	_ sdk.Lister       = (*Remote)(nil)
	_ sdk.GroupSetter  = (*Remote)(nil)
	_ sdk.Checker      = (*Remote)(nil)
)

// Lookup implements [sdk.Target].
func (r *Remote) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	resp, err := call(ctx, read, lookupToProto(r.instance, req), r.rpc.Lookup)
	if err != nil {
		return nil, err
	}
	return accountsFromProto(resp.GetAccounts())
}

// Create implements [sdk.Target].
func (r *Remote) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	p, err := createToProto(r.instance, req)
	if err != nil {
		return sdk.Account{}, unsendable(err)
	}
	resp, err := call(ctx, write, p, r.rpc.Create)
	return written(resp, err)
}

// Update implements [sdk.Target].
func (r *Remote) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	p, err := updateToProto(r.instance, req)
	if err != nil {
		return sdk.Account{}, unsendable(err)
	}
	resp, err := call(ctx, write, p, r.rpc.Update)
	return written(resp, err)
}

// SetActive implements [sdk.ActiveSetter].
func (r *Remote) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	resp, err := call(ctx, write, setActiveToProto(r.instance, req), r.rpc.SetActive)
	return written(resp, err)
}

// Get implements [sdk.Getter].
func (r *Remote) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	resp, err := call(ctx, read, getToProto(r.instance, req), r.rpc.Get)
	if err != nil {
		return sdk.Account{}, err
	}
	return accountFromProto(resp.GetAccount())
}

// Delete implements [sdk.Deleter].
func (r *Remote) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	resp, err := call(ctx, write, deleteToProto(r.instance, req), r.rpc.Delete)
	return done(resp, err)
}

// SetGroups implements [sdk.GroupSetter].
func (r *Remote) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	resp, err := call(ctx, write, setGroupsToProto(r.instance, req), r.rpc.SetGroups)
	return done(resp, err)
}

// Check implements [sdk.Checker].
func (r *Remote) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	resp, err := call(ctx, read, &connectorv1.CheckRequest{Instance: r.instance}, r.rpc.Check)
	if err != nil {
		return nil, err
	}
	return stepsFromProto(resp.GetSteps()), nil
}

// List implements [sdk.Lister]. The call starts when the sequence is ranged over
// and is cancelled when the loop ends.
func (r *Remote) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := call(ctx, read, listToProto(r.instance, req), r.rpc.List)
		if err != nil {
			yield(sdk.Account{}, err)
			return
		}
		for {
			page, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(sdk.Account{}, decodeError(closedUnder(ctx, err), false, true))
				return
			}
			if !yieldAccounts(page.GetAccounts(), yield) {
				return
			}
		}
	}
}

// yieldAccounts reports whether the sequence goes on.
func yieldAccounts(page []*connectorv1.Account, yield func(sdk.Account, error) bool) bool {
	for _, p := range page {
		a, err := accountFromProto(p)
		if !yield(a, err) || err != nil {
			return false
		}
	}
	return true
}

// written is the account a write answered with, or [sdk.KindPending]. A connector
// that says neither has not said that it did anything.
func written(resp interface {
	GetAccount() *connectorv1.Account
	GetPending() *connectorv1.Pending
}, err error) (sdk.Account, error) {
	if err != nil {
		return sdk.Account{}, err
	}
	if p := resp.GetPending(); p != nil {
		return sdk.Account{}, pendingFromProto(p)
	}
	a, err := accountFromProto(resp.GetAccount())
	if err != nil {
		return sdk.Account{}, noOutcome(err)
	}
	return a, nil
}

// done is success only if the connector said so.
func done(resp interface {
	GetDone() bool
	GetPending() *connectorv1.Pending
}, err error) error {
	if err != nil {
		return err
	}
	if p := resp.GetPending(); p != nil {
		return pendingFromProto(p)
	}
	if !resp.GetDone() {
		return noOutcome(nil)
	}
	return nil
}

func noOutcome(cause error) *sdk.Error {
	return &sdk.Error{
		Kind: sdk.KindInternal, Effect: sdk.EffectUnknown,
		Message: "the connector answered without an outcome", Err: cause,
	}
}

// unsendable is a request that cannot be put on the wire, so it never left.
func unsendable(err error) *sdk.Error {
	e := &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Message: err.Error(), Err: err}
	var attribute *attributeError
	if errors.As(err, &attribute) {
		e.Field, e.Message = attribute.name, attribute.why
	}
	return e
}
