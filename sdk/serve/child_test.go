package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// childEnv makes the test binary run as a connector, whether or not a host
// starts it.
const childEnv = "SERVE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		Connector(sdk.Define("noisy", "1.2.3", openNoisy, sdk.DisplayName("Noisy Directory"),
			sdk.WithAttributes(sdk.Attribute{Name: "login", Required: true, Correlate: 1, Help: "What they type."})))
	}
	os.Exit(m.Run())
}

type noisyConfig struct {
	URL   string     `config:"url,required" help:"Where it is."`
	Auth  string     `config:"auth" enum:"basic,bearer" default:"basic"`
	Token sdk.Secret `config:"token"`
}

// noisy prints wherever a program can print.
type noisy struct{}

func openNoisy(context.Context, noisyConfig) (*noisy, error) { return &noisy{}, nil }

func (*noisy) Lookup(ctx context.Context, _ sdk.LookupRequest) ([]sdk.Account, error) {
	sdk.Logger(ctx).Warn("a record", "token", sdk.Secret("hunter2"))
	slog.Info("a record of slog", "of", "slog")
	log.Print("a line of log")
	fmt.Println("noise on os.Stdout")
	fmt.Fprintln(os.Stderr, "noise on os.Stderr")
	_, err := syscall.Write(1, []byte("noise on descriptor 1\n"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", "echo noise of a child")
	cmd.Stdout = os.Stdout
	return nil, cmd.Run()
}

// Create ends after the process was asked to stop.
func (*noisy) Create(ctx context.Context, _ sdk.CreateRequest) (sdk.Account, error) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "create entered")
	select {
	case <-asked:
		return sdk.Account{ID: "made"}, nil
	case <-ctx.Done():
		return sdk.Account{}, ctx.Err()
	}
}

// Update goes on until it is cancelled.
func (*noisy) Update(ctx context.Context, _ sdk.UpdateRequest) (sdk.Account, error) {
	fmt.Fprintln(os.Stderr, "update entered")
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, "update cancelled")
	return sdk.Account{}, ctx.Err()
}

func (*noisy) Close() error {
	fmt.Fprintln(os.Stderr, "target closed")
	return nil
}

// child is a connector process with every stream in the test's hands.
type child struct {
	*wire.Client
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout chan string // everything after the handshake, once the process has ended
	stderr *watched
	socket string
}

// startChild starts the connector as a host does, but without go-plugin's
// client, and reads the handshake.
func startChild(t *testing.T, env ...string) *child {
	t.Helper()
	h := wire.Handshake()
	c := &child{stdout: make(chan string, 1), stderr: newWatched()}
	c.cmd = self(t, nil, append(env, h.MagicCookieKey+"="+h.MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "TMPDIR="+t.TempDir())...)
	c.cmd.Stderr = c.stderr
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	parts := strings.Split(strings.TrimSpace(line), "|")
	if err != nil || len(parts) != 6 || parts[0] != "1" || parts[1] != "1" || parts[2] != "unix" || parts[4] != "grpc" {
		t.Fatalf("handshake %q, %v; stderr: %s", line, err, c.stderr)
	}
	go func() {
		rest, _ := io.ReadAll(lines)
		c.stdout <- string(rest)
	}()
	c.socket = parts[3]
	cc, err := grpc.NewClient("unix:"+c.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	c.Client = wire.NewClient(cc)
	return c
}

// self is this test binary as a connector.
func self(t *testing.T, args []string, env ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(env, childEnv+"=1")
	return cmd
}

// configured returns the verbs of a fresh instance.
func (c *child) configured(t *testing.T) *wire.Remote {
	t.Helper()
	in := wire.Instance{ID: "one", Generation: 1}
	if err := c.Configure(soon(t), in, sdk.RawConfig{Values: []byte(`{"url":"u"}`)}); err != nil {
		t.Fatal(err)
	}
	return c.Remote(in)
}

// checkEnds waits for the process to end by itself with exit code 0, its socket
// removed, and returns what it wrote on its real standard output.
func (c *child) checkEnds(t *testing.T) string {
	t.Helper()
	rest := <-c.stdout // ends with the process, and Wait closes the pipe
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v; stderr: %s", err, c.stderr)
	}
	if _, err := os.Stat(c.socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
	return rest
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// watched is a buffer one can wait for.
type watched struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func newWatched() *watched { return &watched{changed: make(chan struct{}, 1)} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// waitFor waits until the text was written.
func (w *watched) waitFor(t *testing.T, text string) {
	t.Helper()
	ctx := soon(t)
	for !strings.Contains(w.String(), text) {
		select {
		case <-w.changed:
		case <-ctx.Done():
			t.Fatalf("%q was never written; there is: %s", text, w)
		}
	}
}
