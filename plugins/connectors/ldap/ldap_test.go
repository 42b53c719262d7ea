package ldap_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/tcpproxy"
)

// TestActiveDirectory runs everything that needs Samba on one, which takes
// seconds to start. Each test has people of its own.
func TestActiveDirectory(t *testing.T) {
	s := ldapservers.Samba(t)
	cfg := adConfig(s)
	for _, test := range []struct {
		name string
		run  func(*testing.T, ldap.Config, ldapservers.Server)
	}{
		{"life of an account", lifeOfAnAccount}, {"hostile values", hostileLogins}, {"account control", accountControl},
		{"groups", groupsOfActiveDirectory}, {"list", listOfRealServer}, {"check", checkActiveDirectory},
		{"conformance", conformanceAD}, {"faults", faultsOfRealServer},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, cfg, s) })
	}
}

func openldapConfig(s ldapservers.Server) ldap.Config {
	return ldap.Config{
		URL: "ldap://" + s.Addr, Profile: "openldap", BindDN: s.BindDN, BindPassword: sdk.Secret(s.Password), BaseDN: s.BaseDN,
		OwnerAttribute: "employeeNumber", LoginAttribute: "uid", NamedBy: "login", ObjectClasses: []string{"inetOrgPerson"},
		SuspendBy: "ppolicy", GroupBaseDN: ldapservers.Groups, GroupMember: "member", Referrals: "refuse",
		Connections: 4, Timeout: 10 * time.Second,
	}
}

func adConfig(s ldapservers.Server) ldap.Config {
	return ldap.Config{
		URL: "ldaps://" + s.TLSAddr, Profile: "ad", BindDN: s.BindDN, BindPassword: sdk.Secret(s.Password), BaseDN: s.BaseDN,
		OwnerAttribute: "employeeNumber", GroupBaseDN: s.BaseDN, Referrals: "refuse", CACertificates: s.CA,
		Connections: 4, Timeout: 10 * time.Second,
	}
}

// onOpenLDAP runs a test on a slapd of its own.
func onOpenLDAP(t *testing.T, test func(*testing.T, ldap.Config, ldapservers.Server)) {
	s := ldapservers.Slapd(t)
	test(t, openldapConfig(s), s)
}

func open(t *testing.T, cfg ldap.Config) *ldap.Target {
	t.Helper()
	target, err := ldap.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// behind starts a proxy before the server and returns a configuration that goes
// through it.
func behind(t *testing.T, cfg ldap.Config, s ldapservers.Server) (ldap.Config, *tcpproxy.Proxy) {
	t.Helper()
	if cfg.Profile == "ad" {
		proxy := tcpproxy.Start(t, s.TLSAddr)
		cfg.URL, cfg.ServerName = "ldaps://"+proxy.Addr, "directory.example.com"
		return cfg, proxy
	}
	proxy := tcpproxy.Start(t, s.Addr)
	cfg.URL = "ldap://" + proxy.Addr
	return cfg, proxy
}

// person is a complete account.
func person(name string) sdk.Attributes {
	return sdk.Attributes{
		"owner": "user-" + name, "login": name, "givenName": "Ada", "sn": "Lovelace",
		"displayName": "Ada Lovelace", "mail": name + "@example.com",
	}
}

func create(t *testing.T, target *ldap.Target, attributes sdk.Attributes) sdk.Account {
	t.Helper()
	account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return account
}

func get(t *testing.T, target *ldap.Target, id string) sdk.Account {
	t.Helper()
	account, err := target.Get(t.Context(), sdk.GetRequest{ID: id})
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return account
}

func update(t *testing.T, target *ldap.Target, id string, set sdk.Attributes, remove ...string) sdk.Account {
	t.Helper()
	account, err := target.Update(t.Context(), sdk.UpdateRequest{ID: id, Set: set, Clear: remove})
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return account
}

func lookup(t *testing.T, target *ldap.Target, key, value string) []sdk.Account {
	t.Helper()
	found, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: key, Value: value})
	if err != nil {
		t.Fatalf("lookup %s: %v", key, err)
	}
	return found
}

// wantAttributes compares those named in want; nil means absent.
func wantAttributes(t *testing.T, got sdk.Account, want sdk.Attributes) {
	t.Helper()
	have := sdk.Attributes{}
	for name := range want {
		have[name] = got.Attributes[name]
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func wantKind(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect, field string) {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil {
		t.Errorf("no error, want kind %s", kind)
		return
	}
	if e.Kind != kind || e.Effect != effect || e.Field != field {
		t.Errorf("error %q has kind %s, effect %s and field %q; want %s, %s and %q", e, e.Kind, e.Effect, e.Field, kind, effect, field)
	}
}

func wantActive(t *testing.T, got sdk.Account, want bool) {
	t.Helper()
	if got.Active == nil || *got.Active != want {
		t.Errorf("active is %v, want %t", got.Active, want)
	}
}
