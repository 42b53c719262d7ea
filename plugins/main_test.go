package plugins

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/sandbox"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/serve"
)

// patience bounds what a test waits for before it fails.
const patience = 30 * time.Second

// TestMain lets the test binary be a connector, good or bad, as the name it was
// started under says.
func TestMain(m *testing.M) {
	sandbox.Main(os.Args)
	if mode, ok := strings.CutPrefix(filepath.Base(os.Args[0]), catalog.Prefix); ok {
		runChild(versionMode(mode))
		os.Exit(0)
	}
	if os.Args[0] == "grandchild" {
		<-time.After(patience)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// long marks a test with foreign programs, or one that takes seconds: it is part of
// make test, where CI is true.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("a long test: make test runs it")
	}
}

// versionMark, at the end of a binary, says how this version behaves: versions of
// one name are otherwise the same program.
const versionMark = "#version:"

func versionMode(name string) string {
	end := make([]byte, 32)
	if err := readEnd("/proc/self/exe", end); err != nil {
		panic(err)
	}
	if _, mode, ok := strings.Cut(string(end), versionMark); ok {
		return mode
	}
	return name
}

// readEnd fills buf with the last bytes of the file.
func readEnd(path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.ReadAt(buf, info.Size()-int64(len(buf)))
	return err
}

func runChild(mode string) {
	switch mode {
	case "good", "other":
		serve.Connector(goodConnector(mode))
	case "v2", "v3":
		serve.Connector(sdk.Define("good", strings.TrimPrefix(mode, "v")+".0.0", func(_ context.Context, c goodConfig) (*goodTarget, error) {
			return &goodTarget{config: c}, nil
		}))
	case "strict":
		serve.Connector(sdk.Define("good", "9.0.0", func(_ context.Context, c goodConfig) (*goodTarget, error) {
			return nil, &sdk.Error{Kind: sdk.KindInvalid, Field: "tenant", Message: "is required with " + c.Token.Reveal()}
		}))
	case "offline": // its target is away
		serve.Connector(sdk.Define("good", "9.0.0", func(context.Context, goodConfig) (*goodTarget, error) {
			return nil, &sdk.Error{Kind: sdk.KindUnauthorized, Message: "the target is away"}
		}))
	case "plaingrpc":
		servePlain()
	case "lean":
		serve.Connector(sdk.Define("lean", "1.0.0", func(context.Context, goodConfig) (leanTarget, error) { return leanTarget{}, nil }))
	case "noisy":
		fmt.Println(strings.Repeat("x", 100<<10))
		fmt.Println("1|1|not the handshake")
		for range 3 {
			fmt.Fprintln(os.Stderr, `{"@level":30,"@message":1,"@timestamp":{}}`)
		}
		serve.Connector(goodConnector(mode))
	case "docker":
		handshake("unix|/var/run/docker.sock|grpc|")
	case "tcp":
		handshake("tcp|127.0.0.1:1|grpc|")
	case "netrpc":
		handshake("unix|" + listen() + "|netrpc|")
	case "badcert":
		handshake("unix|" + listen() + "|grpc|" + strings.Repeat("QUJD", 20))
	case "plain": // listens, and never says anything TLS
		handshake("unix|" + listen() + "|grpc|")
	case "version":
		fmt.Printf("1|99|unix|%s|grpc|\n", listen())
		select {}
	case "silent":
		select {}
	case "frozen":
		fmt.Printf("1|1|unix|%s|grpc|\n", listen())
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {}
	case "broken":
		fmt.Fprintln(os.Stderr, "cannot find my libraries")
		os.Exit(4)
	}
}

func listen() string {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "sock")
	if _, err := net.Listen("unix", path); err != nil {
		panic(err)
	}
	return path
}

func handshake(rest string) {
	fmt.Printf("1|1|%s\n", rest)
	select {}
}

type goodConfig struct {
	Token sdk.Secret `config:"token"`
	Fail  bool       `config:"fail"`
	URL   string     `config:"base_url"`
}

