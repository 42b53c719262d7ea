package daemon

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
)

// Passkeys go with their user, or when an admin removes them, with the sessions; those
// of others stay.
func TestPasskeysAreRemoved(t *testing.T) {
	s := openSystem(t)
	keys, sessions := store.Passkeys{DB: s.db}, store.Sessions{DB: s.db}
	ids := map[string]provisioning.UserID{}
	for _, login := range []string{"ada", "bob", "eve"} {
		u, err := s.Users.Import(t.Context(), user.User{Login: login}, "")
		if err == nil {
			err = keys.Add(t.Context(), passkey.Passkey{ID: []byte(login), User: u.ID, Name: "Phone", PublicKey: []byte("x"), CreatedAt: s.Now()})
		}
		if err == nil {
			err = sessions.Insert(t.Context(), session.Session{ID: login, SID: login, User: u.ID, AuthTime: s.Now(), UsedAt: s.Now(), EndsAt: s.Now().Add(time.Hour)})
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[login] = u.ID
	}
	if err := s.Users.Delete(t.Context(), ids["ada"]); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Users.RemovePasskeys(t.Context(), ids["bob"]); n != 1 || err != nil {
		t.Errorf("RemovePasskeys = %d, %v", n, err)
	}
	for login, want := range map[string]int{"ada": 0, "bob": 0, "eve": 1} {
		all, err := s.Users.PasskeysOf(t.Context(), ids[login])
		if len(all) != want || err != nil {
			t.Errorf("%s has %d passkeys, want %d (%v)", login, len(all), want, err)
		}
		if live, err := sessions.Of(t.Context(), ids[login]); len(live) != want || err != nil {
			t.Errorf("%s has %d sessions, want %d (%v)", login, len(live), want, err)
		}
	}
}

// Challenges that nobody answered do not stay.
func TestChallengesAreCleaned(t *testing.T) {
	s := openSystem(t)
	challenges := store.PasskeyChallenges{DB: s.db}
	for bound, expires := range map[string]time.Time{"sign_in:old": s.Now().Add(-time.Second), "sign_in:new": s.Now().Add(time.Hour)} {
		if err := challenges.Put(t.Context(), bound, []byte("h"), expires); err != nil {
			t.Fatal(err)
		}
	}
	s.clean(t.Context())
	var left string
	if err := s.db.QueryRow(t.Context(), `SELECT MAX(bound) FROM passkey_challenge HAVING COUNT(*) = 1`).Scan(&left); err != nil || left != "sign_in:new" {
		t.Errorf("left: %q, %v", left, err)
	}
}

// Without passkeys there is nothing behind the interfaces, not a service that is nil.
func TestPasskeysAreThereOrNot(t *testing.T) {
	s := openSystem(t)
	for _, c := range []struct {
		issuer string
		off    bool
		want   bool
	}{{"https://login.example.com", false, true}, {"https://login.example.com", true, false}, {"http://127.0.0.1:8080", false, false}} {
		s.Config.Issuer, s.Config.NoPasskeys = c.issuer, c.off
		var err error
		if s.Passkeys, err = s.buildPasskeys(); err != nil {
			t.Fatal(err)
		}
		if signIns, own := s.passkeySignIns() != nil, s.ownPasskeys() != nil; signIns != c.want || own != c.want {
			t.Errorf("%s, switched off %v: passkeys at sign-ins %v, at /account %v", c.issuer, c.off, signIns, own)
		}
	}
}
