package google_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestLifeOfAnAccount(t *testing.T) {
	w := newWorld(t, science())
	target, ctx := w.open(), t.Context()
	made := create(t, target, ada())
	wantAttributes(t, made, ada())
	wantActive(t, made, true)
	for _, c := range made.ID {
		if c < '0' || c > '9' {
			t.Fatalf("the id is %q, not Google's number", made.ID)
		}
	}
	read, err := target.Get(ctx, sdk.GetRequest{ID: made.ID})
	if err != nil {
		t.Fatal(err)
	}
	wantAttributes(t, read, ada())

	off, err := target.SetActive(ctx, sdk.SetActiveRequest{ID: made.ID})
	if err != nil {
		t.Fatal(err)
	}
	wantActive(t, off, false)
	wantAttributes(t, off, ada())
	on, err := target.SetActive(ctx, sdk.SetActiveRequest{ID: made.ID, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	wantActive(t, on, true)

	for range 2 { // deleting what is gone succeeds
		if err := target.Delete(ctx, sdk.DeleteRequest{ID: made.ID}); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	_, err = target.Get(ctx, sdk.GetRequest{ID: made.ID})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
	_, err = target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"title": "Dr"}})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
	_, err = target.SetActive(ctx, sdk.SetActiveRequest{ID: made.ID})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
	if again := create(t, target, ada()); again.ID == made.ID {
		t.Error("a new account has the id of the deleted one")
	}
}

// TestOneRequestMakesAnAccount: changes right after a creation might fail.
func TestOneRequestMakesAnAccount(t *testing.T) {
	w := newWorld(t, science())
	target := w.open()
	account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: ada()})
	if err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, insert)
	wantActive(t, account, false)
}

// TestEntriesOfOthersStay changes and removes values beside foreign ones.
func TestEntriesOfOthersStay(t *testing.T) {
	w := newWorld(t, science())
	target, ctx := w.open(), t.Context()
	foreign := map[string]any{
		"primaryEmail": "bob@example.com", "name": map[string]any{"givenName": "Bob", "familyName": "B"},
		"externalIds": []any{
			map[string]any{"type": "custom", "customType": "payroll", "value": "P1"},
			map[string]any{"type": "login_id", "value": "bob"},
		},
		"phones": []any{
			map[string]any{"type": "home", "value": "1"},
			map[string]any{"type": "work", "value": "2", "primary": true},
		},
		"organizations": []any{map[string]any{"type": "work", "name": "Example", "title": "Clerk", "primary": true}},
	}
	id := w.Add(foreign)
	account, err := target.Update(ctx, sdk.UpdateRequest{ID: id,
		Set: sdk.Attributes{"externalId": "user-2", "phone": "3", "department": "Sales"}, Clear: []string{"title"}})
	if err != nil {
		t.Fatal(err)
	}
	if account.Attributes.String("externalId") != "user-2" || account.Attributes.String("title") != "" {
		t.Errorf("after the update: %v", account.Attributes)
	}
	want := map[string]any{
		"externalIds": append(foreign["externalIds"].([]any), map[string]any{"type": "custom", "customType": "anteroom", "value": "user-2"}),
		"phones": []any{map[string]any{"type": "home", "value": "1"},
			map[string]any{"type": "work", "value": "3", "primary": true}},
		"organizations": []any{map[string]any{"type": "work", "name": "Example", "department": "Sales", "primary": true}},
	}
	got := w.User(id)
	maps.DeleteFunc(got, func(name string, _ any) bool { return want[name] == nil })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
}

// TestRemovedToTheLast: an empty list is sent as null, the topmost unit as such.
func TestRemovedToTheLast(t *testing.T) {
	w := newWorld(t, science())
	target := w.open()
	made := create(t, target, ada())
	gone := []string{"phone", "mobilePhone", "employeeId", "title", "department", "costCenter", "orgUnitPath"}
	after, err := target.Update(t.Context(), sdk.UpdateRequest{ID: made.ID, Clear: gone})
	if err != nil {
		t.Fatal(err)
	}
	want := ada()
	for _, name := range gone {
		want[name] = ""
	}
	want["orgUnitPath"] = "/"
	wantAttributes(t, after, want)
	u := w.User(made.ID)
	if u["phones"] != nil || u["organizations"] != nil {
		t.Errorf("lists are left: %v, %v", u["phones"], u["organizations"])
	}
}

func TestNothingToChange(t *testing.T) {
	w := newWorld(t, science())
	target := w.open()
	made := create(t, target, ada())
	w.Forget()
	same := ada()
	same["primaryEmail"] = "Ada@Example.com"
	for _, set := range []sdk.Attributes{same, {}, {"name.familyName": "Lovelace"}} {
		if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: made.ID, Set: set}); err != nil {
			t.Fatal(err)
		}
	}
	wantCalls(t, w, get, get, get)
}

