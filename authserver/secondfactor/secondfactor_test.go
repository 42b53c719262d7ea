package secondfactor_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
)

type fixture struct {
	*secondfactor.Service
	t      *testing.T
	db     *sqldb.DB
	now    time.Time
	secret string // of u1's app
}

func newFixture(t *testing.T, db *sqldb.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, db: db, now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	users := store.Users{DB: db}
	for _, id := range []string{"u1", "u2"} {
		must(t, users.Insert(t.Context(), user.User{ID: provisioning.UserID(id), Login: id, LoginNorm: id, Status: user.StatusActive}))
	}
	factors := store.SecondFactors{DB: db}
	limits := &user.Service{Throttle: store.Throttle{DB: db}, Tx: db, Now: clock, Log: slog.New(slog.DiscardHandler)}
	f.Service = &secondfactor.Service{Store: factors, Codes: factors, Limits: limits, Sealer: storetest.Sealer{}, Tx: db, Issuer: "login.example.com", Now: clock}
	return f
}

// enrol turns u1's app on and returns the recovery codes.
func (f *fixture) enrol() []string {
	f.t.Helper()
	must(f.t, f.Begin(f.t.Context(), "u1"))
	key, err := f.Pending(f.t.Context(), "u1", "ada")
	must(f.t, err)
	f.secret = key.Secret()
	codes, err := f.Confirm(f.t.Context(), "u1", f.code(0))
	must(f.t, err)
	f.now = f.now.Add(2 * time.Minute)
	return codes
}

// code is what the app shows after a while.
func (f *fixture) code(after time.Duration) string {
	code, err := totp.GenerateCode(f.secret, f.now.Add(after))
	must(f.t, err)
	return code
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnrolment(t *testing.T) { sqldbtest.Each(t, enrolment, store.Migrations()) }

func enrolment(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	must(t, f.Begin(t.Context(), "u1"))
	key, err := f.Pending(t.Context(), "u1", "ada")
	must(t, err)
	if u := key.String(); !strings.HasPrefix(u, "otpauth://totp/login.example.com:ada?") || !strings.Contains(u, "secret="+key.Secret()) || len(key.Secret()) != 32 {
		t.Errorf("key %s", u)
	}
	if has, err := f.Enrolled(t.Context(), "u1"); has || err != nil {
		t.Errorf("an app that nobody confirmed is asked for (%v)", err)
	}
	if err := f.Check(t.Context(), "u1", "000000"); !errors.Is(err, secondfactor.ErrNone) {
		t.Errorf("Check before = %v", err)
	}
	if _, err := f.Confirm(t.Context(), "u1", "000000"); !errors.Is(err, secondfactor.ErrCode) {
		t.Errorf("Confirm with a wrong code = %v", err)
	}
	codes := f.enrol()
	if has, err := f.Enrolled(t.Context(), "u1"); !has || err != nil || len(codes) != 10 {
		t.Errorf("enrolled %v (%v) with %d codes", has, err, len(codes))
	}
	if _, err := f.Pending(t.Context(), "u1", "ada"); !errors.Is(err, secondfactor.ErrNone) {
		t.Errorf("the secret can be seen again: %v", err)
	}
	if _, err := f.Confirm(t.Context(), "u1", f.code(0)); !errors.Is(err, secondfactor.ErrNone) {
		t.Errorf("Confirm again = %v", err)
	}
	if err := f.Begin(t.Context(), "u1"); !errors.Is(err, secondfactor.ErrCode) {
		t.Errorf("Begin over an app that counts = %v", err)
	}
	must(t, f.Remove(t.Context(), "u1"))
	if left, err := f.Left(t.Context(), "u1"); left != 0 || err != nil {
		t.Errorf("%d codes are left, %v", left, err)
	}
}

func TestCodes(t *testing.T) { sqldbtest.Each(t, codes, store.Migrations()) }

func codes(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	f.enrol()
	now := f.code(0)
	must(t, f.Check(t.Context(), "u1", now[:3]+" "+now[3:]))
	for name, code := range map[string]string{
		"the same again": now, "an earlier one": f.code(-30 * time.Second), "long ago": f.code(-10 * time.Minute),
		"far ahead": f.code(2 * time.Minute), "nothing": "",
	} {
		if err := f.Check(t.Context(), "u1", code); !errors.Is(err, secondfactor.ErrCode) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, f.Limits.ForgiveCodes(t.Context(), "u1"))
	}
	must(t, f.Check(t.Context(), "u1", f.code(30*time.Second))) // a clock half a minute ahead
}

// One code, two requests at once: one of them.
func TestCodeOnce(t *testing.T) { sqldbtest.Each(t, codeOnce, store.Migrations()) }

func codeOnce(t *testing.T, db *sqldb.DB) {
	f := newFixture(t, db)
	recovery := f.enrol()
	for _, code := range []string{f.code(0), recovery[0]} {
		must(t, f.Limits.ForgiveCodes(t.Context(), "u1")) // whichever of the tries before came last
		var wg sync.WaitGroup
		got := make([]error, 4)
		for i := range got {
			wg.Go(func() { got[i] = f.Check(t.Context(), "u1", code) })
		}
		wg.Wait()
		ok := 0
		for _, err := range got {
			if err == nil {
				ok++
			} else if !errors.Is(err, secondfactor.ErrCode) {
				t.Error(err)
			}
		}
		if ok != 1 {
			t.Errorf("%s was accepted %d times", code, ok)
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	recovery := f.enrol()
	must(t, f.Check(t.Context(), "u1", strings.ToLower(strings.ReplaceAll(recovery[3], "-", " "))))
	if err := f.Check(t.Context(), "u1", recovery[3]); !errors.Is(err, secondfactor.ErrCode) {
		t.Errorf("used twice: %v", err)
	}
	if left, err := f.Left(t.Context(), "u1"); left != 9 || err != nil {
		t.Errorf("%d left, %v", left, err)
	}
	var n int
	must(t, f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM recovery_code WHERE hash = $1`, []byte(recovery[0])).Scan(&n))
	if n != 0 {
		t.Error("a code is stored as it is")
	}
}

// Who has the password does not get a million tries.
func TestTriesAreLimited(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	f.enrol()
	for range 5 {
		if err := f.Check(t.Context(), "u1", "000000"); !errors.Is(err, secondfactor.ErrCode) {
			t.Fatal(err)
		}
	}
	throttled, ok := errors.AsType[*user.ThrottledError](f.Check(t.Context(), "u1", f.code(0)))
	if !ok || throttled.Wait != 5*time.Second {
		t.Fatalf("the sixth try: %v", throttled)
	}
	f.now = f.now.Add(throttled.Wait)
	must(t, f.Check(t.Context(), "u1", f.code(0)))
}

// A secret that was copied to another user's row opens nothing.
func TestSecretIsTiedToItsUser(t *testing.T) {
	f := newFixture(t, sqldbtest.SQLite(t, store.Migrations()))
	f.enrol()
	_, err := f.db.Exec(t.Context(), `INSERT INTO second_factor SELECT 'u2', sealed, 0, confirmed_at FROM second_factor WHERE user_id = 'u1'`)
	must(t, err)
	if err := f.Check(t.Context(), "u2", f.code(0)); err == nil || errors.Is(err, secondfactor.ErrCode) {
		t.Errorf("Check = %v", err)
	}
}
