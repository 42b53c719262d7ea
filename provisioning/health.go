package provisioning

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

const (
	// openAfter accounts that fail in a row open the breaker.
	openAfter  = 5
	firstProbe = 30 * time.Second // from opening to the first probe; doubles up to maxProbe
	maxProbe   = 10 * time.Minute
	// slowProbe is the pause between probes of a target that refuses our
	// credentials: only an admin helps, and many systems lock an account that
	// keeps trying.
	slowProbe = slowRetry
	// maxPause caps what a target may ask for with Retry-After.
	maxPause = time.Hour
	// shortPause is taken when the target limits the rate and does not say when to
	// come back.
	shortPause = 5 * time.Second
)

// Health is how a target is doing, as every instance sees it: a circuit breaker
// with one probe at a time, and a pause the target asked for. It is a value; the
// zero Health is a target that is well. It holds up the target's work, not its
// rows: they stay due and are claimed when the target is back.
type Health struct {
	Failures int       // accounts that failed in a row, while the breaker is closed
	Kind     sdk.Kind  // what opened the breaker or asked for the pause
	OpenedAt time.Time // zero while the breaker is closed
	Openings int       // failed probes and the opening itself: what the pause doubles by
	ProbeAt  time.Time // when the next probe may go; zero while closed
	// Probe numbers the probes. The result of any other run says nothing about an
	// open breaker: it may have begun before the target went away.
	Probe       int64
	ProbeUntil  time.Time // while a probe is under way: when it counts as dead
	PausedUntil time.Time // what the target asked for
}

// Open reports whether the breaker is open.
func (h Health) Open() bool { return !h.OpenedAt.IsZero() }

// ReadyAt returns when work may be claimed next, as far as the health goes: a
// time in the past, or zero, for now.
func (h Health) ReadyAt() time.Time {
	return latest(h.PausedUntil, h.ProbeAt, h.ProbeUntil)
}

// Probing returns the health once a probe was claimed whose lease ends at until.
// Only an open breaker has probes.
func (h Health) Probing(until time.Time) Health {
	h.Probe++
	h.ProbeUntil = until
	return h
}

// Observation is what one run says about its target.
type Observation struct {
	Probe      int64    // the lease's
	Called     bool     // the target was called, or failed to be; else the run says nothing of it
	Kind       sdk.Kind // of the failure, "" for none
	RetryAfter time.Duration
	// Repeated is set when the account has failed since it last ended well: one that
	// the target chokes on must not stop all others, however often its owner
	// presses Retry.
	Repeated bool
}

// sign is what an observation says about the target.
type sign int

const (
	signNone   sign = iota // nothing either way
	signAlive              // the target answers, if only to refuse one account
	signDown               // it does not, or not with sense
	signLocked             // it refuses our credentials, whatever the account
	signBusy               // it answers, and wants fewer calls
)

// sign reads an observation. Transient failures and lost answers are what an
// outage looks like. A defect of the connector (internal) may concern one account
// only, so it opens nothing; but a probe that ends so has not proved anything.
func (o Observation) sign(probing bool) sign {
	switch {
	case !o.Called && (o.Kind == "" || !probing):
		return signNone
	case !o.Called:
		return signDown
	case o.Kind == sdk.KindTransient, o.Kind == sdk.KindOutcomeUnknown:
		if o.Repeated && !probing {
			return signNone
		}
		return signDown
	case o.Kind == sdk.KindUnauthorized:
		return signLocked
	case o.Kind == sdk.KindRateLimited:
		return signBusy
	case o.Kind == "", policyOf(o.Kind).code == FailureRefused,
		o.Kind == sdk.KindForbidden, o.Kind == sdk.KindNotFound, o.Kind == sdk.KindQuota, o.Kind == sdk.KindUnsupported,
		o.Kind == sdk.KindPending:
		return signAlive
	case probing:
		return signDown
	default:
		return signNone
	}
}

// After returns the health after a run at now.
func (h Health) After(o Observation, now time.Time) Health {
	s := o.sign(h.Open())
	if s == signBusy {
		h = h.paused(o.RetryAfter, now)
	}
	if h.Open() {
		return h.probed(o, s, now)
	}
	switch s {
	case signAlive, signBusy:
		h.Failures = 0
	case signDown:
		if h.Failures++; h.Failures >= openAfter {
			return h.opened(o.Kind, now)
		}
	case signLocked:
		return h.opened(o.Kind, now)
	case signNone:
	}
	return h
}

// probed is After for an open breaker: only its probe counts.
func (h Health) probed(o Observation, s sign, now time.Time) Health {
	if o.Probe != h.Probe || h.ProbeUntil.IsZero() {
		return h
	}
	h.ProbeUntil = time.Time{}
	switch s {
	case signDown, signLocked:
		return h.opened(o.Kind, now)
	case signAlive:
		return Health{Probe: h.Probe, PausedUntil: h.PausedUntil}
	case signBusy:
		return Health{Probe: h.Probe, PausedUntil: h.PausedUntil, Kind: sdk.KindRateLimited}
	default: // it made no call: another may go at once
		return h
	}
}

func (h Health) opened(kind sdk.Kind, now time.Time) Health {
	if !h.Open() {
		h.OpenedAt, h.Openings, h.Failures = now, 0, 0
	}
	h.Kind = kind
	h.ProbeAt = now.Add(probePause(kind, h.Openings))
	h.Openings++
	return h
}

// probePause returns the pause before the next probe after n failed ones.
func probePause(kind sdk.Kind, n int) time.Duration {
	if kind == sdk.KindUnauthorized {
		return slowProbe
	}
	pause := firstProbe
	for ; n > 0 && pause < maxProbe; n-- {
		pause *= 2
	}
	return min(pause, maxProbe)
}

// paused keeps to what the target asked for, or to a longer pause it asked for
// before.
func (h Health) paused(told time.Duration, now time.Time) Health {
	if told <= 0 {
		told = shortPause
	}
	h.PausedUntil = latest(h.PausedUntil, now.Add(min(told, maxPause)))
	if !h.Open() {
		h.Kind = sdk.KindRateLimited
	}
	return h
}

func latest(times ...time.Time) time.Time {
	var out time.Time
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}
