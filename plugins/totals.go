package plugins

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Totals is what a connector did since the host's start, all its versions and
// processes together. Unlike those of [Stats], its counters never shrink: they
// outlive a version that was replaced.
type Totals struct {
	Name     string
	Starts   int64 // of its processes, tries included
	Crashes  int64 // of its processes; what the host stopped did not crash
	InFlight int64
	RSS      int64 // resident memory of its processes in bytes; 0 where it is not known
	Calls    []CallStats
}

// callBounds is how many bounds there are.
const callBounds = 12

// CallBounds returns the bounds that durations of calls are counted by, in
// ascending order.
func CallBounds() [callBounds]time.Duration {
	const ms = time.Millisecond
	return [callBounds]time.Duration{5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, 1000 * ms, 2500 * ms, 5000 * ms, 10_000 * ms, 30_000 * ms}
}

// within counts one call that took so long.
func within(took time.Duration) (out [callBounds]int64) {
	for i, bound := range CallBounds() {
		if took <= bound {
			out[i] = 1
			break
		}
	}
	return out
}

// Plus adds calls; the verb and kind are those of the calls that are added.
func (s CallStats) Plus(more CallStats) CallStats {
	more.Count += s.Count
	more.Total += s.Total
	for i, n := range s.Within {
		more.Within[i] += n
	}
	return more
}

func sortedCalls(calls map[callKey]CallStats) []CallStats {
	return slices.SortedFunc(maps.Values(calls), func(a, b CallStats) int {
		return cmp.Or(cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Kind, b.Kind))
	})
}

// Totals returns what every connector did that was ever in use, by name.
func (h *Host) Totals() []Totals {
	h.mu.Lock()
	defer h.mu.Unlock()
	totals, calls := map[string]*Totals{}, map[string]map[callKey]CallStats{}
	for key, r := range h.records {
		t := totals[key.name]
		if t == nil {
			t = &Totals{Name: key.name}
			totals[key.name], calls[key.name] = t, map[callKey]CallStats{}
		}
		r.meter.add(t, calls[key.name])
	}
	for key, p := range h.programs {
		if _, rss := p.processStats(); rss > 0 {
			totals[key.name].RSS += rss
		}
	}
	out := make([]Totals, 0, len(totals))
	for name, t := range totals {
		t.Calls = sortedCalls(calls[name])
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Totals) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (m *meter) add(t *Totals, calls map[callKey]CallStats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.Starts, t.Crashes, t.InFlight = t.Starts+m.starts, t.Crashes+m.crashes, t.InFlight+m.inFlight
	for key, s := range m.calls {
		calls[key] = calls[key].Plus(s)
	}
}
