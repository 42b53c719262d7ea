package provisioning

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// In no window more runs begin than the burst and the rate allow, and one that
// waits until the bucket says so begins.
func TestBucketKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, MaxRate).Draw(rt, "rate")
		var b Bucket
		var begun []time.Time
		now := noon
		for range rapid.IntRange(1, 60).Draw(rt, "claims") {
			if rapid.Bool().Draw(rt, "until ready") {
				now = latest(now, b.ReadyAt(rate))
				if b.Available(1, rate, now) != 1 {
					rt.Fatalf("no token at %s, when the bucket said", now)
				}
			} else {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(rt, "wait")))
			}
			n := b.Available(rapid.IntRange(1, 64).Draw(rt, "slots"), rate, now)
			b = b.Take(n, rate, now)
			for range n {
				begun = append(begun, now)
			}
		}
		for i := range begun {
			for j := i; j < len(begun); j++ {
				most := max(1, rate/10) + int(begun[j].Sub(begun[i])*time.Duration(rate)/time.Minute)
				if j-i+1 > most {
					rt.Fatalf("%d runs within %s at %d per minute, want at most %d", j-i+1, begun[j].Sub(begun[i]), rate, most)
				}
			}
		}
	})
}

// A raised rate counts at once.
func TestBucketAfterTheRateWasRaised(t *testing.T) {
	b := Bucket{}.Take(1, 1, noon)
	if at := b.ReadyAt(1); !at.Equal(noon.Add(time.Minute)) {
		t.Errorf("next token at %s, want a minute later", at)
	}
	if n := b.Available(64, 0, noon); n != 64 {
		t.Errorf("%d without a limit, want all", n)
	}
	if n := b.Available(64, 600, noon.Add(100*time.Millisecond)); n > 1 {
		t.Errorf("%d at once after the rate was raised, want what it gave since", n)
	}
}

func TestThrottleKeepsASlotForPeople(t *testing.T) {
	for most, want := range map[int]int{1: 1, 2: 1, 4: 3, 64: 63} {
		throttle := Throttle{MaxConcurrency: most}
		if got := throttle.Background(throttle.Slots(100, 0, noon), 0); got != want {
			t.Errorf("of %d slots the background may have %d, want %d", most, got, want)
		}
		if got := throttle.Background(1, want); got != 0 {
			t.Errorf("with %d of %d in the background %d more may be, want none", want, most, got)
		}
	}
	if n := (Throttle{TargetState: TargetState{Maintenance: true}, MaxConcurrency: 4}).Slots(4, 0, noon); n != 0 {
		t.Errorf("%d runs in maintenance, want none", n)
	}
	if n := (Throttle{MaxConcurrency: 4}).Slots(10, 5, noon); n != 0 {
		t.Errorf("%d runs beyond a lowered limit, want none", n)
	}
}
