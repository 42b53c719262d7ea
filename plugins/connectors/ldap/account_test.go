package ldap_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

func TestLifeOfAnAccount(t *testing.T) { onOpenLDAP(t, lifeOfAnAccount) }

func lifeOfAnAccount(t *testing.T, cfg ldap.Config, _ ldapservers.Server) {
	target := open(t, cfg)
	created := create(t, target, person("ada"))
	wantActive(t, created, true)
	got := get(t, target, created.ID)
	wantAttributes(t, got, person("ada"))
	for key, value := range map[string]string{"owner": "user-ada", "login": "ADA"} {
		if found := lookup(t, target, key, value); len(found) != 1 || found[0].ID != created.ID {
			t.Errorf("lookup by %s found %v", key, found)
		}
	}
	changed := update(t, target, created.ID, sdk.Attributes{"title": "Countess", "sn": "King"}, "mail")
	wantAttributes(t, changed, sdk.Attributes{"title": "Countess", "sn": "King", "mail": nil, "givenName": "Ada"})
	for _, active := range []bool{false, false, true, true} {
		account, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: created.ID, Active: active})
		if err != nil {
			t.Fatalf("set active %t: %v", active, err)
		}
		wantActive(t, account, active)
		wantActive(t, get(t, target, created.ID), active)
	}
	for range 2 {
		if err := target.Delete(t.Context(), sdk.DeleteRequest{ID: created.ID}); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	_, err := target.Get(t.Context(), sdk.GetRequest{ID: created.ID})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone, "")
	_, err = target.Update(t.Context(), sdk.UpdateRequest{ID: created.ID, Set: sdk.Attributes{"title": "x"}})
	wantKind(t, err, sdk.KindNotFound, sdk.EffectNone, "")
	if again := create(t, target, person("ada")); again.ID == created.ID {
		t.Error("the recreated account has the id of the deleted one")
	}
}
