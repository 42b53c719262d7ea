package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// ThrottledError means a password was not even looked at, or nothing done: too many
// wrong ones, or requests, came before.
type ThrottledError struct{ Wait time.Duration }

// Error names the wait.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many tries: try again in %s", e.Wait.Round(time.Second))
}

// Counter is what is stored of the guesses under one key.
type Counter struct {
	Failures  int64
	FreeAt    time.Time // no guess is looked at before; zero while guesses are free
	UpdatedAt time.Time
}

// Throttle keeps counters.
type Throttle interface {
	// Lock returns the key's counter, the zero one if there is none. Inside a
	// transaction it is ours until the end, so that parallel guesses are counted
	// one after the other.
	Lock(ctx context.Context, key string) (Counter, error)
	// Save stores a counter that was locked.
	Save(ctx context.Context, key string, c Counter) error
}

// budget says how many guesses are free and how the delay grows after them.
type budget struct {
	free  int64
	first time.Duration
	cap   time.Duration
}

// forget is how long after the last guess a counter starts afresh.
const forget = 15 * time.Minute

// The budgets. The pair's is tight, and so is a known browser's; the login's is
// wider and its cap low, because anybody can use it up and must not lock the owner
// out of a new browser for long; the address's is wide because a whole office may
// share one.
func pairBudget() budget { return budget{free: 5, first: time.Second, cap: time.Minute} }
func loginBudget() budget {
	return budget{free: 50, first: 200 * time.Millisecond, cap: 10 * time.Second}
}
func codeBudget() budget   { return budget{free: 5, first: 5 * time.Second, cap: 10 * time.Minute} }
func actionBudget() budget { return budget{free: 10, first: time.Second, cap: 5 * time.Minute} }
func registrationBudget() budget {
	return budget{free: 60, first: time.Second, cap: 5 * time.Minute}
}
func addressBudget() budget { return budget{free: 200, first: time.Second, cap: time.Minute} }

// guess counts one guess at now. It returns the counter to store, and the wait
// when the guess must not be looked at; such a guess does not count. Guesses may
// come out of order, from instances whose clocks differ: while they are free, no
// time is kept that an earlier one would have to wait for.
func (b budget) guess(c Counter, now time.Time) (Counter, time.Duration) {
	if now.Before(c.FreeAt) {
		return c, c.FreeAt.Sub(now)
	}
	if now.Sub(c.UpdatedAt) > forget {
		c = Counter{}
	}
	c.Failures++
	c.UpdatedAt = now
	c.FreeAt = time.Time{}
	if delay := b.delay(c.Failures); delay > 0 {
		c.FreeAt = now.Add(delay)
	}
	return c, 0
}

func (b budget) delay(failures int64) time.Duration {
	over := failures - b.free
	if over < 0 {
		return 0
	}
	d := b.first
	for range over {
		if d >= b.cap {
			return b.cap
		}
		d *= 2
	}
	return min(d, b.cap)
}

// limit is one counter a guess runs against.
type limit struct {
	key    string
	budget budget
	pair   bool // of the login and where it is guessed from: a right guess clears it
}

// limits returns the counters of a guess in a fixed order, so that two guesses
// never lock each other out. A browser that the login signed in from before has a
// counter of its own and no other: nobody else can use that up.
func limits(login, address, browser string) []limit {
	if browser != "" {
		return []limit{{throttleKey("browser", login, browser), pairBudget(), true}}
	}
	address = network(address)
	return []limit{
		{throttleKey("address", address), addressBudget(), false},
		{throttleKey("login", login), loginBudget(), false},
		{throttleKey("pair", login, address), pairBudget(), true},
	}
}

// throttleKey hides what was typed as login: people type passwords there.
func throttleKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// network widens an IPv6 address to its /64, which one person usually has whole.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}
