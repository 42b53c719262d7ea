package google_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestTaken tells apart who has the address of a new account.
func TestTaken(t *testing.T) {
	w := newWorld(t, fake.Options{Groups: []string{"staff@example.com"}})
	target := w.open(func(c *google.Config) { c.Groups = []string{"staff@example.com"} })
	w.Add(map[string]any{"primaryEmail": "active@example.com"})
	w.Add(map[string]any{"primaryEmail": "gone@example.com", "suspended": true})
	w.Add(map[string]any{"primaryEmail": "bob@example.com", "aliases": []any{"alias@example.com"}})
	w.AddUnmanaged("private@example.com")
	for address, says := range map[string]string{
		"active@example.com":  "an account with this address exists",
		"Gone@example.com":    "exists and is suspended",
		"alias@example.com":   "is an alias of another account",
		"staff@example.com":   "is that of a group",
		"private@example.com": "does not show: a personal Google account",
	} {
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person(address), Active: true})
		e := wantKind(t, err, sdk.KindConflict, sdk.EffectNone)
		wantField(t, e, "primaryEmail")
		wantText(t, e, says)
	}
	if n := len(w.Users()); n != 3 {
		t.Errorf("%d accounts, want the 3 there were", n)
	}
}

// TestUnmanagedIsInvited where the admin wants that: it is no account yet.
func TestUnmanagedIsInvited(t *testing.T) {
	w := newWorld(t, fake.Options{})
	w.AddUnmanaged("private@example.com")
	target := w.open(func(c *google.Config) { c.Unmanaged = "resolve" })
	_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("private@example.com"), Active: true})
	e := wantKind(t, err, sdk.KindPending, sdk.EffectUnknown)
	wantText(t, e, "invitation")
	if ids := lookup(t, target, "primaryEmail", "private@example.com"); ids != nil {
		t.Errorf("the invited person is found as %v", ids)
	}
	create(t, target, person("ada@example.com")) // others are made at once
}

// TestRecentlyMade: right after a creation, missing is not believed, also after
// the answer to it was lost; later it is.
func TestRecentlyMade(t *testing.T) {
	w := newWorld(t, fake.Options{Groups: []string{"staff@example.com"}})
	groups := func(c *google.Config) { c.Groups = []string{"staff@example.com"} }
	target, ctx := w.open(groups), t.Context()
	missing := fake.Answer{Status: 404, Reason: "notFound", Message: "Resource Not Found: userKey"}
	denied := fake.Answer{Status: 403, Reason: "forbidden", Message: "Not Authorized to access this resource/api"}
	made := create(t, target, person("ada@example.com"))
	for _, a := range []fake.Answer{missing, denied} {
		w.Script(get, a, a)
		_, err := target.Get(ctx, sdk.GetRequest{ID: made.ID})
		wantText(t, wantKind(t, err, sdk.KindTransient, sdk.EffectNone), "moments ago")
		_, err = target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"title": "Dr"}})
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		w.Script(update, a)
		_, err = target.SetActive(ctx, sdk.SetActiveRequest{ID: made.ID})
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		w.Script("directory.groups.list", a)
		err = target.SetGroups(ctx, sdk.SetGroupsRequest{ID: made.ID})
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		w.Script(remove, a)
		wantKind(t, target.Delete(ctx, sdk.DeleteRequest{ID: made.ID}), sdk.KindTransient, sdk.EffectNone)
	}
	later := w.open(groups, func(c *google.Config) { c.Propagation = 0 })
	made = create(t, later, person("bob@example.com"))
	w.Script(get, missing)
	_, err := later.Get(ctx, sdk.GetRequest{ID: made.ID})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)

	w.Script(insert, fake.Answer{Status: 200, Body: "{", After: true})
	_, err = target.Create(ctx, sdk.CreateRequest{Attributes: person("eve@example.com")})
	wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	w.Script(get, missing) // it cannot be seen yet
	_, err = target.Create(ctx, sdk.CreateRequest{Attributes: person("eve@example.com")})
	wantText(t, wantKind(t, err, sdk.KindTransient, sdk.EffectNone), "cannot be seen yet")
}

// TestChangedDespite409: Google has answered so after a rename that it made.
func TestChangedDespite409(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target, ctx := w.open(), t.Context()
	made := create(t, target, person("ada@example.com"))
	duplicate := fake.Answer{Status: 409, Reason: "duplicate", Message: "Entity already exists."}
	done := duplicate
	done.After = true
	w.Script(update, done)
	after, err := target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"primaryEmail": "byron@example.com"}})
	if err != nil || after.Attributes.String("primaryEmail") != "byron@example.com" {
		t.Errorf("%v, %v", after, err)
	}
	w.Script(update, duplicate)
	_, err = target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"primaryEmail": "king@example.com"}})
	wantKind(t, err, sdk.KindConflict, sdk.EffectNone)
	w.Script(update, done)
	w.Script(get, fake.Answer{Status: 200, Body: mustJSON(t, w.User(made.ID))}, fake.Answer{Status: 503, Message: "x"})
	_, err = target.Update(ctx, sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{"primaryEmail": "queen@example.com"}})
	wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
}

// TestBadValues: what Google would refuse, or understand otherwise, is not sent.
func TestBadValues(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	long := repeat("ä", 61)
	for field, value := range map[string]any{
		"primaryEmail": "ada", "name.givenName": long, "name.familyName": "", "orgUnitPath": "Sales", "title": 1.0,
		"phone": "\xff", "password": "x", "customSchemas": map[string]any{"Unmanaged": map[string]any{}},
	} {
		attributes := person("ada@example.com")
		attributes[field] = value
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes})
		wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), field)
	}
	for _, field := range []string{"primaryEmail", "name.givenName", "name.familyName"} {
		attributes := person("ada@example.com")
		delete(attributes, field)
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes})
		wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), field)
		_, err = target.Update(t.Context(), sdk.UpdateRequest{ID: "17", Clear: []string{field}})
		wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), field)
	}
	ok := person("ada@example.com")
	ok["name.givenName"] = repeat("ä", 60)
	create(t, target, ok)
	wantCalls(t, w, insert)
}

// TestForeignDomain: Google answers 403, which must not look like missing rights
// only.
func TestForeignDomain(t *testing.T) {
	w := newWorld(t, fake.Options{})
	_, err := w.open().Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@elsewhere.example")})
	wantText(t, wantKind(t, err, sdk.KindForbidden, sdk.EffectNone), "not in a domain of this customer")
	w.Script(insert, fake.Answer{Status: 404, Reason: "notFound", Message: "Domain not found."})
	_, err = w.open().Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@elsewhere.example")})
	wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), "primaryEmail")
}

// TestIDs: an address as an id would find an account, perhaps another one.
func TestIDs(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target, ctx := w.open(), t.Context()
	create(t, target, person("ada@example.com"))
	w.Forget()
	for _, id := range []string{"", "ada@example.com", "..", "1/2", repeat("1", 65)} {
		_, err := target.Get(ctx, sdk.GetRequest{ID: id})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		_, err = target.SetActive(ctx, sdk.SetActiveRequest{ID: id})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone)
		if err := target.Delete(ctx, sdk.DeleteRequest{ID: id}); err != nil {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	wantCalls(t, w)
	w.Script(get, fake.Answer{Status: 200, Body: `{"id":"2"}`})
	_, err := target.Get(ctx, sdk.GetRequest{ID: "1"})
	wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
}
