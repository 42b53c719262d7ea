package provisioning

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/anteroom-id/anteroom/provisioning/mapping"
	"github.com/anteroom-id/anteroom/sdk"
)

// Reservations keep the values that accounts got when they were made, or are about
// to get. Within a target and an attribute no two accounts have values that fold
// alike. Those of an account go when a run ends with the account absent.
type Reservations interface {
	// Reserved returns the values of the user's account in the target, by attribute.
	Reserved(ctx context.Context, user UserID, target TargetName) (map[string]string, error)
	// Reserve gives the account the first of the candidates that no other account has,
	// in place of the value it had, and returns it; "" when others have all of them.
	// What is returned is committed. It returns [ErrLeaseLost].
	Reserve(ctx context.Context, l Lease, attribute string, candidates []Candidate) (string, error)
	// Taken returns which of the candidates other accounts have, by their folded values.
	Taken(ctx context.Context, user UserID, target TargetName, attribute string, candidates []Candidate) (map[string]bool, error)
}

// maxNames is how many names are tried in one run that turn out to be taken only when
// the account is created.
const maxNames = 5

// naming is what a run knows of the values that are made once.
type naming struct {
	names   map[string]string   // reserved for the account, by attribute; nil before they are read
	refused map[string][]string // by attribute: what creates of this run found taken
}

// unexplained is the failure of a create, after a lookup that found no account.
type unexplained struct{ failure *sdk.Error }

// Error returns the failure's text.
func (u *unexplained) Error() string { return u.failure.Error() }

// Unwrap returns the failure.
func (u *unexplained) Unwrap() error { return u.failure }

// reserved returns the values that are kept for the account, by attribute.
func (r *run) reserved(ctx context.Context) (map[string]string, error) {
	if r.naming.names != nil {
		return r.naming.names, nil
	}
	names, err := r.Reservations.Reserved(ctx, r.account.User, r.account.Target)
	if err != nil {
		return nil, broken(err)
	}
	r.naming.names = names
	return names, nil
}

