package provisioning

import (
	"context"
	"errors"
	"time"
)

// Admission bounds how many accounts of a target are suspended or deleted within
// an hour: a broken feed or a wrong click must not take a company's accounts
// away. What is over the bound is held until an admin approves or rejects it.
type Admission interface {
	// Admit reports whether the leased account may be suspended or deleted, and
	// counts it if so. One that is held may not before an admin approved. Asked again for the same revision, or within the hour, it
	// answers the same without counting twice. It returns [ErrLeaseLost].
	Admit(ctx context.Context, l Lease, now time.Time) (bool, error)
}

// The bound of an [Admission].
const (
	DeprovisionWindow = time.Hour
	// MinDeprovisions may go in any case; so may one account in DeprovisionShare.
	MinDeprovisions  = 10
	DeprovisionShare = 20
)

// DeprovisionLimit is how many of a target's accounts may be suspended or deleted
// within [DeprovisionWindow] without an admin.
func DeprovisionLimit(accounts int) int { return max(MinDeprovisions, accounts/DeprovisionShare) }

// errHeld ends a run whose account may not be suspended or deleted yet.
var errHeld = errors.New("held for an admin")

// admitted returns errHeld if the account may not be suspended or deleted.
func (r *run) admitted(ctx context.Context) error {
	ok, err := r.Admission.Admit(ctx, r.lease, r.Now())
	if err != nil {
		return broken(err)
	}
	if !ok {
		return errHeld
	}
	return nil
}

// withheld is the account after a run that was held: nothing is due until an
// admin, or another change, says so.
func (r *run) withheld(a Account) Account {
	a.State, a.Held, a.NextAttemptAt, a.Attempts = StatePending, true, zeroTime, 0
	a.Kind, a.Detail, a.Field, a.FirstFailedAt = "", "", "", zeroTime
	return a
}
