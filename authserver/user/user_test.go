package user

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// memory keeps everything in maps; a failed transaction leaves them as before.
type memory struct {
	mu       sync.Mutex
	users    map[provisioning.UserID]User
	hashes   map[provisioning.UserID]string
	counters map[string]Counter
	heard    []string
	deaf     error // what the lifecycle answers
}

func (m *memory) InTx(ctx context.Context, fn func(context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	users, hashes, counters := maps.Clone(m.users), maps.Clone(m.hashes), maps.Clone(m.counters)
	err := fn(ctx)
	if err != nil {
		m.users, m.hashes, m.counters = users, hashes, counters
	}
	return err
}

func (m *memory) Insert(_ context.Context, u User) error {
	for _, other := range m.users {
		if other.LoginNorm == u.LoginNorm {
			return ErrLoginTaken
		}
	}
	m.users[u.ID] = u
	return nil
}

func (m *memory) Get(_ context.Context, id provisioning.UserID) (User, error) {
	u, ok := m.users[id]
	if !ok {
		return User{}, provisioning.ErrUserNotFound
	}
	return u, nil
}

func (m *memory) ByLogin(_ context.Context, norm string) (User, error) {
	for _, u := range m.users {
		if u.LoginNorm == norm {
			return u, nil
		}
	}
	return User{}, provisioning.ErrUserNotFound
}

func (m *memory) Update(_ context.Context, u User) error {
	if m.users[u.ID].Revision != u.Revision {
		return ErrStale
	}
	u.Revision++
	m.users[u.ID] = u
	return nil
}

func (m *memory) List(context.Context, Query) ([]User, error) { return nil, nil }

func (m *memory) PasswordHash(_ context.Context, id provisioning.UserID) (string, error) {
	return m.hashes[id], nil
}

func (m *memory) SetPasswordHash(_ context.Context, id provisioning.UserID, hash string, _ time.Time) error {
	m.hashes[id] = hash
	return nil
}

func (m *memory) Lock(_ context.Context, key string) (Counter, error) { return m.counters[key], nil }

func (m *memory) Save(_ context.Context, key string, c Counter) error {
	m.counters[key] = c
	return nil
}

func (m *memory) hear(what string) error {
	m.heard = append(m.heard, what)
	return m.deaf
}

func (m *memory) Registered(_ context.Context, _ provisioning.UserID, c provisioning.ClientID) error {
	return m.hear("registered " + string(c))
}
func (m *memory) Changed(context.Context, provisioning.UserID) error  { return m.hear("changed") }
func (m *memory) Disabled(context.Context, provisioning.UserID) error { return m.hear("disabled") }
func (m *memory) Enabled(context.Context, provisioning.UserID) error  { return m.hear("enabled") }
func (m *memory) Deleted(context.Context, provisioning.UserID) error  { return m.hear("deleted") }

type fixture struct {
	*Service
	memory *memory
	now    time.Time
}

func cheap() Params { return Params{MemoryKiB: 8, Passes: 1, Threads: 1} }

func newFixture() *fixture {
	m := &memory{users: map[provisioning.UserID]User{}, hashes: map[provisioning.UserID]string{}, counters: map[string]Counter{}}
	f := &fixture{memory: m, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	f.Service = &Service{
		Store: m, Passwords: m, Throttle: m, Tx: m, Lifecycle: m, Hasher: NewHasher(cheap()), Now: func() time.Time { return f.now },
	}
	return f
}

const goodPassword sdk.Secret = "correct horse staple"

func (f *fixture) ada(t *testing.T) User {
	t.Helper()
	u, err := f.Register(t.Context(), User{Login: "Ada", Email: "ada@example.com", GivenName: "Ada", FamilyName: "L", Home: "payroll"}, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (f *fixture) guess(t *testing.T, password sdk.Secret, address string) error {
	t.Helper()
	_, err := f.Authenticate(t.Context(), Guess{Login: "ADA", Password: password, Address: address})
	return err
}

func TestLifecycleHearsEveryChange(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	rename := func(u *User) error { u.GivenName = "Augusta"; return nil }
	for _, err := range []error{
		second(f.Update(t.Context(), u.ID, rename)), second(f.Update(t.Context(), u.ID, rename)), // the second changes nothing
		f.Disable(t.Context(), u.ID), f.Disable(t.Context(), u.ID), f.Enable(t.Context(), u.ID), f.Delete(t.Context(), u.ID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"registered payroll", "changed", "disabled", "enabled", "deleted"}
	if diff := cmp.Diff(want, f.memory.heard); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

// A lifecycle that fails undoes the change: provisioning misses none.
func TestFailedLifecycleUndoesTheChange(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	f.memory.deaf = errors.New("ledger is down")
	if err := f.Disable(t.Context(), u.ID); !errors.Is(err, f.memory.deaf) {
		t.Errorf("Disable = %v", err)
	}
	if _, err := f.Register(t.Context(), User{Login: "bob", Email: "b@example.com"}, goodPassword); !errors.Is(err, f.memory.deaf) {
		t.Errorf("Register = %v", err)
	}
	if got, err := f.Get(t.Context(), u.ID); err != nil || !got.Active() || len(f.memory.users) != 1 {
		t.Errorf("user active = %v (%v), %d users; want active, 1", got.Active(), err, len(f.memory.users))
	}
}

func TestDeletedUserLeavesNothingPersonal(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	if err := f.Delete(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	want := User{ID: u.ID, Status: StatusDeleted, Revision: 2, CreatedAt: u.CreatedAt, UpdatedAt: f.now}
	if diff := cmp.Diff(want, f.memory.users[u.ID]); diff != "" || f.memory.hashes[u.ID] != "" {
		t.Errorf("tombstone (-want +got):\n%s, hash %q", diff, f.memory.hashes[u.ID])
	}
	if _, err := f.Profile(t.Context(), u.ID); !errors.Is(err, provisioning.ErrUserNotFound) {
		t.Errorf("Profile = %v, want ErrUserNotFound", err)
	}
	if err := f.Enable(t.Context(), u.ID); !errors.Is(err, provisioning.ErrUserNotFound) {
		t.Errorf("Enable = %v: a deleted user came back", err)
	}
	if again := f.ada(t); again.ID == u.ID {
		t.Error("the id was given again")
	}
}

func TestUpdateKeepsWhatIsNotTheirs(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	got, err := f.Update(t.Context(), u.ID, func(u *User) error {
		u.ID, u.Status, u.Home, u.Revision, u.Email = "other", StatusDisabled, "other", 99, "new@example.com"
		return nil
	})
	if err != nil || got.ID != u.ID || got.Status != StatusActive || got.Home != "payroll" || got.Revision != 2 || got.Email != "new@example.com" {
		t.Errorf("Update = %+v, %v", got, err)
	}
	_, err = f.Update(t.Context(), u.ID, func(u *User) error { u.Email = "nonsense"; return nil })
	var problems Problems
	if !errors.As(err, &problems) || problems[0].Field != "email" {
		t.Errorf("Update = %v, want a problem of email", err)
	}
}

// Who registers cannot give themselves groups, claims or a verified address.
func TestRegisterGivesNoRights(t *testing.T) {
	f := newFixture()
	u, err := f.Register(t.Context(), User{
		Login: "eve", Email: "e@example.com", EmailVerified: true, Groups: []string{"admins"}, Claims: map[string][]string{"role": {"admin"}},
	}, goodPassword)
	if err != nil || u.EmailVerified || u.Groups != nil || u.Claims != nil {
		t.Errorf("Register = %+v, %v", u, err)
	}
}

func TestRegisterReportsEverything(t *testing.T) {
	f := newFixture()
	f.ada(t)
	for name, c := range map[string]struct {
		user     User
		password sdk.Secret
		want     []string
	}{
		"nothing":        {User{}, "", []string{"login required", "email required", "password required"}},
		"login":          {User{Login: "a b", Email: "a@example.com"}, goodPassword, []string{"login login_syntax"}},
		"login, one":     {User{Login: "a", Email: "a@example.com"}, goodPassword, []string{"login login_syntax"}},
		"login, taken":   {User{Login: " ａda ", Email: "a@example.com"}, goodPassword, []string{"login login_taken"}},
		"address":        {User{Login: "bob", Email: "bob@localhost"}, goodPassword, []string{"email email_syntax"}},
		"address, named": {User{Login: "bob", Email: "Bob <bob@example.com>"}, goodPassword, []string{"email email_syntax"}},
		"header":         {User{Login: "bob", Email: "bob@example.com\r\nBcc: x"}, goodPassword, []string{"email email_syntax"}},
		"bidi":           {User{Login: "bob", Email: "b@example.com", GivenName: "\u202eboB"}, goodPassword, []string{"given_name control_characters", "name control_characters"}},
		"short":          {User{Login: "bob", Email: "b@example.com"}, "äöüäöüäöü", []string{"password password_short"}},
		"long":           {User{Login: "bob", Email: "b@example.com"}, sdk.Secret(strings.Repeat("ab1", 86)), []string{"password password_long"}},
		"common":         {User{Login: "bob", Email: "b@example.com"}, "PassWord123", []string{"password password_common"}},
		"repeated":       {User{Login: "bob", Email: "b@example.com"}, "abcabcabcabc", []string{"password password_common"}},
		"own login":      {User{Login: "bob-the-builder", Email: "b@example.com"}, "Bob-The-Builder", []string{"password password_personal"}},
		"own address":    {User{Login: "bob", Email: "b@example.com"}, "B@EXAMPLE.COM", []string{"password password_personal"}},
		"own mailbox":    {User{Login: "bob", Email: "bob.builder@example.com"}, "bob.builder", []string{"password password_personal"}},
	} {
		_, err := f.Register(t.Context(), c.user, c.password)
		var problems Problems
		errors.As(err, &problems)
		var got []string
		for _, p := range problems {
			got = append(got, p.Field+" "+string(p.Code))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s(%v)", name, diff, err)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	got, err := f.Authenticate(t.Context(), Guess{Login: " aDa", Password: goodPassword, Address: "192.0.2.1"})
	if err != nil || got.ID != u.ID {
		t.Errorf("Authenticate = %s, %v", got.ID, err)
	}
	if err := f.guess(t, "wrong", "192.0.2.1"); !errors.Is(err, ErrCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := f.Authenticate(t.Context(), Guess{Login: "nobody", Password: goodPassword}); !errors.Is(err, ErrCredentials) {
		t.Errorf("unknown login: %v", err)
	}
	if err := f.Disable(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.guess(t, "wrong", "192.0.2.1"); !errors.Is(err, ErrCredentials) {
		t.Errorf("wrong password of a disabled user: %v, must not tell", err)
	}
	if err := f.guess(t, goodPassword, "192.0.2.1"); !errors.Is(err, provisioning.ErrUserInactive) {
		t.Errorf("disabled user: %v", err)
	}
}

// Composed and decomposed characters are the same password.
func TestPasswordIsNormalised(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	if err := f.SetPassword(t.Context(), u.ID, "Bl\u00fcmchen auf der Wiese"); err != nil {
		t.Fatal(err)
	}
	if err := f.guess(t, "Blu\u0308mchen auf der Wiese", ""); err != nil {
		t.Errorf("the same password typed elsewhere: %v", err)
	}
}

func TestOldHashIsRenewed(t *testing.T) {
	f := newFixture()
	u := f.ada(t)
	old := f.memory.hashes[u.ID]
	f.Hasher = NewHasher(Params{MemoryKiB: 16, Passes: 1, Threads: 1})
	for range 2 {
		if err := f.guess(t, goodPassword, ""); err != nil {
			t.Fatal(err)
		}
	}
	if now := f.memory.hashes[u.ID]; now == old || f.Hasher.Outdated(now) {
		t.Errorf("hash is still %q", now)
	}
}

// Inside the window even the right password is not looked at; and the window is
// never longer than a minute.
func TestThrottlePair(t *testing.T) {
	f := newFixture()
	f.ada(t)
	for i := range 5 {
		if err := f.guess(t, "wrong", "192.0.2.1"); !errors.Is(err, ErrCredentials) {
			t.Fatalf("free guess %d: %v", i, err)
		}
	}
	var throttled *ThrottledError
	for i := range 20 {
		if err := f.guess(t, goodPassword, "192.0.2.1"); !errors.As(err, &throttled) || throttled.Wait > time.Minute {
			t.Fatalf("window %d: the right password gives %v", i, err)
		}
		f.now = f.now.Add(throttled.Wait)
		if err := f.guess(t, "wrong", "192.0.2.1"); !errors.Is(err, ErrCredentials) {
			t.Fatalf("after window %d: %v", i, err)
		}
	}
	if throttled.Wait != time.Minute {
		t.Errorf("the window grew to %s, want a minute", throttled.Wait)
	}
	f.now = f.now.Add(time.Minute)
	for range 5 { // a right one makes the next free again
		if err := f.guess(t, goodPassword, "192.0.2.1"); err != nil {
			t.Fatalf("after the window: %v", err)
		}
	}
}

// Somebody else's guesses do not lock the owner out: their own address has its
// own budget, and the login's window is short.
func TestThrottleDoesNotLockOut(t *testing.T) {
	f := newFixture()
	f.ada(t)
	for i := range 300 {
		_ = f.guess(t, "wrong", "198.51.100."+string(rune('0'+i%10)))
	}
	var throttled *ThrottledError
	if err := f.guess(t, goodPassword, "192.0.2.1"); errors.As(err, &throttled) {
		if throttled.Wait > 10*time.Second {
			t.Errorf("the owner waits %s", throttled.Wait)
		}
		f.now = f.now.Add(throttled.Wait)
	}
	if err := f.guess(t, goodPassword, "192.0.2.1"); err != nil {
		t.Errorf("the owner cannot sign in: %v", err)
	}
}

// A browser the login signed in from before gets in while strangers guess, from
// its own address too; and it is no way around the limits.
func TestThrottleSparesKnownBrowsers(t *testing.T) {
	f := newFixture()
	f.ada(t)
	known := Guess{Login: "ada", Password: goodPassword, Address: "192.0.2.1", Browser: "b1"}
	for range 500 {
		_ = f.guess(t, "wrong", "192.0.2.1")
		_ = f.guess(t, "wrong", "198.51.100.7")
	}
	if _, err := f.Authenticate(t.Context(), known); err != nil {
		t.Fatalf("the known browser: %v", err)
	}
	known.Password = "wrong"
	for i := range 5 {
		if _, err := f.Authenticate(t.Context(), known); !errors.Is(err, ErrCredentials) {
			t.Fatalf("free guess %d: %v", i, err)
		}
	}
	var throttled *ThrottledError
	if _, err := f.Authenticate(t.Context(), known); !errors.As(err, &throttled) {
		t.Errorf("the sixth guess: %v, want it refused", err)
	}
	known.Login = "grace"
	if _, err := f.Authenticate(t.Context(), known); !errors.Is(err, ErrCredentials) {
		t.Errorf("another login: %v", err)
	}
}

// Parallel guesses are counted in the order of their locks, not of their clocks.
func TestThrottleFreeGuessesDoNotWaitForEachOther(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, b := range []budget{pairBudget(), loginBudget(), addressBudget()} {
		counter, _ := b.guess(Counter{}, now)
		if _, wait := b.guess(counter, now.Add(-time.Second)); wait != 0 {
			t.Errorf("the second guess of %d free ones waits %s", b.free, wait)
		}
	}
	f := newFixture()
	f.ada(t)
	if err := f.guess(t, goodPassword, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(-time.Second)
	if err := f.guess(t, goodPassword, "192.0.2.2"); err != nil {
		t.Errorf("a guess that began before another was right: %v", err)
	}
}

func TestThrottleByNetwork(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "unknown": "unknown",
	} {
		if got := network(a); got != want {
			t.Errorf("network(%s) = %s, want %s", a, got, want)
		}
	}
}

// Whatever the guesses: a delay is never above the cap, and as long as the
// counter is not forgotten it does not shrink.
func TestBudgetGrowsAndIsCapped(t *testing.T) {
	budgets := []budget{pairBudget(), loginBudget(), addressBudget()}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SampledFrom(budgets).Draw(t, "budget")
		now, last := time.Unix(1e9, 0), time.Duration(0)
		var c Counter
		for range rapid.IntRange(1, 400).Draw(t, "guesses") {
			now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "pause")) * time.Second)
			before := c
			var wait time.Duration
			if c, wait = b.guess(c, now); wait > 0 {
				if c != before || wait > b.cap {
					t.Fatalf("a refused guess counted, or waits %s", wait)
				}
				continue
			}
			delay := max(c.FreeAt.Sub(now), 0)
			if delay < last || delay > b.cap || c.Failures <= b.free-1 && delay != 0 {
				t.Fatalf("delay %s after %s, failure %d", delay, last, c.Failures)
			}
			last = delay
		}
	})
}

func TestHashIsSaltedAndChecked(t *testing.T) {
	h := NewHasher(cheap())
	one, err := h.Hash(t.Context(), goodPassword)
	two, err2 := h.Hash(t.Context(), goodPassword)
	if err != nil || err2 != nil || one == two || strings.Contains(one, "correct") {
		t.Fatalf("hashes %q, %q (%v, %v)", one, two, err, err2)
	}
	for hash, want := range map[string]bool{one: true, "": false} {
		if ok, err := h.Verify(t.Context(), hash, goodPassword); ok != want || err != nil {
			t.Errorf("Verify(%q) = %v, %v; want %v", hash, ok, err, want)
		}
	}
	// The hash an unknown login is compared with belongs to no password.
	if ok, err := h.Verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("Verify of nothing = %v, %v", ok, err)
	}
}

func TestHashRefusesWhatWouldHurt(t *testing.T) {
	good, err := NewHasher(cheap()).Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"plain", "$2y$10$abcdefghijklmnopqrstuv", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=8,", "m=4194304,", 1), strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=255", 1),
		strings.Replace(good, "p=1", "p=1x", 1), good[:len(good)-30], good + "$",
	} {
		if err := CheckHash(bad); err == nil {
			t.Errorf("CheckHash(%q) = nil", bad)
		}
	}
	if err := CheckHash(good); err != nil {
		t.Errorf("CheckHash(%q) = %v", good, err)
	}
}

// Waiting for a slot ends with the request.
func TestHashWaitsInLine(t *testing.T) {
	h := NewHasher(cheap())
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, goodPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash = %v, want Canceled", err)
	}
}

func TestNormalizeLogin(t *testing.T) {
	for login, want := range map[string]string{
		" Ada ": "ada", "ＡＤＡ": "ada", "STRASSE": "strasse", "Straße": "strasse", "Ångström": NormalizeLogin("A\u030angstro\u0308m"),
		"\u13ed": "\uabbd", "\uabbd": "\uabbd",
	} {
		if got := NormalizeLogin(login); got != want {
			t.Errorf("NormalizeLogin(%q) = %q, want %q", login, got, want)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, key, err := parsePHC(s)
		if err == nil && (encodePHC(p, salt, key) != s || !p.sane()) {
			t.Errorf("parsePHC(%q) = %+v: does not encode back, or is too costly", s, p)
		}
	})
}

func FuzzNormalizeLogin(f *testing.F) {
	for _, s := range []string{"Ada", "İ", "ﬁ", "Ω", "a\u0345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := NormalizeLogin(s)
		if again := NormalizeLogin(once); again != once {
			t.Errorf("NormalizeLogin(%q) = %q, again = %q", s, once, again)
		}
	})
}

func TestLoginLength(t *testing.T) {
	for n, ok := range map[int]bool{1: false, 2: true, 128: true, 129: false} {
		for _, letter := range []string{"a", "é"} {
			_, err := Check(User{Login: strings.Repeat(letter, n)}, "")
			problems, _ := errors.AsType[Problems](err)
			bad := slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == CodeLoginSyntax })
			if bad == ok {
				t.Errorf("a login of %d times %s: %v, want ok %v", n, letter, err, ok)
			}
		}
	}
}
