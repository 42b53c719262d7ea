package provisioning

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// run is one run of the engine for one account. account is a working copy: what
// is learned of the link stays in it even when the run fails.
type run struct {
	*Engine
	held    *held
	lease   Lease
	account Account
	desired Desired // what the run works for, given what became of the user

	target  Target
	conn    Conn
	mapping *mapping.Mapping
	person  mapping.Profile
	wanted  sdk.Attributes // what an update brings the account to
	keyed   sdk.Attributes // what it is looked up by; see keyValues
	naming  naming
	digests map[string]string // of wanted
	attempt *Attempt          // nil until the first call
	groups  []string          // of the target, for the user; see Target.Groups
	outcome Outcome
	waits   bool   // for an admin, see errHeld
	skipped string // why rules do not permit the account; "" if they do
	loss    *Loss  // goes with skipped
}

// work brings the account to what is desired. Its error is an [*sdk.Error] or a
// ledgerError.
func (r *run) work(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if r.settled() {
		r.outcome = OutcomeUnchanged
		return nil
	}
	switch r.desired {
	case DesiredPresent:
		return r.present(ctx)
	case DesiredSuspended:
		return r.suspended(ctx)
	default:
		return r.absent(ctx)
	}
}

// prepare reads the target and the user and works out what the account should
// look like.
func (r *run) prepare(ctx context.Context) error {
	var err error
	if r.target, err = r.Store.Get(ctx, r.account.Target); err != nil {
		return broken(err)
	}
	profile, err := r.profile(ctx)
	if err != nil {
		return err
	}
	if err := r.permitted(ctx, profile); err != nil {
		return err
	}
	if r.conn, err = r.Targets.Connect(ctx, r.target); err != nil {
		return r.refused(ctx, "connect", err)
	}
	if r.desired == DesiredAbsent {
		r.wanted = r.ownerOnly()
		r.keyed = r.wanted
		return nil
	}
	return r.mapped(profile)
}

// profile reads the user. One who is gone meanwhile should have no account, and
// one who is disabled no active one, whatever the row still says.
func (r *run) profile(ctx context.Context) (Profile, error) {
	if r.desired == DesiredAbsent && !r.account.Lost {
		return Profile{}, nil
	}
	p, err := r.Users.Profile(ctx, r.account.User)
	switch {
	case errors.Is(err, ErrUserNotFound):
		r.desired = DesiredAbsent
	case err != nil:
		return Profile{}, broken(err)
	case !p.Active && r.desired == DesiredPresent:
		r.desired = DesiredSuspended
	}
	return p, nil
}

// mapped works out what an update would bring the account to.
func (r *run) mapped(p Profile) error {
	var err error
	if r.mapping, err = r.mappings.of(r.target, r.conn.Description.Attributes); err != nil {
		return err
	}
	r.person = p.mapped()
	r.wanted, err = r.mapping.Apply(r.person, mapping.ForUpdate)
	if err != nil && r.desired == DesiredPresent {
		return err
	}
	if err != nil { // enough to find the account that is to be suspended
		r.wanted = r.ownerOnly()
		r.keyed = r.wanted
	}
	if r.digests, err = digest(r.DigestKey, r.account.Target, r.wanted); err != nil || r.desired != DesiredPresent {
		return err
	}
	return r.grouped(p)
}

// keyValues returns what the account is looked up by.
func (r *run) keyValues() (sdk.Attributes, error) {
	if r.keyed != nil {
		return r.keyed, nil
	}
	var err error
	r.keyed, err = r.mapping.Apply(r.person, mapping.ForLookup)
	if err != nil && r.desired != DesiredPresent {
		r.keyed, err = r.ownerOnly(), nil
	}
	return r.keyed, err
}

// ownerOnly is what can be said of the account of a user who is gone.
func (r *run) ownerOnly() sdk.Attributes {
	out := sdk.Attributes{}
	if a, ok := r.owner(); ok {
		out[a.Name] = string(r.account.User)
	}
	return out
}

// owner returns the attribute that holds our user id, if the connector has one.
func (r *run) owner() (sdk.Attribute, bool) {
	for _, a := range r.conn.Description.Attributes {
		if a.Owner {
			return a, true
		}
	}
	return sdk.Attribute{}, false
}

