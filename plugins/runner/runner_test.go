package runner

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEnvironmentIsClean is trap 8 of docs/connector-traps.md.
func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("ANTEROOM_SECRETS_KEY", "canary-7f3a")
	r, rec := start(t, "env")
	handshakeOf(t, r)
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, r.Drained(), "drained")

	out := strings.Join(r.cfg.Log.Tail(), "\n")
	if strings.Contains(out+rec.String(), "canary-7f3a") {
		t.Errorf("a variable of the host reached the child:\n%s", out)
	}
	var names []string
	for _, line := range r.cfg.Log.Tail() {
		if name, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "cwd") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	want := []string{"ANTEROOM_LIFELINE", "HOME", "PATH", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "TEST_COOKIE", "TMPDIR", "TZ", "https_proxy"}
	if !slices.Equal(names, want) {
		t.Errorf("child sees the variables %v, want %v", names, want)
	}
	for _, want := range []string{"cwd " + homeIn(r.dir), "HOME=" + homeIn(r.dir), "TMPDIR=" + tempIn(r.dir), searchPath} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("child does not see %q in:\n%s", want, out)
		}
	}
}

// TestFloodOnStdoutDoesNotBlockTheChild is trap 14 of docs/connector-traps.md.
func TestFloodOnStdoutDoesNotBlockTheChild(t *testing.T) {
	r, rec := start(t, "flood")
	if line := handshakeOf(t, r); !strings.HasPrefix(line, "1|1|unix|") || strings.Count(line, "\n") != 1 {
		t.Errorf("handshake = %q, want the one line, without what was printed before", line)
	}
	await(t, r.Drained(), "drained: the child blocks on its output")
	if got := r.Exit(); got != "exit status 0" {
		t.Errorf("Exit = %q, want a child that came to its end", got)
	}
	log := rec.String()
	if !strings.Contains(log, "hello from some package's init") {
		t.Error("what was printed before the handshake was lost")
	}
	if !strings.Contains(log, "connector output dropped") {
		t.Error("10,000 lines at once were not limited")
	}
	if tail := r.cfg.Log.Tail(); len(tail) != tailLines {
		t.Errorf("tail holds %d lines, want the last %d", len(tail), tailLines)
	}
}

// TestNumericLevelOnStderr is the line that panics the plugin library's parser.
//
// It is trap 1 of docs/connector-traps.md.
func TestNumericLevelOnStderr(t *testing.T) {
	r, rec := start(t, "crash")
	if b, _ := bufio.NewReader(r.Stderr()).Peek(1); len(b) != 0 {
		t.Error("the library is shown the child's stderr")
	}
	await(t, r.Drained(), "drained")
	log := rec.String() + strings.Join(r.cfg.Log.Tail(), "\n") + r.Diagnose(t.Context())
	if !strings.Contains(log, `{\"@level\":30}`) {
		t.Errorf("the line is not in the log:\n%s", log)
	}
	if !strings.Contains(log, "panic: the token is ***") || strings.Contains(log, "hunter2") {
		t.Errorf("the crash is not reported, or with its secret:\n%s", log)
	}
	if got := r.Exit(); got != "exit status 2" {
		t.Errorf("Exit = %q, want the panic's status", got)
	}
	if line := handshakeOf(t, r); line != "" {
		t.Errorf("handshake = %q from a child that made none", line)
	}
}

// TestKill is trap 3 of docs/connector-traps.md.
func TestKill(t *testing.T) {
	cases := []struct {
		mode, exit string
		stop       bool
		grace      time.Duration
	}{
		{mode: "idle", exit: "signal: terminated", grace: patience},
		{mode: "lifeline", exit: "exit status 0", grace: patience}, // ignores TERM, sees its stdin end
		{mode: "stubborn", exit: "signal: killed"},
		{mode: "idle", exit: "signal: killed", stop: true},
	}
	for _, c := range cases {
		t.Run(c.mode+strconv.FormatBool(c.stop), func(t *testing.T) {
			r, _ := start(t, c.mode)
			handshakeOf(t, r)
			if c.stop {
				pid, _ := strconv.Atoi(r.ID())
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			if c.grace > 0 {
				r.cfg.Grace = c.grace // so that a slow machine's child is not killed
			}
			began := time.Now()
			if err := r.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > r.cfg.Grace+killWait {
				t.Errorf("Kill took %v", took)
			}
			if err := r.Wait(t.Context()); err != nil {
				t.Errorf("Wait: %v", err)
			}
			if got := r.Exit(); got != c.exit {
				t.Errorf("Exit = %q, want %q", got, c.exit)
			}
			if err := r.Kill(t.Context()); err != nil {
				t.Errorf("second Kill: %v", err)
			}
			await(t, r.Drained(), "drained")
			if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the child's folder is still there: %v", err)
			}
		})
	}
}

