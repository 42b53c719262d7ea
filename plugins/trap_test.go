package plugins

// One test per trap of running somebody else's binaries with go-plugin.

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	pluginrunner "github.com/hashicorp/go-plugin/runner"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// TestNoisyConnector prints, before and after its handshake, what panics or
// blocks the library's own parsers.
//
// It is traps 1 and 14 of docs/connector-traps.md.
func TestNoisyConnector(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "noisy")
	c := b.open(t, target("noisy"))
	ask(t, c, "print")
	b.log.await(t, `sending token ***`)
	b.log.await(t, `sending token to stdout ***`)
	log := b.log.String()
	if !strings.Contains(log, `{\"@level\":30`) || !strings.Contains(log, "bytes cut") {
		t.Errorf("output was lost:\n%s", log)
	}
	for _, want := range []string{"connector=noisy", "digest=" + short(c.Digest()), "pid="} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log", want)
		}
	}
	if strings.Contains(log, "s3cret") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// TestBadHandshakes must fail at once, as errors, with nothing left behind.
//
// It is traps 2, 9, 18 and 25 of docs/connector-traps.md.
func TestBadHandshakes(t *testing.T) {
	cases := map[string]string{
		"docker":  "must lie in its own folder",
		"tcp":     "only unix sockets",
		"netrpc":  "unsupported plugin protocol",
		"badcert": "parsing server cert",
		"version": "incompatible API version",
		"broken":  "cannot find my libraries",
	}
	for mode, want := range cases {
		t.Run(mode, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			b := newBench(t, nil, mode)
			_, err := b.Open(t.Context(), target(mode))
			if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), want) {
				t.Errorf("Open = %v, want ErrStart that says %q", err, want)
			}
			if e := sdk.AsError(err); e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
				t.Errorf("kind %s, effect %s", e.Kind, e.Effect)
			}
			b.shut(t)
		})
	}
}

// TestStuckStarts never come up: nothing of them outlives the start's time.
//
// It is traps 16 and 26 of docs/connector-traps.md.
func TestStuckStarts(t *testing.T) {
	for _, mode := range []string{"silent", "frozen", "plain"} {
		t.Run(mode, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			b := newBench(t, func(o *Options) { o.StartTimeout = 300 * time.Millisecond }, mode)
			began := time.Now()
			_, err := b.Open(t.Context(), target(mode))
			if !errors.Is(err, ErrStart) {
				t.Errorf("Open = %v, want ErrStart", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the start was given up after %v", took)
			}
			b.shut(t)
		})
	}
}

// TestCallerGivesUpOnAStart returns to the caller with its context, while the
// start goes on for others.
//
// It is trap 16 of docs/connector-traps.md.
func TestCallerGivesUpOnAStart(t *testing.T) {
	b := newBench(t, nil, "silent")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Open(ctx, target("silent"))
	if !errors.Is(err, context.DeadlineExceeded) || sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("Open = %v, want the deadline", err)
	}
	began := time.Now()
	b.shut(t) // ends the start, long before its own time is over
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Stop during a start took %v", took)
	}
}

// TestStoppedProcess is one that SIGSTOP has hit: calls end by their deadline,
// the health check ends the process, and the next call is served.
//
// It is trap 4 of docs/connector-traps.md.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.HealthEvery, o.HealthTimeout = 100*time.Millisecond, 100*time.Millisecond
	}, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	freeze(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Target().Create(ctx, sdk.CreateRequest{})
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindOutcomeUnknown || e.Effect != sdk.EffectUnknown {
		t.Errorf("a write that was sent and not answered: %v", err)
	}
	b.log.await(t, "connector does not answer")
	if next := ask(t, c, "x"); next == pid {
		t.Error("the stopped process answered")
	}
}

// TestStopWithAStoppedProcess ends although the process cannot help.
//
// It is trap 3 of docs/connector-traps.md.
func TestStopWithAStoppedProcess(t *testing.T) {
	b := newBench(t, nil, "good")
	freeze(t, ask(t, b.open(t, target("good")), "x"))
	began := time.Now()
	b.shut(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Stop took %v", took)
	}
}

