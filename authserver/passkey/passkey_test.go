package passkey_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/passkey/passkeytest"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

const (
	issuer  = "https://login.example.com"
	address = "192.0.2.1"
)

type fixture struct {
	*passkey.Service
	*passkeytest.Authenticator
	t   *testing.T
	now time.Time
}

func newFixture(t *testing.T, db *sqldb.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), Authenticator: &passkeytest.Authenticator{Origin: issuer}}
	clock := func() time.Time { return f.now }
	users := store.Users{DB: db}
	for _, id := range []string{"u1", "u2"} {
		must(t, users.Insert(t.Context(), user.User{ID: provisioning.UserID(id), Login: id, LoginNorm: id, Status: user.StatusActive}))
	}
	limits := &user.Service{Throttle: store.Throttle{DB: db}, Tx: db, Now: clock, Log: slog.New(slog.DiscardHandler)}
	party, ok := passkey.PartyOf(issuer)
	if !ok {
		t.Fatal("no party")
	}
	var err error
	f.Service, err = passkey.New(passkey.Options{
		Party: party, Store: store.Passkeys{DB: db}, Uses: store.Passkeys{DB: db}, Challenges: store.PasskeyChallenges{DB: db}, Limits: limits, Tx: db, Now: clock,
	})
	must(t, err)
	return f
}

func owner(id string) passkey.Owner {
	return passkey.Owner{ID: provisioning.UserID(id), Login: id, Name: "Ada Lovelace"}
}

// make gives the user a passkey.
func (f *fixture) make(id string) *passkeytest.Key {
	f.t.Helper()
	options, err := f.Invite(f.t.Context(), owner(id), "account:"+id)
	must(f.t, err)
	key, answer, err := f.Create(options)
	must(f.t, err)
	must(f.t, f.Add(f.t.Context(), owner(id), "account:"+id, "Phone", answer))
	return key
}

// use signs in with a passkey.
func (f *fixture) use(key *passkeytest.Key) (passkey.Proof, error) {
	f.t.Helper()
	options, err := f.Ask(f.t.Context(), "sign_in:1")
	must(f.t, err)
	answer, err := f.Sign(key, options)
	must(f.t, err)
	return f.Check(f.t.Context(), "sign_in:1", address, answer)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPasskeyIsMadeAndUsed(t *testing.T) { sqldbtest.Each(t, onePasskey, store.Migrations()) }

func onePasskey(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	options, err := f.Invite(t.Context(), owner("u1"), "account:s")
	must(t, err)
	asked, err := passkeytest.Read(options)
	must(t, err)
	if asked.RP.ID != "login.example.com" || asked.Attestation != "none" || asked.Selection.ResidentKey != "required" || asked.Selection.UserVerification != "required" ||
		string(asked.User.ID) != "u1" || asked.User.DisplayName != "Ada Lovelace" || len(asked.Challenge) < 22 {
		t.Errorf("a browser is invited with %s", options)
	}
	key := f.make("u1")
	f.now = f.now.Add(time.Hour)
	if proof, err := f.use(key); err != nil || proof != (passkey.Proof{User: "u1"}) {
		t.Errorf("proof %+v, %v", proof, err)
	}
	got, err := f.Of(t.Context(), "u1")
	must(t, err)
	want := passkey.Passkey{
		ID: key.ID, User: "u1", Name: "Phone", Transports: []string{"internal"}, CreatedAt: f.now.Add(-time.Hour), UsedAt: f.now,
		PublicKey: got[0].PublicKey,
	}
	if diff := cmp.Diff([]passkey.Passkey{want}, got); diff != "" || len(want.PublicKey) != 77 {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	options, err = f.Invite(t.Context(), owner("u1"), "account:s")
	must(t, err)
	if _, _, err := f.Create(options, key); !errors.Is(err, passkeytest.ErrExcluded) {
		t.Errorf("the same authenticator is not excluded: %v", err)
	}
	f.Synced = true
	second := f.make("u1")
	if proof, err := f.use(second); err != nil || !proof.Synced {
		t.Errorf("proof %+v, %v", proof, err)
	}
}

// What a browser is asked says nothing of who has passkeys.
func TestAskNamesNobody(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	f.make("u1")
	options, err := f.Ask(t.Context(), "sign_in:1")
	must(t, err)
	asked, err := passkeytest.Read(options)
	must(t, err)
	if asked.Party != "login.example.com" || len(asked.Allow) != 0 || asked.UserVerification != "required" {
		t.Errorf("a browser is asked %s", options)
	}
}

// Each answer is refused for the one thing that is wrong with it, at registering and at
// signing in.
func TestWrongAnswersAreRefused(t *testing.T) { sqldbtest.Each(t, refused, store.Migrations()) }

func refused(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	key := f.make("u1")
	for name, wrong := range map[string]passkeytest.Authenticator{
		"another origin":  {Origin: "https://login.example.org"},
		"another port":    {Origin: issuer + ":8443"},
		"plain http":      {Origin: "http://login.example.com"},
		"in a frame":      {Origin: issuer, CrossOrigin: true},
		"another party":   {Origin: issuer, Party: "example.com"},
		"nobody there":    {Origin: issuer, Absent: true},
		"user not proven": {Origin: issuer, Unverified: true},
	} {
		*f.Authenticator = wrong
		if _, err := f.use(key); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%s: Check = %v", name, err)
		}
		options, err := f.Invite(t.Context(), owner("u2"), "account:u2")
		must(t, err)
		_, answer, err := f.Create(options)
		must(t, err)
		if err := f.Add(t.Context(), owner("u2"), "account:u2", "Phone", answer); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%s: Add = %v", name, err)
		}
	}
	*f.Authenticator = passkeytest.Authenticator{Origin: issuer}
	if all, err := f.Of(t.Context(), "u2"); len(all) != 0 || err != nil {
		t.Errorf("u2 has %d passkeys, %v", len(all), err)
	}
	if _, err := f.use(key); err != nil {
		t.Errorf("a right answer after all the wrong ones: %v", err)
	}
}