func TestKillWithoutGrace(t *testing.T) {
	r, _ := start(t, "stubborn")
	handshakeOf(t, r)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait of a running process = %v, want its context's error", err)
	}
	began := time.Now()
	if err := r.Kill(done); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > defaultGrace/2 {
		t.Errorf("Kill with an ended context took %v, want no grace", took)
	}
}

func TestKillBeforeStart(t *testing.T) {
	r := newRunner(t, "stubborn", shortDir(t), discard())
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, r.Drained(), "drained")
	if got := r.Exit(); got != "signal: killed" {
		t.Errorf("Exit = %q, want the kill that came first to count", got)
	}
}

// TestGrandchildHoldingOutputDoesNotHideTheExit is trap 5 of docs/connector-traps.md.
func TestGrandchildHoldingOutputDoesNotHideTheExit(t *testing.T) {
	r, _ := start(t, "parent")
	await(t, r.Exited(), "exited")
	began := time.Now()
	await(t, r.Drained(), "drained")
	if took := time.Since(began); took > 10*drainWait {
		t.Errorf("output was drained after %v, want about %v", took, drainWait)
	}
	grandchild := pidFrom(t, strings.Join(r.cfg.Log.Tail(), "\n"), "grandchild")
	if err := syscall.Kill(grandchild, syscall.SIGKILL); err != nil {
		t.Errorf("the grandchild was to hold the output all the time: %v", err)
	}
}

// TestStartFails is trap 12 of docs/connector-traps.md.
func TestStartFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(path, []byte("not a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := withImage(readImage(t, path), "garbage", shortDir(t), discard())
	if err := r.Start(t.Context()); !errors.Is(err, syscall.ENOEXEC) {
		t.Errorf("Start = %v, want exec format error", err)
	}
	if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a failed start is still there: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newRunner(t, "idle", shortDir(t), discard()).Start(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context = %v", err)
	}
}

// TestPluginToHost is trap 9 of docs/connector-traps.md.
func TestPluginToHost(t *testing.T) {
	dir := shortDir(t)
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	outside := filepath.Join(shortDir(t), "s")
	other, err := net.Listen("unix", outside)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	r := New(&exec.Cmd{}, dir, Config{})
	if network, addr, err := r.PluginToHost("unix", filepath.Join(dir, "s")); err != nil || network != "unix" || addr != filepath.Join(dir, "s") {
		t.Errorf("own socket = %q %q, %v", network, addr, err)
	}
	refused := [][2]string{
		{"tcp", "127.0.0.1:2375"},
		{"unix", "/var/run/docker.sock"},
		{"unix", outside},
		{"unix", dir + "/../" + filepath.Base(filepath.Dir(outside)) + "/s"},
		{"unix", filepath.Join(dir, "link")},
		{"unix", filepath.Join(dir, "absent")},
		{"unix", "s"},
		{"unix", "@abstract"},
	}
	for _, a := range refused {
		if _, addr, err := r.PluginToHost(a[0], a[1]); err == nil {
			t.Errorf("PluginToHost(%s, %s) = %q, want it refused", a[0], a[1], addr)
		}
	}
}

// TestStandardInputIsALifeline is trap 7: a child's standard input is a pipe of
// its own, never the host's.
func TestStandardInputIsALifeline(t *testing.T) {
	own, err := os.Readlink("/proc/self/fd/0")
	if err != nil {
		t.Fatal(err)
	}
	r, _ := start(t, "env")
	handshakeOf(t, r)
	r.mu.Lock()
	lifeline, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(r.lifeline.Fd())))
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, r.Drained(), "drained")
	out := strings.Join(r.cfg.Log.Tail(), "\n")
	if lifeline == own || !strings.HasPrefix(lifeline, "pipe:") || !strings.Contains(out, "stdin "+lifeline+"\n") {
		t.Errorf("the host's is %s, the life line %s, and the child has:\n%s", own, lifeline, out)
	}
}
