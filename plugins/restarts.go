package plugins

import (
	"sync"
	"time"
)

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 30 * time.Second
	// settled is how long a process must have been ready for its end to count as
	// the first failure again.
	settled = time.Minute
	// More than maxFailures within failureWindow are too many.
	maxFailures   = 5
	failureWindow = 5 * time.Minute
	// quarantinePause is the time between tries in quarantine.
	quarantinePause = time.Minute
)

// restarts decides when a program may be started again. It knows no process and
// no clock, and outlives the program's being used: a connector does not leave
// quarantine by being closed and opened.
type restarts struct {
	jitter func() float64 // in [0, 1)

	mu          sync.Mutex
	failures    []time.Time // within the window
	streak      int         // failures since a process settled
	quarantined bool
	notBefore   time.Time
	last        error
}

// plan is what restarts says about the next start.
type plan struct {
	at      time.Time // not before; zero means at once
	refused bool      // a call should fail now rather than wait
	streak  int
	last    error // the latest failure
}

// next returns the plan as of now.
func (r *restarts) next(now time.Time) plan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return plan{at: r.notBefore, refused: r.quarantined && now.Before(r.notBefore), streak: r.streak, last: r.last}
}

// reset forgets every failure: somebody has looked into them.
func (r *restarts) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures, r.streak, r.quarantined, r.notBefore, r.last = nil, 0, false, time.Time{}, nil
}

// failed records that a start failed or a process crashed that had been ready for
// readyFor.
func (r *restarts) failed(now time.Time, readyFor time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if readyFor >= settled {
		r.streak, r.failures, r.quarantined = 0, nil, false
	}
	r.streak++
	r.last = err
	recent := r.failures[:0]
	for _, at := range r.failures {
		if now.Sub(at) < failureWindow {
			recent = append(recent, at)
		}
	}
	r.failures = append(recent, now)
	// Once in quarantine, only a process that settles ends it.
	r.quarantined = r.quarantined || len(r.failures) > maxFailures
	r.notBefore = now.Add(r.pause())
}

// pause is how long to wait after the latest failure.
func (r *restarts) pause() time.Duration {
	switch {
	case r.quarantined:
		return quarantinePause
	case r.streak <= 1:
		return 0
	}
	pause := min(maxPause, firstPause<<min(r.streak-2, 16))
	return time.Duration(float64(pause) * (0.8 + 0.4*r.jitter()))
}
