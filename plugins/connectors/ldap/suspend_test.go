package ldap_test

import (
	"crypto/tls"
	"crypto/x509"
	"strconv"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

const personsPassword = "Canary-Passw0rd-of-ada"

func setActive(t *testing.T, target *ldap.Target, id string, active bool) sdk.Account {
	t.Helper()
	account, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: id, Active: active})
	if err != nil {
		t.Fatalf("set active %t: %v", active, err)
	}
	wantActive(t, account, active)
	return account
}

// bindAs reports whether somebody can sign in.
func bindAs(t *testing.T, dial func() (*goldap.Conn, error), name, password string) error {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.Bind(name, password)
}

// TestSuspendedCannotBind lets the server decide what suspended means.
func TestSuspendedCannotBind(t *testing.T) {
	s := ldapservers.Slapd(t)
	target, conn := open(t, openldapConfig(s)), root(t, s)
	created := create(t, target, person("ada"))
	dn := "uid=ada," + s.BaseDN
	replace(t, conn, dn, "userPassword", personsPassword)
	dial := func() (*goldap.Conn, error) { return goldap.DialURL("ldap://" + s.Addr) }
	for _, active := range []bool{true, false, true} {
		setActive(t, target, created.ID, active)
		if err := bindAs(t, dial, dn, personsPassword); (err == nil) != active {
			t.Errorf("active %t: bind answered %v", active, err)
		}
	}
	t.Run("a passing lock after wrong passwords is left alone", func(t *testing.T) {
		replace(t, conn, dn, "pwdAccountLockedTime", "20260101000000Z")
		wantActive(t, get(t, target, created.ID), true)
		setActive(t, target, created.ID, true)
		if _, err := conn.Search(goldap.NewSearchRequest(dn, goldap.ScopeBaseObject, 0, 0, 0, false, "(pwdAccountLockedTime=20260101000000Z)", nil, nil)); err != nil {
			t.Error(err)
		}
		dnOf(t, conn, dn, "(pwdAccountLockedTime=20260101000000Z)")
	})
	t.Run("made suspended", func(t *testing.T) {
		account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("eve"), Active: false})
		if err != nil {
			t.Fatal(err)
		}
		wantActive(t, account, false)
		dnOf(t, conn, s.BaseDN, "(&(uid=eve)(pwdAccountLockedTime=000001010000Z))")
	})
}

func replace(t *testing.T, conn *goldap.Conn, dn, name string, values ...string) {
	t.Helper()
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace(name, values)
	if err := conn.Modify(m); err != nil {
		t.Fatalf("replace %s of %s: %v", name, dn, err)
	}
}

func TestSuspendByAttribute(t *testing.T) {
	s := ldapservers.Slapd(t)
	conn := root(t, s)
	for _, activeValue := range []string{"", "current"} {
		cfg := openldapConfig(s)
		cfg.SuspendBy, cfg.SuspendAttribute, cfg.SuspendValue, cfg.ActiveValue = "attribute", "employeeType", "left", activeValue
		target := open(t, cfg)
		login := "by" + activeValue
		created := create(t, target, person(login))
		for _, active := range []bool{true, false, true} {
			setActive(t, target, created.ID, active)
			filter := map[bool]string{true: "(employeeType=current)", false: "(employeeType=left)"}[active]
			if active && activeValue == "" {
				filter = "(!(employeeType=*))"
			}
			dnOf(t, conn, s.BaseDN, "(&(uid="+login+")"+filter+")")
		}
	}
	t.Run("none", func(t *testing.T) {
		cfg := openldapConfig(s)
		cfg.SuspendBy = "none"
		target := open(t, cfg)
		created := create(t, target, person("ada"))
		if created.Active != nil {
			t.Error("the account says whether it is active, and the directory does not")
		}
		_, err := target.SetActive(t.Context(), sdk.SetActiveRequest{ID: created.ID})
		wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "suspend_by")
		_, err = target.Create(t.Context(), sdk.CreateRequest{Attributes: person("eve")})
		wantKind(t, err, sdk.KindUnsupported, sdk.EffectNone, "suspend_by")
	})
}

