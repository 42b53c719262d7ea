package ldap

import (
	"context"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/sdk"
)

// SetGroups puts the account into exactly the named groups of those beneath
// group_base_dn. Every name is found before anything is changed.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	if t.config.GroupBaseDN == "" {
		return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: "group_base_dn", Message: "groups are not configured"}
	}
	e, err := t.read(ctx, req.ID)
	if err != nil {
		return err
	}
	wanted := map[string]string{} // names by folded DN
	for _, name := range req.Groups {
		dn, err := t.group(ctx, name)
		if err != nil {
			return err
		}
		wanted[strings.ToLower(dn)] = dn
	}
	member := t.memberOf(e)
	current, err := t.groupsOf(ctx, member)
	if err != nil {
		return err
	}
	return t.regroup(ctx, member, current, wanted)
}

// regroup adds first, so that nobody is without a group in between.
func (t *Target) regroup(ctx context.Context, member string, current []string, wanted map[string]string) error {
	done := false
	step := func(err error) error {
		if err != nil && done {
			return applied(err, "some groups were changed")
		}
		done = true
		return err
	}
	var superfluous []string
	for _, dn := range current {
		folded := strings.ToLower(dn)
		if _, keep := wanted[folded]; !keep {
			superfluous = append(superfluous, dn)
		}
		delete(wanted, folded)
	}
	for _, dn := range wanted {
		if err := step(t.join(ctx, dn, member)); err != nil {
			return err
		}
	}
	for _, dn := range superfluous {
		if err := step(t.leave(ctx, dn, member)); err != nil {
			return err
		}
	}
	return nil
}

// memberOf is how groups name the entry.
func (t *Target) memberOf(e *goldap.Entry) string {
	if strings.EqualFold(t.profile.member, memberUID) {
		return e.GetEqualFoldAttributeValue(t.profile.names[nameLogin])
	}
	return e.DN
}

// group returns the name of the one group that is called so.
func (t *Target) group(ctx context.Context, name string) (dn string, err error) {
	found, err := t.search(ctx, t.groups("(cn="+goldap.EscapeFilter(name)+")"))
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", sdk.Invalid("groups", fmt.Sprintf("there is no group %q beneath group_base_dn", name))
	case len(found) > 1:
		return "", &sdk.Error{Kind: sdk.KindAmbiguous, Effect: sdk.EffectNone, Field: "groups", Message: fmt.Sprintf("several groups beneath group_base_dn are called %q", name)}
	}
	return found[0].DN, nil
}

// groups is a query for groups.
func (t *Target) groups(condition string, values ...string) query {
	return query{
		base: t.config.GroupBaseDN, field: "group_base_dn", scope: goldap.ScopeWholeSubtree,
		filter: "(&(objectClass=" + t.profile.groupClass() + ")" + condition + ")", reads: []string{"1.1"}, values: values,
	}
}

// groupsOf returns the names of the managed groups that have the member.
func (t *Target) groupsOf(ctx context.Context, member string) ([]string, error) {
	q := t.groups(t.hasMember(member), member)
	q.all = true
	found, err := t.search(ctx, q)
	var out []string
	for _, e := range found {
		out = append(out, e.DN)
	}
	return out, err
}

func (t *Target) hasMember(member string) string {
	return "(" + t.profile.member + "=" + goldap.EscapeFilter(member) + ")"
}

// isMember reads whether the group has the member.
func (t *Target) isMember(ctx context.Context, group, member string) (bool, error) {
	found, err := t.search(ctx, query{
		base: group, scope: goldap.ScopeBaseObject, filter: t.hasMember(member), reads: []string{"1.1"}, values: []string{member},
	})
	return len(found) > 0, err
}

// join adds the member to the group; one that is in it already is a success.
func (t *Target) join(ctx context.Context, group, member string) error {
	request := goldap.NewModifyRequest(group, nil)
	request.Add(t.profile.member, []string{member})
	err := t.regrouped(ctx, request, member)
	if hasCode(err, goldap.LDAPResultAttributeOrValueExists, goldap.LDAPResultEntryAlreadyExists) {
		if in, readErr := t.isMember(ctx, group, member); readErr == nil && in {
			return nil
		}
	}
	return err
}

// leave removes the member from the group; one that is not in it is a success.
// A group that must not become empty gets the placeholder.
func (t *Target) leave(ctx context.Context, group, member string) error {
	request := goldap.NewModifyRequest(group, nil)
	request.Delete(t.profile.member, []string{member})
	err := t.regrouped(ctx, request, member)
	if hasCode(err, goldap.LDAPResultObjectClassViolation) {
		return t.empty(ctx, group, member)
	}
	if hasCode(err, goldap.LDAPResultNoSuchAttribute, goldap.LDAPResultUnwillingToPerform) {
		if in, readErr := t.isMember(ctx, group, member); readErr == nil && !in {
			return nil
		}
	}
	return err
}

func (t *Target) empty(ctx context.Context, group, member string) error {
	if t.config.PlaceholderDN == "" {
		return sdk.Invalid("group_placeholder_dn", fmt.Sprintf("the account is the last member of %s, which the directory does not let become empty", group))
	}
	request := goldap.NewModifyRequest(group, nil)
	request.Replace(t.profile.member, []string{t.config.PlaceholderDN})
	return t.regrouped(ctx, request, member)
}

func (t *Target) regrouped(ctx context.Context, request *goldap.ModifyRequest, member string) error {
	err := t.pool.do(ctx, call{name: "modify group", writes: true, values: []string{member}, run: func(conn *goldap.Conn) error {
		return conn.Modify(request)
	}})
	if !hasCode(err, goldap.LDAPResultNoSuchObject) {
		return err
	}
	e := *sdk.AsError(err) // of the group: the account is there
	e.Kind, e.Field = sdk.KindTransient, "groups"
	return &e
}

// leaveAll takes the entry out of the managed groups before it is deleted: a name
// that stays behind would let in whoever gets it next. Active Directory does that
// by itself.
func (t *Target) leaveAll(ctx context.Context, e *goldap.Entry) error {
	if t.config.GroupBaseDN == "" || t.profile.ad {
		return nil
	}
	member := t.memberOf(e)
	current, err := t.groupsOf(ctx, member)
	if err != nil {
		return err
	}
	return t.regroup(ctx, member, current, nil)
}

// moveMemberships replaces the entry's former name in the managed groups, where
// the directory does not do so by itself.
func (t *Target) moveMemberships(ctx context.Context, before, after *goldap.Entry) error {
	old, now := t.memberOf(before), t.memberOf(after)
	if t.config.GroupBaseDN == "" || t.profile.ad || old == now {
		return nil
	}
	current, err := t.groupsOf(ctx, old)
	for i := 0; err == nil && i < len(current); i++ {
		request := goldap.NewModifyRequest(current[i], nil)
		request.Delete(t.profile.member, []string{old})
		request.Add(t.profile.member, []string{now})
		err = t.regrouped(ctx, request, now)
	}
	if err != nil {
		return applied(err, "the entry was renamed")
	}
	return nil
}
