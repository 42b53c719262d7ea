package ldap_test

import (
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

func modifies(message []byte) bool { return tagged(message, goldap.ApplicationModifyRequest) }
func renames(message []byte) bool  { return tagged(message, goldap.ApplicationModifyDNRequest) }

// TestNothingToChangeSendsNothing repeats writes: only what differs is sent.
func TestNothingToChangeSendsNothing(t *testing.T) {
	onOpenLDAP(t, func(t *testing.T, direct ldap.Config, s ldapservers.Server) {
		cfg, proxy := behind(t, direct, s)
		target := open(t, cfg)
		created := create(t, target, person("ada"))
		for range 2 {
			update(t, target, created.ID, sdk.Attributes{"title": "Countess", "login": "countess", "mail": ""}, "mobile")
			setActive(t, target, created.ID, false)
			setGroups(t, target, created.ID, "staff")
		}
		if r, m := proxy.Count(renames), proxy.Count(modifies); r != 1 || m != 3 {
			t.Errorf("%d renames and %d modifies, want 1, and 3: attributes, suspension, group", r, m)
		}
	})
}

// TestRenamedButRefused changes a name, and beside it something that is taken.
func TestRenamedButRefused(t *testing.T) {
	onOpenLDAP(t, func(t *testing.T, cfg ldap.Config, _ ldapservers.Server) {
		target := open(t, cfg)
		ada, eve := create(t, target, person("ada")), create(t, target, person("eve"))
		_, err := target.Update(t.Context(), sdk.UpdateRequest{ID: ada.ID, Set: sdk.Attributes{"login": "countess", "mail": "EVE@example.com"}})
		wantKind(t, err, sdk.KindConflict, sdk.EffectApplied, "mail")
		wantAttributes(t, get(t, target, ada.ID), sdk.Attributes{"login": "countess", "mail": "ada@example.com"})
		_, err = target.Update(t.Context(), sdk.UpdateRequest{ID: ada.ID, Set: sdk.Attributes{"login": "eve", "title": "x"}})
		wantKind(t, err, sdk.KindConflict, sdk.EffectNone, "login")
		wantAttributes(t, get(t, target, ada.ID), sdk.Attributes{"login": "countess", "title": nil})
		wantAttributes(t, get(t, target, eve.ID), person("eve"))
	})
}

// TestValuesOfOthers changes one attribute of an entry that has several values
// of others.
func TestValuesOfOthers(t *testing.T) {
	s := ldapservers.Slapd(t)
	target, conn := open(t, openldapConfig(s)), root(t, s)
	ada := create(t, target, person("ada"))
	dn := "uid=ada," + s.BaseDN
	replace(t, conn, dn, "uid", "ada", "augusta")
	replace(t, conn, dn, "telephoneNumber", "+44 1", "+44 2")
	got := get(t, target, ada.ID)
	wantAttributes(t, got, sdk.Attributes{"telephoneNumber": "+44 1", "login": "ada"})
	if found := lookup(t, target, "login", "augusta"); len(found) != 1 || found[0].ID != ada.ID || found[0].Attributes["login"] != "augusta" {
		t.Errorf("lookup by the other login found %v", found)
	}
	for _, step := range []struct {
		telephone string
		want      []string
	}{{"+44 3", []string{"+44 3", "+44 2"}}, {"+44 2", []string{"+44 2", "+44 3"}}, {"", nil}} {
		got := update(t, target, ada.ID, sdk.Attributes{"telephoneNumber": step.telephone, "title": "Countess"})
		wantMembers(t, conn, dn, "telephoneNumber", step.want...)
		if got.Attributes.String("telephoneNumber") != step.telephone {
			t.Errorf("telephone is %v, want %q", got.Attributes["telephoneNumber"], step.telephone)
		}
	}
	renamed := update(t, target, ada.ID, sdk.Attributes{"login": "augusta"})
	wantAttributes(t, renamed, sdk.Attributes{"login": "augusta"})
	wantMembers(t, conn, "uid=augusta,"+s.BaseDN, "uid", "augusta")
	replace(t, conn, "uid=augusta,"+s.BaseDN, "uid", "alias", "augusta")
	wantAttributes(t, update(t, target, ada.ID, sdk.Attributes{"login": "augusta"}), sdk.Attributes{"login": "augusta"})
	wantMembers(t, conn, "uid=augusta,"+s.BaseDN, "uid", "alias", "augusta")
}