// domain is a connection to Samba with every right.
func domain(t *testing.T, s ldapservers.Server) (*goldap.Conn, func() (*goldap.Conn, error)) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CA))
	dial := func() (*goldap.Conn, error) {
		return goldap.DialURL("ldaps://"+s.TLSAddr, goldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	}
	conn, err := dial()
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		err = conn.Bind(s.BindDN, s.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn, dial
}

// control returns userAccountControl, and whether the account has a password.
func control(t *testing.T, conn *goldap.Conn, s ldapservers.Server, login string) (flags int, password bool) {
	t.Helper()
	found, err := conn.Search(goldap.NewSearchRequest(s.BaseDN, goldap.ScopeWholeSubtree, 0, 0, 0, false, "(sAMAccountName="+login+")", []string{"userAccountControl", "pwdLastSet"}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("search %s: %v", login, err)
	}
	flags, err = strconv.Atoi(found.Entries[0].GetAttributeValue("userAccountControl"))
	if err != nil {
		t.Fatal(err)
	}
	set := found.Entries[0].GetAttributeValue("pwdLastSet")
	return flags, set != "" && set != "0"
}

func wantControl(t *testing.T, conn *goldap.Conn, s ldapservers.Server, login string, flags int, password bool) {
	t.Helper()
	if f, p := control(t, conn, s, login); f != flags || p != password {
		t.Errorf("%s has the flags %#x and password %t, want %#x and %t", login, f, p, flags, password)
	}
}

// accountControl looks at what Active Directory goes by.
func accountControl(t *testing.T, cfg ldap.Config, s ldapservers.Server) {
	target := open(t, cfg)
	conn, dial := domain(t, s)
	created := create(t, target, person("c-ada"))
	wantControl(t, conn, s, "c-ada", 0x200, true)
	dn := "CN=c-ada," + s.BaseDN
	replace(t, conn, dn, "unicodePwd", quoted(personsPassword))
	replace(t, conn, dn, "userAccountControl", strconv.Itoa(0x200|0x10000)) // the password never expires
	for _, active := range []bool{false, true} {
		setActive(t, target, created.ID, active)
		if err := bindAs(t, dial, dn, personsPassword); (err == nil) != active {
			t.Errorf("active %t: bind answered %v", active, err)
		}
	}
	wantControl(t, conn, s, "c-ada", 0x10200, true) // other flags and the password stay
	t.Run("made suspended, gets a password when it becomes active", func(t *testing.T) {
		account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("c-eve"), Active: false})
		if err != nil {
			t.Fatal(err)
		}
		wantActive(t, account, false)
		wantControl(t, conn, s, "c-eve", 0x222, false)
		setActive(t, target, account.ID, true)
		wantControl(t, conn, s, "c-eve", 0x200, true)
	})
	t.Run("an administrator's first password is left alone", func(t *testing.T) {
		account := create(t, target, person("new"))
		newDN := "CN=new," + s.BaseDN
		replace(t, conn, newDN, "unicodePwd", quoted(personsPassword))
		replace(t, conn, newDN, "userAccountControl", strconv.Itoa(0x202))
		replace(t, conn, newDN, "pwdLastSet", "0") // to be changed at the first sign-in
		setActive(t, target, account.ID, true)
		wantControl(t, conn, s, "new", 0x200, false) // a new one would have set the time
		replace(t, conn, newDN, "pwdLastSet", "-1")
		if err := bindAs(t, dial, newDN, personsPassword); err != nil {
			t.Errorf("the password is another: %v", err)
		}
	})
	t.Run("principal name", func(t *testing.T) {
		attributes := person("upn")
		attributes["principal"] = "upn@example.com"
		account := create(t, target, attributes)
		if found := lookup(t, target, "principal", "UPN@example.com"); len(found) != 1 || found[0].ID != account.ID {
			t.Errorf("lookup found %v", found)
		}
		attributes = person("other")
		attributes["principal"] = "upn@example.com"
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
		wantKind(t, err, sdk.KindConflict, sdk.EffectNone, "principal")
	})
	t.Run("the name follows the login", func(t *testing.T) {
		update(t, target, created.ID, sdk.Attributes{"login": "c-countess"})
		if dn := dnOf(t, conn, s.BaseDN, "(sAMAccountName=c-countess)"); dn != "CN=c-countess,"+s.BaseDN {
			t.Errorf("the entry is %s", dn)
		}
	})
}

// quoted is a password of ASCII as unicodePwd takes it.
func quoted(password string) string {
	var out []byte
	for _, c := range []byte(`"` + password + `"`) {
		out = append(out, c, 0)
	}
	return string(out)
}
