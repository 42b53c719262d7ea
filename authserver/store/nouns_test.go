package store_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk"
)

// at is a time both dialects keep exactly.
var at = time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)

func onEach(t *testing.T, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	sqldbtest.Each(t, f, store.Migrations())
}

func newUser(id, login string) user.User {
	return user.User{
		ID: provisioning.UserID(id), Login: login, LoginNorm: user.NormalizeLogin(login), Email: login + "@example.com",
		EmailVerified: true, GivenName: "Ada", FamilyName: "Løvelace", Name: "Ada Løvelace", Locale: "en-GB", PhoneNumber: "+4930123456",
		Groups: []string{"staff", "Ärzte"}, Claims: map[string][]string{"cost_centre": {"7", "8"}},
		Status: user.StatusActive, Home: "payroll", Source: "corp", Revision: 1, CreatedAt: at, UpdatedAt: at,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUserRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users, want := store.Users{DB: db}, newUser("u1", "Ada")
		must(t, users.Insert(t.Context(), want))
		got, err := users.Get(t.Context(), "u1")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		got, err = users.ByLogin(t.Context(), "ada")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ByLogin (-want +got):\n%s(%v)", diff, err)
		}
		if _, err := users.Get(t.Context(), "nobody"); !errors.Is(err, provisioning.ErrUserNotFound) {
			t.Errorf("Get of nobody: %v, want ErrUserNotFound", err)
		}
	})
}

// A taken login is an answer, not a broken transaction: what follows in the same
// transaction still works.
func TestUserLoginIsUnique(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users := store.Users{DB: db}
		must(t, users.Insert(t.Context(), newUser("u1", "ada")))
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := users.Insert(ctx, newUser("u2", "ADA")); !errors.Is(err, user.ErrLoginTaken) {
				t.Errorf("insert of a taken login: %v", err)
			}
			must(t, users.Insert(ctx, newUser("u3", "bob")))
			bob := newUser("u3", "Ada")
			if err := users.Update(ctx, bob); !errors.Is(err, user.ErrLoginTaken) {
				t.Errorf("update to a taken login: %v", err)
			}
			return users.Insert(ctx, newUser("u4", "eve"))
		})
		must(t, err)
		if _, err := users.Get(t.Context(), "u4"); err != nil {
			t.Errorf("what came after a taken login is lost: %v", err)
		}
	})
}

func TestUserUpdateIsCompareAndSet(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users, u := store.Users{DB: db}, newUser("u1", "ada")
		must(t, users.Insert(t.Context(), u))
		u.Email = "new@example.com"
		must(t, users.Update(t.Context(), u))
		if err := users.Update(t.Context(), u); !errors.Is(err, user.ErrStale) {
			t.Errorf("second update of revision 1: %v, want ErrStale", err)
		}
		got, err := users.Get(t.Context(), "u1")
		if err != nil || got.Revision != 2 || got.Email != "new@example.com" {
			t.Errorf("user = revision %d, %s (%v); want 2, new@example.com", got.Revision, got.Email, err)
		}
	})
}

func TestTombstonesFreeTheirLogin(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users := store.Users{DB: db}
		for _, id := range []string{"u1", "u2"} {
			must(t, users.Insert(t.Context(), newUser(id, "ada")))
			grave := user.User{ID: provisioning.UserID(id), Status: user.StatusDeleted, Revision: 1, CreatedAt: at, UpdatedAt: at}
			must(t, users.Update(t.Context(), grave))
		}
		list, err := users.List(t.Context(), user.Query{})
		if err != nil || len(list) != 0 {
			t.Errorf("List = %d users (%v), want none", len(list), err)
		}
	})
}