func goodConnector(name string) sdk.Connector {
	return sdk.Define(name, "1.2.3", func(_ context.Context, c goodConfig) (*goodTarget, error) {
		if c.Fail {
			return nil, &sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Field: "fail", Message: "refused with " + c.Token.Reveal()}
		}
		return &goodTarget{config: c}, nil
	})
}

// leanTarget has the required verbs only.
type leanTarget struct{}

func (leanTarget) Lookup(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return nil, nil }
func (leanTarget) Create(context.Context, sdk.CreateRequest) (sdk.Account, error) {
	return sdk.Account{ID: "1"}, nil
}
func (leanTarget) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{ID: "1"}, nil
}

// goodTarget does what it is told.
type goodTarget struct{ config goodConfig }

// Lookup answers with the process that was asked, or as req.Value says.
func (g *goodTarget) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if address, ok := strings.CutPrefix(req.Value, "dial "); ok {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return nil, &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: err.Error()}
		}
		return []sdk.Account{{ID: fmt.Sprint(os.Getpid())}}, c.Close()
	}
	switch req.Value {
	case "environ":
		return []sdk.Account{{ID: strings.Join(os.Environ(), "\n")}}, nil
	case "huge":
		return []sdk.Account{{ID: strings.Repeat("x", 300<<20)}}, nil
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "leak":
		token := g.config.Token.Reveal()
		return nil, &sdk.Error{Kind: sdk.KindUnauthorized, Effect: sdk.EffectNone, Field: "token",
			Message: "refused: " + token + " and Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+token))}
	case "print":
		fmt.Fprintln(os.Stderr, "sending token", g.config.Token.Reveal())
		fmt.Println("sending token to stdout", g.config.Token.Reveal())
	case "log":
		sdk.Logger(ctx).Warn("signed in", "with", g.config.Token.Reveal(), "connector", "another")
		return []sdk.Account{{ID: sdk.TraceOf(ctx).Parent}}, nil
	case "fork":
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"grandchild"}, Stderr: os.Stderr,
			SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return []sdk.Account{{ID: fmt.Sprint(cmd.Process.Pid)}}, nil
	}
	return []sdk.Account{{ID: fmt.Sprint(os.Getpid())}}, nil
}

// Create dies in the middle of it if told so.
func (g *goodTarget) Create(_ context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	if req.Attributes.String("die") != "" {
		fmt.Fprintln(os.Stderr, "dying with", g.config.Token.Reveal())
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	if req.Attributes.String("wait") != "" {
		return sdk.Account{}, sdk.Pending(time.Minute, "Ask for "+g.config.Token.Reveal())
	}
	return sdk.Account{ID: "new"}, nil
}

func (g *goodTarget) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{ID: "updated"}, nil
}

func (g *goodTarget) Get(_ context.Context, req sdk.GetRequest) (sdk.Account, error) {
	return sdk.Account{ID: req.ID}, nil
}

func (g *goodTarget) SetActive(_ context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return sdk.Account{ID: req.ID, Active: &req.Active}, nil
}

func (g *goodTarget) Delete(context.Context, sdk.DeleteRequest) error { return nil }

func (g *goodTarget) SetGroups(context.Context, sdk.SetGroupsRequest) error { return nil }

func (g *goodTarget) List(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return func(yield func(sdk.Account, error) bool) {
		for i := range 3 {
			if !yield(sdk.Account{ID: fmt.Sprint(i)}, nil) {
				return
			}
		}
		yield(sdk.Account{}, &sdk.Error{Kind: sdk.KindForbidden, Message: "no more with " + g.config.Token.Reveal()})
	}
}

func (g *goodTarget) Check(context.Context) ([]sdk.CheckStep, error) {
	return []sdk.CheckStep{{Name: "credentials", Status: sdk.CheckFailed, Detail: "tried " + g.config.Token.Reveal(), Fix: "not " + g.config.Token.Reveal()}}, nil
}

