package ldap_test

import (
	"slices"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

// members returns an attribute of a group.
func members(t *testing.T, conn *goldap.Conn, dn, attribute string) []string {
	t.Helper()
	found, err := conn.Search(goldap.NewSearchRequest(dn, goldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("read %s: %v", dn, err)
	}
	return slices.Sorted(slices.Values(found.Entries[0].GetAttributeValues(attribute)))
}

func wantMembers(t *testing.T, conn *goldap.Conn, dn, attribute string, want ...string) {
	t.Helper()
	if got := members(t, conn, dn, attribute); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("%s of %s: %v, want %v", attribute, dn, got, want)
	}
}

func setGroups(t *testing.T, target *ldap.Target, id string, groups ...string) {
	t.Helper()
	if err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: id, Groups: groups}); err != nil {
		t.Fatalf("set groups %v: %v", groups, err)
	}
}

func TestGroupsOfNames(t *testing.T) {
	s := ldapservers.Slapd(t)
	cfg, conn := openldapConfig(s), root(t, s)
	target := open(t, cfg)
	staff, sales := "cn=staff,"+ldapservers.Groups, "cn=sales,"+ldapservers.Groups
	nobody, dn := ldapservers.Placeholder, "uid=ada,"+s.BaseDN
	ada := create(t, target, person("ada")).ID
	outside := goldap.NewAddRequest("cn=outside,ou=services,"+ldapservers.Suffix, nil)
	outside.Attribute("objectClass", []string{"groupOfNames"})
	outside.Attribute("member", []string{dn})
	if err := conn.Add(outside); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		setGroups(t, target, ada, "staff", "SALES", "staff")
		wantMembers(t, conn, staff, "member", nobody, dn)
		wantMembers(t, conn, sales, "member", nobody, dn)
	}
	for range 2 {
		setGroups(t, target, ada, "staff")
		wantMembers(t, conn, staff, "member", nobody, dn)
		wantMembers(t, conn, sales, "member", nobody)
	}
	t.Run("a group that is not there changes nothing", func(t *testing.T) {
		for _, name := range []string{"none", "outside", "*", "s*", "shell", "staff)(cn=sales"} {
			err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: ada, Groups: []string{"sales", name}})
			wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "groups")
		}
		wantMembers(t, conn, sales, "member", nobody)
	})
	t.Run("groups go along with a new name", func(t *testing.T) {
		update(t, target, ada, sdk.Attributes{"login": "countess"})
		dn = "uid=countess," + s.BaseDN
		wantMembers(t, conn, staff, "member", nobody, dn)
		setGroups(t, target, ada, "staff")
		wantMembers(t, conn, staff, "member", nobody, dn)
	})
	t.Run("the last member", func(t *testing.T) {
		replace(t, conn, staff, "member", dn)
		err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: ada})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "group_placeholder_dn")
		err = target.Delete(t.Context(), sdk.DeleteRequest{ID: ada})
		wantKind(t, err, sdk.KindInvalid, sdk.EffectNone, "group_placeholder_dn")
		with := cfg
		with.PlaceholderDN = nobody
		setGroups(t, open(t, with), ada)
		wantMembers(t, conn, staff, "member", nobody)
	})
	t.Run("a deleted account leaves its groups", func(t *testing.T) {
		setGroups(t, target, ada, "staff", "sales")
		if err := target.Delete(t.Context(), sdk.DeleteRequest{ID: ada}); err != nil {
			t.Fatal(err)
		}
		wantMembers(t, conn, staff, "member", nobody)
		wantMembers(t, conn, sales, "member", nobody)
		wantMembers(t, conn, "cn=outside,ou=services,"+ldapservers.Suffix, "member", "uid=ada,"+s.BaseDN)
		err := target.SetGroups(t.Context(), sdk.SetGroupsRequest{ID: ada, Groups: []string{"staff"}})
		wantKind(t, err, sdk.KindNotFound, sdk.EffectNone, "")
	})
}

