package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// permit adds a grant with one access token that lives for an hour.
func permit(t *testing.T, db *sqldb.DB, id, client, user string, at time.Time, resources ...string) op.TokenHash {
	t.Helper()
	s, g := &store.OAuth{DB: db}, oauthGrant(id)
	g.Resources = resources
	g.Client, g.User, g.CreatedAt, g.ExpiresAt = provisioning.ClientID(client), provisioning.UserID(user), at, at.Add(24*time.Hour)
	must(t, s.AddGrant(t.Context(), g))
	token := op.AccessToken{Hash: op.HashToken(id), Grant: g.ID, Decision: g.Decision, ExpiresAt: at.Add(time.Hour)}
	must(t, s.AddAccessToken(t.Context(), token))
	return token.Hash
}

func putApplications(t *testing.T, db *sqldb.DB, names ...string) {
	t.Helper()
	apps := store.Applications{DB: db, Now: func() time.Time { return oauthNow }}
	for _, name := range names {
		_, err := apps.Put(t.Context(), application.Application{
			ClientID: provisioning.ClientID(name), Name: name, Type: application.TypeWeb, AuthMethod: application.AuthNone,
			RedirectURIs: []string{"https://" + name + ".example/cb"}, GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, IDTokenAlg: "RS256", Enabled: true,
		})
		must(t, err)
	}
}

func TestPermissions(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s, consents := store.Permissions{DB: db}, store.Consents{DB: db}
		putApplications(t, db, "wiki", "payroll", "mail")
		must(t, consents.Add(t.Context(), "ada", "payroll", []string{"openid", "profile"}, oauthNow.Add(time.Minute)))
		must(t, consents.Add(t.Context(), "eve", "payroll", []string{"openid"}, oauthNow))
		ours := permit(t, db, "g1", "payroll", "ada", oauthNow)
		theirs := permit(t, db, "g2", "payroll", "eve", oauthNow)
		permit(t, db, "g3", "mail", "ada", oauthNow, "https://api.example")
		permit(t, db, "g4", "gone", "ada", oauthNow) // an application that was deleted
		payroll := application.Permission{Client: "payroll", Name: "payroll", Scopes: []string{"email", "openid", "profile"}, Since: oauthNow}
		mail := application.Permission{Client: "mail", Name: "mail", Scopes: []string{"email", "openid", application.ResourceScope("https://api.example")}, Since: oauthNow}
		of := func(user provisioning.UserID, now time.Time, want ...application.Permission) {
			t.Helper()
			got, err := s.Of(t.Context(), user, now)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("of %s at %s (-want +got):\n%s", user, now, diff)
			}
		}
		of("ada", oauthNow, mail, payroll)
		late := payroll // the tokens are over, though the grants are not
		late.Scopes, late.Since = []string{"openid", "profile"}, oauthNow.Add(time.Minute)
		of("ada", oauthNow.Add(time.Hour), late)
		must(t, s.Withdraw(t.Context(), "ada", "payroll", oauthNow))
		must(t, s.Withdraw(t.Context(), "ada", "unknown", oauthNow))
		of("ada", oauthNow, mail)
		of("eve", oauthNow, application.Permission{Client: "payroll", Name: "payroll", Scopes: []string{"email", "openid"}, Since: oauthNow})
		for hash, want := range map[op.TokenHash]bool{ours: true, theirs: false} {
			if g, _, err := (&store.OAuth{DB: db}).AccessToken(t.Context(), hash); err != nil || g.RevokedAt.IsZero() == want {
				t.Errorf("token of %s: revoked at %s, %v", g.User, g.RevokedAt, err)
			}
		}
	})
}

// Tokens without a user are the application's own.
func TestWithdrawNeedsAUser(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		hash := permit(t, db, "g", "payroll", "", oauthNow)
		must(t, store.Permissions{DB: db}.Withdraw(t.Context(), "", "payroll", oauthNow))
		if g, _, err := (&store.OAuth{DB: db}).AccessToken(t.Context(), hash); err != nil || !g.RevokedAt.IsZero() {
			t.Errorf("revoked at %s, %v", g.RevokedAt, err)
		}
	})
}
