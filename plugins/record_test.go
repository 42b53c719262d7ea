package plugins

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

// TestRecordsAndTracesCross follows a trace into a connector and its record back
// into the host's log, where it can pass for nothing but the connector's.
func TestRecordsAndTracesCross(t *testing.T) {
	t.Parallel()
	log := &logText{}
	b := newBench(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) }, "good")
	c := b.open(t, target("good"))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx := sdk.WithTrace(t.Context(), sdk.Trace{Parent: parent})
	found, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "id", Value: "log"})
	if err != nil || found[0].ID != parent {
		t.Fatalf("Lookup = %+v, %v; want the trace", found, err)
	}
	log.await(t, "signed in")
	var got map[string]any
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "signed in") && json.Unmarshal([]byte(line), &got) != nil {
			t.Fatalf("the record is no JSON: %s", line)
		}
	}
	want := map[string]any{
		"msg": "connector: signed in", "level": "WARN", "connector": "good", "digest": short(c.Digest()), "stream": "stderr",
		"record": map[string]any{
			"connector": "another", "with": "***", "verb": "Lookup", "instance": "directory", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
		},
	}
	delete(got, "time")
	delete(got, "pid")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPendingCrosses: it is no success, is not repeated, and its text is
// redacted as every other.
func TestPendingCrosses(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil, "good").open(t, target("good"))
	a, err := c.Target().Create(t.Context(), sdk.CreateRequest{Attributes: sdk.Attributes{"wait": "yes"}})
	if diff := cmp.Diff(sdk.Pending(time.Minute, "Ask for ***"), sdk.AsError(err)); diff != "" || a.ID != "" {
		t.Errorf("account %+v (-want +got):\n%s", a, diff)
	}
}
