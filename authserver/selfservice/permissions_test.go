package selfservice_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// allow lets an application have scopes of users.
func allow(t *testing.T, s *stack, client string, users ...provisioning.UserID) {
	t.Helper()
	_, err := store.Applications{DB: s.db, Now: s.clock.Now}.Put(t.Context(), application.Application{
		ClientID: provisioning.ClientID(client), Name: "The " + client, Type: application.TypeWeb, AuthMethod: application.AuthNone,
		RedirectURIs: []string{"https://" + client + ".example/cb"}, GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, IDTokenAlg: "RS256", Enabled: true,
	})
	must(t, err)
	for _, u := range users {
		must(t, store.Consents{DB: s.db}.Add(t.Context(), u, provisioning.ClientID(client), []string{"openid", "email", "ledger:read", application.ResourceScope("https://api.example")}, s.clock.Now()))
	}
}

func TestWithdrawApplication(t *testing.T) {
	s := newStackOn(t, sqldbtest.SQLite(t, store.Migrations()))
	consents := store.Consents{DB: s.db}
	p := s.person().get("/account/applications").at("/sign-in").signIn("ada", password).at("/account/applications", "No application may act for you now")
	allow(t, s, "payroll", s.ada.ID, "eve")
	allow(t, s, "wiki", s.ada.ID)
	p.get("/account").at("/account", "Applications with access")
	p.get("/account/applications").at("/account/applications", "The payroll since 6 May 2026, 07:08 UTC sign you in your e-mail address ledger:read access to https://api.example in your name", "The wiki")
	p.submit("/account/applications", "client_id", "payroll").at("/account", "no longer has access")
	p.get("/account/applications").at("/account/applications", "The wiki")
	if strings.Contains(p.page.Text, "payroll") {
		t.Errorf("the page says %s", p.page.Text)
	}
	ours, err := consents.Of(t.Context(), s.ada.ID, "payroll")
	must(t, err)
	theirs, err := consents.Of(t.Context(), "eve", "payroll")
	must(t, err)
	if len(ours) != 0 || len(theirs) != 4 {
		t.Errorf("consents: ours %v, another's %v", ours, theirs)
	}
	p.get("/account/applications").submit("/account/applications", "client_id", "wiki", "token", "forged").status(http.StatusForbidden)
	p.get("/account/applications").at("/account/applications", "The wiki")
}
