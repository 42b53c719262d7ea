package ldap_test

import (
	"fmt"
	"testing"

	"github.com/anteroom-id/anteroom/e2e/ldapservers"
	"github.com/anteroom-id/anteroom/plugins/connectors/ldap"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestListOfRealServer has more accounts than a page, and than slapd gives at
// once.
func TestListOfRealServer(t *testing.T) { onOpenLDAP(t, listOfRealServer) }

func listOfRealServer(t *testing.T, cfg ldap.Config, _ ldapservers.Server) {
	target := open(t, cfg)
	want := map[string]bool{}
	for i := range map[string]int{"openldap": 620, "ad": 25}[cfg.Profile] {
		login := fmt.Sprintf("u%04d", i)
		account, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person(login), Active: cfg.Profile == "openldap"})
		if err != nil {
			t.Fatal(err)
		}
		want[account.ID] = true
	}
	for _, size := range []int{0, 10} {
		missing := map[string]bool{}
		for id := range want {
			missing[id] = true
		}
		for account, err := range target.List(t.Context(), sdk.ListRequest{PageSize: size}) {
			if err != nil {
				t.Fatal(err)
			}
			if !missing[account.ID] && want[account.ID] {
				t.Errorf("%s came twice", account.ID)
			}
			delete(missing, account.ID)
		}
		if len(missing) > 0 {
			t.Errorf("page size %d: %d of %d accounts are missing", size, len(missing), len(want))
		}
	}
	n := 0
	for range target.List(t.Context(), sdk.ListRequest{PageSize: 5}) {
		if n++; n == 7 { // who has seen enough may stop
			break
		}
	}
	lookup(t, target, "login", "u0000")
}
