package provisioning

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// present makes the account exist, active, with the wanted attributes. An
// account that vanishes under our hands is looked for once more.
func (r *run) present(ctx context.Context) error {
	var err error
	for range 2 {
		var found *sdk.Account
		if found, err = r.find(ctx); err != nil {
			return err
		}
		if found == nil {
			return r.create(ctx)
		}
		if err = r.align(ctx, *found); sdk.KindOf(err) != sdk.KindNotFound {
			return err
		}
		r.unlink()
	}
	return err
}

// align sends what differs, then reactivates.
func (r *run) align(ctx context.Context, found sdk.Account) error {
	set, clear := r.diff(found)
	if len(set)+len(clear) > 0 {
		if err := r.update(ctx, found, set, clear); err != nil {
			return err
		}
		r.changed(set, clear)
		r.ended(OutcomeUpdated)
	}
	inactive, had := r.inactive(found), r.account.Sent[groupsDigest]
	r.account.Sent = maps.Clone(r.digests)
	if err := r.setGroups(ctx, had); err != nil {
		return err
	}
	if inactive {
		if err := r.setActive(ctx, true); err != nil {
			return err
		}
		r.ended(OutcomeReactivated)
	}
	r.account.Suspended = false
	r.ended(OutcomeUnchanged)
	return nil
}

// inactive goes by what the target says, or by what we did where it says
// nothing. What a run did that died is not known.
func (r *run) inactive(found sdk.Account) bool {
	if found.Active != nil {
		return !*found.Active
	}
	return r.account.Suspended || len(r.account.Sent) == 0 && r.conn.ActiveSetter != nil
}

// ended notes an outcome; what says more than it stays.
func (r *run) ended(o Outcome) {
	if r.outcome == "" || r.outcome == OutcomeUpdated && o == OutcomeReactivated {
		r.outcome = o
	}
}

// changed records the names of what was sent, in a fixed order.
func (r *run) changed(set sdk.Attributes, clear []string) {
	r.attempt.Changed = slices.Sorted(maps.Keys(set))
	r.attempt.Changed = append(r.attempt.Changed, clear...)
}

// create makes the account after a lookup found none. A name that the target says is
// taken is replaced by the next, where the mapping has one.
func (r *run) create(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	values, err := r.initial()
	if err != nil {
		return err
	}
	for range maxNames {
		var found *sdk.Account
		found, err = r.name(ctx, values)
		switch {
		case err != nil:
			return err
		case found != nil:
			return r.takeOver(ctx, *found)
		}
		if err = r.createOnce(ctx, values); !r.nameTaken(err, values) {
			return err
		}
	}
	return r.refusedTooOften(err)
}

// createOnce makes the call. An answer that is lost, or a name that is taken, is
// looked into before anything else.
func (r *run) createOnce(ctx context.Context, values sdk.Attributes) error {
	uncertain := r.account.CreateSent
	if err := r.Ledger.Creating(ctx, r.lease); err != nil {
		return broken(err)
	}
	r.account.CreateSent = true
	made, err := r.send(ctx, values)
	if err == nil {
		r.link(made.ID, true)
		r.account.Sent = r.sentAtCreate()
		if err := r.setGroups(ctx, r.ofNew()); err != nil {
			return err
		}
		return r.activate(ctx, made)
	}
	var e *sdk.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Kind == sdk.KindPending { // CreateSent stays: until it is done nobody creates
		return err
	}
	if e.Kind == sdk.KindConflict || e.Effect == sdk.EffectNone && e.Kind != sdk.KindOutcomeUnknown {
		r.account.CreateSent = uncertain
	}
	if e.Kind != sdk.KindConflict && !r.account.CreateSent {
		return err
	}
	return r.lookInto(ctx, e)
}

// lookInto finds out what a create left behind. If that cannot be found out the
// create's own failure stands.
func (r *run) lookInto(ctx context.Context, failure *sdk.Error) error {
	found, err := r.lookup(ctx)
	switch {
	case sdk.KindOf(err) == sdk.KindAmbiguous:
		return err
	case err != nil || found == nil:
		var b *ledgerError
		if errors.As(err, &b) {
			return err
		}
		return &unexplained{failure}
	}
	return r.takeOver(ctx, *found)
}