// fakePins is an in-memory store of pins.
type fakePins struct {
	mu   sync.Mutex
	pins map[string]Pin
	err  error
}

func (f *fakePins) Pin(_ context.Context, name string) (Pin, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return Pin{}, f.err
	}
	pin, ok := f.pins[name]
	if !ok {
		return Pin{}, ErrNotPinned
	}
	return pin, nil
}

func (f *fakePins) withdraw(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pins, name)
}

func (f *fakePins) set(p Pin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pins[p.Name] = p
}

// bench is a started host over a folder of connectors, all pinned.
type bench struct {
	*Host
	dir, runtime string
	pins         *fakePins
	log          *logText
}

func newBench(t testing.TB, change func(*Options), connectors ...string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), pins: &fakePins{pins: map[string]Pin{}}, log: &logText{}}
	runtime, err := os.MkdirTemp("", "h") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	b.runtime = runtime
	for _, name := range connectors {
		b.install(t, name)
		b.pins.set(Pin{Name: name, Digest: digestOf(t, b.file(name))})
	}
	opts := Options{
		Dir: b.dir, Pins: b.pins, RuntimeDir: runtime, Now: time.Now, StartTimeout: patience,
		Logger:    slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Environ:   []string{"DATABASE_URL=postgres://canary@db"},
		Isolation: IsolationOptions{Launcher: "/proc/self/exe"},
	}
	if change != nil {
		change(&opts)
	}
	if b.Host, err = New(opts); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.shut(t) })
	return b
}

// shut stops the host and shows that it leaves nothing behind.
func (b *bench) shut(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	left, err := os.ReadDir(b.runtime)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if len(left) != 0 {
		t.Errorf("the host left %v in its runtime folder", left)
	}
	_ = os.RemoveAll(b.runtime)
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, catalog.Prefix+name) }

// install puts the test binary into the folder under the connector's name.
func (b *bench) install(t testing.TB, name string) {
	t.Helper()
	if err := os.Link(executable(t), b.file(name)); err != nil {
		b.installChanged(t, name, "")
	}
}

// installChanged installs a binary with another digest that behaves the same.
func (b *bench) installChanged(t testing.TB, name, suffix string) {
	t.Helper()
	program, err := os.ReadFile(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(b.file(name))
	if err := os.WriteFile(b.file(name), append(program, suffix...), 0o755); err != nil {
		t.Fatal(err)
	}
}

func executable(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func digestOf(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

const token = "s3cret/tok+en value"

func target(connector string) InstanceConfig {
	return InstanceConfig{Instance: "directory", Generation: 1, Connector: connector,
		Config: sdk.RawConfig{Values: []byte(`{}`), Secrets: map[string]sdk.Secret{"token": token}}}
}

func (b *bench) open(t testing.TB, cfg InstanceConfig) *Conn {
	t.Helper()
	c, err := b.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// ask makes a harmless call and returns the pid of the process that answered.
func ask(t testing.TB, c *Conn, value string) string {
	t.Helper()
	accounts, err := c.Target().Lookup(t.Context(), sdk.LookupRequest{Key: "id", Value: value})
	if err != nil {
		t.Fatalf("Lookup %s: %v", value, err)
	}
	return accounts[0].ID
}

// die makes the process end in the middle of a write.
func die(ctx context.Context, c *Conn) error {
	_, err := c.Target().Create(ctx, sdk.CreateRequest{Attributes: sdk.Attributes{"die": "now"}})
	return err
}

// logText is where a host's log goes; a test can wait for a text in it.
type logText struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed and renewed by every write
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.buf.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logText) await(t testing.TB, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		if l.more == nil {
			l.more = make(chan struct{})
		}
		found, more := strings.Contains(l.buf.String(), text), l.more
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no %q in the log:\n%s", text, l)
		}
	}
}

// reset forgets what was logged.
func (l *logText) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = bytes.Buffer{}
}

func (l *logText) has(text string) bool { return strings.Contains(l.String(), text) }
