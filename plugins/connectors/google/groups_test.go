package google_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// Methods about groups.
const (
	groupsOf = "directory.groups.list"
	join     = "directory.members.insert"
	leave    = "directory.members.delete"
)

// club is a Workspace with groups of which the target manages two.
func club(t *testing.T) (*world, *google.Target, string) {
	w := newWorld(t, fake.Options{Groups: []string{"staff@example.com", "sales@example.com", "board@example.com"}})
	target := w.open(func(c *google.Config) { c.Groups = []string{"staff@example.com", "Sales@example.com"} })
	id := create(t, target, person("ada@example.com")).ID
	w.Join("board@example.com", id, "OWNER")
	w.Forget()
	return w, target, id
}

func setGroups(t *testing.T, target *google.Target, id string, groups ...string) {
	t.Helper()
	if err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: groups}); err != nil {
		t.Fatalf("set groups %v: %v", groups, err)
	}
}

func TestGroups(t *testing.T) {
	w, target, id := club(t)
	for _, want := range [][]string{
		{"sales@example.com"}, {"sales@example.com"}, {"STAFF@example.com", "sales@example.com"}, {"staff@example.com"}, {}, {},
	} {
		setGroups(t, target, id, want...)
		got := w.GroupsOf(id)
		slices.Sort(got)
		lower := []string{"board@example.com"} // is not the target's to manage
		for _, g := range []string{"sales@example.com", "staff@example.com"} {
			if slices.Contains(want, g) || g == "staff@example.com" && slices.Contains(want, "STAFF@example.com") {
				lower = append(lower, g)
			}
		}
		if diff := cmp.Diff(lower, got); diff != "" {
			t.Errorf("groups %v (-want +got):\n%s", want, diff)
		}
	}
	wantCalls(t, w, groupsOf, get, join, groupsOf, groupsOf, get, join, groupsOf, leave, groupsOf, leave, groupsOf)
}

// TestGroupsRaced: another was faster to add, or to remove.
func TestGroupsRaced(t *testing.T) {
	w, target, id := club(t)
	w.Script(join, fake.Answer{Status: 409, Reason: "duplicate", Message: "Member already exists."})
	setGroups(t, target, id, "staff@example.com")
	w.Join("staff@example.com", id, "MEMBER")
	w.Script(leave, fake.Answer{Status: 404, Reason: "notFound", Message: "Resource Not Found: memberKey"})
	setGroups(t, target, id)
}

func TestGroupsRefused(t *testing.T) {
	w, target, id := club(t)
	set := func(id string, groups ...string) error {
		return target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: groups})
	}
	wantField(t, wantKind(t, set(id, "board@example.com"), sdk.KindInvalid, sdk.EffectNone), "groups")
	wantKind(t, set("17"), sdk.KindNotFound, sdk.EffectNone)

	missing := fake.Answer{Status: 404, Reason: "notFound", Message: "Resource Not Found: groupKey"}
	w.Script(join, missing)
	wantField(t, wantKind(t, set(id, "staff@example.com"), sdk.KindInvalid, sdk.EffectNone), "groups")
	w.Script(join, fake.Answer{Status: 409, Reason: "conflict", Message: "Conflict"})
	wantKind(t, set(id, "staff@example.com"), sdk.KindTransient, sdk.EffectNone)
	// The first is done, the second is not: something was changed.
	limited := fake.Answer{Status: 403, Reason: "quotaExceeded", Message: "Slow down"}
	w.Join("sales@example.com", id, "MEMBER")
	w.Script(leave, limited)
	wantKind(t, set(id, "staff@example.com"), sdk.KindRateLimited, sdk.EffectApplied)
	if got := w.GroupsOf(id); !slices.Contains(got, "staff@example.com") {
		t.Errorf("groups are %v", got)
	}
	setGroups(t, target, id, "staff@example.com") // and the rest is done later
	if got := w.GroupsOf(id); slices.Contains(got, "sales@example.com") {
		t.Errorf("groups are %v", got)
	}
}

// TestNoGroups: without managed groups nothing is asked, and nothing removed.
func TestNoGroups(t *testing.T) {
	w := newWorld(t, fake.Options{Groups: []string{"board@example.com"}})
	target := w.open()
	id := create(t, target, person("ada@example.com")).ID
	w.Join("board@example.com", id, "MEMBER")
	w.Forget()
	setGroups(t, target, id)
	err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: []string{"board@example.com"}})
	wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), "groups")
	wantCalls(t, w)
}

// TestCustomSchemas: the managed ones are as the attribute says, others stay.
func TestCustomSchemas(t *testing.T) {
	w := newWorld(t, fake.Options{Schemas: map[string][]string{"Employment": {"badge", "floor"}, "Payroll": {"grade"}}})
	target, ctx := w.open(func(c *google.Config) { c.CustomSchemas = []string{"Employment"} }), t.Context()
	attributes := person("ada@example.com")
	attributes["customSchemas"] = map[string]any{"Employment": map[string]any{"badge": "B1", "floor": "3"}}
	id := create(t, target, attributes).ID
	w.Change(id, map[string]any{"customSchemas": map[string]any{"Payroll": map[string]any{"grade": "9"}}})
	set := func(u sdk.UpdateRequest) sdk.Account {
		t.Helper()
		u.ID = id
		if _, err := target.Update(ctx, u); err != nil {
			t.Fatal(err)
		}
		read, err := target.Get(ctx, sdk.GetRequest{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	only := map[string]any{"Employment": map[string]any{"badge": "B2"}}
	got := set(sdk.UpdateRequest{Set: sdk.Attributes{"customSchemas": only}})
	if diff := cmp.Diff(any(only), got.Attributes["customSchemas"]); diff != "" {
		t.Errorf("a field less (-want +got):\n%s", diff)
	}
	w.Forget()
	set(sdk.UpdateRequest{Set: sdk.Attributes{"customSchemas": only}})
	wantCalls(t, w, get, get)
	if got := set(sdk.UpdateRequest{Clear: []string{"customSchemas"}}); got.Attributes["customSchemas"] != nil {
		t.Errorf("after it was removed: %v", got.Attributes["customSchemas"])
	}
	want := map[string]any{"Payroll": map[string]any{"grade": "9"}}
	if diff := cmp.Diff(any(want), w.User(id)["customSchemas"]); diff != "" {
		t.Errorf("the other schema (-want +got):\n%s", diff)
	}
	_, err := target.Update(ctx, sdk.UpdateRequest{ID: id, Set: sdk.Attributes{"customSchemas": map[string]any{"Payroll": map[string]any{}}}})
	wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), "customSchemas")
}
