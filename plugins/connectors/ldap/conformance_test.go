package ldap_test

import (
	"testing"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest"
)

func TestMain(m *testing.M) { sdktest.Main(m, ldap.Connector()) }

// The kit's proxy speaks HTTP, so its checks of a misbehaving target are not run:
// see TestFaultsOfRealServer and TestDeadlines.
func TestConformance(t *testing.T) {
	onOpenLDAP(t, func(t *testing.T, _ ldap.Config, s ldapservers.Server) {
		conformance(t, []string{"staff", "sales"}, map[string]any{
			"url": "ldap://" + s.Addr, "start_tls": false, "bind_dn": s.BindDN, "bind_password": s.Password, "base_dn": s.BaseDN,
			"group_base_dn": ldapservers.Groups,
		})
	})
}

func conformanceAD(t *testing.T, _ ldap.Config, s ldapservers.Server) {
	conformance(t, []string{"Domain Admins", "Domain Guests"}, map[string]any{
		"url": "ldaps://" + s.TLSAddr, "profile": "ad", "bind_dn": s.BindDN, "bind_password": s.Password, "base_dn": s.BaseDN,
		"ca_certificates": s.CA, "group_base_dn": s.BaseDN,
	})
}

func conformance(t *testing.T, groups []string, config map[string]any) {
	sdktest.Run(t, sdktest.Options{Connector: ldap.Connector(), Config: config, Account: account, Groups: groups})
}

// account is what the kit makes: logins of Active Directory are short.
func account(unique string) sdk.Attributes {
	return sdk.Attributes{
		"owner": "owner-" + unique, "login": unique, "givenName": "Given " + unique, "sn": "Family " + unique,
		"displayName": "Name " + unique, "mail": unique + "@example.com", "title": "Title " + unique,
	}
}
