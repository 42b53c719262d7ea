package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// oauthNow has microseconds: what is stored must come back exactly.
var oauthNow = time.Date(2030, 2, 3, 4, 5, 6, 789_012_000, time.UTC)

func eachOAuth(t *testing.T, f func(t *testing.T, s *store.OAuth)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(t, &store.OAuth{DB: db}) }, store.Migrations())
}

func oauthGrant(id string) op.Grant {
	return op.Grant{
		ID: op.GrantID(id), Client: "app", User: "user-1", Subject: "sub-1", Decision: "decision-1", Scopes: []string{"openid", "email"},
		Session: "sso", SID: "sid-1", AMR: []string{"pwd", "otp"}, Claims: []string{"userinfo.name"}, Resources: []string{"urn:a:b", "https://c"}, AuthTime: oauthNow, CreatedAt: oauthNow, ExpiresAt: oauthNow.Add(24 * time.Hour),
	}
}

func oauthCode(g op.Grant) op.Code {
	return op.Code{
		Hash: op.HashToken("code of " + string(g.ID)), Grant: g.ID, Decision: "decision-2", RedirectURI: "https://app.example/cb",
		Nonce: "n", Challenge: "c", JKT: "code's key", ExpiresAt: oauthNow.Add(time.Minute), KeepUntil: oauthNow.Add(time.Hour),
	}
}

func TestOAuthRowsComeBackAsTheyWere(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		g := oauthGrant("g")
		code := oauthCode(g)
		access := op.AccessToken{Hash: op.HashToken("a"), Grant: "g", Decision: "decision-3", Scopes: []string{"email"}, Audience: "https://c", JKT: "access token's key", ExpiresAt: oauthNow.Add(time.Hour)}
		refresh := op.RefreshToken{
			Hash: op.HashToken("r"), Grant: "g", Decision: "decision-4", Generation: 2, Parent: op.HashToken("p"), JKT: "refresh token's key",
			ExpiresAt: oauthNow.Add(time.Hour), KeepUntil: oauthNow.Add(2 * time.Hour),
		}
		must(t, s.AddGrant(t.Context(), g))
		must(t, s.AddCode(t.Context(), code))
		must(t, s.AddAccessToken(t.Context(), access))
		must(t, s.AddRefreshToken(t.Context(), refresh))
		gotGrant, gotCode, err := s.Code(t.Context(), code.Hash)
		must(t, err)
		_, gotAccess, err := s.AccessToken(t.Context(), access.Hash)
		must(t, err)
		_, gotRefresh, err := s.RefreshToken(t.Context(), refresh.Hash)
		must(t, err)
		refresh.Newest = refresh.Generation
		for _, diff := range []string{cmp.Diff(g, gotGrant), cmp.Diff(code, gotCode), cmp.Diff(access, gotAccess), cmp.Diff(refresh, gotRefresh)} {
			if diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		}
		unknown := op.HashToken("unknown")
		_, _, codeErr := s.Code(t.Context(), unknown)
		_, _, accessErr := s.AccessToken(t.Context(), unknown)
		_, _, refreshErr := s.RefreshToken(t.Context(), unknown)
		for _, err := range []error{codeErr, accessErr, refreshErr} {
			if !errors.Is(err, op.ErrNotFound) {
				t.Errorf("unknown hash: %v, want ErrNotFound", err)
			}
		}
	})
}

// Nothing is kept without the decision it rests on: not by the store, and not by
// the database if the store errs.
func TestOAuthEvidenceIsRequired(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		must(t, s.AddGrant(t.Context(), oauthGrant("g")))
		bare := oauthGrant("bare")
		bare.Decision = ""
		code := oauthCode(oauthGrant("g"))
		code.Decision = ""
		for name, err := range map[string]error{
			"grant":   s.AddGrant(t.Context(), bare),
			"code":    s.AddCode(t.Context(), code),
			"access":  s.AddAccessToken(t.Context(), op.AccessToken{Hash: "x", Grant: "g"}),
			"refresh": s.AddRefreshToken(t.Context(), op.RefreshToken{Hash: "x", Grant: "g"}),
		} {
			if !errors.Is(err, op.ErrNoDecision) {
				t.Errorf("%s without a decision: %v, want ErrNoDecision", name, err)
			}
		}
		nameless := oauthGrant("nameless")
		nameless.Subject = ""
		if err := s.AddGrant(t.Context(), nameless); !errors.Is(err, op.ErrNoSubject) {
			t.Errorf("grant without a subject: %v, want ErrNoSubject", err)
		}
		for _, value := range []string{"''", "NULL"} {
			query := `INSERT INTO oauth_access (hash, grant_id, decision_id, scopes, expires_at) VALUES ($1, 'g', ` + value + `, '', 1)`
			if _, err := s.DB.Exec(t.Context(), query, []byte(value)); err == nil {
				t.Errorf("the database took decision_id %s", value)
			}
		}
		noChallenge := oauthCode(oauthGrant("g"))
		noChallenge.Challenge = ""
		if err := s.AddCode(t.Context(), noChallenge); err == nil {
			t.Error("the database took a code without a PKCE challenge")
		}
		if err := s.AddGrant(t.Context(), oauthGrant("g")); !errors.Is(err, op.ErrGrantExists) {
			t.Errorf("a second grant for one sign-in: %v, want ErrGrantExists", err)
		}
	})
}

