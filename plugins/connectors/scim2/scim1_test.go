package scim2_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/connectors/scim2"
	"github.com/anteroom-id/anteroom/sdk"
)

const oldSchema = "urn:scim:schemas:core:1.0"

func TestOldProtocol(t *testing.T) {
	f := newFake(t).answer("POST /Users", answer{201, nil, user("1", "ada")})
	f.answer("GET /Users/1", answer{200, nil, user("1", "ada")}).answer("PUT /Users/1", answer{200, nil, user("1", "ada")})
	f.answer("GET /Groups", answer{200, nil, list(2, group("10", "staff"), group("11", "old", "1"))})
	f.answer("PATCH /Groups/10", answer{204, nil, ""}).answer("PATCH /Groups/11", answer{204, nil, ""})
	target, err := scim2.OpenOld(t.Context(), scim2.OldConfig{BaseURL: f.URL, Auth: "bearer", Token: "canary", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	create(t, target, ada())
	if diff := cmp.Diff([]any{oldSchema}, f.last().body["schemas"]); diff != "" || f.last().header.Get("Content-Type") != "application/json" {
		t.Errorf("create of type %s, schemas (-want +got):\n%s", f.last().header.Get("Content-Type"), diff)
	}
	if _, err := target.Update(t.Context(), sdk.UpdateRequest{ID: "1", Set: sdk.Attributes{"title": "Dr"}}); err != nil || f.last().line != "PUT /Users/1" {
		t.Errorf("update: %v by %s, want a PUT", err, f.last().line)
	}
	if err := setGroups(target, t, "staff"); err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"value": "1", "operation": "delete"}}
	if diff := cmp.Diff(want, f.last().body["members"]); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestOldErrors(t *testing.T) {
	f := newFake(t).answer("POST /Users", answer{400, nil, `{"Errors":[{"description":"userName already exists","code":"400"}]}`})
	target, err := scim2.OpenOld(t.Context(), scim2.OldConfig{BaseURL: f.URL, Auth: "bearer", Token: "canary", Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
	wantKind(t, err, sdk.KindConflict, sdk.EffectNone)
}

func TestOldConfigNamesTheField(t *testing.T) {
	for field, values := range map[string]string{
		"base_url": `{"base_url":"http://example.com","auth":"bearer"}`, "auth": `{"base_url":"https://example.com","auth":"none"}`,
		"token": `{"base_url":"https://example.com","auth":"bearer"}`,
	} {
		secrets := map[string]sdk.Secret{}
		if field != "token" {
			secrets["token"] = "canary"
		}
		problems := scim2.OldConnector().Validate(sdk.RawConfig{Values: json.RawMessage(values), Secrets: secrets})
		if len(problems) != 1 || problems[0].Field != field {
			t.Errorf("%s: %+v, want one problem with %s", values, problems, field)
		}
	}
}