// takeOver adopts an account that was found, and brings it to what is wanted.
func (r *run) takeOver(ctx context.Context, found sdk.Account) error {
	if err := r.adopt(ctx, found); err != nil {
		return err
	}
	return r.align(ctx, found)
}

// send makes the create call. Success without an id is no success.
func (r *run) send(ctx context.Context, values sdk.Attributes) (sdk.Account, error) {
	var made sdk.Account
	err := r.call(ctx, "create", "", true, func(ctx context.Context) (string, error) {
		var err error
		made, err = r.conn.Create(ctx, sdk.CreateRequest{Operation: r.creation(values), Attributes: values, Active: true})
		if err == nil && made.ID == "" {
			err = defect("create answered without an id")
		}
		return "created", err
	})
	if err == nil {
		r.changed(values, nil)
	}
	return made, err
}

// initial returns the attributes of a new account.
func (r *run) initial() (sdk.Attributes, error) {
	values, err := r.mapping.Apply(r.person, mapping.ForCreate)
	maps.DeleteFunc(values, func(_ string, v any) bool { return empty(v) })
	return values, err
}

// sentAtCreate is the digest of what a new account was given of what updates look at.
func (r *run) sentAtCreate() map[string]string {
	sent := maps.Clone(r.digests)
	for _, name := range r.mapping.OnlyUpdated() {
		delete(sent, name)
	}
	return sent
}

// activate is for targets that make new accounts inactive whatever we ask.
func (r *run) activate(ctx context.Context, made sdk.Account) error {
	if made.Active == nil || *made.Active {
		return nil
	}
	return r.setActive(ctx, true)
}

// suspended makes the account inactive if there is one; it never makes one.
func (r *run) suspended(ctx context.Context) error {
	found, err := r.existing(ctx)
	if err != nil || found == nil {
		r.ended(OutcomeUnchanged)
		return err
	}
	return r.suspend(ctx, *found)
}

func (r *run) suspend(ctx context.Context, found sdk.Account) error {
	r.outcome = OutcomeUnchanged
	if found.Active == nil || *found.Active {
		err := r.setActive(ctx, false)
		if sdk.KindOf(err) == sdk.KindNotFound {
			r.unlink()
			return nil
		}
		if err != nil {
			return err
		}
		r.outcome = OutcomeSuspended
	}
	r.account.Suspended = true
	return nil
}

// existing returns the account we know of, or may have made; nil if there is
// none. It never adopts: an account that is to end must not become ours first.
func (r *run) existing(ctx context.Context) (*sdk.Account, error) {
	if r.account.ExternalID == "" && !r.account.CreateSent {
		return nil, nil
	}
	policy := r.target.Adopt
	r.target.Adopt = AdoptNever
	defer func() { r.target.Adopt = policy }()
	found, err := r.find(ctx)
	if sdk.KindOf(err) == sdk.KindConflict {
		found, err = nil, nil
	}
	if found == nil && err == nil {
		r.account.CreateSent = false
	}
	return found, err
}

// absent ends the account as the target's policy says. Only what we made ends;
// an adopted account is let go.
func (r *run) absent(ctx context.Context) error {
	if r.account.ExternalID != "" && !r.account.Created {
		r.unlink()
		r.outcome = OutcomeUnlinked
		return nil
	}
	found, err := r.existing(ctx)
	switch {
	case err != nil:
		return err
	case found == nil:
		r.outcome = OutcomeUnchanged
		return nil
	case !r.account.Created:
		r.unlink()
		r.outcome = OutcomeUnlinked
		return nil
	case r.target.OnUserDelete == DeleteDelete || r.account.Lost: // only on_loss: delete wants a lost one absent
		return r.remove(ctx)
	default:
		return r.suspend(ctx, *found)
	}
}

func (r *run) remove(ctx context.Context) error {
	if err := r.delete(ctx); err != nil && sdk.KindOf(err) != sdk.KindNotFound {
		return err
	}
	r.unlink()
	r.outcome = OutcomeDeleted
	return nil
}
