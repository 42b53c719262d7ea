package provisioning_test

import (
	"context"
	"strings"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// tracing sees the trace of every lookup.
type tracing struct {
	*world
	seen *[]sdk.Trace
}

// Connect implements provisioning.Targets.
func (w tracing) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	c, err := w.world.Connect(ctx, t)
	c.Target = w
	return c, err
}

// Lookup implements sdk.Target.
func (w tracing) Lookup(ctx context.Context, r sdk.LookupRequest) ([]sdk.Account, error) {
	*w.seen = append(*w.seen, sdk.TraceOf(ctx))
	return w.world.Lookup(ctx, r)
}

func TestCallsBelongToTheirAttempt(t *testing.T) {
	l := liteLab(t)
	var seen []sdk.Trace
	l.engine = l.engineOn(l.Accounts, tracing{l.world, &seen})
	l.start("ann")
	l.runDue()
	if len(seen) != 2 || seen[0].Parent == seen[1].Parent {
		t.Fatalf("traces %+v, want two lookups, each with a span of its own", seen)
	}
	want := strings.ReplaceAll(string(l.attempts("ann")[0].ID), "-", "")
	for _, trace := range seen {
		if trace.ID() != want {
			t.Errorf("trace %q, want the attempt's id %s", trace.Parent, want)
		}
	}
}