func TestGroupsOfLogins(t *testing.T) {
	s := ldapservers.Slapd(t)
	cfg, conn := openldapConfig(s), root(t, s)
	cfg.GroupMember = "memberUid"
	cfg.ObjectClasses = []string{"inetOrgPerson", "posixAccount"}
	target := open(t, cfg)
	shell, wheel := "cn=shell,"+ldapservers.Groups, "cn=wheel,"+ldapservers.Groups
	attributes := person("ada")
	attributes["uidNumber"], attributes["gidNumber"], attributes["homeDirectory"], attributes["loginShell"] = "5000", "5000", "/home/ada", "/bin/sh"
	ada := create(t, target, attributes)
	wantAttributes(t, ada, attributes)
	for range 2 {
		setGroups(t, target, ada.ID, "shell", "wheel")
		wantMembers(t, conn, shell, "memberUid", "ada")
	}
	update(t, target, ada.ID, sdk.Attributes{"login": "countess"})
	wantMembers(t, conn, wheel, "memberUid", "countess")
	setGroups(t, target, ada.ID)
	wantMembers(t, conn, shell, "memberUid")
	wantMembers(t, conn, wheel, "memberUid")
}

func groupsOfActiveDirectory(t *testing.T, cfg ldap.Config, s ldapservers.Server) {
	conn, _ := domain(t, s)
	for _, dn := range []string{"OU=Groups," + ldapservers.Domain, "CN=staff,OU=Groups," + ldapservers.Domain, "CN=sales,OU=Groups," + ldapservers.Domain} {
		add := goldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{map[bool]string{true: "organizationalUnit", false: "group"}[dn[0] == 'O']})
		if err := conn.Add(add); err != nil {
			t.Fatal(err)
		}
	}
	staff := "CN=staff,OU=Groups," + ldapservers.Domain
	cfg.GroupBaseDN = "OU=Groups," + ldapservers.Domain
	target := open(t, cfg)
	ada, eve := create(t, target, person("g-ada")).ID, create(t, target, person("g-eve")).ID
	setGroups(t, target, eve, "staff", "sales")
	for range 2 {
		setGroups(t, target, ada, "staff")
		wantMembers(t, conn, staff, "member", "CN=g-ada,"+s.BaseDN, "CN=g-eve,"+s.BaseDN)
	}
	update(t, target, ada, sdk.Attributes{"login": "g-countess"}) // the directory follows by itself
	wantMembers(t, conn, staff, "member", "CN=g-countess,"+s.BaseDN, "CN=g-eve,"+s.BaseDN)
	for range 2 {
		setGroups(t, target, ada)
		wantMembers(t, conn, staff, "member", "CN=g-eve,"+s.BaseDN)
	}
	if err := target.Delete(t.Context(), sdk.DeleteRequest{ID: eve}); err != nil {
		t.Fatal(err)
	}
	wantMembers(t, conn, staff, "member")
}

// TestMembershipAnswers has directories answer that a membership is there
// already, or not any more: only what is true counts as a success.
func TestMembershipAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		join bool
		code uint16
		in   bool // what a look at the group says
		kind sdk.Kind
	}{
		"join: there already":           {true, 20, true, ""},
		"join: there already, AD":       {true, 68, true, ""},
		"join: says so, and is not":     {true, 68, false, sdk.KindConflict},
		"leave: not there":              {false, 16, false, ""},
		"leave: not there, AD":          {false, 53, false, ""},
		"leave: refused, and is there":  {false, 53, true, sdk.KindInvalid},
		"join: the group is gone":       {true, 32, false, sdk.KindTransient},
		"leave: may not change a group": {false, 50, true, sdk.KindForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			group := "cn=staff," + ldapservers.Groups
			f := startFake(t, &fake{answer: func(r request) {
				if r.tag() == goldap.ApplicationModifyRequest {
					r.result(test.code, "")
					return
				}
				base, scope := r.Children[1].Children[0].Data.String(), r.Children[1].Children[1].Value
				switch {
				case base == ldapservers.People:
					r.entry("uid=ada,"+ldapservers.People, someone(someID))
				case base == group && scope == int64(0) && test.in:
					r.entry(group, nil)
				case base == ldapservers.Groups && (test.join == isByName(r)):
					r.entry(group, nil)
				}
				r.result(0, "")
			}})
			var groups []string
			if test.join {
				groups = []string{"staff"}
			}
			err := open(t, f.to()).SetGroups(t.Context(), sdk.SetGroupsRequest{ID: someID, Groups: groups})
			if kind := sdk.KindOf(err); kind != test.kind {
				t.Errorf("kind %q (%v), want %q", kind, err, test.kind)
			}
		})
	}
}

// isByName tells a search for a group's name from one for a member's groups.
func isByName(r request) bool {
	filter, err := goldap.DecompileFilter(r.Children[1].Children[6])
	return err == nil && filter == "(&(objectClass=groupOfNames)(cn=staff))"
}
