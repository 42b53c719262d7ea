package provisioning

import "time"

// The bounds of a target's limits.
const (
	DefaultConcurrency = 4
	MaxConcurrency     = 64
	// MaxRate is the most runs per minute that can be asked for.
	MaxRate = 60_000
)

// Throttle is everything that says how much of a target's work may be claimed.
type Throttle struct {
	TargetState
	MaxConcurrency int // runs at a time, over all instances
	RatePerMinute  int // runs begun per minute, over all instances; 0 for no limit
	Bucket         Bucket
}

// ReadyAt returns when work may be claimed next; a time in the past, or zero, for
// now. A target in maintenance is never ready.
func (t Throttle) ReadyAt() time.Time {
	return latest(t.Health.ReadyAt(), t.Bucket.ReadyAt(t.RatePerMinute))
}

// Slots returns how many of at most limit runs may begin at now, while leased
// runs are under way. An open breaker lets one go, as a probe.
func (t Throttle) Slots(limit, leased int, now time.Time) int {
	if t.Maintenance || t.Health.ReadyAt().After(now) {
		return 0
	}
	if t.Health.Open() {
		limit = min(limit, 1)
	}
	return max(0, t.Bucket.Available(min(limit, t.MaxConcurrency-leased), t.RatePerMinute, now))
}

// Background returns how many of free runs may be work that nobody waits for,
// while background such runs are under way. One slot is kept for people, where
// there is more than one.
func (t Throttle) Background(free, background int) int {
	return max(0, min(free, max(1, t.MaxConcurrency-1)-background))
}

// Claimed returns the throttle once n runs were claimed at now, with leases until
// until. The number is that of the probe, 0 for ordinary runs.
func (t Throttle) Claimed(n int, now, until time.Time) (after Throttle, probe int64) {
	if n == 0 {
		return t, 0
	}
	t.Bucket = t.Bucket.Take(n, t.RatePerMinute, now)
	if !t.Health.Open() {
		return t, 0
	}
	t.Health = t.Health.Probing(until)
	return t, t.Health.Probe
}

// Due says when work of a target can be claimed.
type Due struct {
	At    time.Time
	Slots int           // the target's MaxConcurrency
	Every time.Duration // at the soonest so long after a claim; 0 for no rate limit
}
