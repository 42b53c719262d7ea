package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/federation"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

func TestUpstreamRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s, want := store.Upstreams{DB: db, Sealer: keySealer(t)}, federation.New("corp")
		want.Issuer, want.ClientID, want.ClientSecret, want.Domains, want.JIT = "https://a.example", "c", "s3cret", []string{"a.example"}, federation.JITOn
		want.UserInfo, want.Enabled, want.Logout, want.Revision = true, false, true, 1
		for range 2 { // the second time there is nothing to write
			must(t, s.Put(t.Context(), want))
		}
		got, err := s.Get(t.Context(), "corp")
		if diff := cmp.Diff(want, got); diff != "" || err != nil || got.ClientSecret != "s3cret" {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		want.ClientSecret = "other"
		must(t, s.Put(t.Context(), want))
		all, err := s.List(t.Context())
		if err != nil || len(all) != 1 || all[0].Revision != 2 || all[0].ClientSecret != "other" {
			t.Errorf("List = %+v, %v", all, err)
		}
		if _, err := s.Get(t.Context(), "nope"); !errors.Is(err, federation.ErrNotFound) {
			t.Errorf("Get of none = %v", err)
		}
		_, err = db.Exec(t.Context(), `UPDATE upstream SET settings = REPLACE(settings, '"editable":', '"unknown":')`)
		must(t, err)
		if old, err := s.Get(t.Context(), "corp"); err != nil || !slices.Equal(old.Editable, federation.DefaultEditable()) {
			t.Errorf("a row older than the setting: %v, %v", old.Editable, err)
		}
		want.Editable = []string{}
		must(t, s.Put(t.Context(), want))
		if got, err := s.Get(t.Context(), "corp"); err != nil || len(got.Editable) != 0 {
			t.Errorf("nothing editable: %v, %v", got.Editable, err)
		}
		_, err = db.Exec(t.Context(), `UPDATE upstream SET name = 'moved'`)
		must(t, err)
		if _, err := s.Get(t.Context(), "moved"); !errors.Is(err, keys.ErrOpen) {
			t.Errorf("a secret of another upstream opens: %v", err)
		}
	})
}

func TestAttemptIsTakenOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.Attempts{DB: db, Sealer: keySealer(t)}
		want := federation.Attempt{ID: "a", SignIn: "s", Upstream: "corp", Nonce: "n", Verifier: "v", Fresh: true, Owner: federation.Owner{User: "u", Session: "o"}, CreatedAt: at, ExpiresAt: at.Add(time.Hour)}
		must(t, s.Insert(t.Context(), want))
		got, err := s.Take(t.Context(), "a")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Take (-want +got):\n%s(%v)", diff, err)
		}
		if _, err := s.Take(t.Context(), "a"); !errors.Is(err, federation.ErrState) {
			t.Errorf("taken twice: %v", err)
		}
		must(t, s.Insert(t.Context(), want))
		if n, err := s.Sweep(t.Context(), at.Add(time.Hour), 10); n != 0 || err != nil {
			t.Errorf("swept %d before they expired, %v", n, err)
		}
		if n, err := s.Sweep(t.Context(), at.Add(2*time.Hour), 10); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

func TestLinkIsUnique(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s, want := store.Links{DB: db}, federation.Link{Issuer: "https://a.example", Subject: "Grace", User: "u1", CreatedAt: at}
		must(t, s.Insert(t.Context(), want))
		// An error must leave a PostgreSQL transaction usable.
		must(t, db.InTx(t.Context(), func(ctx context.Context) error {
			if err := s.Insert(ctx, federation.Link{Issuer: want.Issuer, Subject: want.Subject, User: "u2"}); !errors.Is(err, federation.ErrLinked) {
				t.Errorf("linked twice: %v", err)
			}
			got, err := s.Find(ctx, want.Issuer, want.Subject)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Find (-want +got):\n%s", diff)
			}
			return err
		}))
		for _, other := range [][2]string{{want.Issuer, "grace"}, {"https://b.example", want.Subject}} {
			if _, err := s.Find(t.Context(), other[0], other[1]); !errors.Is(err, federation.ErrNoLink) {
				t.Errorf("%v is linked: %v", other, err)
			}
		}
		newer := federation.Link{Issuer: "https://a.example", Subject: "Ada", User: "u1", CreatedAt: at.Add(time.Second)}
		must(t, s.Insert(t.Context(), newer))
		all, err := s.Of(t.Context(), "u1")
		if diff := cmp.Diff([]federation.Link{want, newer}, all); diff != "" || err != nil {
			t.Errorf("Of (-want +got):\n%s(%v)", diff, err)
		}
		if err := s.Delete(t.Context(), federation.Link{Issuer: want.Issuer, Subject: want.Subject, User: "u2"}); !errors.Is(err, federation.ErrNoLink) {
			t.Errorf("somebody else's link was removed: %v", err)
		}
		must(t, s.Delete(t.Context(), newer))
		if all, err := s.Of(t.Context(), "u1"); err != nil || len(all) != 1 {
			t.Errorf("Of = %v, %v", all, err)
		}
		must(t, s.DeleteAllOf(t.Context(), "u1"))
		if _, err := s.Find(t.Context(), want.Issuer, want.Subject); !errors.Is(err, federation.ErrNoLink) {
			t.Errorf("still linked: %v", err)
		}
	})
}

func TestEmailTaken(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users, unverified := store.Users{DB: db}, newUser("u2", "bob")
		unverified.EmailVerified = false
		must(t, users.Insert(t.Context(), newUser("u1", "ada")))
		must(t, users.Insert(t.Context(), unverified))
		for _, c := range []struct {
			email, except string
			want          bool
		}{{"ADA@example.com", "", true}, {"ada@example.com", "u1", false}, {"ada@example.com", "u2", true}, {"bob@example.com", "", false}, {"eve@example.com", "", false}} {
			if got, err := users.EmailTaken(t.Context(), c.email, provisioning.UserID(c.except)); got != c.want || err != nil {
				t.Errorf("EmailTaken(%s, %s) = %v, %v", c.email, c.except, got, err)
			}
		}
	})
}

// While one link of a user is being removed no other is, so that the second one sees
// what the first left.
func TestLinksAreRemovedOneByOne(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := store.Links{DB: db}
		must(t, store.Users{DB: db}.Insert(t.Context(), newUser("u1", "ada")))
		one, two := federation.Link{Issuer: "a", Subject: "s", User: "u1", CreatedAt: at}, federation.Link{Issuer: "b", Subject: "s", User: "u1", CreatedAt: at}
		must(t, s.Insert(t.Context(), one))
		must(t, s.Insert(t.Context(), two))
		must(t, db.InTx(t.Context(), func(ctx context.Context) error {
			if err := s.Delete(ctx, one); err != nil {
				return err
			}
			impatient, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := s.Delete(impatient, two); err == nil {
				t.Error("both were removed at once")
			}
			return nil
		}))
		must(t, s.Delete(t.Context(), two))
	})
}
