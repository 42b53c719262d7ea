package sdk_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestLoggerIsTheCalls(t *testing.T) {
	var out bytes.Buffer
	ctx := sdk.WithLogger(t.Context(), slog.New(slog.NewTextHandler(&out, nil)))
	sdk.Logger(ctx).Info("found", "token", sdk.Secret(canary))
	if !strings.Contains(out.String(), "msg=found token=***") {
		t.Errorf("logged %q", out.String())
	}
	sdk.Logger(context.Background()).Error("nobody hears this") // and nobody panics
}

const goodParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceIsChecked(t *testing.T) {
	for parent, valid := range map[string]bool{
		goodParent: true,
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":        true,
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-future": true,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-future": false,
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":        false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":        false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":        false,
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01":        false,
		goodParent + "\n": false,
		"":                false,
	} {
		trace := sdk.Trace{Parent: parent}
		got := sdk.TraceOf(sdk.WithTrace(t.Context(), trace))
		if trace.Valid() != valid || (got == trace) != valid && parent != "" || (trace.ID() != "") != valid {
			t.Errorf("%q: valid %v, carried %+v, id %q; want valid %v", parent, trace.Valid(), got, trace.ID(), valid)
		}
	}
	for state, want := range map[string]string{"a=b,c=d": "a=b,c=d", "a=\n": "", strings.Repeat("x", 513): ""} {
		if got := sdk.TraceOf(sdk.WithTrace(t.Context(), sdk.Trace{Parent: goodParent, State: state})).State; got != want {
			t.Errorf("state %.20q carried as %q, want %q", state, got, want)
		}
	}
}

func TestPendingIsBounded(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		-1: time.Second, 0: time.Second, time.Minute: time.Minute, 48 * time.Hour: time.Hour,
	} {
		e := sdk.Pending(after, "wait")
		if e.RetryAfter != want || e.Kind != sdk.KindPending || e.Effect != sdk.EffectUnknown || e.Message != "wait" {
			t.Errorf("Pending(%v) = %+v, want after %v", after, e, want)
		}
	}
}