func TestOAuthUseOnce(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		g := oauthGrant("g")
		code := oauthCode(g)
		must(t, s.AddGrant(t.Context(), g))
		must(t, s.AddCode(t.Context(), code))
		must(t, s.AddRefreshToken(t.Context(), op.RefreshToken{Hash: "r", Grant: "g", Decision: "d", Generation: 1, ExpiresAt: oauthNow, KeepUntil: oauthNow}))
		keep := oauthNow.Add(48 * time.Hour)
		must(t, s.UseCode(t.Context(), code.Hash, oauthNow))
		use := op.RefreshUse{Hash: "r", Grant: "g", Generation: 1, At: oauthNow, Keep: keep}
		must(t, s.UseRefreshToken(t.Context(), use))
		if err := s.UseCode(t.Context(), code.Hash, oauthNow); !errors.Is(err, op.ErrUsed) {
			t.Errorf("second UseCode = %v, want ErrUsed", err)
		}
		if err := s.UseRefreshToken(t.Context(), use); !errors.Is(err, op.ErrUsed) {
			t.Errorf("second UseRefreshToken = %v, want ErrUsed", err)
		}
		_, got, err := s.RefreshToken(t.Context(), "r")
		must(t, err)
		if !got.UsedAt.Equal(oauthNow) || !got.KeepUntil.Equal(keep) {
			t.Errorf("used token = %+v; want the time and how long it is kept", got)
		}
	})
}

func TestOAuthRevocation(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		revoked := func(id string) time.Time {
			g, _, err := s.Code(t.Context(), oauthCode(oauthGrant(id)).Hash)
			must(t, err)
			return g.RevokedAt
		}
		for _, id := range []string{"a", "b", "other"} {
			g := oauthGrant(id)
			if id == "other" {
				g.User = "user-2"
			}
			must(t, s.AddGrant(t.Context(), g))
			must(t, s.AddCode(t.Context(), oauthCode(g)))
		}
		must(t, s.RevokeGrant(t.Context(), "a", oauthNow))
		must(t, s.RevokeGrant(t.Context(), "a", oauthNow.Add(time.Hour)))
		if !revoked("a").Equal(oauthNow) || !revoked("b").IsZero() {
			t.Errorf("revoked a at %v and b at %v; want the first time and never", revoked("a"), revoked("b"))
		}
		n, err := s.RevokeUser(t.Context(), "user-1", oauthNow)
		must(t, err)
		if n != 1 || revoked("b").IsZero() || !revoked("other").IsZero() {
			t.Errorf("RevokeUser changed %d, b %v, other %v; want b alone", n, revoked("b"), revoked("other"))
		}
		if n, err := s.RevokeUser(t.Context(), "", oauthNow); err != nil || n != 0 {
			t.Errorf("RevokeUser of nobody = %d, %v", n, err)
		}
	})
}

func TestOAuthDeleteExpired(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		live := oauthGrant("live")
		must(t, s.AddGrant(t.Context(), live))
		must(t, s.AddCode(t.Context(), oauthCode(live)))
		for i := range 7 {
			g := oauthGrant(fmt.Sprintf("old-%d", i))
			g.ExpiresAt = oauthNow.Add(-time.Second)
			must(t, s.AddGrant(t.Context(), g))
			must(t, s.AddCode(t.Context(), oauthCode(g))) // goes with its grant
			must(t, s.AddAccessToken(t.Context(), op.AccessToken{Hash: op.TokenHash(g.ID), Grant: "live", Decision: "d", ExpiresAt: oauthNow.Add(-time.Second)}))
		}
		// At most 5 of each kind at a time: access tokens and grants here.
		for batch, want := range []int{10, 4, 0} {
			n, err := s.DeleteExpired(t.Context(), oauthNow, 5)
			must(t, err)
			if n != want {
				t.Errorf("batch %d deleted %d rows, want %d", batch, n, want)
			}
		}
		if _, _, err := s.Code(t.Context(), oauthCode(live).Hash); err != nil {
			t.Errorf("the live code is gone: %v", err)
		}
		if _, _, err := s.Code(t.Context(), op.HashToken("code of old-1")); !errors.Is(err, op.ErrNotFound) {
			t.Errorf("the code of an expired grant: %v, want ErrNotFound", err)
		}
	})
}

func TestOAuthJoinsATransaction(t *testing.T) {
	eachOAuth(t, func(t *testing.T, s *store.OAuth) {
		boom := errors.New("boom")
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			must(t, s.AddGrant(ctx, oauthGrant("g")))
			must(t, s.AddCode(ctx, oauthCode(oauthGrant("g"))))
			return boom
		})
		_, _, readErr := s.Code(t.Context(), oauthCode(oauthGrant("g")).Hash)
		if !errors.Is(err, boom) || !errors.Is(readErr, op.ErrNotFound) {
			t.Errorf("InTx = %v, then Code = %v; want boom and nothing kept", err, readErr)
		}
	})
}
