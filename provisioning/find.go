package provisioning

import (
	"context"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// find returns the user's account in the target, linked; nil when there is none.
// Without a Getter, a linked account is returned with its id alone.
func (r *run) find(ctx context.Context) (*sdk.Account, error) {
	if r.account.ExternalID != "" && r.conn.Getter == nil {
		return &sdk.Account{ID: r.account.ExternalID}, nil
	}
	if r.account.ExternalID != "" {
		found, err := r.get(ctx)
		if sdk.KindOf(err) != sdk.KindNotFound {
			return &found, err
		}
		r.unlink()
	}
	found, err := r.lookup(ctx)
	switch {
	case err != nil:
		return nil, err
	case found == nil && r.awaited():
		return nil, r.stillPending()
	case found == nil:
		return nil, nil
	}
	return found, r.adopt(ctx, *found)
}

// unlink forgets an account that is not there or not ours.
func (r *run) unlink() {
	a := &r.account
	a.ExternalID, a.Created, a.Adopted, a.Suspended, a.Sent = "", false, false, false, nil
}

// lookup asks by the correlation keys in their order; nil when no account
// matches any. A key the target cannot be asked by is passed over, but when it
// can be asked by none nobody knows whether there is an account.
func (r *run) lookup(ctx context.Context) (*sdk.Account, error) {
	values, err := r.keyValues()
	if err != nil {
		return nil, err
	}
	asked := false
	var refused error
	for _, a := range r.keys() {
		found, answered, err := r.lookupKey(ctx, a, values.Strings(a.Name))
		asked = asked || answered
		switch {
		case sdk.KindOf(err) == sdk.KindUnsupported:
			refused = err
		case err != nil || found != nil:
			return found, err
		}
	}
	found, answered, err := r.recall(ctx)
	asked = asked || answered
	switch {
	case err != nil || found != nil:
		return found, err
	case asked:
		return nil, nil
	case refused != nil:
		return nil, refused
	case r.account.CreateSent:
		return nil, &sdk.Error{
			Kind: sdk.KindAmbiguous, Effect: sdk.EffectNone,
			Message: "an earlier create may have made an account, and there is no correlation key to look it up by",
		}
	default:
		return nil, nil
	}
}

// lookupKey asks by one key, and reports whether the target answered for it.
// More than one match is ambiguous.
func (r *run) lookupKey(ctx context.Context, a sdk.Attribute, values []string) (found *sdk.Account, answered bool, err error) {
	for _, value := range values {
		matches, err := r.lookupBy(ctx, a, value)
		switch {
		case err != nil:
			return nil, answered, err
		case len(matches) == 1:
			return &matches[0], true, nil
		case len(matches) > 1:
			return nil, true, &sdk.Error{Kind: sdk.KindAmbiguous, Effect: sdk.EffectNone, Field: a.Name, Message: "several accounts match"}
		}
		answered = true
	}
	return nil, answered, nil
}

// keys returns the attributes to look up by, in order.
func (r *run) keys() []sdk.Attribute {
	var out []sdk.Attribute
	for _, a := range r.conn.Description.Attributes {
		if a.Correlate > 0 {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b sdk.Attribute) int { return a.Correlate - b.Correlate })
	return out
}

// matching returns the accounts of an answer that really have the value. An
// account without an id, or whose key was not read, proves nothing: to drop it
// could mean a second account, to take it somebody else's.
func matching(answer []sdk.Account, a sdk.Attribute, value string) ([]sdk.Account, error) {
	var out []sdk.Account
	for _, found := range answer {
		if found.ID == "" {
			return nil, defect("lookup answered with an account without an id")
		}
		if _, read := found.Attributes[a.Name]; !read {
			return nil, defect("lookup answered with an account without the attribute " + a.Name)
		}
		known := slices.ContainsFunc(out, func(have sdk.Account) bool { return have.ID == found.ID })
		if has(found, a, value) && !known {
			out = append(out, found)
		}
	}
	return out, nil
}

func has(found sdk.Account, a sdk.Attribute, value string) bool {
	return slices.ContainsFunc(found.Attributes.Strings(a.Name), func(have string) bool {
		return have == value || !a.CaseExact && strings.EqualFold(have, value)
	})
}

// claim says whose an account in the target is.
type claim string

const (
	claimOurs    claim = "ours"
	claimNobody  claim = "nobody"
	claimAnother claim = "another"
)

// claimOf reads the owner attribute. Where there is none to read, an account
// that appeared after our create went out is ours.
func (r *run) claimOf(found sdk.Account) claim {
	a, declared := r.owner()
	value, read := found.Attributes[a.Name]
	switch {
	case (!declared || !read) && r.account.CreateSent:
		return claimOurs
	case !declared || !read || empty(value):
		return claimNobody
	case found.Attributes.String(a.Name) == string(r.account.User):
		return claimOurs
	default:
		return claimAnother
	}
}

// adopt links an account that was found by its keys, if it is ours already or
// the policy lets it become so; else it is a conflict.
func (r *run) adopt(ctx context.Context, found sdk.Account) error {
	other, err := r.Ledger.LinkedTo(ctx, r.account.Target, found.ID)
	if err != nil {
		return broken(err)
	}
	whose := r.claimOf(found)
	switch {
	case other != "" && other != r.account.User:
		return conflict("the account that matches is linked to another user")
	case whose == claimOurs:
		r.link(found.ID, r.account.CreateSent)
		return nil
	case r.target.Adopt == AdoptAlways, r.target.Adopt == AdoptIfUnclaimed && whose == claimNobody:
		r.link(found.ID, false)
		return nil
	case whose == claimAnother:
		return conflict("the account that matches belongs to somebody else")
	default:
		return conflict("an account that matches is there, and the target's policy is never to adopt")
	}
}

// link ties the row to an account of the target.
func (r *run) link(id string, created bool) {
	a := &r.account
	a.ExternalID, a.Created, a.Adopted, a.CreateSent = id, created, !created, false
	r.outcome = OutcomeAdopted
	if created {
		r.outcome = OutcomeCreated
	}
}

func conflict(message string) error {
	return &sdk.Error{Kind: sdk.KindConflict, Effect: sdk.EffectNone, Message: message}
}
