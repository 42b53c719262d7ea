package salesforce_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce"
	"github.com/anteroom-id/anteroom/plugins/connectors/salesforce/fake"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

const setPath = "/services/data/v62.0/sobjects/PermissionSetAssignment"

func withGroups(o *fake.Options, c *salesforce.Config) {
	o.PermissionSets = append(o.PermissionSets, "Marketing_Ops")
	c.PermissionSets, c.PublicGroups = []string{"Sales_Ops", "Marketing_Ops"}, []string{"All_Sales"}
}

func (b bench) setGroups(t *testing.T, id string, groups ...string) error {
	t.Helper()
	return b.target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: groups})
}

// writes returns how many requests were made that could change something beside
// those for tokens.
func (b bench) writes() int { return b.proxy.Writes() - b.proxy.Count("POST", tokenPath) }

// TestGroupsAreSetExactly leaves alone what the configuration does not name.
func TestGroupsAreSetExactly(t *testing.T) {
	b := start(t, withGroups)
	id := b.create(t, ada())
	b.org.Join(id, "Other_Set")
	b.org.Join(id, "Others")
	for _, step := range []struct {
		groups, want []string
		writes       int
	}{
		{[]string{"Sales_Ops", "All_Sales"}, []string{"All_Sales", "Other_Set", "Others", "Sales_Ops"}, 2},
		{[]string{"All_Sales", "Sales_Ops"}, []string{"All_Sales", "Other_Set", "Others", "Sales_Ops"}, 0},
		{[]string{"sales_ops", "Marketing_Ops"}, []string{"Marketing_Ops", "Other_Set", "Others", "Sales_Ops"}, 2},
		{nil, []string{"Other_Set", "Others"}, 2},
		{nil, []string{"Other_Set", "Others"}, 0},
	} {
		before := b.writes()
		if err := b.setGroups(t, id, step.groups...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, b.org.Memberships(id)); diff != "" {
			t.Errorf("groups %q (-want +got):\n%s", step.groups, diff)
		}
		if n := b.writes() - before; n != step.writes {
			t.Errorf("groups %q took %d writes, want %d", step.groups, n, step.writes)
		}
	}
}

func TestGroupsThatAreNotThere(t *testing.T) {
	b := start(t, func(_ *fake.Options, c *salesforce.Config) { c.PermissionSets = []string{"Sales_Ops", "Deleted"} })
	id := b.create(t, ada())
	before := b.writes()
	wantError(t, b.setGroups(t, id, "Other_Set"), sdk.KindInvalid, sdk.EffectNone, "groups") // not configured
	wantError(t, b.setGroups(t, id, "Deleted"), sdk.KindInvalid, sdk.EffectNone, "permission_sets")
	if n := b.writes() - before; n != 0 {
		t.Errorf("%d writes", n)
	}
	b.org.Remove(id)
	for _, groups := range [][]string{nil, {"Sales_Ops"}} {
		wantError(t, b.setGroups(t, id, groups...), sdk.KindNotFound, sdk.EffectNone, "")
	}
	none := start(t)
	id = none.create(t, ada())
	if err := none.setGroups(t, id); err != nil {
		t.Error(err)
	}
	wantError(t, none.setGroups(t, id, "Sales_Ops"), sdk.KindInvalid, sdk.EffectNone, "groups")
}

// TestGroupsOfOthersAtTheSameTime: what somebody else has done already is done.
func TestGroupsOfOthersAtTheSameTime(t *testing.T) {
	b := start(t, withGroups)
	id := b.create(t, ada())
	b.proxy.Script("POST", setPath, refusal(t, 400, "DUPLICATE_VALUE", "Duplicate PermissionSetAssignment"))
	if err := b.setGroups(t, id, "Sales_Ops"); err != nil {
		t.Error(err)
	}
	b.org.Join(id, "Sales_Ops")
	b.proxy.Script("DELETE", setPath+"/*", refusal(t, 404, "ENTITY_IS_DELETED", "entity is deleted"))
	if err := b.setGroups(t, id); err != nil {
		t.Error(err)
	}
}

// TestGroupsHalfDone does not claim that nothing was changed.
func TestGroupsHalfDone(t *testing.T) {
	b := start(t, withGroups)
	id := b.create(t, ada())
	locked := refusal(t, 400, "UNABLE_TO_LOCK_ROW", "locked")
	b.proxy.Script("POST", setPath, locked)
	wantError(t, b.setGroups(t, id, "Sales_Ops"), sdk.KindTransient, sdk.EffectNone, "")
	b.proxy.Script("POST", setPath, faultproxy.Pass(), locked)
	wantError(t, b.setGroups(t, id, "Sales_Ops", "Marketing_Ops"), sdk.KindTransient, sdk.EffectUnknown, "")
	b.proxy.Script("POST", setPath, faultproxy.DropReply())
	wantError(t, b.setGroups(t, id, "Sales_Ops", "Marketing_Ops"), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "")
	if err := b.setGroups(t, id, "Sales_Ops", "Marketing_Ops"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"Marketing_Ops", "Sales_Ops"}, b.org.Memberships(id)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGroupsTheOrgAddsToItsAnswer are not taken away: they are not ours.
func TestGroupsTheOrgAddsToItsAnswer(t *testing.T) {
	b := start(t, withGroups)
	id := b.create(t, ada())
	b.proxy.Script("GET", "/services/data/v62.0/query", faultproxy.Status(200, nil,
		`{"done":true,"records":[{"Id":"0Pa000000000001AAA","PermissionSet":{"Name":"Other_Set"}},{"Id":"0Pa000000000002AAA","PermissionSet":null}]}`))
	if err := b.setGroups(t, id); err != nil {
		t.Error(err)
	}
	if n := b.proxy.Count("DELETE", setPath+"/*"); n != 0 {
		t.Errorf("%d were taken away", n)
	}
}
