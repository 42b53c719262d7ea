package admin_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/admin"
)

func TestMay(t *testing.T) {
	permissions := []admin.Permission{admin.PermissionView, admin.PermissionOperate, admin.PermissionConfigure, "", "other"}
	want := map[admin.Role][]bool{
		admin.RoleAdmin:    {true, true, true, false, false},
		admin.RoleOperator: {true, true, false, false, false},
		admin.RoleAuditor:  {true, false, false, false, false},
		"":                 {false, false, false, false, false},
		"root":             {false, false, false, false, false},
	}
	got := map[admin.Role][]bool{}
	for role := range want {
		for _, p := range permissions {
			got[role] = append(got[role], role.May(p))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("May (-want +got):\n%s", diff)
	}
}

func TestParseRole(t *testing.T) {
	for _, want := range admin.Roles() {
		if got, err := admin.ParseRole(string(want)); err != nil || got != want {
			t.Errorf("ParseRole(%q) = %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "Admin", "root"} {
		if got, err := admin.ParseRole(bad); err == nil {
			t.Errorf("ParseRole(%q) = %q, want an error", bad, got)
		}
	}
}
