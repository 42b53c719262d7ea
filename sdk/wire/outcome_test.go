package wire

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func TestPendingSurvives(t *testing.T) {
	want := sdk.Pending(90*time.Second, "A manager must agree.")
	m := pendingToProto(want)
	checkPopulated(t, m.ProtoReflect())
	back := overTheWire(t, m).(*connectorv1.Pending)
	if diff := cmp.Diff(want, pendingFromProto(back)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for ms, want := range map[int64]time.Duration{math.MinInt64: time.Second, 0: time.Second, math.MaxInt64: time.Hour} {
		if got := pendingFromProto(&connectorv1.Pending{PollAfterMs: ms}).RetryAfter; got != want {
			t.Errorf("poll after %d ms = %v, want %v", ms, got, want)
		}
	}
	long := pendingFromProto(&connectorv1.Pending{Text: strings.Repeat("é", 9000)})
	if len(long.Message) > maxMessage {
		t.Errorf("a text of %d bytes was believed", len(long.Message))
	}
}

// TestPendingWrites has every write answer "accepted, not done".
func TestPendingWrites(t *testing.T) {
	say := sdk.Pending(time.Minute, "A manager must agree.")
	target := &fullTarget{
		fakeTarget: fakeTarget{
			lookup: func(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return nil, say },
			create: func(context.Context, sdk.CreateRequest) (sdk.Account, error) { return sdk.Account{ID: "7"}, say },
			update: func(context.Context, sdk.UpdateRequest) (sdk.Account, error) { return sdk.Account{}, say },
		},
		setActive: func(context.Context, sdk.SetActiveRequest) (sdk.Account, error) { return sdk.Account{ID: "7"}, say },
		delete:    func(context.Context, sdk.DeleteRequest) error { return say },
		setGroups: func(context.Context, sdk.SetGroupsRequest) error { return say },
	}
	remote := newFixture(t, connectorOf(target)).configured(t)
	ctx := soon(t)
	check := func(verb string, a sdk.Account, err error) {
		t.Helper()
		if diff := cmp.Diff(say, sdk.AsError(err)); diff != "" || a.ID != "" {
			t.Errorf("%s: id %q, want none (-want +got):\n%s", verb, a.ID, diff)
		}
	}
	a, err := remote.Create(ctx, sdk.CreateRequest{})
	check("Create", a, err)
	a, err = remote.Update(ctx, sdk.UpdateRequest{ID: "7"})
	check("Update", a, err)
	a, err = remote.SetActive(ctx, sdk.SetActiveRequest{ID: "7"})
	check("SetActive", a, err)
	check("Delete", sdk.Account{}, remote.Delete(ctx, sdk.DeleteRequest{ID: "7"}))
	check("SetGroups", sdk.Account{}, remote.SetGroups(ctx, sdk.SetGroupsRequest{ID: "7"}))
	_, err = remote.Lookup(ctx, sdk.LookupRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone) // a read has no such outcome
}

// TestPendingIsNothingToAnOlderHost: what a host that does not know the outcome
// finds is neither an account nor done.
func TestPendingIsNothingToAnOlderHost(t *testing.T) {
	p := pendingToProto(sdk.Pending(time.Minute, "x"))
	for _, resp := range []interface{ GetAccount() *connectorv1.Account }{
		&connectorv1.CreateResponse{Pending: p}, &connectorv1.UpdateResponse{Pending: p}, &connectorv1.SetActiveResponse{Pending: p},
	} {
		if resp.GetAccount() != nil {
			t.Errorf("%T has an account", resp)
		}
	}
	if (&connectorv1.DeleteResponse{Pending: p}).GetDone() || (&connectorv1.SetGroupsResponse{Pending: p}).GetDone() {
		t.Error("a pending write is done")
	}
	checkError(t, decodeError(encodeError(sdk.Pending(0, "x")), true, true), sdk.KindInternal, sdk.EffectUnknown) // never a status
}

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTraceReachesTheAuthor(t *testing.T) {
	var got sdk.Trace
	target := &fakeTarget{lookup: func(ctx context.Context, _ sdk.LookupRequest) ([]sdk.Account, error) {
		got = sdk.TraceOf(ctx)
		sdk.Logger(ctx).Info("looked", "key", "mail")
		return nil, nil
	}}
	f := newFixture(t, connectorOf(target))
	remote := f.configured(t)
	want := sdk.Trace{Parent: traceParent, State: "a=b"}
	if _, err := remote.Lookup(sdk.WithTrace(soon(t), want), sdk.LookupRequest{}); err != nil || got != want {
		t.Errorf("%v: the author sees %+v, want %+v", err, got, want)
	}
	for _, field := range []string{"msg=looked", "verb=Lookup", "instance=one", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736", "key=mail"} {
		if !strings.Contains(f.log.String(), field) {
			t.Errorf("the log lacks %s: %s", field, f.log)
		}
	}
	if _, err := remote.Lookup(soon(t), sdk.LookupRequest{}); err != nil || got != (sdk.Trace{}) {
		t.Errorf("%v: without a trace the author sees %+v", err, got)
	}
	for _, parents := range [][]string{{"nonsense"}, {traceParent, traceParent}} {
		ctx := soon(t)
		for _, p := range parents {
			ctx = metadata.AppendToOutgoingContext(ctx, keyTraceParent, p)
		}
		if _, err := remote.Lookup(ctx, sdk.LookupRequest{}); err != nil || got != (sdk.Trace{}) {
			t.Errorf("%v: of %q the author sees %+v", err, parents, got)
		}
	}
}

func TestOpenHasALogger(t *testing.T) {
	f := newFixture(t, sdk.Define("fake", "1.0.0", func(ctx context.Context, c fakeConfig) (*fakeTarget, error) {
		sdk.Logger(ctx).Warn("opening", "config", c)
		return &fakeTarget{}, nil
	}))
	cfg := goodConfig
	cfg.Secrets = map[string]sdk.Secret{"token": "hunter2"}
	if err := f.Configure(soon(t), Instance{ID: "one", Generation: 1}, cfg); err != nil {
		t.Fatal(err)
	}
	if log := f.log.String(); !strings.Contains(log, "level=WARN msg=opening verb=Configure instance=one") || strings.Contains(log, "hunter2") {
		t.Errorf("logged %s", log)
	}
}
