package google

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	directory "google.golang.org/api/admin/directory/v1"

	"github.com/anteroom-id/anteroom/sdk"
)

// SetGroups puts the account into exactly the named groups among those that the
// configuration manages. The membership in others, and roles, are left alone.
func (t *Target) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	if err := checkID(req.ID); err != nil {
		return err
	}
	var wanted []string
	for _, g := range req.Groups {
		managed := t.cfg.manages(g)
		if managed == "" {
			return sdk.Invalid("groups", fmt.Sprintf("%s is not among the groups of the configuration", g))
		}
		wanted = append(wanted, managed)
	}
	if len(t.cfg.Groups) == 0 {
		return nil // none is managed, and none is asked for
	}
	have, err := t.groupsOf(ctx, req.ID)
	if err != nil {
		return err
	}
	written := false
	for _, g := range t.cfg.Groups {
		is, should := contains(have, g), contains(wanted, g)
		switch {
		case should && !is:
			err = t.join(ctx, req.ID, g)
		case is && !should:
			err = t.leave(ctx, req.ID, g)
		default:
			continue
		}
		if err != nil {
			return partly(err, written)
		}
		written = true
	}
	return nil
}

// partly says that other memberships were changed before the failure.
func partly(err error, written bool) error {
	e := *sdk.AsError(err)
	if written && e.Effect == sdk.EffectNone {
		e.Effect = sdk.EffectApplied
	}
	return &e
}

func contains(groups []string, group string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return strings.EqualFold(g, group) })
}

// groupsOf returns the addresses of the groups an account is in directly.
func (t *Target) groupsOf(ctx context.Context, id string) ([]string, error) {
	var out []string
	token := ""
	for range maxPages {
		var page *directory.Groups
		_, err := t.do(ctx, call{account: id, values: []string{id}}, func(ctx context.Context) (err error) {
			list := t.service.Groups.List().UserKey(id).MaxResults(200)
			if token != "" {
				list.PageToken(token)
			}
			page, err = list.Context(ctx).Do()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			out = append(out, g.Email)
		}
		if page.NextPageToken == "" || page.NextPageToken == token {
			return out, nil
		}
		token = page.NextPageToken
	}
	return nil, sdk.Unsupported("the list of groups does not end")
}

// join adds a member by its address, as the API asks for one. Being a member
// already is a success.
func (t *Target) join(ctx context.Context, id, group string) error {
	u, err := t.byID(ctx, id)
	if err != nil {
		return err
	}
	member := &directory.Member{Email: u.PrimaryEmail, Role: "MEMBER"}
	_, err = t.do(ctx, call{writes: true, account: id, values: []string{u.PrimaryEmail, id}}, func(ctx context.Context) error {
		_, err := t.service.Members.Insert(group, member).Context(ctx).Do()
		return err
	})
	if hasStatus(err, http.StatusConflict) && sdk.KindOf(err) == sdk.KindConflict {
		return nil
	}
	return aboutGroup(err, group)
}

// leave removes a member. Not being one is a success.
func (t *Target) leave(ctx context.Context, id, group string) error {
	_, err := t.do(ctx, call{writes: true, values: []string{id}}, func(ctx context.Context) error {
		return t.service.Members.Delete(group, id).Context(ctx).Do()
	})
	if notThere(err) {
		return nil
	}
	return aboutGroup(err, group)
}

// aboutGroup names the group in a failure that is about it: that a group is
// missing must not look as if the account were.
func aboutGroup(err error, group string) error {
	if err == nil {
		return nil
	}
	e := *sdk.AsError(err)
	if e.Kind == sdk.KindNotFound && strings.Contains(strings.ToLower(e.Message), "groupkey") {
		e.Kind, e.Field, e.Message = sdk.KindInvalid, "groups", "there is no group "+group+": "+e.Message
	}
	return &e
}
