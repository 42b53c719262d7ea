package ldap_test

import (
	"net"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

func checkSteps() []string {
	return []string{"dns", "tcp", "tls", "credentials", "permission", "schema"}
}

// wantCheck checks that all steps up to the failing one pass and the others are
// skipped; "" is none that fails. Both texts of the failure are for an admin.
func wantCheck(t *testing.T, target *ldap.Target, failing, says string) {
	t.Helper()
	steps, err := target.Check(t.Context())
	if err != nil || len(steps) != len(checkSteps()) {
		t.Fatalf("check: %v, %v", steps, err)
	}
	want := sdk.CheckPassed
	for i, step := range steps {
		if step.Name != checkSteps()[i] {
			t.Errorf("step %d is %s", i, step.Name)
		}
		status := want
		if step.Name == failing {
			status, want = sdk.CheckFailed, sdk.CheckSkipped
			if step.Fix == "" || !strings.Contains(step.Detail, says) {
				t.Errorf("%s says %q and %q, want %q and what to do", step.Name, step.Detail, step.Fix, says)
			}
		}
		if step.Status != status {
			t.Errorf("%s is %s (%s), want %s", step.Name, step.Status, step.Detail, status)
		}
		if strings.Contains(step.Detail+step.Fix, ldapservers.Password) {
			t.Errorf("%s tells the password: %s", step.Name, step.Detail)
		}
	}
}

func TestCheckWithoutServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	_ = listener.Close()
	cfg := startFake(t, &fake{bind: 49}).to()
	unresolved, unreached := cfg, cfg
	unresolved.URL, unresolved.StartTLS = "ldaps://directory.invalid", true
	unreached.URL = "ldap://" + nobody
	refusing := startFake(t, &fake{answer: func(r request) { r.result(2, "unsupported extended operation") }}).to()
	refusing.StartTLS = true
	plain := cfg
	plain.URL = strings.Replace(cfg.URL, "ldap:", "ldaps:", 1)
	wantCheck(t, open(t, unresolved), "dns", "cannot be resolved")
	wantCheck(t, open(t, unreached), "tcp", "connection refused")
	wantCheck(t, open(t, refusing), "tls", "refuses StartTLS with 2")
	wantCheck(t, open(t, plain), "tls", "")
	wantCheck(t, open(t, cfg), "credentials", "49")
}

func TestCheckOpenLDAP(t *testing.T) {
	s := ldapservers.Slapd(t)
	tests := map[string]struct {
		change  func(*ldap.Config)
		failing string
		says    string
	}{
		"good":     {func(*ldap.Config) {}, "", ""},
		"StartTLS": {func(c *ldap.Config) { c.StartTLS, c.CACertificates = true, s.CA }, "", ""},
		"TLS":      {func(c *ldap.Config) { c.URL, c.CACertificates = "ldaps://"+s.TLSAddr, s.CA }, "", ""},
		"TLS, another name": {func(c *ldap.Config) {
			c.URL, c.CACertificates, c.ServerName = "ldaps://"+s.TLSAddr, s.CA, "directory.example.com"
		}, "", ""},
		"not trusted":          {func(c *ldap.Config) { c.StartTLS = true }, "tls", "not trusted"},
		"wrong name":           {func(c *ldap.Config) { c.StartTLS, c.CACertificates, c.ServerName = true, s.CA, "other.example.com" }, "tls", "not trusted"},
		"wrong password":       {func(c *ldap.Config) { c.BindPassword = "canary-wrong" }, "credentials", "49"},
		"unknown name":         {func(c *ldap.Config) { c.BindDN = "cn=other,dc=example,dc=com" }, "credentials", "49"},
		"no base":              {func(c *ldap.Config) { c.BaseDN = "ou=other,dc=example,dc=com" }, "permission", "base_dn"},
		"no place":             {func(c *ldap.Config) { c.NewAccountsDN = "ou=new," + s.BaseDN }, "permission", "new_accounts_dn"},
		"no groups":            {func(c *ldap.Config) { c.GroupBaseDN = "ou=other,dc=example,dc=com" }, "permission", "group_base_dn"},
		"may read all":         {func(c *ldap.Config) { c.BindDN = ldapservers.Reader }, "", ""},
		"unknown owner":        {func(c *ldap.Config) { c.OwnerAttribute = "anteroomId" }, "schema", "anteroomId"},
		"unknown login":        {func(c *ldap.Config) { c.LoginAttribute = "sAMAccountName" }, "schema", "sAMAccountName"},
		"unknown class":        {func(c *ldap.Config) { c.ObjectClasses = append(c.ObjectClasses, "user") }, "schema", "user"},
		"unknown attribute":    {func(c *ldap.Config) { c.SuspendBy, c.SuspendAttribute, c.SuspendValue = "attribute", "gone", "x" }, "schema", "gone"},
		"by another name":      {func(c *ldap.Config) { c.OwnerAttribute = "EMPLOYEENUMBER" }, "", ""},
		"may not see accounts": {func(c *ldap.Config) { c.BindDN = ldapservers.Placeholder; c.BindPassword = "canary-wrong" }, "credentials", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := openldapConfig(s)
			test.change(&cfg)
			wantCheck(t, open(t, cfg), test.failing, test.says)
		})
	}
	t.Run("may only read", func(t *testing.T) {
		cfg := openldapConfig(s)
		cfg.BindDN = ldapservers.Reader
		_, err := open(t, cfg).Create(t.Context(), sdk.CreateRequest{Attributes: person("ada"), Active: true})
		wantKind(t, err, sdk.KindForbidden, sdk.EffectNone, "")
	})
}

func checkActiveDirectory(t *testing.T, good ldap.Config, s ldapservers.Server) {
	tests := map[string]struct {
		change  func(*ldap.Config)
		failing string
		says    string
	}{
		"good":            {func(*ldap.Config) {}, "", ""},
		"StartTLS":        {func(c *ldap.Config) { c.URL, c.StartTLS = "ldap://"+s.Addr, true }, "", ""},
		"the whole":       {func(c *ldap.Config) { c.BaseDN = ldapservers.Domain; c.GroupBaseDN = "" }, "", ""},
		"not trusted":     {func(c *ldap.Config) { c.CACertificates = "" }, "tls", "not trusted"},
		"wrong password":  {func(c *ldap.Config) { c.BindPassword = "canary-wrong" }, "credentials", "52e"},
		"no base":         {func(c *ldap.Config) { c.BaseDN = "OU=Other," + ldapservers.Domain }, "permission", "base_dn"},
		"unknown owner":   {func(c *ldap.Config) { c.OwnerAttribute = "anteroomId" }, "schema", "anteroomId"},
		"another's class": {func(c *ldap.Config) { c.ObjectClasses = []string{"ignored"} }, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			wantCheck(t, open(t, cfg), test.failing, test.says)
		})
	}
}
