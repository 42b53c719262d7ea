package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
)

// addVersion installs a version of connector good, by what [versionMark] makes
// of it, and returns its pin. change makes its manifest a lie.
func (b *bench) addVersion(t *testing.T, mode, version string, change func(*catalog.Manifest)) Pin {
	t.Helper()
	program, err := os.ReadFile(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	if mode != "" {
		program = append(program, versionMark+mode...)
	}
	return b.addPackage(t, string(program), version, nil, change)
}

func (b *bench) addPackage(t *testing.T, program, version string, files map[string]string, change func(*catalog.Manifest)) Pin {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return digestOf(t, path)
	}
	d := goodDescription(t)
	m := catalog.Manifest{Name: "good", Version: version, Protocols: []int{1}, OS: "any", Arch: "any",
		Digest: write(catalog.Prefix+"good", program), SchemaDigest: catalog.SchemaDigest(d), Capabilities: d.Capabilities,
		Egress: []catalog.Egress{}, Licence: "MIT"}
	for path, text := range files {
		m.Files = append(m.Files, catalog.File{Path: path, SHA256: write(path, text)})
	}
	if change != nil {
		change(&m)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(catalog.ManifestName, string(raw))
	e, err := b.folder.Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Pin{Name: "good", Digest: e.Digest}
}

func goodDescription(t *testing.T) sdk.Description {
	t.Helper()
	return goodConnector("good").Describe()
}

// TestUpgradeAndRollBackLoseNoCall calls all the time, from many sides, while the
// pin moves forth and back.
func TestUpgradeAndRollBackLoseNoCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour })
	one, two := b.addVersion(t, "", "1.2.3", nil), b.addVersion(t, "v2", "2.0.0", nil)
	b.pins.set(one)
	other := target("good")
	other.Instance = "other"
	conns := []*Conn{b.open(t, target("good")), b.open(t, other)}
	stop := make(chan struct{})
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := everything(t.Context(), conns[i%2]); err != nil {
					t.Errorf("call %d: %v", calls.Load(), err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i := range 4 {
		before := calls.Load()
		awaitTrue(t, func() bool { return calls.Load() > before+50 || t.Failed() })
		want, version := two, "2.0.0"
		if i%2 == 1 {
			want, version = one, "1.2.3"
		}
		b.mu.Lock()
		old := conns[0].program
		b.mu.Unlock()
		b.pins.set(want)
		if err := b.Upgrade(t.Context(), "good"); err != nil {
			t.Fatal(err)
		}
		for _, c := range conns {
			if c.Digest() != want.Digest || c.Description().Version != version {
				t.Errorf("served by %s %s, want %s", c.Description().Version, short(c.Digest()), version)
			}
		}
		awaitTrue(t, func() bool { old.mu.Lock(); defer old.mu.Unlock(); return old.current == nil }) // drained and stopped
	}
	close(stop)
	wg.Wait()
	if strings.Contains(b.log.String(), "crashed") {
		t.Errorf("the end of a replaced process was taken for a crash:\n%s", b.log)
	}
}

// everything makes a read, a write and an optional call.
func everything(ctx context.Context, c *Conn) error {
	_, lookup := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "id", Value: "x"})
	_, create := c.Target().Create(ctx, sdk.CreateRequest{})
	_, get := c.Getter().Get(ctx, sdk.GetRequest{ID: "1"})
	return errors.Join(lookup, create, get)
}

// TestPinIsFollowed moves without being told.
func TestPinIsFollowed(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = 5 * time.Millisecond })
	b.pins.set(b.addVersion(t, "", "1.2.3", nil))
	c := b.open(t, target("good"))
	ask(t, c, "x")
	two := b.addVersion(t, "v2", "2.0.0", nil)
	b.pins.set(two)
	awaitTrue(t, func() bool { return c.Digest() == two.Digest })
	ask(t, c, "x")
	b.log.await(t, "connector upgraded")
}

