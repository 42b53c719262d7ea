package salesforce

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// membership is one way of being in a group: a link object between a user and
// what the user is given.
type membership struct {
	field   string   // of the configuration, which names the groups of this sort
	managed []string // API names; all others are left alone

	group  string // sObject of the group
	name   string // its field with the API name
	which  string // condition on the group beside its name, "" for none
	link   string // sObject of the link
	parent string // relationship from the link to the group
	ref    string // field of the link with the group's id
	member string // field of the link with the user's id
}

func (t *Target) memberships() []membership {
	return []membership{
		{
			field: "permission_sets", managed: t.cfg.PermissionSets,
			group: "PermissionSet", name: "Name", which: "IsOwnedByProfile = false",
			link: "PermissionSetAssignment", parent: "PermissionSet", ref: "PermissionSetId", member: "AssigneeId",
		},
		{
			field: "public_groups", managed: t.cfg.PublicGroups,
			group: "Group", name: "DeveloperName", which: "Type = 'Regular'",
			link: "GroupMember", parent: "Group", ref: "GroupId", member: "UserOrGroupId",
		},
	}
}

// SetGroups gives an account those of the configured permission sets and public
// groups that are named, and takes the other configured ones away. What is not
// configured is left alone.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	if err := checkID(req.ID); err != nil {
		return err
	}
	sorts := t.memberships()
	for _, name := range req.Groups {
		if !slices.ContainsFunc(sorts, func(m membership) bool { return m.manages(name) }) {
			return sdk.Invalid("groups", "a group is neither among permission_sets nor among public_groups")
		}
	}
	changes := 0
	found := false
	for _, m := range sorts {
		had, done, err := t.setMembership(ctx, m, req)
		changes, found = changes+done, found || had
		if err != nil {
			return partly(err, changes)
		}
	}
	if found || changes > 0 {
		return nil
	}
	_, err := t.Get(ctx, sdk.GetRequest{ID: req.ID}) // nothing yet shows that it is there
	return err
}

// partly keeps a failure from saying that nothing was changed when something
// was.
func partly(err error, changes int) error {
	var e *sdk.Error
	if changes == 0 || !errors.As(err, &e) || e.Effect != sdk.EffectNone {
		return err
	}
	out := *e
	out.Effect = sdk.EffectUnknown
	return &out
}

func (m membership) manages(name string) bool {
	return slices.ContainsFunc(m.managed, func(have string) bool { return strings.EqualFold(have, name) })
}

// setMembership deals with the groups of one sort. found tells that the account
// was in one of them; changes counts what was written.
func (t *Target) setMembership(ctx context.Context, m membership, req sdk.SetGroupsRequest) (found bool, changes int, err error) {
	if len(m.managed) == 0 {
		return false, 0, nil
	}
	links, err := t.client.query("SELECT Id,"+m.parent+"."+m.name+" FROM "+m.link+
		" WHERE "+m.member+" = "+quote(req.ID)+" AND "+m.parent+"."+m.name+" IN "+quoteList(m.managed), 0).all(ctx)
	if err != nil {
		return false, 0, err
	}
	in := map[string]bool{}
	wanted := func(name string) bool {
		return slices.ContainsFunc(req.Groups, func(g string) bool { return strings.EqualFold(g, name) })
	}
	for _, link := range links {
		name := link.child(m.parent).text(m.name)
		if !m.manages(name) { // the org answered more than was asked for
			continue
		}
		found = true
		if wanted(name) {
			in[strings.ToLower(name)] = true
			continue
		}
		if err := t.unlink(ctx, m, link); err != nil {
			return found, changes, err
		}
		changes++
	}
	var missing []string
	for _, name := range m.managed {
		if wanted(name) && !in[strings.ToLower(name)] {
			missing = append(missing, name)
		}
	}
	added, err := t.link(ctx, m, req.ID, missing)
	return found, changes + added, err
}

// unlink takes an account out of a group; a link that is gone is as good.
func (t *Target) unlink(ctx context.Context, m membership, link record) error {
	path := t.client.root + "/sobjects/" + m.link + "/" + url.PathEscape(link.text("Id"))
	_, err := t.client.do(ctx, call{method: http.MethodDelete, path: path})
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// link puts an account into groups; where it is already is as good.
func (t *Target) link(ctx context.Context, m membership, id string, names []string) (added int, err error) {
	if len(names) == 0 {
		return 0, nil
	}
	ids, err := t.groupIDs(ctx, m, names)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		body := record{m.member: id, m.ref: ids[strings.ToLower(name)]}
		_, err := t.client.do(ctx, call{method: http.MethodPost, path: t.client.root + "/sobjects/" + m.link, body: body})
		if err != nil && !hasCode(err, "DUPLICATE_VALUE") {
			return added, t.noMember(ctx, id, noService(err))
		}
		added++
	}
	return added, nil
}

// groupIDs looks groups up by name. One that is not there is a mistake of the
// configuration.
func (t *Target) groupIDs(ctx context.Context, m membership, names []string) (map[string]string, error) {
	records, err := t.client.query("SELECT Id,"+m.name+" FROM "+m.group+
		" WHERE "+m.which+" AND "+m.name+" IN "+quoteList(names), 0).all(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, r := range records {
		ids[strings.ToLower(r.text(m.name))] = idOf(r.text("Id"))
	}
	for _, name := range names {
		if ids[strings.ToLower(name)] == "" {
			return nil, sdk.Invalid(m.field, "the org has no "+m.group+" called "+name)
		}
	}
	return ids, nil
}

// noMember finds out whether a link was refused because the account is gone,
// which the org does not say.
func (t *Target) noMember(ctx context.Context, id string, err error) error {
	if !hasCode(err, "INVALID_CROSS_REFERENCE_KEY") && !hasCode(err, "ENTITY_IS_DELETED") {
		return err
	}
	if _, gone := t.Get(ctx, sdk.GetRequest{ID: id}); sdk.KindOf(gone) == sdk.KindNotFound {
		return gone
	}
	return err
}