func TestUserList(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users := store.Users{DB: db}
		for id, login := range map[string]string{"u1": "ada", "u2": "b_b", "u3": "bxb", "u4": "50%"} {
			must(t, users.Insert(t.Context(), newUser(id, login)))
		}
		for name, c := range map[string]struct {
			query user.Query
			want  []provisioning.UserID
		}{
			"all":             {user.Query{}, []provisioning.UserID{"u1", "u2", "u3", "u4"}},
			"page":            {user.Query{After: "u1", Limit: 2}, []provisioning.UserID{"u2", "u3"}},
			"any case":        {user.Query{Search: "ADA@EX"}, []provisioning.UserID{"u1"}},
			"underscore":      {user.Query{Search: "b_b"}, []provisioning.UserID{"u2"}},
			"percent":         {user.Query{Search: "%"}, []provisioning.UserID{"u4"}},
			"name, non-ASCII": {user.Query{Search: "lØVE", Limit: 1}, []provisioning.UserID{"u1"}},
			"nothing":         {user.Query{Search: "!"}, nil},
		} {
			list, err := users.List(t.Context(), c.query)
			must(t, err)
			var got []provisioning.UserID
			for _, u := range list {
				got = append(got, u.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestPasswordHash(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users := store.Users{DB: db}
		must(t, users.Insert(t.Context(), newUser("u1", "ada")))
		for _, want := range []string{"", "h1", "h2", ""} {
			must(t, users.SetPasswordHash(t.Context(), "u1", want, at))
			if got, err := users.PasswordHash(t.Context(), "u1"); got != want || err != nil {
				t.Errorf("PasswordHash = %q, %v; want %q", got, err, want)
			}
		}
		if err := users.SetPasswordHash(t.Context(), "nobody", "h", at); err == nil {
			t.Error("a hash was stored for nobody")
		}
	})
}

func newApplication(id string) application.Application {
	a := application.New(provisioning.ClientID(id), "Payroll")
	a.RedirectURIs = []string{"https://payroll.example.com/cb"}
	a.SecretHash = application.HashSecret("secret")
	a.Registration, a.InitiateLoginURI = true, "https://payroll.example.com/login"
	a.PostLogoutRedirectURIs = []string{"https://payroll.example.com/out"}
	return a
}

func TestApplicationLife(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		apps := store.Applications{DB: db, Now: func() time.Time { return at }}
		created, err := apps.Put(t.Context(), newApplication("payroll"))
		must(t, err)
		if _, err := apps.Put(t.Context(), newApplication("payroll")); !errors.Is(err, application.ErrStale) {
			t.Errorf("second create: %v, want ErrStale", err)
		}
		got, err := apps.Get(t.Context(), "payroll")
		if diff := cmp.Diff(created, got); diff != "" || err != nil || got.Revision != 1 {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		changed := created
		changed.Name, changed.Enabled, changed.Scopes = "Wages", false, nil
		changed, err = apps.Put(t.Context(), changed)
		must(t, err)
		if _, err := apps.Put(t.Context(), created); !errors.Is(err, application.ErrStale) {
			t.Errorf("put of an old revision: %v, want ErrStale", err)
		}
		if err := apps.Delete(t.Context(), "payroll", created.Revision); !errors.Is(err, application.ErrStale) {
			t.Errorf("delete of an old revision: %v, want ErrStale", err)
		}
		got, err = apps.Get(t.Context(), "payroll")
		if diff := cmp.Diff(changed, got); diff != "" || err != nil {
			t.Errorf("changed (-want +got):\n%s(%v)", diff, err)
		}
		must(t, apps.Delete(t.Context(), "payroll", 2))
		if _, err := apps.Get(t.Context(), "payroll"); !errors.Is(err, application.ErrNotFound) {
			t.Errorf("Get after delete: %v", err)
		}
	})
}

func TestApplicationPutValidates(t *testing.T) {
	db := sqldbtest.SQLite(t, store.Migrations())
	a := newApplication("payroll")
	a.RedirectURIs = []string{"http://evil.example.com"}
	_, err := store.Applications{DB: db, Now: time.Now}.Put(t.Context(), a)
	var problems application.Problems
	if !errors.As(err, &problems) || problems[0].Field != "redirect_uris[0]" {
		t.Errorf("Put = %v, want a problem of redirect_uris[0]", err)
	}
}

func TestApplicationList(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		apps := store.Applications{DB: db, Now: func() time.Time { return at }}
		for _, id := range []string{"b", "a", "c"} {
			_, err := apps.Put(t.Context(), newApplication(id))
			must(t, err)
		}
		list, err := apps.List(t.Context(), "a", 10)
		must(t, err)
		if len(list) != 2 || list[0].ClientID != "b" || list[1].ClientID != "c" {
			t.Errorf("List after a = %v", list)
		}
	})
}