// settled reports whether the target has what is desired as far as we know, and
// nothing gives a reason to look. What was sent is forgotten when a run begins
// and written when it ends, so a run that died leaves such a reason.
func (r *run) settled() bool {
	a := r.account
	if a.ExternalID == "" || a.CreateSent || a.Kind != "" || len(a.Sent) == 0 {
		return false
	}
	switch r.desired {
	case DesiredPresent:
		return !a.Suspended && maps.Equal(a.Sent, r.digests)
	case DesiredSuspended:
		return a.Suspended
	default:
		return false
	}
}

// begin commits the intent before the first call.
func (r *run) begin(ctx context.Context) error {
	if r.attempt != nil {
		return nil
	}
	a := Attempt{
		ID: AttemptID(newID()), User: r.account.User, Target: r.account.Target, Rev: r.lease.Account.DesiredRev,
		OperationID: operationID(r.lease.Account), Number: r.account.Attempts, Trigger: r.account.Trigger, StartedAt: r.Now(),
	}
	if err := r.Ledger.Begin(ctx, r.lease, a); err != nil {
		return broken(err)
	}
	r.attempt = &a
	return nil
}

// operationID is the same on every retry of the same intent.
func operationID(a Account) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", string(a.User), string(a.Target), a.DesiredRev))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (r *run) operation() sdk.Operation {
	return sdk.Operation{ID: r.attempt.OperationID, Attempt: max(1, r.attempt.Number), Dialog: r.attempt.Trigger == TriggerSignIn}
}

// finish writes how the run ended; failure is nil when it ended well.
func (r *run) finish(ctx context.Context, failure *sdk.Error) error {
	err := r.Ledger.Finish(ctx, r.lease, r.result(failure))
	if !errors.Is(err, ErrLinked) {
		return err
	}
	// The target gave us an account that is another user's: it is not ours.
	r.unlink()
	return r.Ledger.Finish(ctx, r.lease, r.result(&sdk.Error{
		Kind: sdk.KindConflict, Effect: sdk.EffectUnknown, Message: "the account is linked to another user",
	}))
}

func (r *run) result(failure *sdk.Error) Result {
	a := r.account
	a.Desired, a.UpdatedAt, a.Trigger = r.desired, r.Now(), r.next(failure)
	a.Held = false
	switch {
	case r.waits:
		a, r.outcome = r.withheld(a), OutcomeHeld
	case r.skipped != "":
		r.outcome = OutcomeSkipped
		a = r.done(a)
		a.Detail = r.skipped
	case failure == nil:
		a = r.done(a)
	default:
		a = r.failed(a, failure)
	}
	if r.attempt != nil {
		r.attempt.EndedAt, r.attempt.Outcome = r.Now(), r.outcome
		r.attempt.Kind, r.attempt.Detail = a.Kind, a.Detail
		if failure != nil {
			r.attempt.Outcome = ""
		}
	}
	return Result{Rev: r.lease.Account.DesiredRev, Account: a, Attempt: r.attempt, Loss: r.loss}
}

// done is an account whose run ended well.
func (r *run) done(a Account) Account {
	a.State, a.Outcome, a.AppliedRev = r.reached(), r.outcome, r.lease.Account.DesiredRev
	a.TargetRev = r.target.Revision
	a.Kind, a.Detail, a.Field, a.Attempts = "", "", "", 0
	a.FirstFailedAt, a.NextAttemptAt = zeroTime, zeroTime
	return a
}

// next is the trigger of the run after this one. Whoever waits at a sign-in waits
// through one retry; after that the work is the background's.
func (r *run) next(failure *sdk.Error) Trigger {
	if failure != nil && r.account.Attempts <= 1 {
		return r.account.Trigger
	}
	return TriggerBackground
}

// reached is the state of an account whose run ended well.
func (r *run) reached() State {
	switch {
	case r.account.ExternalID == "":
		return StateAbsent
	case r.account.Suspended:
		return StateSuspended
	default:
		return StateInSync
	}
}
