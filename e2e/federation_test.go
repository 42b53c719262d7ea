package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Somebody known to another OpenID provider alone, here a second Anteroom, signs in
// through it: the user is made, and their account exists before the code does.
func TestSignInWithUpstreamMakesTheAccountFirst(t *testing.T) {
	long(t)
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		up, _ := startElimity(t)
		corp := startStack(t, up, stackOptions{})
		s := startStack(t, up, stackOptions{database: database})
		corp.apply(t, stackOptions{more: fmt.Sprintf("  - {client_id: anteroom, redirect_uris: [%q], post_logout_redirect_uris: [%q], secret: {env: APP_SECRET}}",
			federation.RedirectURI(s.issuer, "corp"), federation.LogoutRedirectURI(s.issuer))})
		s.apply(t, stackOptions{more: fmt.Sprintf("upstreams: [{name: corp, issuer: %q, client_id: anteroom, secret: {env: APP_SECRET}, jit: true, logout: true, domains: [corp.example]}]", corp.issuer)})
		grace := corp.importUser(t, "grace")

		rp, b := newRelyingParty(t, s.issuer), newBrowser()
		r := rp.request()
		page, err := b.Get(t.Context(), r.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []map[string]string{{"login": "grace@corp.example", "password": ""}, {"login": "grace", "password": password}} {
			if page, err = b.Submit(t.Context(), page, "/sign-in", form); err != nil {
				t.Fatal(err)
			}
		}
		callback := arrive(t, b, page)
		a := s.account(t, "grace", func(provisioning.Account) bool { return true })
		if !inSync(a) || s.proxy.Count(http.MethodPost, "/Users") != 1 {
			t.Errorf("account when the code was issued = %+v after %d creates, want one in sync", a, s.proxy.Count(http.MethodPost, "/Users"))
		}
		g, err := rp.exchange(t.Context(), r, callback)
		if err != nil {
			t.Fatal(err)
		}
		made := s.user(t, "grace")
		if g.claims["sub"] != string(made.ID) || made.ID == grace.ID || made.Source != "corp" || made.Email != grace.Email || made.EmailVerified {
			t.Errorf("sub %v, user %+v", g.claims["sub"], made)
		}
		links := func() (n int) {
			if err := s.db(t).QueryRow(t.Context(), `SELECT COUNT(*) FROM federated_identity`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if page, err = b.Get(t.Context(), s.issuer+"/sign-out"); err != nil {
			t.Fatal(err)
		}
		if page, err = b.Submit(t.Context(), page, "/sign-out", nil); err != nil {
			t.Fatal(err)
		}
		// Corp took our word for who it is, and sent the browser back with the state. Its
		// own cookie is not there to show more: both servers are one host.
		for _, table := range []string{"sessions", "session_upstream", "upstream_departure"} {
			var n int
			if err := s.db(t).QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d %s are left (%v)", n, table, err)
			}
		}
		if page.URL.String() != s.issuer+"/sign-out/done" {
			t.Errorf("signing out ended at %s", page.URL)
		}
		before := links()
		if err := s.Users.Delete(t.Context(), made.ID); err != nil || before != 1 || links() != 0 {
			t.Errorf("%d links, %d after the user was deleted (%v)", before, links(), err)
		}
	})
}