func TestSessionLife(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users, sessions := store.Users{DB: db}, store.Sessions{DB: db}
		must(t, users.Insert(t.Context(), newUser("u1", "ada")))
		want := session.Session{ID: "s1", SID: "for applications", User: "u1", AMR: []string{"pwd"}, AuthTime: at, UsedAt: at, EndsAt: at.Add(time.Hour)}
		must(t, sessions.Insert(t.Context(), want))
		must(t, sessions.Touch(t.Context(), "s1", at.Add(time.Minute)))
		must(t, sessions.Touch(t.Context(), "s1", at)) // a slower request never turns it back
		want.UsedAt = at.Add(time.Minute)
		got, err := sessions.Get(t.Context(), "s1")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		other := session.Session{ID: "s2", User: "u1", AuthTime: at, UsedAt: at, EndsAt: at.Add(time.Hour), Agent: "Firefox", Address: "192.0.2.1"}
		must(t, sessions.Insert(t.Context(), other))
		if all, err := sessions.Of(t.Context(), "u1"); err != nil || len(all) != 2 || all[0].ID != "s1" || all[1].Agent != "Firefox" || all[1].Address != "192.0.2.1" {
			t.Errorf("Of = %+v, %v", all, err)
		}
		all, err := sessions.TakeAllOf(t.Context(), "u1", "s2")
		if diff := cmp.Diff([]session.Session{want}, all); diff != "" || err != nil {
			t.Errorf("TakeAllOf (-want +got):\n%s(%v)", diff, err)
		}
		if all, err := sessions.TakeAllOf(t.Context(), "u1", ""); err != nil || len(all) != 1 || all[0].ID != "s2" {
			t.Errorf("TakeAllOf the rest = %+v, %v", all, err)
		}
		if _, err := sessions.Get(t.Context(), "s1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("Get after TakeAllOf: %v", err)
		}
	})
}

func TestSessionSweep(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users, sessions := store.Users{DB: db}, store.Sessions{DB: db}
		must(t, users.Insert(t.Context(), newUser("u1", "ada")))
		insert := func(id string, used, ends time.Time) {
			must(t, sessions.Insert(t.Context(), session.Session{ID: id, User: "u1", AuthTime: at, UsedAt: used, EndsAt: ends}))
		}
		insert("alive", at, at.Add(time.Hour))
		insert("ended", at, at.Add(-time.Hour))
		insert("idle", at.Add(-10*time.Hour), at.Add(time.Hour))
		for _, want := range []int64{1, 1, 0} { // a batch at a time
			if n, err := sessions.Sweep(t.Context(), at, at.Add(-8*time.Hour), 1); n != want || err != nil {
				t.Errorf("Sweep = %d, %v; want %d", n, err, want)
			}
		}
		if _, err := sessions.Get(t.Context(), "alive"); err != nil {
			t.Errorf("a live session was swept: %v", err)
		}
	})
}

