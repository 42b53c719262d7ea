package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

// hostile are values that mean something in names or filters.
func hostile() []string {
	return []string{
		`o'brien`, `a"x"+=<>;#\`, ` lead`, `trail `, `#hash`, `a,ou=services`, `a)(uid=*`, `*`, `a*`, `\2a`, `a\`,
		"tab\there", `ünïcödé`, `日本`, `a=b`, `(&)`, `a/b`, strings.Repeat("x", 200),
	}
}

// TestHostileValues creates, finds, renames and removes accounts whose names mean
// something to LDAP.
func TestHostileValues(t *testing.T) {
	s := ldapservers.Slapd(t)
	target := open(t, openldapConfig(s))
	bystander := create(t, target, person("bystander"))
	for i, value := range hostile() {
		t.Run(fmt.Sprintf("%.20q", value), func(t *testing.T) {
			attributes := person(fmt.Sprintf("p%d", i))
			attributes["login"], attributes["displayName"], attributes["description"] = value, value, value
			created := create(t, target, attributes)
			wantAttributes(t, get(t, target, created.ID), sdk.Attributes{"login": value, "displayName": value, "description": value})
			found := lookup(t, target, "login", value)
			if !slices.ContainsFunc(found, func(a sdk.Account) bool { return a.ID == created.ID }) || len(found) != 1 {
				t.Errorf("lookup found %d accounts, want the one", len(found))
			}
			_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
			wantKind(t, err, sdk.KindConflict, sdk.EffectNone, sdk.AsError(err).Field)
			update(t, target, created.ID, sdk.Attributes{"login": fmt.Sprintf("plain%d", i)})
			renamed := update(t, target, created.ID, sdk.Attributes{"login": value})
			if renamed.ID != created.ID {
				t.Error("the rename changed the id")
			}
			wantAttributes(t, renamed, sdk.Attributes{"login": value})
			if err := target.Delete(t.Context(), sdk.DeleteRequest{ID: created.ID}); err != nil {
				t.Error(err)
			}
		})
	}
	wantAttributes(t, get(t, target, bystander.ID), person("bystander"))
}

// hostileLogins does so where the directory lets logins be less.
func hostileLogins(t *testing.T, cfg ldap.Config, _ ldapservers.Server) {
	target := open(t, cfg)
	for i, value := range []string{`o'brien`, `#hash`, `ünïcödé`, `日本`, `(&)`, `a)(cn`, `a{b}~!`} {
		attributes := person(fmt.Sprintf("p%d", i))
		attributes["login"], attributes["cn"] = value, `C, "x"+=<>;\ `+value
		created := create(t, target, attributes)
		wantAttributes(t, get(t, target, created.ID), sdk.Attributes{"login": value, "cn": attributes["cn"]})
		if found := lookup(t, target, "login", value); len(found) != 1 || found[0].ID != created.ID {
			t.Errorf("lookup of %q found %v", value, found)
		}
		renamed := update(t, target, created.ID, sdk.Attributes{"cn": "D=" + value, "login": fmt.Sprintf("plain%d", i)})
		if renamed.ID != created.ID {
			t.Error("the rename changed the id")
		}
		wantAttributes(t, renamed, sdk.Attributes{"cn": "D=" + value})
	}
	for name, login := range map[string]string{"too long": "a-login-of-21-letters", "a character": "a+b", "a dot": "ada."} {
		attributes := person("refused")
		attributes["login"] = login
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "login")
		if err == nil {
			t.Errorf("%s: %q was taken", name, login)
		}
	}
}

