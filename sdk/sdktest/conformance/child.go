package conformance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/anteroom-id/anteroom/sdk/wire"
)

// maxText is how much of what a process prints is kept.
const maxText = 4 << 20

// text collects what is printed. It may be used by many goroutines.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write never fails; beyond maxText it drops.
func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), max(0, maxText-t.b.Len()))])
	return len(p), nil
}

// String returns what was printed so far.
func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

var _ runner.Runner = (*child)(nil)

// child is a connector process with all its streams in the kit's hands. It
// implements the plugin library's runner: that sees the handshake and nothing
// else.
type child struct {
	command []string
	env     []string
	dir     string // its own, for its socket, home and temporary files

	stdout, stderr *text // what came on the real streams; the handshake is not in stdout
	handshake      io.ReadCloser
	exited         chan struct{}

	mu       sync.Mutex
	cmd      *exec.Cmd
	lifeline io.Closer
	failure  error // of Wait
}

// environment is what the child sees: nothing of this process's but what finds
// zones, certificates and proxies.
func environment(spec *exec.Cmd, cookie, dir string) []string {
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, wire.LifelineEnv + "=1",
	}
	for _, name := range []string{"TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, kv := range spec.Env {
		if name, _, _ := strings.Cut(kv, "="); name == cookie || strings.HasPrefix(name, "PLUGIN_") {
			env = append(env, kv)
		}
	}
	return env
}

// Start starts the process.
func (c *child) Start(context.Context) error {
	program, err := exec.LookPath(c.command[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return err
	}
	cmd := exec.Command(program, c.command[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stderr = c.stderr
	cmd.WaitDelay = 200 * time.Millisecond // a grandchild may hold the streams
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	shown, show := io.Pipe()
	cmd.Stdout = &handshakeFilter{child: c, show: show}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.mu.Lock()
	c.cmd, c.lifeline, c.handshake = cmd, stdin, shown
	c.mu.Unlock()
	go func() {
		err := cmd.Wait()
		c.mu.Lock()
		c.failure = err
		c.mu.Unlock()
		_ = show.Close()
		close(c.exited)
	}()
	return nil
}

var handshakePattern = regexp.MustCompile(`^\d+\|\d+\|[a-z]+\|[^|]+`)

// handshakeFilter parts the one handshake line from what else is printed.
type handshakeFilter struct {
	child *child
	show  *io.PipeWriter
	buf   []byte
	done  bool
}

// Write never fails.
func (f *handshakeFilter) Write(p []byte) (int, error) {
	if f.done {
		return f.child.stdout.Write(p)
	}
	f.buf = append(f.buf, p...)
	for !f.done {
		line, rest, found := bytes.Cut(f.buf, []byte("\n"))
		if !found {
			return len(p), nil
		}
		f.buf = rest
		if !handshakePattern.Match(line) {
			_, _ = f.child.stdout.Write(append(bytes.Clone(line), '\n'))
			continue
		}
		f.done = true
		go func() { _, _ = f.show.Write(append(bytes.Clone(line), '\n')); _ = f.show.Close() }()
	}
	_, _ = f.child.stdout.Write(f.buf)
	return len(p), nil
}

func (c *child) alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// exit says how the process ended, "" while it runs.
func (c *child) exit() string {
	if c.alive() {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd.ProcessState.String()
}

// lastWords is the end of what the process printed, for the error of a failed
// start.
func (c *child) lastWords() string {
	lines := strings.Split(strings.TrimSpace(c.stderr.String()), "\n")
	if tail := lines[max(0, len(lines)-3):]; tail[0] != "" {
		return "; it printed: " + strings.Join(tail, "; ")
	}
	return ""
}

// signal sends a signal, if the process runs.
func (c *child) signal(sig os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return errors.New("not started")
	}
	return c.cmd.Process.Signal(sig)
}

// dropLifeline closes this end of the child's standard input.
func (c *child) dropLifeline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.lifeline.Close()
}

// ends waits for the process to end by itself.
func (c *child) ends(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.exited:
		return true
	case <-timer.C:
		return false
	}
}

// Kill ends the process at once.
func (c *child) Kill(context.Context) error {
	c.mu.Lock()
	started := c.cmd != nil
	c.mu.Unlock()
	if !started {
		return nil
	}
	_ = c.signal(os.Kill)
	<-c.exited
	return nil
}

// Wait waits for the end of the process.
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stdout yields the handshake and ends.
func (c *child) Stdout() io.ReadCloser { return c.handshake }

// Stderr is empty: the library's parser of log lines panics on some.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the program.
func (c *child) Name() string { return filepath.Base(c.command[0]) }

// ID is the process id.
func (c *child) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return ""
	}
	return strconv.Itoa(c.cmd.Process.Pid)
}

// Diagnose says what the process printed.
func (c *child) Diagnose(context.Context) string { return c.lastWords() }

// PluginToHost lets the kit connect to unix sockets alone.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" {
		return "", "", fmt.Errorf("the connector listens on %q, want a unix socket", network)
	}
	return network, address, nil
}

// HostToPlugin returns the address as it is.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// rss reads the resident memory of the process in bytes, from Linux's /proc.
func (c *child) rss() (int64, error) {
	f, err := os.Open(filepath.Join("/proc", c.ID(), "status"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS in the process's status")
}