// A challenge counts once, where it was asked for, and for a while.
func TestChallengeCountsOnce(t *testing.T) { sqldbtest.Each(t, challenge, store.Migrations()) }

func challenge(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	key := f.make("u1")
	ask := func(bound string) string {
		options, err := f.Ask(t.Context(), bound)
		must(t, err)
		answer, err := f.Sign(key, options)
		must(t, err)
		return answer
	}
	wantRefused := func(what, bound, answer string) {
		t.Helper()
		if _, err := f.Check(t.Context(), bound, address, answer); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	first := ask("sign_in:1")
	wantRefused("another sign-in's", "sign_in:2", first)
	if _, err := f.Check(t.Context(), "sign_in:1", address, first); err != nil {
		t.Fatal(err)
	}
	wantRefused("replayed", "sign_in:1", first)
	earlier := ask("sign_in:1")
	ask("sign_in:1")
	wantRefused("replaced", "sign_in:1", earlier)
	late := ask("sign_in:1")
	f.now = f.now.Add(31 * time.Minute)
	wantRefused("old", "sign_in:1", late)
	options, err := f.Invite(t.Context(), owner("u1"), "account:1")
	must(t, err)
	asked, err := passkeytest.Read(options)
	must(t, err)
	answer, err := f.Sign(key, fmt.Appendf(nil, `{"challenge": %q, "rpId": "login.example.com"}`, asked.Challenge))
	must(t, err)
	wantRefused("for another purpose", "account:1", answer)
	wantRefused("made up", "sign_in:1", strings.Replace(ask("sign_in:1"), `"clientDataJSON":"`, `"clientDataJSON":"x`, 1))
	wantRefused("none", "sign_in:1", "")
}

// A wrong answer uses its challenge up.
func TestChallengeIsBurnt(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	key := f.make("u1")
	options, err := f.Ask(t.Context(), "sign_in:1")
	must(t, err)
	right, err := f.Sign(key, options)
	must(t, err)
	f.Unverified = true
	wrong, err := f.Sign(key, options)
	must(t, err)
	for _, answer := range []string{wrong, right} {
		if _, err := f.Check(t.Context(), "sign_in:1", address, answer); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("Check = %v", err)
		}
	}
}

// Of many at once with one answer, one signs in.
func TestAnswerOnce(t *testing.T) { sqldbtest.Each(t, answerOnce, store.Migrations()) }

