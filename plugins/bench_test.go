package plugins

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// servePlain serves a connector over plain gRPC on the socket that its
// environment names: what a call costs without a host.
func servePlain() {
	l, err := net.Listen("unix", os.Getenv("PLAIN_SOCKET"))
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer()
	connectorv1.RegisterConnectorServer(s, wire.NewServer(goodConnector("plain"), slog.New(slog.DiscardHandler)))
	go func() { // the benchmark's end
		_, _ = io.Copy(io.Discard, os.Stdin)
		s.Stop()
	}()
	fmt.Println("serving")
	_ = s.Serve(l)
}

// startPlain returns the same verbs as a host's connection.
func startPlain(b *testing.B) *wire.Remote {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "s")
	cmd := exec.Command(executable(b))
	cmd.Args[0], cmd.Env, cmd.Stderr = catalog.Prefix+"plaingrpc", append(os.Environ(), "PLAIN_SOCKET="+socket), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 16)); err != nil {
		b.Fatal(err)
	}
	cc, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cc.Close() })
	in, client := wire.Instance{ID: "directory", Generation: 1}, wire.NewClient(cc)
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := client.Configure(ctx, in, target("good").Config); err != nil {
		b.Fatal(err)
	}
	return client.Remote(in)
}

// timings are how long each call took, and all of them together.
type timings struct {
	each []time.Duration
	all  time.Duration
}

func (t *timings) quantile(q float64) time.Duration {
	slices.Sort(t.each)
	return t.each[min(len(t.each)-1, int(q*float64(len(t.each))))]
}

func (t *timings) rate() float64 { return float64(len(t.each)) / t.all.Seconds() }

// spread makes n calls, so many at a time.
func (t *timings) spread(tb testing.TB, n, concurrency int, call func(context.Context) error) {
	tb.Helper()
	took := make([][]time.Duration, concurrency)
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	began := time.Now()
	for i := range concurrency {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Minute)
			defer cancel()
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := call(ctx); err != nil {
					tb.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	t.all += time.Since(began)
	for _, d := range took {
		t.each = append(t.each, d...)
	}
}

// BenchmarkCall compares a call by way of the host with plain gRPC on a unix
// socket: the same connector, the same verb, each in a process of its own, in
// turns of a tenth, so that both meet the same machine.
func BenchmarkCall(b *testing.B) {
	for _, concurrency := range []int{1, 64} {
		b.Run(strconv.Itoa(concurrency), func(b *testing.B) {
			plain := startPlain(b)
			conn := newBench(b, nil, "good").open(b, target("good")).Target()
			req := sdk.LookupRequest{Key: "userName", Value: "ada@example.com"}
			calls := []func(context.Context) error{
				func(ctx context.Context) error { _, err := plain.Lookup(ctx, req); return err },
				func(ctx context.Context) error { _, err := conn.Lookup(ctx, req); return err },
			}
			var took [2]timings
			for _, call := range calls {
				new(timings).spread(b, 500, concurrency, call) // warm
			}
			b.ResetTimer()
			for range 10 {
				for i, call := range calls {
					took[i].spread(b, max(1, b.N/10), concurrency, call)
				}
			}
			b.StopTimer()
			micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
			p50 := [2]time.Duration{took[0].quantile(0.5), took[1].quantile(0.5)}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(micros(p50[0]), "plain-p50-µs")
			b.ReportMetric(micros(p50[1]), "host-p50-µs")
			b.ReportMetric(float64(p50[1])/float64(p50[0]), "p50-ratio")
			b.ReportMetric(took[0].rate(), "plain-calls/s")
			b.ReportMetric(took[1].rate(), "host-calls/s")
			b.ReportMetric(took[1].rate()/took[0].rate(), "rate-ratio")
			b.ReportMetric(micros(took[1].quantile(0.99)), "host-p99-µs")
		})
	}
}

// built builds the server, which is the launcher, and a small connector, as they
// are shipped.
func built(b *testing.B) (launcher, connector string) {
	b.Helper()
	dir := b.TempDir()
	launcher, connector = filepath.Join(dir, "anteroom"), filepath.Join(dir, "minimal")
	for out, pkg := range map[string]string{launcher: "..", connector: "../sdk/examples/minimal"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v: %s", pkg, err, text)
		}
	}
	return launcher, connector
}

// shipped is a host over that connector.
func shipped(b *testing.B, launcher, connector string, mode IsolationMode, clock *shifted) *bench {
	b.Helper()
	h := newBench(b, func(o *Options) {
		o.Isolation.Mode, o.Isolation.Launcher, o.Now = mode, launcher, clock.now
	})
	program, err := os.ReadFile(connector)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(h.file("minimal"), program, 0o755); err != nil {
		b.Fatal(err)
	}
	h.pins.set(Pin{Name: "minimal", Digest: digestOf(b, h.file("minimal")), Description: sdk.Description{Name: "minimal", Version: "1"}})
	return h
}