func newSignIn() flow.SignIn {
	age := time.Duration(0)
	return flow.SignIn{
		ID: "si1", Version: 1, Reference: "K7Q2-M4XP", Status: flow.StatusOpen, Browser: []byte{0, 1, 255},
		Request: flow.AuthorizeRequest{
			Client: "payroll", RedirectURI: "https://payroll.example.com/cb", Scopes: []string{"openid"}, Prompt: []string{"login"},
			Form: url.Values{"state": {"ö&=\x01"}, "nonce": {"n"}}, MaxAge: &age, LoginHint: "ada", UILocales: "de",
		},
		User: "u1", AuthTime: at, Fresh: true, Session: "s1", ProvisionStart: at, Deadline: at.Add(time.Second),
		Failure: provisioning.Failure{Code: provisioning.FailureRefused, Text: "failure.quota"}, Leave: true,
		Proven: "u2", ProvenAt: at, Identity: []byte{0, 7}, CreatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
}

func TestSignInRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		signIns, want := store.SignIns{DB: db}, newSignIn()
		must(t, signIns.Insert(t.Context(), want))
		got, err := signIns.Get(t.Context(), "si1")
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(flow.SignIn{}), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("Get (-want +got):\n%s(%v)", diff, err)
		}
		want.Status, want.Response, want.Decision, want.EndedAt = flow.StatusIssued, []byte{0, 9}, "d1", at.Add(time.Minute)
		must(t, signIns.Update(t.Context(), want))
		want.Version = 2
		got, err = signIns.ByReference(t.Context(), "K7Q2-M4XP")
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(flow.SignIn{}), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("ByReference (-want +got):\n%s(%v)", diff, err)
		}
		if _, err := signIns.Get(t.Context(), "other"); !errors.Is(err, flow.ErrUnknown) {
			t.Errorf("Get of another: %v", err)
		}
		if n, err := signIns.Sweep(t.Context(), at.Add(2*time.Hour), 10); n != 1 || err != nil {
			t.Errorf("Sweep = %d, %v", n, err)
		}
	})
}

// Of many transitions from one version exactly one happens.
func TestSignInUpdateIsCompareAndSet(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		signIns, s := store.SignIns{DB: db}, newSignIn()
		must(t, signIns.Insert(t.Context(), s))
		const racers = 8
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() { errs[i] = signIns.Update(t.Context(), s) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, flow.ErrStale) {
				t.Errorf("Update: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d updates of one version succeeded, want 1", won)
		}
	})
}

// The database itself refuses an issued sign-in without evidence.
func TestSignInNotIssuedWithoutDecision(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		s := newSignIn()
		s.Status = flow.StatusIssued
		if err := (store.SignIns{DB: db}).Insert(t.Context(), s); err == nil {
			t.Error("a sign-in was issued without a decision")
		}
		s.Decision, s.User = "d1", ""
		if err := (store.SignIns{DB: db}).Insert(t.Context(), s); err == nil {
			t.Error("a sign-in was issued without a user")
		}
	})
}

// service is the user service on a real database, with cheap hashes.
func service(db *sqldb.DB, now func() time.Time) *user.Service {
	return &user.Service{
		Store: store.Users{DB: db}, Passwords: store.Users{DB: db}, Throttle: store.Throttle{DB: db}, Tx: db,
		Hasher: user.NewHasher(user.Params{MemoryKiB: 8, Passes: 1, Threads: 1}), Lifecycle: noLifecycle{}, Now: now,
	}
}

type noLifecycle struct{}

func (noLifecycle) Registered(context.Context, provisioning.UserID, provisioning.ClientID) error {
	return nil
}
func (noLifecycle) Changed(context.Context, provisioning.UserID) error  { return nil }
func (noLifecycle) Disabled(context.Context, provisioning.UserID) error { return nil }
func (noLifecycle) Enabled(context.Context, provisioning.UserID) error  { return nil }
func (noLifecycle) Deleted(context.Context, provisioning.UserID) error  { return nil }

// Guesses that arrive together are counted one by one: only the free ones are
// looked at.
func TestParallelGuessesAreCounted(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		users := service(db, func() time.Time { return at })
		_, err := users.Import(t.Context(), newUser("", "ada"), sdk.Secret("correct horse staple"))
		must(t, err)
		const guesses = 20
		errs := make([]error, guesses)
		var wg sync.WaitGroup
		for i := range guesses {
			wg.Go(func() {
				_, errs[i] = users.Authenticate(t.Context(), user.Guess{Login: "ada", Password: "wrong", Address: "192.0.2.1"})
			})
		}
		wg.Wait()
		looked := 0
		for _, err := range errs {
			var throttled *user.ThrottledError
			switch {
			case errors.Is(err, user.ErrCredentials):
				looked++
			case !errors.As(err, &throttled):
				t.Errorf("Authenticate: %v", err)
			}
		}
		if looked != 5 {
			t.Errorf("%d of %d guesses were looked at, want the 5 free ones", looked, guesses)
		}
	})
}
