package provisioning

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anteroom-id/anteroom/sdk"
)

// breaker is the model of a target's health: it keeps the story and reads the
// state from it.
type breaker struct {
	health  Health
	now     time.Time
	running map[int64]time.Time // ordinary runs and probes by number: when their leases end
	next    int64               // names ordinary runs, below 0

	streak  int       // failures in a row while closed
	open    bool      // what the breaker should be
	failed  int       // openings in this outage
	probeAt time.Time // before this no probe
	probe   int64     // the probe under way, 0 for none
	paused  time.Time
}

func (b *breaker) wait(t *rapid.T) {
	b.now = b.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "wait")))
}

// claim begins a run, if the health lets it, as an instance would.
func (b *breaker) claim(t *rapid.T) {
	throttle := Throttle{TargetState: TargetState{Health: b.health}, MaxConcurrency: 100}
	n := throttle.Slots(3, 0, b.now)
	alive := b.probe != 0 && b.running[b.probe].After(b.now)
	want := 3
	switch {
	case b.paused.After(b.now), b.open && (b.probeAt.After(b.now) || alive):
		want = 0
	case b.open:
		want = 1
	}
	if n != want {
		t.Fatalf("%d runs may begin, want %d: %+v at %s", n, want, b.health, b.now)
	}
	if n == 0 {
		return
	}
	until := b.now.Add(DefaultLease)
	after, probe := throttle.Claimed(n, b.now, until)
	if (probe != 0) != b.open {
		t.Fatalf("probe %d, open %v", probe, b.open)
	}
	b.health = after.Health
	if probe == 0 {
		b.next--
		probe = b.next
	} else {
		b.probe = probe
	}
	b.running[probe] = until
}

// end ends some run in some way.
func (b *breaker) end(t *rapid.T) {
	if len(b.running) == 0 {
		return
	}
	var runs []int64
	for i := range b.running {
		runs = append(runs, i)
	}
	run := rapid.SampledFrom(runs).Draw(t, "run")
	delete(b.running, run)
	o := Observation{
		Probe: max(0, run), Called: rapid.Bool().Draw(t, "called"),
		Kind: rapid.SampledFrom([]sdk.Kind{
			"", sdk.KindTransient, sdk.KindOutcomeUnknown, sdk.KindUnauthorized, sdk.KindRateLimited, sdk.KindInvalid, sdk.KindInternal,
		}).Draw(t, "kind"),
		Repeated:   rapid.Bool().Draw(t, "repeated"),
		RetryAfter: time.Duration(rapid.IntRange(0, 7200).Draw(t, "retry after")) * time.Second,
	}
	if o.Kind == sdk.KindRateLimited {
		o.Called = true
	}
	b.health = b.health.After(o, b.now)
	b.expect(o)
}

// expect changes the model as the rules say.
func (b *breaker) expect(o Observation) {
	if o.Kind == sdk.KindRateLimited {
		pause := min(o.RetryAfter, time.Hour)
		if pause == 0 {
			pause = 5 * time.Second
		}
		if until := b.now.Add(pause); until.After(b.paused) {
			b.paused = until
		}
	}
	if b.open && (o.Probe == 0 || o.Probe != b.probe) {
		return
	}
	down := o.Called && (o.Kind == sdk.KindTransient || o.Kind == sdk.KindOutcomeUnknown || o.Kind == sdk.KindUnauthorized)
	answered := o.Called && (o.Kind == "" || o.Kind == sdk.KindInvalid || o.Kind == sdk.KindRateLimited)
	if b.open {
		b.probe = 0
		switch {
		case answered:
			b.open, b.streak, b.failed, b.probeAt = false, 0, 0, time.Time{}
		case o.Called || o.Kind != "":
			b.reopen(o.Kind)
		}
		return
	}
	switch {
	case answered:
		b.streak = 0
	case down && (!o.Repeated || o.Kind == sdk.KindUnauthorized):
		b.streak++
	}
	if down && (b.streak == 5 && !o.Repeated || o.Kind == sdk.KindUnauthorized) {
		b.open, b.failed = true, 0
		b.reopen(o.Kind)
	}
}

func (b *breaker) reopen(kind sdk.Kind) {
	pauses := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute}
	pause := pauses[min(b.failed, len(pauses)-1)]
	if kind == sdk.KindUnauthorized {
		pause = 15 * time.Minute
	}
	b.failed++
	b.probeAt = b.now.Add(pause)
}

// Whatever happens in whatever order: the health is as the story says, there is
// never more than one live probe, and a hold always ends within the hour.
func TestHealthFollowsTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := &breaker{now: noon, running: map[int64]time.Time{}}
		rt.Repeat(map[string]func(*rapid.T){
			"wait": b.wait, "claim": b.claim, "end": b.end,
			"": func(rt *rapid.T) {
				if b.health.Open() != b.open {
					rt.Fatalf("open %v, want %v: %+v", b.health.Open(), b.open, b.health)
				}
				if held := b.health.ReadyAt().Sub(b.now); held > time.Hour {
					rt.Fatalf("held for %s: %+v", held, b.health)
				}
				if !b.open && b.health.Failures >= 5 {
					rt.Fatalf("closed after %d failures in a row", b.health.Failures)
				}
			},
		})
	})
}

// Every kind there is means something, and only an answer closes a breaker.
func TestEveryKindIsASign(t *testing.T) {
	kinds := []sdk.Kind{
		"", sdk.KindTransient, sdk.KindRateLimited, sdk.KindUnauthorized, sdk.KindForbidden, sdk.KindInvalid, sdk.KindConflict,
		sdk.KindAmbiguous, sdk.KindNotFound, sdk.KindQuota, sdk.KindUnsupported, sdk.KindOutcomeUnknown, sdk.KindInternal, "unheard of",
	}
	closes := map[sdk.Kind]bool{
		"": true, sdk.KindRateLimited: true, sdk.KindForbidden: true, sdk.KindInvalid: true, sdk.KindConflict: true,
		sdk.KindAmbiguous: true, sdk.KindNotFound: true, sdk.KindQuota: true, sdk.KindUnsupported: true,
	}
	opens := map[sdk.Kind]int{sdk.KindTransient: 5, sdk.KindOutcomeUnknown: 5, sdk.KindUnauthorized: 1}
	for _, kind := range kinds {
		open := Health{OpenedAt: noon, ProbeAt: noon, Probe: 1, ProbeUntil: noon.Add(DefaultLease)}
		if got := !open.After(Observation{Probe: 1, Called: true, Kind: kind}, noon).Open(); got != closes[kind] {
			t.Errorf("a probe that ends as %q closes: %v, want %v", kind, got, closes[kind])
		}
		var h Health
		n := 0
		for ; n < 10 && !h.Open(); n++ {
			h = h.After(Observation{Called: true, Kind: kind}, noon)
		}
		if want := opens[kind]; want == 0 && h.Open() || want > 0 && n != want {
			t.Errorf("%d runs that end as %q: open %v, want open after %d (0 for never)", n, kind, h.Open(), want)
		}
	}
}
