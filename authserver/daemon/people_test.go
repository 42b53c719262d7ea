package daemon

import (
	"context"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Whoever changes a password fears that somebody else is signed in: what
// applications hold of this user must end too, and of no other.
func TestTokensEndWithThePassword(t *testing.T) {
	s := openSystem(t)
	ids := map[string]provisioning.UserID{}
	for _, login := range []string{"ada", "bob"} {
		u, err := s.Users.Register(t.Context(), user.User{Login: login, Email: login + "@example.com", GivenName: login, FamilyName: "Doe", Home: "payroll"}, "correct horse staple")
		if err != nil {
			t.Fatal(err)
		}
		ids[login] = u.ID
	}
	for name, change := range map[string]func() error{
		"changed": func() error { return s.Users.SetPassword(t.Context(), ids["ada"], "another horse staple") },
		"reset": func() error {
			return s.db.InTx(t.Context(), func(ctx context.Context) error { return s.Users.ReplacePassword(ctx, ids["ada"], "hash") })
		},
	} {
		for login, id := range ids {
			grant := op.GrantID(name + login)
			err := s.tokens.AddGrant(t.Context(), op.Grant{
				ID: grant, Client: "payroll", User: id, Subject: string(id), Decision: "d", CreatedAt: s.Now(), AuthTime: s.Now(), ExpiresAt: s.Now().Add(time.Hour),
			})
			if err != nil {
				t.Fatal(err)
			}
			err = s.tokens.AddRefreshToken(t.Context(), op.RefreshToken{
				Hash: op.HashToken(name + login), Grant: grant, Decision: "d", Generation: 1, ExpiresAt: s.Now().Add(time.Hour), KeepUntil: s.Now().Add(time.Hour),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for login := range ids {
			grant, _, err := s.tokens.RefreshToken(t.Context(), op.HashToken(name+login))
			if err != nil || grant.RevokedAt.IsZero() != (login == "bob") {
				t.Errorf("password %s: the grant of %s was revoked at %v (%v)", name, login, grant.RevokedAt, err)
			}
		}
	}
}