// freeze returns when the process, all of its threads, has stopped: until then it
// might still answer.
func freeze(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		err := unix.Waitid(unix.P_PID, n, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// TestHugeAnswer is refused before it is in the host's memory.
//
// It is trap 15 of docs/connector-traps.md.
func TestHugeAnswer(t *testing.T) {
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "huge"})
	runtime.ReadMemStats(&after)
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindInternal || !strings.Contains(e.Message, "larger than max") {
		t.Errorf("Lookup = %v, want the answer refused", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("the host allocated %d MiB for an answer it refused", grown>>20)
	}
	if again := ask(t, c, "x"); again != pid {
		t.Error("the process was lost with the answer")
	}
}

// TestGrandchildHoldsStderr kills a process whose child holds its stderr and has
// left its group, which only a connector that is not confined can.
//
// It is trap 5 of docs/connector-traps.md.
func TestGrandchildHoldsStderr(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Isolation.Mode = IsolationOff }, "good")
	c := b.open(t, target("good"))
	grandchild := ask(t, c, "fork")
	defer func() {
		pid, _ := strconv.Atoi(grandchild)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("the grandchild was to be there all the time: %v", err)
		}
	}()
	began := time.Now()
	if err := die(t.Context(), c); sdk.KindOf(err) != sdk.KindOutcomeUnknown {
		t.Errorf("Create = %v", err)
	}
	ask(t, c, "x")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("served again after %v: the exit was hidden", took)
	}
}

// TestCrashMidCall leaves the outcome unknown: the call is not repeated. The next
// one is served by a new process, configured again without being asked.
func TestCrashMidCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	err := die(t.Context(), c)
	if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindOutcomeUnknown || e.Effect != sdk.EffectUnknown || !errors.Is(err, wire.ErrProcessGone) {
		t.Errorf("Create = %v, want the outcome unknown", err)
	}
	if next := ask(t, c, "x"); next == pid {
		t.Error("answered by a dead process")
	}
	b.log.await(t, "connector crashed")
	if n := strings.Count(b.log.String(), "connector ready"); n != 2 {
		t.Errorf("%d processes were started, want 2: a repeated write would have killed another", n)
	}
	awaitTrue(t, func() bool {
		entries, err := b.List(t.Context())
		return err == nil && entries[0].Crash != nil
	})
	entries, _ := b.List(t.Context())
	crash := entries[0].Crash
	if crash.Exit != "signal: killed" || !strings.Contains(strings.Join(crash.Output, "\n"), "dying with ***") {
		t.Errorf("crash report = %+v, want its last words without the secret", crash)
	}
	if entries[0].State != StateReady {
		t.Errorf("state = %s", entries[0].State)
	}
}

// TestProcessGoneBeforeTheCall repeats what certainly did nothing.
func TestProcessGoneBeforeTheCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid, _ := strconv.Atoi(ask(t, c, "x"))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Target().Create(t.Context(), sdk.CreateRequest{}); err != nil || a.ID != "new" {
		// The kill may be seen only after the request was sent: then, and only
		// then, nobody knows.
		if sdk.KindOf(err) != sdk.KindOutcomeUnknown {
			t.Errorf("Create = %+v, %v", a, err)
		}
	}
	ask(t, c, "x")
}

// TestForgottenInstance is configured again by the call that finds it missing.
func TestForgottenInstance(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	pid := ask(t, c, "x")
	proc, err := c.program.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proc.leave()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := proc.wire.Release(ctx, c.instance); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Target().Create(t.Context(), sdk.CreateRequest{}); err != nil || a.ID != "new" {
		t.Errorf("Create = %+v, %v", a, err)
	}
	if again := ask(t, c, "x"); again != pid {
		t.Error("another process was started for want of a configuration")
	}
}

