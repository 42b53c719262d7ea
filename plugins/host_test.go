package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

func TestVerbs(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	ctx := t.Context()
	if d := c.Description(); d.Name != "good" || d.Version != "1.2.3" || !d.Has(sdk.CapabilityList) {
		t.Errorf("Description = %+v", d)
	}
	if c.Digest() != digestOf(t, b.file("good")) {
		t.Errorf("Digest = %s", c.Digest())
	}
	got := map[string]any{}
	record := func(verb string, a sdk.Account, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		got[verb] = a.ID
	}
	a, err := c.Target().Create(ctx, sdk.CreateRequest{})
	record("create", a, err)
	a, err = c.Target().Update(ctx, sdk.UpdateRequest{ID: "7"})
	record("update", a, err)
	a, err = c.Getter().Get(ctx, sdk.GetRequest{ID: "8"})
	record("get", a, err)
	a, err = c.ActiveSetter().SetActive(ctx, sdk.SetActiveRequest{ID: "9"})
	record("set_active", a, err)
	record("delete", sdk.Account{}, c.Deleter().Delete(ctx, sdk.DeleteRequest{ID: "10"}))
	record("set_groups", sdk.Account{}, c.GroupSetter().SetGroups(ctx, sdk.SetGroupsRequest{ID: "11"}))
	want := map[string]any{"create": "new", "update": "updated", "get": "8", "set_active": "9", "delete": "", "set_groups": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestListEndsWithItsError(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	var got []string
	for a, err := range c.Lister().List(t.Context(), sdk.ListRequest{}) {
		if err != nil {
			got = append(got, err.Error())
			break
		}
		got = append(got, a.ID)
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "forbidden: no more with ***"}, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for range c.Lister().List(t.Context(), sdk.ListRequest{}) {
		break // an early end is no error and leaves nothing running
	}
}

func TestOptionalVerbsAreNil(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "lean")
	c := b.open(t, target("lean"))
	shown := []bool{c.Getter() != nil, c.ActiveSetter() != nil, c.Deleter() != nil, c.Lister() != nil, c.GroupSetter() != nil, c.Checker() != nil}
	if diff := cmp.Diff(make([]bool, 6), shown); diff != "" {
		t.Errorf("verbs the connector does not have (-want +got):\n%s", diff)
	}
}

func TestParallelOpensStartOneProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	pin := b.pins.pins["good"]
	pin.Description = sdk.Description{Name: "good"} // so that the verbs start it, all at once
	b.pins.set(pin)
	var wg sync.WaitGroup
	pids := make([]string, 20)
	for i := range pids {
		wg.Go(func() {
			cfg := target("good")
			cfg.Instance = fmt.Sprint("target-", i%4)
			c, err := b.Open(t.Context(), cfg)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			t.Cleanup(c.Close)
			accounts, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
			if err != nil {
				t.Errorf("Lookup: %v", err)
				return
			}
			pids[i] = accounts[0].ID
		})
	}
	first := ask(t, b.open(t, target("good")), "x")
	wg.Wait()
	for i, pid := range pids {
		if pid != first {
			t.Errorf("call %d was answered by process %s, want %s", i, pid, first)
		}
	}
	if n := strings.Count(b.log.String(), "connector ready"); n != 1 {
		t.Errorf("%d processes were started, want 1", n)
	}
}

func TestPinnedDescriptionNeedsNoProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	pin := b.pins.pins["good"]
	pin.Description = sdk.Description{Name: "good", Capabilities: []sdk.Capability{sdk.CapabilityGet}}
	b.pins.set(pin)
	c := b.open(t, target("good"))
	if c.Getter() == nil || c.Deleter() != nil {
		t.Error("the pinned description was not used")
	}
	if entries, err := b.List(t.Context()); err != nil || entries[0].State != StateStopped {
		t.Errorf("List = %+v, %v: want no process before the first call", entries, err)
	}
}

func TestCallWithoutDeadlineGetsOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.CallTimeout = time.Second }, "good")
	ctx, cancel := context.WithTimeout(t.Context(), patience) // the process may take its time to start
	defer cancel()
	c, err := b.Open(ctx, target("good"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Target().Lookup(ctx, sdk.LookupRequest{Key: "id", Value: "x"}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "hang"})
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
		t.Errorf("Lookup = %v, want it given up", err)
	}
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	old := b.open(t, target("good"))
	ask(t, old, "x")
	cfg := target("good")
	cfg.Generation, cfg.Config.Values = 2, []byte(`{"fail":true}`)
	bad := b.open(t, cfg)
	_, err := bad.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInvalid || e.Field != "fail" || e.Message != "refused with ***" {
		t.Errorf("a configuration the connector refuses: %v", err)
	}
	ask(t, old, "x") // the refused one has replaced nothing
	cfg.Generation, cfg.Config.Values = 3, []byte(`{}`)
	next := b.open(t, cfg)
	ask(t, next, "x")
	_, err = old.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
	if sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("a call of a replaced generation: %v, want it refused", err)
	}
	ask(t, next, "x")
}