// TestCallUnderWayEndsWhereItBegan keeps the old process for the call in it.
func TestCallUnderWayEndsWhereItBegan(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour })
	b.pins.set(b.addVersion(t, "", "1.2.3", nil))
	c := b.open(t, target("good"))
	ask(t, c, "x")
	old := c.program
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "id", Value: "hang"})
		ended <- err
	}()
	awaitTrue(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return c.refs == 2 })
	b.pins.set(b.addVersion(t, "v2", "2.0.0", nil))
	if err := b.Upgrade(t.Context(), "good"); err != nil {
		t.Fatal(err)
	}
	ask(t, c, "x") // by the new one
	old.mu.Lock()
	alive := old.current != nil
	old.mu.Unlock()
	if !alive {
		t.Error("the old process was ended with a call in it")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call under way: %v, want its own end", err)
	}
	awaitTrue(t, func() bool { old.mu.Lock(); defer old.mu.Unlock(); return old.current == nil })
}

// TestFailedUpgradeKeepsTheOld has the old version serve, and be started again,
// while the new one is no good.
func TestFailedUpgradeKeepsTheOld(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		pin  func(*testing.T, *bench) Pin
		kind error
		want string
	}{
		"does not start": {func(t *testing.T, b *bench) Pin { return b.addVersion(t, "broken", "2.0.0", nil) }, ErrStart, "cannot find my libraries"},
		"never answers": {func(t *testing.T, b *bench) Pin {
			b.opts.StartTimeout = 300 * time.Millisecond
			return b.addVersion(t, "silent", "2.0.0", nil)
		}, ErrStart, "deadline"},
		"manifest lies about its version": {func(t *testing.T, b *bench) Pin { return b.addVersion(t, "v2", "6.6.6", nil) }, ErrMisdescribed,
			`version is "6.6.6" in connector.json, and "2.0.0" in the program`},
		"refuses a configuration": {func(t *testing.T, b *bench) Pin { return b.addVersion(t, "strict", "9.0.0", nil) }, nil, "target directory: invalid: tenant: is required with ***"},
		"is not there":            {func(*testing.T, *bench) Pin { return Pin{Name: "good", Digest: strings.Repeat("0", 64)} }, ErrNotFound, "not found"},
		"has another schema than was approved": {func(t *testing.T, b *bench) Pin {
			p := b.addVersion(t, "v2", "2.0.0", nil)
			p.SchemaDigest = strings.Repeat("0", 64)
			return p
		}, ErrMisdescribed, "another schema"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour })
			one := b.addVersion(t, "", "1.2.3", nil)
			b.pins.set(one)
			conn := b.open(t, target("good"))
			pid := ask(t, conn, "x")
			next := c.pin(t, b)
			b.pins.set(next)
			tries := 1
			if c.kind == ErrStart { // it is tried again, and said once
				tries = 2
			}
			for range tries {
				err := b.Upgrade(t.Context(), "good")
				if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
					t.Errorf("Upgrade = %v, want %q", err, c.want)
				}
			}
			b.opts.StartTimeout = patience // a good one may need it on a busy machine
			if ask(t, conn, "x") != pid || conn.Digest() != one.Digest {
				t.Error("the old process does not serve any more")
			}
			ask(t, b.open(t, target("good")), "x") // a new connection joins the old version
			shown := false
			for _, s := range b.Stats() {
				shown = shown || s.Digest == next.Digest && s.State == StateFailed && strings.Contains(s.Problem, c.want)
			}
			if n := strings.Count(b.log.String(), "connector upgrade failed"); !shown || n != 1 {
				t.Errorf("the failure is in the log %d times, want once, and in %+v", n, b.Stats())
			}
			_ = die(t.Context(), conn)
			if again := ask(t, conn, "x"); again == pid {
				t.Error("answered by a dead process")
			}
		})
	}
}

// TestUpgradeWhileTheTargetIsAway is not held up: the old version would fail too.
func TestUpgradeWhileTheTargetIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour })
	b.pins.set(b.addVersion(t, "", "1.2.3", nil))
	c := b.open(t, target("good"))
	away := b.addVersion(t, "offline", "9.0.0", nil)
	b.pins.set(away)
	if err := b.Upgrade(t.Context(), "good"); err != nil || c.Digest() != away.Digest {
		t.Errorf("Upgrade = %v", err)
	}
	if _, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{}); sdk.KindOf(err) != sdk.KindUnauthorized {
		t.Errorf("Lookup = %v, want what the target says", err)
	}
}