// TestLibraryIsConfiguredSafely names what a change of a line would open again.
//
// It is traps 2, 19, 25 and 26 of docs/connector-traps.md.
func TestLibraryIsConfiguredSafely(t *testing.T) {
	c := clientConfig(Options{StartTimeout: time.Second}, nil, "")
	if !c.AutoMTLS || !c.SkipHostEnv || c.Managed || len(c.AllowedProtocols) != 1 || c.AllowedProtocols[0] != plugin.ProtocolGRPC || c.StartTimeout != time.Second {
		t.Errorf("client configuration: %+v", c)
	}
}

// TestLibraryPanic is an error of the start, not the end of the host.
//
// It is trap 2 of docs/connector-traps.md.
func TestLibraryPanic(t *testing.T) {
	p := process{client: plugin.NewClient(&plugin.ClientConfig{
		Logger: hclog.NewNullLogger(),
		RunnerFunc: func(hclog.Logger, *exec.Cmd, string) (pluginrunner.Runner, error) {
			panic("nil dereference")
		},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: t.TempDir()},
	})}
	if err := p.dial(t.Context()); err == nil || !strings.Contains(err.Error(), "nil dereference") {
		t.Errorf("dial = %v, want the panic as an error", err)
	}
}

// TestRepeatedCrashes end in quarantine, which says when to come back.
func TestRepeatedCrashes(t *testing.T) {
	clock := newClock()
	b := newBench(t, func(o *Options) { o.Now = clock.now }, "broken")
	var err error
	for range maxFailures + 1 {
		_, err = b.Open(t.Context(), target("broken"))
		clock.advance(40 * time.Second) // past any pause
	}
	if !errors.Is(err, ErrStart) {
		t.Errorf("Open = %v", err)
	}
	began := time.Now()
	_, err = b.Open(t.Context(), target("broken"))
	if e := sdk.AsError(err); !errors.Is(err, ErrQuarantined) || e.RetryAfter <= 0 || e.RetryAfter > quarantinePause {
		t.Errorf("Open in quarantine = %v, retry after %v", err, sdk.AsError(err).RetryAfter)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("quarantine answered after %v", took)
	}
}

// TestSecretsDoNotComeBack covers every text a connector can send.
func TestSecretsDoNotComeBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	_, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: "leak"})
	e := sdk.AsError(err)
	if e == nil || e.Kind != sdk.KindUnauthorized || !strings.HasPrefix(e.Message, "refused: *** and Basic ") || strings.Contains(e.Message, base64Middle()) {
		t.Errorf("Lookup = %v", err)
	}
	if e.Field != "token" {
		t.Errorf("Field = %q: a name is no secret", e.Field)
	}
	steps, err := c.Checker().Check(t.Context())
	if err != nil || len(steps) != 1 || steps[0].Detail != "tried ***" || steps[0].Fix != "not ***" {
		t.Errorf("Check = %+v, %v", steps, err)
	}
	if strings.Contains(b.log.String(), "s3cret") {
		t.Errorf("a secret is in the log:\n%s", b.log)
	}
}

// TestOutOfProcessFolder shows that what a connector leaves is removed with it.
//
// It is traps 11 and 12 of docs/connector-traps.md.
func TestOutOfProcessFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "good")
	c := b.open(t, target("good"))
	ask(t, c, "x")
	root := b.Host.dir.Path()
	sockets, _ := filepath.Glob(filepath.Join(root, "plugin-dir*", "plugin*"))
	if len(sockets) == 0 {
		t.Fatalf("the socket is not in the private folder %s", root)
	}
	if info, err := os.Stat(filepath.Dir(sockets[0])); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder = %v, %v; want mode 0700", info.Mode(), err)
	}
	_ = die(t.Context(), c)
	b.log.await(t, "connector crashed") // logged after the folder was removed
	if left, _ := filepath.Glob(filepath.Join(root, "plugin-dir*")); len(left) != 0 {
		t.Errorf("a crashed process left %v", left)
	}
	if _, err := os.Stat(root); err != nil {
		t.Error(err)
	}
}
