package provisioning

import (
	"context"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// errSimulated is what whoever writes in a simulation gets. Nobody does; were it
// otherwise, it would be a failure and no write.
var errSimulated = errors.New("a simulation changes nothing")

// unwritten is a ledger that keeps nothing. That an attempt begins has to be said
// before a call; of one that only reads, nothing has to stay.
type unwritten struct{ ledger SimulatorLedger }

var _ Ledger = unwritten{}

// Begin implements Ledger.
func (unwritten) Begin(context.Context, Lease, Attempt) error { return nil }

// Creating implements Ledger.
func (unwritten) Creating(context.Context, Lease) error { return errSimulated }

// Extend implements Ledger.
func (unwritten) Extend(context.Context, Lease, time.Time) error { return errSimulated }

// Finish implements Ledger.
func (unwritten) Finish(context.Context, Lease, Result) error { return errSimulated }

// LinkedTo implements Ledger.
func (u unwritten) LinkedTo(ctx context.Context, target TargetName, externalID string) (UserID, error) {
	return u.ledger.LinkedTo(ctx, target, externalID)
}

// presumed are reservations of which the next is only presumed.
type presumed struct{ SimulatorReservations }

var _ Reservations = presumed{}

// Reserve implements Reservations.
func (p presumed) Reserve(ctx context.Context, l Lease, attribute string, candidates []Candidate) (string, error) {
	taken, err := p.Taken(ctx, l.Account.User, l.Account.Target, attribute, candidates)
	for _, c := range candidates {
		if err == nil && !taken[c.Folded] {
			return c.Value, nil
		}
	}
	return "", err
}

// reading leaves of a connection what reads. That there are other verbs can still be
// seen.
func reading(c Conn) Conn {
	out := Conn{Target: reader{c.Target}, Getter: c.Getter, Lister: c.Lister, Description: c.Description}
	if c.ActiveSetter != nil {
		out.ActiveSetter = reader{}
	}
	if c.GroupSetter != nil {
		out.GroupSetter = reader{}
	}
	return out
}

// reader looks up, and changes nothing.
type reader struct{ target sdk.Target }

var (
	_ sdk.Target       = reader{}
	_ sdk.ActiveSetter = reader{}
	_ sdk.GroupSetter  = reader{}
)

// Lookup implements sdk.Target.
func (r reader) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	return r.target.Lookup(ctx, req)
}

// Create implements sdk.Target.
func (reader) Create(context.Context, sdk.CreateRequest) (sdk.Account, error) {
	return sdk.Account{}, errSimulated
}

// Update implements sdk.Target.
func (reader) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{}, errSimulated
}

// SetActive implements sdk.ActiveSetter.
func (reader) SetActive(context.Context, sdk.SetActiveRequest) (sdk.Account, error) {
	return sdk.Account{}, errSimulated
}

// SetGroups implements sdk.GroupSetter.
func (reader) SetGroups(context.Context, sdk.SetGroupsRequest) error { return errSimulated }
