package provisioning

import (
	"context"
	"slices"

	"github.com/anteroom-id/anteroom/sdk"
)

// groupsDigest is where the digest of an account's groups is kept among those of
// its attributes. No attribute has a name like it.
const groupsDigest = "(groups)"

// TargetGroups returns the groups of the target that a user with these groups is
// in, sorted, each once. A user's group that is not mapped has none.
func (t Target) TargetGroups(groups []string) []string {
	out := []string{}
	for _, g := range groups {
		out = append(out, t.Groups[g]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// grouped works out the groups the account should be in. A target without a map
// of groups leaves them alone.
func (r *run) grouped(p Profile) error {
	if r.target.Groups == nil || r.digests == nil {
		return nil
	}
	if r.conn.GroupSetter == nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: "groups", Message: "the connector cannot set groups"}
	}
	r.groups = r.target.TargetGroups(p.Groups)
	list := []any{""} // so that no groups have a digest, too
	for _, g := range r.groups {
		list = append(list, g)
	}
	of, err := digest(r.DigestKey, r.account.Target, sdk.Attributes{groupsDigest: list})
	if err != nil {
		return err
	}
	r.digests[groupsDigest] = of[groupsDigest]
	return nil
}

// ofNew is the digest of the groups that a new account is in: none. It is "" when
// it should be in some.
func (r *run) ofNew() string {
	if len(r.groups) > 0 {
		return ""
	}
	return r.digests[groupsDigest]
}

// setGroups puts the account into exactly its groups, unless had, the digest of
// those it was last put into, says that it is. Call it once what was sent is noted.
func (r *run) setGroups(ctx context.Context, had string) error {
	if r.target.Groups == nil || had == r.digests[groupsDigest] {
		return nil
	}
	err := r.call(ctx, "set_groups", "", true, func(ctx context.Context) (string, error) {
		return "set", r.conn.GroupSetter.SetGroups(ctx, sdk.SetGroupsRequest{Operation: r.operation(), ID: r.account.ExternalID, Groups: r.groups})
	})
	if err != nil {
		r.account.Sent[groupsDigest] = unknownDigest
		return err
	}
	r.attempt.Changed = append(r.attempt.Changed, "groups")
	r.ended(OutcomeUpdated)
	return nil
}