func minimalTarget() InstanceConfig {
	return InstanceConfig{Instance: "directory", Generation: 1, Connector: "minimal", Config: sdk.RawConfig{Values: []byte(`{}`)}}
}

// shifted is the time of day and what was added to it: a process that was ready
// for long may be started again at once.
type shifted struct{ by atomic.Int64 }

func (s *shifted) now() time.Time { return time.Now().Add(time.Duration(s.by.Load())) }

func (s *shifted) settle() { s.by.Add(int64(settled)) }

// BenchmarkStart is from a host that has run nothing to the first call served:
// reading and hashing the file, starting it, the certificates, the configuration.
// BenchmarkRestart is from kill -9 to the next call served.
func BenchmarkStart(b *testing.B)   { eachIsolation(b, startOnce) }
func BenchmarkRestart(b *testing.B) { eachIsolation(b, restartOnce) }

func eachIsolation(b *testing.B, once func(b *testing.B, h *bench, c *Conn, clock *shifted) time.Duration) {
	launcher, connector := built(b)
	for _, mode := range []IsolationMode{IsolationOff, IsolationBestEffort} {
		b.Run(string(mode), func(b *testing.B) {
			clock := &shifted{}
			h := shipped(b, launcher, connector, mode, clock)
			c := h.open(b, minimalTarget())
			mustLookup(b, c)
			var took timings
			for range b.N {
				took.each = append(took.each, once(b, h, c, clock))
			}
			millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(millis(took.quantile(0.5)), "p50-ms")
			b.ReportMetric(millis(took.quantile(0.95)), "p95-ms")
			b.Log(h.Isolation())
		})
	}
}

// mustLookup makes a call whose answer does not matter.
func mustLookup(tb testing.TB, c *Conn) {
	tb.Helper()
	if _, err := c.Target().Lookup(tb.Context(), sdk.LookupRequest{Key: "id", Value: "x"}); err != nil {
		tb.Fatal(err)
	}
}

func startOnce(b *testing.B, h *bench, _ *Conn, _ *shifted) time.Duration {
	b.Helper()
	fresh, err := New(h.opts)
	if err != nil {
		b.Fatal(err)
	}
	if err := fresh.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	c, err := fresh.Open(b.Context(), minimalTarget())
	if err != nil {
		b.Fatal(err)
	}
	mustLookup(b, c)
	took := time.Since(began)
	c.Close()
	if err := fresh.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
	return took
}

func restartOnce(b *testing.B, h *bench, c *Conn, clock *shifted) time.Duration {
	b.Helper()
	clock.settle()
	began := time.Now()
	if err := syscall.Kill(h.pid(b), syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	askAgain(b, c)
	return time.Since(began)
}

// askAgain calls until it is answered: a call that was sent just as the process
// died is not repeated by the host.
func askAgain(tb testing.TB, c *Conn) {
	tb.Helper()
	var err error
	for range 10 {
		if _, err = c.Target().Lookup(tb.Context(), sdk.LookupRequest{Key: "id", Value: "x"}); err == nil {
			return
		}
	}
	tb.Fatal(err)
}

// pid returns the one running process.
func (b *bench) pid(tb testing.TB) int {
	tb.Helper()
	for _, s := range b.Stats() {
		if s.PID != 0 {
			return s.PID
		}
	}
	tb.Fatal("no connector runs")
	return 0
}

// BenchmarkIdleMemory is what one connector costs that has served one call.
func BenchmarkIdleMemory(b *testing.B) {
	launcher, connector := built(b)
	h := shipped(b, launcher, connector, IsolationBestEffort, &shifted{})
	mustLookup(b, h.open(b, minimalTarget()))
	time.Sleep(time.Second) // its start's garbage is still being collected
	m := memoryOf(b, h.pid(b))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m["VmRSS"])/1024, "RSS-MiB")
	b.ReportMetric(float64(m["RssAnon"])/1024, "anonymous-MiB")
}

// memoryOf returns the memory lines of a process's status, in KiB.
func memoryOf(tb testing.TB, pid int) map[string]int64 {
	tb.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]int64{}
	for line := range strings.Lines(string(raw)) {
		name, rest, _ := strings.Cut(line, ":")
		if value, ok := strings.CutSuffix(strings.TrimSpace(rest), " kB"); ok {
			out[name], _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return out
}