// recall looks for an account that an earlier create may have made, by the values that
// were reserved for it. One that is not the user's only has the same name: it is never
// adopted. It reports whether the target answered.
func (r *run) recall(ctx context.Context) (found *sdk.Account, answered bool, err error) {
	if !r.account.CreateSent {
		return nil, false, nil
	}
	names, err := r.reserved(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, a := range r.keys() {
		if names[a.Name] == "" {
			continue
		}
		match, asked, err := r.lookupKey(ctx, a, []string{names[a.Name]})
		answered = answered || asked
		switch {
		case sdk.KindOf(err) == sdk.KindUnsupported:
		case err != nil:
			return nil, answered, err
		case match != nil && r.claimOf(*match) == claimOurs:
			return match, true, nil
		}
	}
	return nil, answered, nil
}

// name puts values into the attributes that are made once: those the account has
// already, or new ones, reserved and not to be found in the target. It returns an
// account that turns out to be the user's.
func (r *run) name(ctx context.Context, values sdk.Attributes) (found *sdk.Account, err error) {
	for _, k := range r.mapping.Kept() {
		names, err := r.reserved(ctx)
		if err != nil {
			return nil, err
		}
		attribute := k.Attribute.Name
		switch {
		case !k.UUID:
			found, err = r.free(ctx, k.Attribute)
		case names[attribute] == "":
			_, err = r.reserve(ctx, attribute, []Candidate{mapping.NewCandidate(uuid.NewString())})
		}
		if err != nil || found != nil {
			return found, err
		}
		values[attribute] = names[attribute]
	}
	return nil, nil
}

// free reserves the first candidate that neither another account of ours nor the
// target has. What was reserved before comes first: a run that died may have sent it.
func (r *run) free(ctx context.Context, a sdk.Attribute) (*sdk.Account, error) {
	candidates, err := r.candidates(a.Name)
	for err == nil && len(candidates) > 0 {
		var value string
		if value, err = r.reserve(ctx, a.Name, candidates); err != nil || value == "" {
			break
		}
		var found []sdk.Account
		if found, err = r.bearers(ctx, a, value); err != nil || len(found) == 0 {
			return nil, err
		}
		if len(found) == 1 && r.owns(found[0]) {
			return &found[0], nil
		}
		candidates = after(candidates, value)
	}
	if err != nil {
		return nil, err
	}
	return nil, allTaken(a.Name)
}

// candidates returns the values an attribute may get: the one that is reserved, then
// those of the mapping, without what the target has refused.
func (r *run) candidates(attribute string) ([]Candidate, error) {
	out, err := r.mapping.Candidates(attribute, r.person)
	if had := r.naming.names[attribute]; had != "" {
		out = slices.DeleteFunc(out, func(c Candidate) bool { return c.Value == had })
		out, err = slices.Insert(out, 0, mapping.NewCandidate(had)), nil
	}
	return slices.DeleteFunc(out, func(c Candidate) bool { return slices.Contains(r.naming.refused[attribute], c.Value) }), err
}

func (r *run) reserve(ctx context.Context, attribute string, candidates []Candidate) (string, error) {
	value, err := r.Reservations.Reserve(ctx, r.lease, attribute, candidates)
	if err != nil {
		return "", broken(err)
	}
	if value != "" {
		r.naming.names[attribute] = value
	}
	return value, nil
}

// bearers returns the accounts that have the value, as far as the target can be asked
// by the attribute.
func (r *run) bearers(ctx context.Context, a sdk.Attribute, value string) ([]sdk.Account, error) {
	if a.Correlate == 0 {
		return nil, nil
	}
	found, err := r.lookupBy(ctx, a, value)
	if sdk.KindOf(err) == sdk.KindUnsupported {
		return nil, nil
	}
	return found, err
}

// owns reports whether the account says that it is the user's.
func (r *run) owns(found sdk.Account) bool {
	a, declared := r.owner()
	return declared && found.Attributes.String(a.Name) == string(r.account.User)
}

func after(candidates []Candidate, value string) []Candidate {
	i := slices.IndexFunc(candidates, func(c Candidate) bool { return c.Value == value })
	return candidates[i+1:]
}

// nameTaken reports whether a create failed because a unique value is taken, and notes
// which. An error that names another attribute is about that.
func (r *run) nameTaken(err error, values sdk.Attributes) bool {
	var u *unexplained
	if !errors.As(err, &u) || u.failure.Kind != sdk.KindConflict {
		return false
	}
	found := false
	for _, k := range r.mapping.Kept() {
		name := k.Attribute.Name
		if k.UUID || u.failure.Field != "" && u.failure.Field != name {
			continue
		}
		if r.naming.refused == nil {
			r.naming.refused = map[string][]string{}
		}
		r.naming.refused[name] = append(r.naming.refused[name], values.String(name))
		found = true
	}
	return found
}

// refusedTooOften is how a run ends that was told of each name it tried that it is
// taken. The target may mean something else by it.
func (r *run) refusedTooOften(last error) error {
	e := &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectNone}
	for _, k := range r.mapping.Kept() {
		if n := len(r.naming.refused[k.Attribute.Name]); n > 0 {
			e.Field = k.Attribute.Name
			e.Message = fmt.Sprintf("the target refused %d values as taken, though it finds no account that has them: %s", n, sdk.AsError(last).Message)
		}
	}
	return e
}

// allTaken is for who has to add candidates.
func allTaken(attribute string) error {
	return &sdk.Error{
		Kind: sdk.KindConflict, Effect: sdk.EffectNone, Field: attribute,
		Message: "every value that the mapping allows is taken; add a candidate, or more suffixes",
	}
}

// creation is the operation of a create: the same as long as the account is to get the
// same unique values, so that a target does not take another name for a repetition.
func (r *run) creation(values sdk.Attributes) sdk.Operation {
	op := r.operation()
	for _, k := range r.mapping.Kept() {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", op.ID, values.String(k.Attribute.Name)))
		op.ID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return op
}
