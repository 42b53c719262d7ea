package plugins

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestTotalsOutliveAVersion: counters that fell with an upgrade would look like a
// restart of the server.
func TestTotalsOutliveAVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour })
	one, two := b.addVersion(t, "", "1.2.3", nil), b.addVersion(t, "v2", "2.0.0", nil)
	b.pins.set(one)
	c := b.open(t, target("good"))
	ask(t, c, "x")
	if err := die(t.Context(), c); err == nil {
		t.Fatal("the process did not end")
	}
	ask(t, c, "x")
	b.pins.set(two)
	if err := b.Upgrade(t.Context(), "good"); err != nil {
		t.Fatal(err)
	}
	ask(t, c, "x")
	got := b.Totals()
	want := []Totals{{Name: "good", Starts: 3, Crashes: 1, Calls: []CallStats{
		{Verb: "create", Kind: sdk.KindOutcomeUnknown, Count: 1}, {Verb: "lookup", Count: 3}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Totals{}, "RSS"), cmpopts.IgnoreFields(CallStats{}, "Total", "Within")); diff != "" {
		t.Fatalf("Totals (-want +got):\n%s", diff)
	}
	if got[0].RSS < 1<<20 {
		t.Errorf("%d bytes resident", got[0].RSS)
	}
	var counted int64
	for _, n := range got[0].Calls[1].Within {
		counted += n
	}
	if counted != 3 {
		t.Errorf("%d of 3 lookups within the bounds", counted)
	}
}

func TestCallsAreCountedWithinBounds(t *testing.T) {
	tests := map[time.Duration]int{0: 0, 5 * time.Millisecond: 0, 5*time.Millisecond + 1: 1, time.Second: 7, 30 * time.Second: 11, 30*time.Second + 1: -1}
	for took, want := range tests {
		got := -1
		for i, n := range within(took) {
			if n == 1 {
				got = i
			}
		}
		if got != want {
			t.Errorf("%s counts within bound %d, want %d", took, got, want)
		}
	}
}

// The bounds are the metrics' alone: what commands print is documented without.
func TestStatsKeepTheirJSON(t *testing.T) {
	raw, err := json.Marshal(CallStats{Verb: "lookup", Count: 1})
	if err != nil || strings.Contains(strings.ToLower(string(raw)), "within") {
		t.Errorf("%s, %v", raw, err)
	}
}