// root is a connection with every right.
func root(t *testing.T, s ldapservers.Server) *goldap.Conn {
	t.Helper()
	conn, err := goldap.DialURL("ldap://" + s.Addr)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		err = conn.Bind(ldapservers.Root, ldapservers.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// dnOf returns where the entry of a login is.
func dnOf(t *testing.T, conn *goldap.Conn, base, filter string) string {
	t.Helper()
	found, err := conn.Search(goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("search %s: %v, %+v", filter, err, found)
	}
	return found.Entries[0].DN
}

func TestRename(t *testing.T) {
	s := ldapservers.Slapd(t)
	target, conn := open(t, openldapConfig(s)), root(t, s)
	created := create(t, target, person("ada"))
	for _, login := range []string{"Ada", "countess", "ada"} { // the first differs in case alone
		renamed := update(t, target, created.ID, sdk.Attributes{"login": login})
		wantAttributes(t, renamed, sdk.Attributes{"login": login, "cn": "Ada Lovelace"})
		if dn := dnOf(t, conn, s.BaseDN, "(uid="+login+")"); dn != "uid="+login+","+s.BaseDN {
			t.Errorf("the entry is %s", dn)
		}
	}
	t.Run("the common name follows while it was made of the others", func(t *testing.T) {
		wantAttributes(t, update(t, target, created.ID, sdk.Attributes{"displayName": "Ada King"}), sdk.Attributes{"cn": "Ada King"})
		wantAttributes(t, update(t, target, created.ID, sdk.Attributes{"cn": "The Countess"}), sdk.Attributes{"cn": "The Countess"})
		wantAttributes(t, update(t, target, created.ID, sdk.Attributes{"displayName": "Ada"}), sdk.Attributes{"cn": "The Countess"})
		wantAttributes(t, update(t, target, created.ID, nil, "cn", "sn"), sdk.Attributes{"cn": "Ada", "sn": "Ada"})
	})
	t.Run("an entry that was moved is found", func(t *testing.T) {
		add := goldap.NewAddRequest("ou=moved,"+s.BaseDN, nil)
		add.Attribute("objectClass", []string{"organizationalUnit"})
		if err := conn.Add(add); err != nil {
			t.Fatal(err)
		}
		if err := conn.ModifyDN(goldap.NewModifyDNRequest("uid=ada,"+s.BaseDN, "uid=ada", true, "ou=moved,"+s.BaseDN)); err != nil {
			t.Fatal(err)
		}
		update(t, target, created.ID, sdk.Attributes{"login": "moved", "title": "x"})
		if dn := dnOf(t, conn, s.BaseDN, "(uid=moved)"); dn != "uid=moved,ou=moved,"+s.BaseDN {
			t.Errorf("the entry is %s", dn)
		}
	})
	t.Run("an entry named by something else keeps its name", func(t *testing.T) {
		if err := conn.ModifyDN(goldap.NewModifyDNRequest("uid=moved,ou=moved,"+s.BaseDN, "cn=Ada+employeeNumber=user-ada", false, s.BaseDN)); err != nil {
			t.Fatal(err)
		}
		wantAttributes(t, update(t, target, created.ID, sdk.Attributes{"login": "again"}), sdk.Attributes{"login": "again"})
		if dn := dnOf(t, conn, s.BaseDN, "(uid=again)"); !strings.HasPrefix(dn, "cn=Ada+employeeNumber=") {
			t.Errorf("the entry is %s", dn)
		}
		update(t, target, created.ID, sdk.Attributes{"cn": "A, B"})
		if dn := dnOf(t, conn, s.BaseDN, "(uid=again)"); dn != `cn=A\2C B+employeeNumber=user-ada,`+s.BaseDN {
			t.Errorf("the entry is %s", dn)
		}
	})
	t.Run("what names nobody", func(t *testing.T) {
		for _, id := range []string{"", "*", "ada", "{" + created.ID + "}", "urn:uuid:" + created.ID, created.ID[:35], ")(uid=*"} {
			_, err := target.Get(t.Context(), sdk.GetRequest{ID: id})
			wantKind(t, err, sdk.KindNotFound, sdk.EffectNone, "")
		}
		_, err := target.Update(t.Context(), sdk.UpdateRequest{ID: created.ID, Clear: []string{"login"}})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "login")
	})
}
