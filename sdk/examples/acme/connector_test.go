package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/examples/acme/fake"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

// TestMain makes the test binary the connector itself when TestConformance starts
// it as a child process.
func TestMain(m *testing.M) { sdktest.Main(m, connector()) }

// TestConformance is what every connector must do, whatever the system: each
// check is a subtest, in this process and in a child's.
func TestConformance(t *testing.T) {
	const token = "a-token-for-tests"
	sdktest.Run(t, sdktest.Options{
		Connector: connector(),
		Config:    map[string]any{"token": token},
		URLField:  "base_url",
		Target:    fake.New(token),
	})
}

// start returns a target on a stand-in of its own.
func start(t *testing.T) *target {
	t.Helper()
	server := httptest.NewServer(fake.New("the-token"))
	t.Cleanup(server.Close)
	target, err := open(t.Context(), config{BaseURL: server.URL, Token: "the-token"})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// soon is the context of a call: it has a deadline, as the host's have.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func create(t *testing.T, target *target, login string) sdk.Account {
	t.Helper()
	a, err := target.Create(soon(t), sdk.CreateRequest{
		Operation:  sdk.Operation{ID: "create-" + login, Attempt: 1},
		Attributes: sdk.Attributes{attrExternalID: "id of " + login, attrLogin: login, attrEmail: login + "@example.com"},
		Active:     true,
	})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return a
}

func TestACreatedAccountIsFoundByEachOfItsKeys(t *testing.T) {
	target := start(t)
	made := create(t, target, "ada")
	for key, value := range map[string]string{attrExternalID: "id of ada", attrLogin: "ada"} {
		found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: key, Value: value})
		if err != nil || len(found) != 1 || found[0].ID != made.ID {
			t.Errorf("Lookup by %s = %+v, %v; want %s", key, found, err, made.ID)
		}
	}
	if found, err := target.Lookup(soon(t), sdk.LookupRequest{Key: attrLogin, Value: "nobody"}); err != nil || len(found) != 0 {
		t.Errorf("Lookup of nobody = %+v, %v; want nothing", found, err)
	}
}

func TestATakenNameIsAConflict(t *testing.T) {
	target := start(t)
	create(t, target, "ada")
	_, err := target.Create(soon(t), sdk.CreateRequest{Attributes: sdk.Attributes{attrLogin: "ada"}})
	if sdk.KindOf(err) != sdk.KindConflict {
		t.Errorf("second Create = %v, want a conflict", err)
	}
}

func TestUpdateChangesWhatIsNamedAndNothingElse(t *testing.T) {
	target := start(t)
	made := create(t, target, "ada")
	_, err := target.Update(soon(t), sdk.UpdateRequest{ID: made.ID, Set: sdk.Attributes{attrName: "Ada"}, Clear: []string{attrEmail}})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	var u user
	if err := target.call(soon(t), sdkhttp.Request{URL: "users/" + made.ID}, &u); err != nil {
		t.Fatal(err)
	}
	if u.Name == nil || *u.Name != "Ada" || u.Email != nil || u.Login == nil || *u.Login != "ada" {
		t.Errorf("the user is %+v, want the name set, the address gone, the login kept", u.account())
	}
	_, err = target.Update(soon(t), sdk.UpdateRequest{ID: "nobody", Set: sdk.Attributes{attrName: "x"}})
	if sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("Update of nobody = %v, want not found", err)
	}
}

func TestASuspendedAccountComesBackADeletedOneIsGone(t *testing.T) {
	target := start(t)
	made := create(t, target, "ada")
	for _, active := range []bool{false, true} {
		a, err := target.SetActive(soon(t), sdk.SetActiveRequest{ID: made.ID, Active: active})
		if err != nil || a.Active == nil || *a.Active != active {
			t.Errorf("SetActive(%t) = %+v, %v", active, a, err)
		}
	}
	for range 2 {
		if err := target.Delete(soon(t), sdk.DeleteRequest{ID: made.ID}); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := target.Get(soon(t), sdk.GetRequest{ID: made.ID}); sdk.KindOf(err) != sdk.KindNotFound {
		t.Errorf("Get of a deleted account = %v, want not found", err)
	}
}

func TestWhatAnAdminGetsWrong(t *testing.T) {
	if problems := (config{BaseURL: "nowhere"}).Validate(); len(problems) != 1 || problems[0].Field != "base_url" {
		t.Errorf("problems = %+v, want base_url named", problems)
	}
	server := httptest.NewServer(fake.New("the-token"))
	t.Cleanup(server.Close)
	target, err := open(t.Context(), config{BaseURL: server.URL, Token: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Lookup(soon(t), sdk.LookupRequest{Key: attrLogin, Value: "ada"})
	if sdk.KindOf(err) != sdk.KindUnauthorized {
		t.Errorf("Lookup with a wrong token = %v, want unauthorized", err)
	}
	if steps, err := target.Check(soon(t)); err != nil || len(steps) != 1 || steps[0].Status != sdk.CheckFailed {
		t.Errorf("Check = %+v, %v; want a failed step", steps, err)
	}
}