// TestReplacedFileTakesOverWithTheNextCall is a plain file that was replaced, and
// pinned, before its connection made a call: the old bytes are gone.
func TestReplacedFileTakesOverWithTheNextCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = time.Hour }, "good")
	pin := b.pins.pins["good"]
	pin.Description = goodDescription(t)
	b.pins.set(pin)
	c := b.open(t, target("good"))
	b.installChanged(t, "good", "v2")
	pin.Digest = digestOf(t, b.file("good"))
	b.pins.set(pin)
	ask(t, c, "x")
	if c.Digest() != pin.Digest {
		t.Error("served by bytes that are gone")
	}
}

func TestWithdrawnPinStopsTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.PinsEvery = 5 * time.Millisecond }, "good")
	c := b.open(t, target("good"))
	ask(t, c, "x")
	b.pins.withdraw("good")
	awaitTrue(t, func() bool { s := b.Stats(); return len(s) == 1 && s[0].State == StateStopped })
	if _, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{}); !errors.Is(err, ErrNotPinned) {
		t.Errorf("Lookup = %v, want ErrNotPinned", err)
	}
}

func TestQuarantineEndsWithANewPin(t *testing.T) {
	t.Parallel()
	clock := newClock()
	b := newBench(t, func(o *Options) { o.Now, o.PinsEvery = clock.now, 5*time.Millisecond }, "good")
	c := b.open(t, target("good"))
	for i := range maxFailures + 1 {
		_ = die(t.Context(), c)
		awaitTrue(t, func() bool { return strings.Count(b.log.String(), "connector crashed") > i }) // at this time of the clock
		clock.advance(20 * time.Second)                                                             // past any pause, and within the window
	}
	awaitTrue(t, func() bool {
		_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
		return errors.Is(err, ErrQuarantined) || die(t.Context(), c) == nil
	})
	pin := b.pins.pins["good"]
	pin.PinnedAt = clock.now()
	b.pins.set(pin)
	awaitTrue(t, func() bool {
		_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
		return err == nil
	})
}

func TestIdleProcessIsStopped(t *testing.T) {
	t.Parallel()
	clock := newClock()
	b := newBench(t, func(o *Options) { o.Now, o.HealthEvery, o.IdleAfter = clock.now, 5*time.Millisecond, time.Minute }, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	clock.advance(50 * time.Second)
	if ask(t, c, "x") != pid {
		t.Fatal("stopped before its time")
	}
	busy, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Target().Lookup(busy, sdk.LookupRequest{Key: "id", Value: "hang"})
		ended <- err
	}()
	awaitTrue(t, func() bool { return b.Stats()[0].InFlight == 1 })
	clock.advance(2 * time.Minute)
	c.program.mu.Lock()
	proc := c.program.current
	c.program.mu.Unlock()
	proc.retireIdle()
	if proc.isRetired() {
		t.Fatal("stopped with a call in it")
	}
	cancel()
	<-ended
	clock.advance(2 * time.Minute)
	b.log.await(t, "connector is idle")
	awaitTrue(t, func() bool { return b.Stats()[0].State == StateStopped })
	if ask(t, c, "x") == pid || strings.Contains(b.log.String(), "crashed") {
		t.Errorf("the next call was served by the stopped process, or its end was a crash:\n%s", b.log)
	}
	if n := b.Stats()[0].Starts; n != 2 {
		t.Errorf("%d starts, want 2", n)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	ask(t, c, "x")
	_, _ = c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "leak"})
	_, _ = c.Getter().Get(t.Context(), sdk.GetRequest{ID: "1"})
	got := b.Stats()
	want := []Stats{{Name: "good", Digest: c.Digest(), Version: "1.2.3", State: StateReady, Instances: 1, Starts: 1, Calls: []CallStats{
		{Verb: "get", Count: 1}, {Verb: "lookup", Count: 2}, {Verb: "lookup", Kind: sdk.KindUnauthorized, Count: 1}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Stats{}, "PID", "RSS"), cmpopts.IgnoreFields(CallStats{}, "Total", "Within")); diff != "" {
		t.Fatalf("Stats (-want +got):\n%s", diff)
	}
	if s := got[0]; pid != itoa(s.PID) || s.RSS < 1<<20 || s.Calls[1].Total <= 0 {
		t.Errorf("pid %d (want %s), %d bytes, %v in lookups", s.PID, pid, s.RSS, s.Calls[1].Total)
	}
}
