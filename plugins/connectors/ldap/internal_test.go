package ldap

import (
	"strings"
	"testing"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/google/uuid"

	"github.com/anteroom-id/anteroom/sdk"
)

func profileFor(name string) profile {
	return newProfile(Config{
		Profile: name, OwnerAttribute: "employeeNumber", LoginAttribute: "uid", NamedBy: namedByLogin,
		ObjectClasses: []string{"inetOrgPerson"}, SuspendBy: suspendByPolicy, GroupMember: "member",
	})
}

// FuzzNames builds names and filters of any value, and reads them back: nothing
// of it may be taken for structure.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"ada", `a"+,;<>\#=`, " a ", "a)(uid=*", "\x00", "*", "ü", "#", `\`, "a\nb"} {
		f.Add(seed)
	}
	const base = "ou=people,dc=example,dc=com"
	f.Fuzz(func(t *testing.T, value string) {
		for _, p := range []profile{profileFor(profileOpenLDAP), profileFor(profileAD)} {
			target := &Target{config: Config{BaseDN: base}, profile: p}
			c, err := p.newChange(sdk.Attributes{nameLogin: value, nameCN: value}, nil)
			if err != nil {
				if sdk.KindOf(err) != sdk.KindInvalid {
					t.Errorf("%q is refused as %v", value, err)
				}
				continue
			}
			if value == "" {
				continue
			}
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				t.Fatalf("%q was taken", value)
			}
			add, err := target.entry(c, true)
			if err != nil {
				t.Fatal(err)
			}
			wantRDN(t, add.DN, p.naming, value)
			wantEquality(t, p.byValue(p.names[nameLogin], value), p.names[nameLogin], value)
			e := goldap.NewEntry(p.naming+"=x,"+base, map[string][]string{p.naming: {"x"}})
			if rdn, differs := renaming(e, c); differs {
				wantRDN(t, rdn+","+base, p.naming, value)
			} else if value != "x" {
				t.Errorf("%q renames nothing", value)
			}
		}
	})
}

// wantRDN reads a name back: three relative names of the base, and ours.
func wantRDN(t *testing.T, text, naming, value string) {
	t.Helper()
	dn, err := goldap.ParseDN(text)
	if err != nil {
		t.Fatalf("%q is no name: %v", text, err)
	}
	if len(dn.RDNs) != 4 || len(dn.RDNs[0].Attributes) != 1 {
		t.Fatalf("%q has other parts than meant: %v", text, dn)
	}
	if got := dn.RDNs[0].Attributes[0]; got.Type != naming || got.Value != value {
		t.Errorf("%q says %s is %q, want %s, %q", text, got.Type, got.Value, naming, value)
	}
}

// wantEquality reads a filter back: a conjunction whose last part compares with
// exactly the value.
func wantEquality(t *testing.T, filter, name, value string) {
	t.Helper()
	compiled, err := goldap.CompileFilter(filter)
	if err != nil {
		t.Fatalf("%q is no filter: %v", filter, err)
	}
	if compiled.Tag != goldap.FilterAnd || len(compiled.Children) != 2 {
		t.Fatalf("%q has other parts than meant", filter)
	}
	part := compiled.Children[1]
	if part.Tag != goldap.FilterEqualityMatch || part.Children[0].Data.String() != name || part.Children[1].Data.String() != value {
		t.Errorf("%q compares %q with %q", filter, part.Children[0].Data.String(), part.Children[1].Data.String())
	}
}

// FuzzIDs reads ids of directories, and asks for them.
func FuzzIDs(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Add([]byte("6b29fc40-ca47-1067-b31d-00dd010662da"))
	f.Add([]byte("*"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range []profile{profileFor(profileOpenLDAP), profileFor(profileAD)} {
			id := p.idOf(goldap.NewEntry("cn=x", map[string][]string{p.id: {string(raw)}}))
			if id != "" {
				if filter, ok := p.byID(id); !ok {
					t.Errorf("the id %q is none", id)
				} else if p.ad {
					wantID(t, filter, string(raw))
				} else {
					wantID(t, filter, id)
				}
			}
			if filter, ok := p.byID(string(raw)); ok {
				if _, err := uuid.Parse(string(raw)); err != nil {
					t.Errorf("%q was taken for an id: %s", raw, filter)
				}
			}
		}
	})
}

func wantID(t *testing.T, filter, value string) {
	t.Helper()
	compiled, err := goldap.CompileFilter(filter)
	if err != nil {
		t.Fatalf("%q is no filter: %v", filter, err)
	}
	if got := compiled.Children[1].Children[1].Data.String(); got != value {
		t.Errorf("%q asks for %q, want %q", filter, got, value)
	}
}

// The example of a GUID in text and in memory is [MS-DTYP] 2.3.4.
func TestObjectGUIDIsWrittenAsWindowsDoes(t *testing.T) {
	raw := "\x40\xfc\x29\x6b\x47\xca\x67\x10\xb3\x1d\x00\xdd\x01\x06\x62\xda"
	p := profileFor(profileAD)
	got := p.idOf(goldap.NewEntry("cn=x", map[string][]string{"objectGUID": {raw}}))
	if want := "6b29fc40-ca47-1067-b31d-00dd010662da"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRandomPassword(t *testing.T) {
	first, second := randomPassword(), randomPassword()
	if first == second || len(first) < 40 {
		t.Errorf("two passwords: %q, %q", first, second)
	}
	if got, want := quotedUTF16("ab"), "\"\x00a\x00b\x00\"\x00"; got != want {
		t.Errorf("quoted: %q, want %q", got, want)
	}
}

func TestNamesInSchema(t *testing.T) {
	got := namesIn([]string{
		"( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'last (family) name' SUP name )",
		"( 2.5.4.42 NAME 'givenName' DESC 'it''s NAME' SUP name )", "( 1.2.3 )", "",
	})
	for _, name := range []string{"sn", "surname", "givenname"} {
		if !got[name] {
			t.Errorf("%s is missing: %v", name, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v, want three names", got)
	}
}
