package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/metrics"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// inSync is a ledger in which everybody has the account they need.
type inSync struct{ provisioning.GateLedger }

func (inSync) Standings(_ context.Context, client provisioning.ClientID, u provisioning.UserID) ([]provisioning.Standing, error) {
	b := provisioning.NewBinding(client, "dir")
	b.Blocking = true
	return []provisioning.Standing{{Binding: b, Account: &provisioning.Account{
		User: u, Target: "dir", Desired: provisioning.DesiredPresent, DesiredRev: 1, AppliedRev: 1, State: provisioning.StateInSync, ExternalID: "x1",
	}}}, nil
}

// rest is everything else a gate needs.
type rest struct{}

func (rest) Add(context.Context, provisioning.Decision) error               { return nil }
func (rest) Active(context.Context, provisioning.UserID) (bool, error)      { return true, nil }
func (rest) InTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }
func (rest) AfterCommit(_ context.Context, f func())                        { f() }
func (rest) Totals() []plugins.Totals                                       { return nil }
func (rest) Census(context.Context) ([]provisioning.AccountCount, error)    { return nil, nil }
func (rest) Targets(context.Context) ([]provisioning.TargetState, error)    { return nil, nil }

// gates returns the same gate as it is and counted by real metrics.
func gates() (bare *provisioning.Gate, counted countedGate) {
	bare = provisioning.NewGate(provisioning.GateOptions{
		Ledger: inSync{}, Decisions: rest{}, Users: rest{}, Tx: rest{}, Nudge: func() {}, Now: time.Now,
	})
	m := metrics.New(metrics.Options{
		Connectors: rest{}, Ledger: rest{}, Skew: func() time.Duration { return 0 }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return bare, countedGate{bare, m}
}

type permitter interface {
	Permit(ctx context.Context, r provisioning.Request) (provisioning.Permit, provisioning.Decision, error)
}

func permit(t testing.TB, g permitter) {
	t.Helper()
	_, d, err := g.Permit(t.Context(), provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize})
	if err != nil || d.Verdict != provisioning.VerdictPermit {
		t.Fatalf("permit = %+v, %v", d, err)
	}
}

// Every sign-in passes the gate: counting it must cost next to nothing.
func TestCountingAPermitCostsTwoAllocationsAtMost(t *testing.T) {
	const runs, most = 1000, 2
	bare, counted := gates()
	before := testing.AllocsPerRun(runs, func() { permit(t, bare) })
	after := testing.AllocsPerRun(runs, func() { permit(t, counted) })
	if after > before+most {
		t.Errorf("a counted permit allocates %v times, a bare one %v", after, before)
	}
}

func BenchmarkPermitCounted(b *testing.B) {
	bare, counted := gates()
	for name, g := range map[string]permitter{"bare": bare, "counted": counted} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				permit(b, g)
			}
		})
	}
}

// observed notes what observers are told.
type observed struct {
	decisions []string
	attempts  []provisioning.Attempt
}

func (o *observed) Permit(d provisioning.Decision, err error, took time.Duration) {
	if took <= 0 {
		o.decisions = append(o.decisions, "no time")
	}
	o.Decided(d, err)
}

func (o *observed) Decided(d provisioning.Decision, err error) {
	if err != nil {
		o.decisions = append(o.decisions, "error")
		return
	}
	o.decisions = append(o.decisions, string(d.Verdict))
}

func (o *observed) Attempt(a provisioning.Attempt) { o.attempts = append(o.attempts, a) }

// What is recorded is counted, once; a look is not recorded.
func TestDecisionsAreCounted(t *testing.T) {
	bare, _ := gates()
	o := &observed{}
	g := countedGate{bare, o}
	permit(t, g)
	r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
	if _, err := g.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Look(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Permit(t.Context(), provisioning.Request{}); !errors.Is(err, provisioning.ErrRequest) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"permit", "permit", "error"}, o.decisions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// finishing is a ledger whose Finish ends with its error.
type finishing struct {
	provisioning.Ledger
	err error
}

func (f *finishing) Finish(context.Context, provisioning.Lease, provisioning.Result) error {
	return f.err
}

// An attempt counts once its end is in the ledger: not when another worker has
// the account, and not when there was none.
func TestAttemptsAreCounted(t *testing.T) {
	a := provisioning.Attempt{Target: "dir", Kind: sdk.KindQuota}
	tests := []struct {
		attempt *provisioning.Attempt
		err     error
		want    int
	}{{&a, nil, 1}, {nil, nil, 0}, {&a, provisioning.ErrLeaseLost, 0}, {&a, provisioning.ErrLinked, 0}}
	for _, tt := range tests {
		o := &observed{}
		l := countedLedger{&finishing{err: tt.err}, o}
		if err := l.Finish(t.Context(), provisioning.Lease{}, provisioning.Result{Attempt: tt.attempt}); !errors.Is(err, tt.err) || len(o.attempts) != tt.want {
			t.Errorf("Finish = %v and %d counted, want %v and %d", err, len(o.attempts), tt.err, tt.want)
		}
	}
}

// serveOnce runs a system without connectors until the test ends and returns the
// address of its public listener, or why it did not start.
func serveOnce(t *testing.T, metricsListen string) (address string, failed <-chan error) {
	t.Helper()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "keys.json")
	if err := keys.CreateKeysetFile(keyFile); err != nil {
		t.Fatal(err)
	}
	c := config.Config{
		Issuer: "http://127.0.0.1:1", Database: sdk.Secret("sqlite://" + filepath.Join(dir, "db")), ConnectorsDir: dir, Isolation: "off",
		SecretsKeyFile: keyFile, MetricsListen: metricsListen, Lease: provisioning.DefaultLease,
		KeepAttempts: time.Hour, KeepDecisions: time.Hour,
	}
	s, err := Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		<-s.Done()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), served
}

func TestMetricsAreOffByDefaultAndNeverPublic(t *testing.T) {
	address, _ := serveOnce(t, "")
	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusNotFound || strings.Contains(string(body), "anteroom_") {
		t.Errorf("/metrics of the public listener = %d, %v", res.StatusCode, err)
	}
}

// A monitor that would be blind is told of at the start, not found out later.
func TestTakenMetricsAddressFailsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, failed := serveOnce(t, taken.Addr().String())
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "metrics.listen: ") {
		t.Errorf("Serve = %v, want the key named", err)
	}
}