// TestRename keeps the link, the other part of the name, and the old address for
// nobody else.
func TestRename(t *testing.T) {
	w := newWorld(t, science())
	target, ctx := w.open(), t.Context()
	made := create(t, target, ada())
	after, err := target.Update(ctx, sdk.UpdateRequest{ID: made.ID,
		Set: sdk.Attributes{"primaryEmail": "ada.byron@example.com", "name.familyName": "Byron"}})
	if err != nil {
		t.Fatal(err)
	}
	if after.ID != made.ID || after.Attributes.String("name.givenName") != "Ada" || after.Attributes.String("name.familyName") != "Byron" {
		t.Errorf("after the rename: %+v", after)
	}
	if ids := lookup(t, target, "primaryEmail", "ada@example.com"); ids != nil {
		t.Errorf("the old address, an alias now, finds %v", ids)
	}
	if ids := lookup(t, target, "primaryEmail", "ADA.BYRON@example.com"); len(ids) != 1 || ids[0] != made.ID {
		t.Errorf("the new address finds %v, want %s", ids, made.ID)
	}
	create(t, target, sdk.Attributes{"primaryEmail": "eve@example.com", "name.givenName": "E", "name.familyName": "E"})
	_, err = target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"primaryEmail": "eve@example.com"}})
	wantField(t, wantKind(t, err, sdk.KindConflict, sdk.EffectNone), "primaryEmail")
}

// TestPasswordIsNobodys: it is long, another for each account, never seen again
// and never changed.
func TestPasswordIsNobodys(t *testing.T) {
	w := newWorld(t, science())
	target := w.open()
	one := create(t, target, ada())
	other := ada()
	other["primaryEmail"], other["externalId"] = "bob@example.com", "user-2"
	two := create(t, target, other)
	first, _ := w.User(one.ID)["password"].(string)
	second, _ := w.User(two.ID)["password"].(string)
	if len(first) < 32 || first == second {
		t.Errorf("passwords of %d and %d characters, equal: %t", len(first), len(second), first == second)
	}
	if w.User(one.ID)["changePasswordAtNextLogin"] == true {
		t.Error("people who sign in elsewhere would be asked for a password")
	}
	if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: one.ID, Set: sdk.Attributes{"title": "Dr"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: one.ID}); err != nil {
		t.Fatal(err)
	}
	if now := w.User(one.ID)["password"]; now != first {
		t.Error("a later call changed the password")
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	ids := map[string]string{}
	for i, owner := range []string{"user-1", "o'brien", `back\slash`, "a&b=c d%20", "日本"} {
		ids[owner] = create(t, target, sdk.Attributes{"externalId": owner, "primaryEmail": string(rune('a'+i)) + "@example.com",
			"name.givenName": "A", "name.familyName": "B"}).ID
	}
	for owner, id := range ids {
		if got := lookup(t, target, "externalId", owner); len(got) != 1 || got[0] != id {
			t.Errorf("%q finds %v, want %s", owner, got, id)
		}
	}
	w.Add(map[string]any{"primaryEmail": "x@example.com", "externalIds": []any{
		map[string]any{"type": "custom", "customType": "payroll", "value": "foreign"},
		map[string]any{"type": "organization", "value": "foreign"}}})
	for _, absent := range []string{"foreign", "USER-1", "nobody", "x' OR externalId='user-1", "*"} {
		if got := lookup(t, target, "externalId", absent); got != nil {
			t.Errorf("%q finds %v", absent, got)
		}
	}
	for _, absent := range []string{"nobody@example.com", ids["user-1"], "no address", "a/../b@example.com"} {
		if got := lookup(t, target, "primaryEmail", absent); got != nil {
			t.Errorf("the address %q finds %v", absent, got)
		}
	}
	_, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "title", Value: "x"})
	wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), "title")
}

// TestForeignOwnerIsRead, so that the host can tell whose the account is.
func TestForeignOwnerIsRead(t *testing.T) {
	w := newWorld(t, fake.Options{})
	w.Add(map[string]any{"primaryEmail": "ada@example.com", "suspended": true, "externalIds": []any{
		map[string]any{"type": "custom", "customType": "anteroom", "value": "somebody-else"}}})
	accounts, err := w.open().Lookup(t.Context(), sdk.LookupRequest{Key: "primaryEmail", Value: "ada@example.com"})
	if err != nil || len(accounts) != 1 {
		t.Fatalf("%v, %v", accounts, err)
	}
	wantActive(t, accounts[0], false)
	if owner := accounts[0].Attributes.String("externalId"); owner != "somebody-else" {
		t.Errorf("the owner is read as %q", owner)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	want := map[string]bool{}
	for i := range 7 {
		want[w.Add(map[string]any{"primaryEmail": string(rune('a'+i)) + "@example.com"})] = true
	}
	got := map[string]bool{}
	for a, err := range target.List(t.Context(), sdk.ListRequest{PageSize: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		got[a.ID] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantCalls(t, w, list, list, list)
}
