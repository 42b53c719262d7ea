package runner

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

// patience bounds what a test waits for before it fails.
const patience = 10 * time.Second

// TestMain lets the test binary be the child: it behaves as the name it was
// started under says.
func TestMain(m *testing.M) {
	sandbox.Main(os.Args)
	if child, ok := children()[filepath.Base(os.Args[0])]; ok {
		child()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func children() map[string]func() {
	return map[string]func(){
		"env":        childEnv,
		"idle":       childIdle,
		"stubborn":   childStubborn,
		"lifeline":   childLifeline,
		"flood":      childFlood,
		"crash":      childCrash,
		"parent":     childParent,
		"grandchild": childGrandchild,
		"host":       childHost,
		"hostile":    childHostile,
		"forkbomb":   childForkBomb,
		"abort":      childAbort,
	}
}

func shake() {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "sock")
	if _, err := net.Listen("unix", path); err != nil {
		panic(err)
	}
	fmt.Printf("1|1|unix|%s|grpc|\n", path)
}

func childEnv() {
	cwd, _ := os.Getwd()
	fmt.Fprintln(os.Stderr, "cwd "+cwd)
	stdin, _ := os.Readlink("/proc/self/fd/0")
	fmt.Fprintln(os.Stderr, "stdin "+stdin)
	for _, kv := range os.Environ() {
		fmt.Fprintln(os.Stderr, kv)
	}
	shake()
	childIdle()
}

func childIdle() {
	shake()
	signal.Ignore(syscall.SIGHUP)
	select {}
}

func childStubborn() {
	signal.Ignore(syscall.SIGTERM)
	shake()
	select {}
}

func childLifeline() {
	signal.Ignore(syscall.SIGTERM)
	shake()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func childFlood() {
	fmt.Println("hello from some package's init")
	long := strings.Repeat("x", 100<<10)
	fmt.Println(long)
	shake()
	for range 20 {
		fmt.Println(long)
	}
	for i := range 5000 {
		fmt.Println("line", i)
		fmt.Fprintln(os.Stderr, "line", i)
	}
}

func childCrash() {
	fmt.Fprintln(os.Stderr, `{"@level":30}`)
	fmt.Fprintln(os.Stderr, `{"@message":1,"@timestamp":[]}`)
	panic("the token is hunter2-hunter2")
}

// childParent leaves a grandchild in a group of its own that holds the pipes.
func childParent() {
	shake()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{"grandchild"},
		Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "grandchild", cmd.Process.Pid)
}

func childGrandchild() {
	<-time.After(patience)
}

// childHost is a host of its own, with a child that ignores its life line.
func childHost() {
	r := newRunner(fataler{}, os.Getenv("HOST_CHILD"), os.Getenv("HOST_DIR"), NewLog(slog.New(slog.DiscardHandler), keep, time.Now))
	if os.Getenv("HOST_CONFINES") != "" {
		r.cfg.Confine = &Confinement{Launcher: "/proc/self/exe", Policy: sandbox.Default()}
	}
	if err := r.Start(context.Background()); err != nil {
		panic(err)
	}
	if _, err := bufio.NewReader(r.Stdout()).ReadString('\n'); err != nil {
		panic(err)
	}
	fmt.Println(r.ID())
	select {}
}

type fataler struct{}

func (fataler) Helper()                   {}
func (fataler) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (fataler) Cleanup(func())            {}

type testingT interface {
	Helper()
	Fatalf(string, ...any)
	Cleanup(func())
}

func keep(s string) string { return s }

func self(t testingT) *Image {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test binary: %v", err)
	}
	return readImage(t, exe)
}

func readImage(t testingT, path string) *Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("open image: %v", err)
	}
	defer f.Close()
	img, err := ReadImage(f, filepath.Dir(path))
	if err != nil {
		t.Fatalf("ReadImage: %v", err)
	}
	t.Cleanup(func() { _ = img.Close() })
	return img
}

func newRunner(t testingT, mode, dir string, log *Log) *Runner {
	t.Helper()
	return withImage(self(t), mode, dir, log)
}

func withImage(img *Image, mode, dir string, log *Log) *Runner {
	spec := &exec.Cmd{Env: []string{
		"TEST_COOKIE=crumbs", "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir, "LEAKED_BY_LIBRARY=canary-7f3a",
	}}
	return New(spec, dir, Config{
		Name: mode, Image: img, Cookie: "TEST_COOKIE", Log: log,
		Environ: []string{"DATABASE_URL=postgres://canary-7f3a@db", "TZ=Europe/Zurich", "https_proxy=http://proxy:3128", "PATH=/evil"},
	})
}

// start runs a child of the test binary until the test ends.
func start(t *testing.T, mode string) (*Runner, *records) {
	t.Helper()
	rec := &records{}
	r := newRunner(t, mode, shortDir(t), NewLog(slog.New(rec), redactToken, time.Now))
	if err := r.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		done, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.Kill(done); err != nil {
			t.Error(err)
		}
		await(t, r.Drained(), "drained")
	})
	return r, rec
}

func redactToken(s string) string { return strings.ReplaceAll(s, "hunter2-hunter2", "***") }

// shortDir returns a folder short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func handshakeOf(t *testing.T, r *Runner) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r.Stdout())
		got <- string(b)
	}()
	select {
	case line := <-got:
		return line
	case <-time.After(patience):
		t.Fatal("no handshake")
		return ""
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("not %s after %v", what, patience)
	}
}

// records is a slog.Handler that keeps what was logged as text.
type records struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (h *records) Enabled(context.Context, slog.Level) bool { return true }
func (h *records) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *records) WithGroup(string) slog.Handler            { return h }
func (h *records) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slog.NewTextHandler(&h.buf, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(ctx, r)
}

func (h *records) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

func pidFrom(t *testing.T, text, label string) int {
	t.Helper()
	_, after, ok := strings.Cut(text, label)
	if !ok {
		t.Fatalf("no %q in:\n%s", label, text)
	}
	digits := strings.TrimLeft(after, " ")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	pid, err := strconv.Atoi(digits[:end])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
