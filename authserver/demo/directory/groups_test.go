package directory_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupsHaveMembers(t *testing.T) {
	d := start(t)
	const staff = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"staff","members":[{"value":"1"},{"value":"2"}]}`
	if status, made := send(t, d, "POST", "/Groups", staff); status != http.StatusCreated || made["id"] != "1" {
		t.Fatalf("create: %d %v", status, made)
	}
	if status, _ := send(t, d, "POST", "/Groups", staff); status != http.StatusConflict {
		t.Errorf("create of the same name: %d, want 409", status)
	}
	status, got := send(t, d, "PATCH", "/Groups/1", patch(`{"op":"remove","path":"members[value eq \"1\"]"}`))
	if diff := cmp.Diff([]any{map[string]any{"value": "2"}}, got["members"]); status != http.StatusOK || diff != "" {
		t.Errorf("remove: %d, members (-want +got):\n%s", status, diff)
	}
	if n := len(d.Accounts()); n != 0 {
		t.Errorf("%d accounts, want none: groups are no accounts", n)
	}
}
