package plugins

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestPauses(t *testing.T) {
	r := &restarts{jitter: func() float64 { return 0.5 }}
	now := newClock()
	var got []time.Duration
	for range 14 {
		r.failures = nil // as if each were long ago: no quarantine
		r.failed(now.now(), 0, errors.New("crash"))
		got = append(got, r.notBefore.Sub(now.now()))
	}
	want := []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
		8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	r.failed(now.now(), settled, errors.New("crash"))
	if r.pause() != 0 {
		t.Errorf("pause after a process that settled = %v", r.pause())
	}
}

// TestRestartsAgainstModel compares the policy with its definition.
func TestRestartsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := newClock()
		r := &restarts{jitter: func() float64 { return rapid.Float64Range(0, 0.999).Draw(t, "jitter") }}
		var times []time.Time // failures since a process settled
		quarantined := false
		for range rapid.IntRange(1, 30).Draw(t, "failures") {
			now.advance(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "gap")))
			ready := time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "ready"))
			r.failed(now.now(), ready, errors.New("crash"))

			if ready >= settled {
				times, quarantined = nil, false
			}
			times = append(times, now.now())
			recent := 0
			for _, at := range times {
				if now.now().Sub(at) < failureWindow {
					recent++
				}
			}
			quarantined = quarantined || recent > maxFailures

			pause := r.notBefore.Sub(now.now())
			switch {
			case r.quarantined != quarantined:
				t.Fatalf("quarantined = %v with %d recent failures", r.quarantined, recent)
			case quarantined && (pause != quarantinePause || !r.next(now.now()).refused || r.next(now.now().Add(pause)).refused):
				t.Fatalf("quarantine pauses %v", pause)
			case !quarantined && r.next(now.now()).refused:
				t.Fatal("refused outside quarantine")
			case !quarantined && len(times) == 1 && pause != 0:
				t.Fatalf("first failure pauses %v", pause)
			case pause > maxPause*12/10 && !quarantined:
				t.Fatalf("pause of %v", pause)
			}
		}
	})
}