func TestClosedConn(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	keep := b.open(t, target("good"))
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	c.Close()
	c.Close()
	_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "x"})
	if !errors.Is(err, ErrStopped) {
		t.Errorf("Lookup after Close = %v, want ErrStopped", err)
	}
	// The other connection to the same instance configures it again.
	if again := ask(t, keep, "x"); again != pid {
		t.Errorf("answered by process %s, want %s", again, pid)
	}
}

func TestUnusedProcessIsStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	p := c.program
	ask(t, c, "x")
	p.mu.Lock()
	proc := p.current
	p.mu.Unlock()
	c.Close()
	select {
	case <-proc.buried:
	case <-time.After(patience):
		t.Fatal("the process outlives its last connection")
	}
	if strings.Contains(b.log.String(), "crashed") {
		t.Error("an intended end was recorded as a crash")
	}
}

func TestStopCutsCallsOffWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	ask(t, c, "x")
	failed := make(chan error, 1)
	go func() {
		_, err := c.Target().Lookup(context.Background(), sdk.LookupRequest{Key: "id", Value: "hang"})
		failed <- err
	}()
	// The call is in flight once it is counted.
	awaitTrue(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return c.refs == 2 })
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Stop(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop with a call in flight = %v, want its context's error", err)
	}
	select {
	case err := <-failed:
		if sdk.KindOf(err) != sdk.KindTransient {
			t.Errorf("the call that was cut off: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the call in flight never ended")
	}
	if _, err := b.Open(t.Context(), target("good")); !errors.Is(err, ErrStopped) {
		t.Errorf("Open after Stop = %v, want ErrStopped", err)
	}
}

// awaitTrue yields until the condition holds.
func awaitTrue(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition never held")
		}
	}
}

func TestHostStartsAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	if err := b.Start(t.Context()); err == nil {
		t.Error("a second Start was accepted")
	}
	b.open(t, target("good"))
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, b.open(t, target("good")), "x")
}

func TestInspect(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.install(t, "good")
	if _, _, err := b.Inspect(t.Context(), "good", false); !errors.Is(err, ErrNotPinned) {
		t.Errorf("Inspect of an unpinned connector = %v, want ErrNotPinned", err)
	}
	d, digest, err := b.Inspect(t.Context(), "good", true)
	if err != nil || d.Name != "good" || digest != digestOf(t, b.file("good")) {
		t.Errorf("Inspect = %s %s, %v", d.Name, digest, err)
	}
	// After an upgrade, inspecting shows the new file whatever is pinned.
	b.pins.set(Pin{Name: "good", Digest: digest, Description: d})
	b.installChanged(t, "good", "v2")
	if _, next, err := b.Inspect(t.Context(), "good", true); err != nil || next != digestOf(t, b.file("good")) || next == digest {
		t.Errorf("Inspect of the new file = %s, %v", next, err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	cfg := sdk.RawConfig{Values: []byte(`{"fail":"maybe","extra":1}`), Secrets: map[string]sdk.Secret{"token": token}}
	problems, err := b.Validate(t.Context(), "good", cfg)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	for _, p := range problems {
		fields[p.Field] = true
	}
	if !fields["fail"] || !fields["extra"] {
		t.Errorf("problems = %+v, want the wrong and the unknown field named", problems)
	}
	if problems, err := b.Validate(t.Context(), "good", sdk.RawConfig{Values: []byte(`{}`)}); err != nil || len(problems) != 0 {
		t.Errorf("a good configuration: %+v, %v", problems, err)
	}
}

func TestNewReportsEveryProblem(t *testing.T) {
	_, err := New(Options{})
	for _, want := range []string{"Dir", "Pins", "Logger"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %s named", err, want)
		}
	}
	h, err := New(Options{Dir: t.TempDir(), Pins: &fakePins{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if h.opts.StartTimeout != 10*time.Second || h.opts.CallTimeout != 30*time.Second || h.opts.Dev {
		t.Errorf("defaults: %+v", h.opts)
	}
	if _, err := h.Open(t.Context(), target("good")); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open before Start = %v", err)
	}
}

func TestBothEndsAgreeOnTheLifeline(t *testing.T) {
	if runner.LifelineEnv != wire.LifelineEnv {
		t.Errorf("host sets %s, connectors look for %s", runner.LifelineEnv, wire.LifelineEnv)
	}
}

// TestRuntimeFolderIsSwept is trap 12 of docs/connector-traps.md.
func TestRuntimeFolderIsSwept(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if info, err := os.Stat(b.Host.dir.Path()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("runtime folder: %v, %v", info, err)
	}
}