func answerOnce(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	key := f.make("u1")
	options, err := f.Ask(t.Context(), "sign_in:1")
	must(t, err)
	answer, err := f.Sign(key, options)
	must(t, err)
	var wg sync.WaitGroup
	got := make([]error, 4)
	for i := range got {
		wg.Go(func() { _, got[i] = f.Check(t.Context(), "sign_in:1", address, answer) })
	}
	wg.Wait()
	ok := 0
	for _, err := range got {
		if err == nil {
			ok++
		} else if !errors.Is(err, passkey.ErrRefused) {
			t.Error(err)
		}
	}
	if ok != 1 {
		t.Errorf("accepted %d times", ok)
	}
}

// A key proves who its owner is, and nobody else: not with another's handle, not when it
// was removed, not with another key's signature.
func TestKeysAreTheirOwners(t *testing.T) { sqldbtest.Each(t, keysAreTheirOwners, store.Migrations()) }

func keysAreTheirOwners(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	mine, other := f.make("u1"), f.make("u2")
	for what, change := range map[string]func(k *passkeytest.Key){
		"another's handle": func(k *passkeytest.Key) { k.Handle = other.Handle },
		"no handle":        func(k *passkeytest.Key) { k.Handle = nil },
		"another's id":     func(k *passkeytest.Key) { k.ID = other.ID },
		"another's both":   func(k *passkeytest.Key) { k.ID, k.Handle = other.ID, other.Handle },
		"unknown":          func(k *passkeytest.Key) { k.ID = []byte("unknown") },
	} {
		forged := *mine
		change(&forged)
		if _, err := f.use(&forged); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"Remove": f.Remove(t.Context(), "u2", mine.ID), "Rename": f.Rename(t.Context(), "u2", mine.ID, "x"),
	} {
		if !errors.Is(err, passkey.ErrNone) {
			t.Errorf("%s of another's = %v", what, err)
		}
	}
	options, err := f.Invite(t.Context(), owner("u2"), "account:u2")
	must(t, err)
	_, answer, err := f.Create(options)
	must(t, err)
	if err := f.Add(t.Context(), owner("u1"), "account:u1", "Phone", answer); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("Add of another's invitation = %v", err)
	}
	must(t, f.Rename(t.Context(), "u1", mine.ID, " Laptop "))
	if all, err := f.Of(t.Context(), "u1"); err != nil || all[0].Name != "Laptop" {
		t.Errorf("%+v, %v", all, err)
	}
	must(t, f.Remove(t.Context(), "u1", mine.ID))
	if _, err := f.use(mine); !errors.Is(err, passkey.ErrRefused) {
		t.Errorf("removed: %v", err)
	}
	if proof, err := f.use(other); err != nil || proof.User != "u2" {
		t.Errorf("the other's: %+v, %v", proof, err)
	}
}

// A counter that does not grow means that there are two of the key: neither signs in
// from then on.
func TestCopiedPasskey(t *testing.T) { sqldbtest.Each(t, copied, store.Migrations()) }

