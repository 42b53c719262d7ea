package scim2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
)

// SetGroups puts the account into exactly the groups with these names. It sends
// only what differs: to add a member that is there makes a second one on some
// servers.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	user, err := t.read(ctx, req.ID)
	if err != nil {
		return err
	}
	m, err := t.memberships(ctx, user)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range req.Groups {
		id, err := t.groupNamed(ctx, m, name)
		if err != nil {
			return err
		}
		wanted[id] = true
	}
	changed := false
	for id := range wanted {
		if !m.in[id] {
			if err := t.patchGroup(ctx, id, t.joins(req.ID)); err != nil {
				return partly(changed, err)
			}
			changed = true
		}
	}
	for id := range m.in {
		if !wanted[id] {
			err := t.patchGroup(ctx, id, t.leaves(req.ID))
			if a := answerOf(err); err != nil && (a == nil || a.scimType != "noTarget") && sdk.KindOf(err) != sdk.KindNotFound {
				return partly(changed, err)
			}
			changed = true
		}
	}
	return nil
}

// partly is an error after some of a change was made.
func partly(changed bool, err error) error {
	var e *sdk.Error
	if !changed || !errors.As(err, &e) || e.Effect != sdk.EffectNone {
		return err
	}
	after := *e
	after.Effect = sdk.EffectUnknown
	return &after
}

// memberships are the groups an account is in, by id.
type memberships struct {
	in map[string]bool
	// byName has the ids of all groups by name in lower case; nil when not all
	// groups were read.
	byName map[string][]string
}

// memberships asks in the way that costs least: by a filter where the dialect has
// one, of the user if it says, and else by reading all groups.
func (t *Target) memberships(ctx context.Context, user resource) (memberships, error) {
	m := memberships{in: map[string]bool{}}
	if t.dialect.memberOf != "" {
		filter := t.dialect.memberOf + " " + quoted(user.id())
		return m, t.eachGroup(ctx, url.Values{"filter": {filter}}, func(g resource) { m.in[g.id()] = true })
	}
	if groups := user.entries("groups"); groups != nil {
		for _, element := range groups {
			g, _ := element.(map[string]any)
			if id := resource(g).text("value"); id != "" && !strings.EqualFold(resource(g).text("type"), "indirect") {
				m.in[id] = true
			}
		}
		return m, nil
	}
	m.byName = map[string][]string{}
	return m, t.eachGroup(ctx, nil, func(g resource) {
		name := strings.ToLower(g.text("displayName"))
		m.byName[name] = append(m.byName[name], g.id())
		if g.hasMember(user.id()) {
			m.in[g.id()] = true
		}
	})
}

func (r resource) hasMember(id string) bool {
	for _, element := range r.entries("members") {
		member, _ := element.(map[string]any)
		if resource(member).text("value") == id {
			return true
		}
	}
	return false
}

// groupNamed returns the id of the one group with the name.
func (t *Target) groupNamed(ctx context.Context, m memberships, name string) (string, error) {
	ids := m.byName[strings.ToLower(name)]
	if m.byName == nil {
		query := url.Values{"filter": {"displayName eq " + quoted(name)}, "excludedAttributes": {"members"}}
		err := t.eachGroup(ctx, query, func(g resource) {
			if strings.EqualFold(g.text("displayName"), name) {
				ids = append(ids, g.id())
			}
		})
		if err != nil {
			return "", err
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", sdk.Invalid("groups", fmt.Sprintf("the server has no group %q", name))
	default:
		return "", &sdk.Error{Kind: sdk.KindAmbiguous, Effect: sdk.EffectNone, Field: "groups", Message: fmt.Sprintf("the server has %d groups %q", len(ids), name)}
	}
}

// eachGroup calls do with every group of the answer.
func (t *Target) eachGroup(ctx context.Context, query url.Values, do func(resource)) error {
	p := pages{client: t.client, kind: groupsPath, query: query, limit: t.pageLimit()}
	for {
		page, err := p.next(ctx)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, g := range page {
			if g.id() == "" {
				return unusable("the server returned a group without an id")
			}
			do(g)
		}
	}
}

func (t *Target) patchGroup(ctx context.Context, id string, body any) error {
	_, err := t.client.do(ctx, call{method: http.MethodPatch, url: t.client.one(groupsPath, id), body: body})
	return err
}

// joins is the message that adds a member to a group.
func (t *Target) joins(user string) any {
	if t.dialect.oldProtocol {
		return oldMember(map[string]any{"value": user})
	}
	return t.message(operation{"add", "members", []any{map[string]any{"value": user}}})
}

// leaves is the message that takes a member out of a group.
func (t *Target) leaves(user string) any {
	if t.dialect.oldProtocol {
		return oldMember(map[string]any{"value": user, "operation": "delete"})
	}
	return t.message(operation{Op: "remove", Path: "members[value eq " + quoted(user) + "]"})
}

// noGroups is the error of a server that has users only.
func noGroups(err error) error {
	if !hasStatus(err, http.StatusNotFound) && !hasStatus(err, http.StatusNotImplemented) {
		return err
	}
	return &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Field: "groups", Message: "the server has no groups", Err: err}
}