func copied(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	f.Counts = true
	key := f.make("u1")
	stolen := *key
	for range 2 {
		if _, err := f.use(key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.use(&stolen); !errors.Is(err, passkey.ErrCopied) {
		t.Errorf("the copy: %v", err)
	}
	if _, err := f.use(key); !errors.Is(err, passkey.ErrCopied) {
		t.Errorf("the other of the two: %v", err)
	}
	all, err := f.Of(t.Context(), "u1")
	if err != nil || all[0].SuspectAt.IsZero() || all[0].SignCount != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	f.Counts = false
	back := f.make("u2")
	back.Count = 3
	if _, err := f.use(back); err != nil {
		t.Fatal(err)
	}
	back.Count = 0
	if _, err := f.use(back); !errors.Is(err, passkey.ErrCopied) {
		t.Errorf("a counter that is 0 again: %v", err)
	}
	zero := f.make("u2")
	for range 2 {
		if _, err := f.use(zero); err != nil {
			t.Errorf("a key that does not count: %v", err)
		}
	}
}

func TestNamesAndNumbers(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	key := f.make("u1")
	for name, reason := range map[string]string{" ": "empty", "a\x00b": "characters", "\xff": "characters", strings.Repeat("ä", 65): "long"} {
		if problem, ok := errors.AsType[*passkey.NameError](f.Rename(t.Context(), "u1", key.ID, name)); !ok || problem.Reason != reason {
			t.Errorf("%q: %v", name, problem)
		}
	}
	must(t, f.Rename(t.Context(), "u1", key.ID, strings.Repeat("ä", 64)))
	for range 19 {
		f.make("u1")
	}
	options, err := f.Invite(t.Context(), owner("u1"), "account:u1")
	must(t, err)
	_, answer, err := f.Create(options)
	must(t, err)
	if err := f.Add(t.Context(), owner("u1"), "account:u1", "Phone", answer); !errors.Is(err, passkey.ErrMany) {
		t.Errorf("the 21st: %v", err)
	}
}

// A key is one user's.
func TestPasskeyIsTaken(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	key := f.make("u1")
	if err := f.Store.Add(t.Context(), passkey.Passkey{ID: key.ID, User: "u2", PublicKey: []byte("x")}); !errors.Is(err, passkey.ErrTaken) {
		t.Errorf("Add = %v", err)
	}
}

// Who tries nonsense without end has to wait.
func TestTriesAreLimited(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	key := f.make("u1")
	for range 200 {
		if _, err := f.Check(t.Context(), "sign_in:1", address, "x"); !errors.Is(err, passkey.ErrRefused) {
			t.Fatal(err)
		}
	}
	throttled, ok := errors.AsType[*user.ThrottledError](func() error { _, err := f.use(key); return err }())
	if !ok {
		t.Fatal("the 201st try is looked at")
	}
	f.now = f.now.Add(throttled.Wait)
	if _, err := f.use(key); err != nil {
		t.Error(err)
	}
}

func TestPartyOf(t *testing.T) {
	for issuer, want := range map[string]passkey.Party{
		"https://login.example.com":      {"login.example.com", "https://login.example.com"},
		"https://Login.Example.com:443/": {"login.example.com", "https://login.example.com"},
		"https://login.example.com:8443": {"login.example.com", "https://login.example.com:8443"},
		"http://localhost:8080":          {"localhost", "http://localhost:8080"},
		"http://login.localhost:80":      {"login.localhost", "http://login.localhost"},
		"http://127.0.0.1:8080":          {},
		"https://[2001:db8::1]":          {},
		"http://login.example.com":       {},
		"https://":                       {},
		"://":                            {},
	} {
		if got, ok := passkey.PartyOf(issuer); got != want || ok != (want.ID != "") {
			t.Errorf("PartyOf(%q) = %+v, %v", issuer, got, ok)
		}
	}
}

// nothing is a store without passkeys, and one challenge that fits everything.
type nothing struct{ passkey.Store }

func (nothing) Get(context.Context, []byte) (passkey.Passkey, error) {
	return passkey.Passkey{}, passkey.ErrNone
}
func (nothing) Of(context.Context, provisioning.UserID) ([]passkey.Passkey, error) { return nil, nil }
func (nothing) Add(context.Context, passkey.Passkey) error                         { return nil }
func (nothing) Put(context.Context, string, []byte, time.Time) error               { return nil }
func (nothing) Take(context.Context, string, []byte, time.Time) error              { return nil }
func (nothing) TakePasskey(context.Context, string) error                          { return nil }
func (nothing) ForgivePasskey(context.Context, string) error                       { return nil }
func (nothing) InTx(ctx context.Context, fn func(context.Context) error) error     { return fn(ctx) }

// Whatever a browser answers is taken or refused. Nobody signs in with a passkey that is
// not there.
func FuzzAnswer(f *testing.F) {
	s, err := passkey.New(passkey.Options{
		Party: passkey.Party{ID: "login.example.com", Origin: issuer}, Store: nothing{}, Challenges: nothing{}, Limits: nothing{}, Tx: nothing{}, Now: time.Now,
	})
	if err != nil {
		f.Fatal(err)
	}
	a := &passkeytest.Authenticator{Origin: issuer}
	options, err := s.Invite(context.Background(), owner("u1"), "account:u1")
	if err != nil {
		f.Fatal(err)
	}
	key, made, err := a.Create(options)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := a.Sign(key, options)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "{}", made, signed, strings.Replace(made, `"o2NmbXRk`, `"o2NmbXRl`, 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		if _, err := s.Check(t.Context(), "sign_in:1", address, answer); !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("Check = %v", err)
		}
		if err := s.Add(t.Context(), owner("u1"), "account:u1", "Phone", answer); err != nil && !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("Add = %v", err)
		}
	})
}
