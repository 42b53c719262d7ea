//go:build unix

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

const (
	defaultGrace = 500 * time.Millisecond
	// killWait is how long the kernel gets to end a killed process.
	killWait = 2 * time.Second
	// drainWait is how long output may come after the exit: a grandchild can hold
	// the pipes for ever.
	drainWait = 200 * time.Millisecond
	// diagnoseLines is how much of the tail a failed start shows.
	diagnoseLines = 5
)

var _ runner.Runner = (*Runner)(nil)

// Config says what to run and how.
type Config struct {
	Name    string        // the program's name: its argv[0]
	Image   *Image        // kept open by the caller while the process may start
	Cookie  string        // name of the variable that holds the handshake's cookie
	Environ []string      // the host's environment; an allow-listed part is passed on
	Log     *Log          // takes everything the child prints
	Grace   time.Duration // between asking and killing; 0 means 500 ms
	Confine *Confinement  // nil runs the program as it is
}

// Runner runs one child process, once. It implements the plugin library's
// interface, whose Stdout carries the handshake line and nothing else, and whose
// Stderr is empty: the library's parser of a child's log lines panics on some.
type Runner struct {
	cfg Config
	dir string
	env []string

	handshake handshake
	exited    chan struct{} // closed when the process was reaped
	drained   chan struct{} // closed when its output has ended and its folder is gone

	mu       sync.Mutex
	cmd      *exec.Cmd // nil before Start
	level    sandbox.Level
	killed   bool
	reaped   bool
	lifeline *os.File
}

// New prepares to run a program with the variables of spec that belong to the
// plugin library. dir is the process's own private folder, which holds its
// socket and is removed after its end.
func New(spec *exec.Cmd, dir string, cfg Config) *Runner {
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	return &Runner{
		cfg: cfg, dir: dir, env: environment(cfg.Environ, spec, cfg.Cookie, dir),
		handshake: handshake{ready: make(chan struct{})},
		exited:    make(chan struct{}), drained: make(chan struct{}),
	}
}

// Start starts the process. Cancelling ctx afterwards has no effect on it.
func (r *Runner) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start connector: %w", err)
	}
	if err := r.makeFolders(); err != nil {
		return errors.Join(fmt.Errorf("start connector: %w", err), os.RemoveAll(r.dir))
	}
	p, err := openPipes()
	if err != nil {
		return fmt.Errorf("start connector: %w", err)
	}
	if err := r.launch(p); err != nil {
		err = fmt.Errorf("start connector: %w", err)
		if r.ID() != "" { // the launcher ran: its end clears up
			return err
		}
		p.close()
		return errors.Join(err, os.RemoveAll(r.dir))
	}
	return nil
}

// launch starts the program, directly or by way of the launcher.
func (r *Runner) launch(p *pipes) error {
	if r.cfg.Confine != nil {
		return r.launchConfined(p)
	}
	path, release, err := r.cfg.Image.open(p.highest())
	if err != nil {
		return err
	}
	defer release()
	started := make(chan error)
	go r.supervise(r.command(path, []string{r.cfg.Name}, p), p, started)
	return <-started
}

func (r *Runner) command(path string, args []string, p *pipes) *exec.Cmd {
	return &exec.Cmd{
		Path: path, Args: args, Env: r.env, Dir: homeIn(r.dir),
		Stdin: p.stdin.child, Stdout: p.stdout.child, Stderr: p.stderr.child,
		SysProcAttr: attributes(),
	}
}

// supervise starts the process and stays with it to its end. The kernel counts
// the THREAD that started a child as its parent when it sends the parent-death
// signal, so the thread must live, and serve nothing else, as long.
func (r *Runner) supervise(cmd *exec.Cmd, p *pipes, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.closeChildEnds()
	r.begin(cmd, p.stdin.host)
	output := r.readOutput(p)
	started <- nil

	awaitExit(cmd)
	r.reap()
	close(r.exited)
	r.closeLifeline()
	select {
	case <-output:
	case <-time.After(drainWait):
	}
	p.close()
	<-output
	r.cfg.Log.Flush()
	_ = os.RemoveAll(r.dir) // swept at the next start otherwise
	close(r.drained)
}

// begin records the running process. A kill that came before has its effect now.
func (r *Runner) begin(cmd *exec.Cmd, lifeline *os.File) {
	r.cfg.Log.setPID(cmd.Process.Pid)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cmd, r.lifeline = cmd, lifeline
	if r.killed {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// reap ends what is left of the process group and collects the process. The
// group is signalled before its number becomes free.
func (r *Runner) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait() // what matters of its answer is kept in cmd.ProcessState
	r.reaped = true
}

// readOutput reads both streams until they end; the channel closes then.
func (r *Runner) readOutput(p *pipes) <-chan struct{} {
	var wg sync.WaitGroup
	wg.Go(func() { r.readStdout(p.stdout.host) })
	wg.Go(func() { r.cfg.Log.Copy("stderr", p.stderr.host) })
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	return done
}

// readStdout passes the handshake on and logs everything else. It never stops
// reading, or the child would block when it prints.
func (r *Runner) readStdout(f io.Reader) {
	defer r.handshake.end()
	log := r.cfg.Log.lines("stdout")
	w := &lineWriter{max: maxLine + slack, emit: func(line []byte, dropped int) {
		if dropped > 0 || !r.handshake.offer(line) {
			log.emit(line, dropped)
		}
	}}
	_, _ = io.Copy(w, f)
	w.flush()
}

// Wait returns when the process has exited and was reaped; it does not wait for
// output that a grandchild may hold open. It returns ctx's error if that ends
// first, and nil otherwise: how the process ended is told by Exit.
func (r *Runner) Wait(ctx context.Context) error {
	select {
	case <-r.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Exited is closed when the process has exited.
func (r *Runner) Exited() <-chan struct{} { return r.exited }

// Drained is closed when, after the exit, the output was read and the private
// folder removed. That takes 200 ms at most.
func (r *Runner) Drained() <-chan struct{} { return r.drained }

// Exit says how the process ended ("exit status 2", "signal: killed"), "" while
// it runs.
func (r *Runner) Exit() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.reaped {
		return ""
	}
	return r.cmd.ProcessState.String()
}

// Kill ends the whole process group: it asks (end of the life line, SIGTERM),
// gives the grace time, and kills. The grace ends early with ctx. It works on a
// stopped process too, may be called at any time and more than once, and returns
// an error only if the kernel does not let go of the process in time. A process
// that is only about to start is killed when it has.
func (r *Runner) Kill(ctx context.Context) error {
	if !r.condemn() {
		return nil
	}
	r.closeLifeline()
	r.signal(syscall.SIGTERM)
	select {
	case <-r.exited:
		return nil
	case <-time.After(r.cfg.Grace):
	case <-ctx.Done():
	}
	r.signal(syscall.SIGKILL)
	select {
	case <-r.exited:
		return nil
	case <-time.After(killWait):
		return fmt.Errorf("kill connector: process %s does not end", r.ID())
	}
}

// condemn notes that the process is to end and reports whether it has started.
func (r *Runner) condemn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = true
	return r.cmd != nil
}

func (r *Runner) signal(sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.reaped {
		_ = syscall.Kill(-r.cmd.Process.Pid, sig)
	}
}

func (r *Runner) closeLifeline() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.lifeline.Close()
}

// ID returns the process id, "" before the start.
func (r *Runner) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return ""
	}
	return strconv.Itoa(r.cmd.Process.Pid)
}

// Name returns the program's name.
func (r *Runner) Name() string { return r.cfg.Name }

// Stdout yields the handshake line and ends.
func (r *Runner) Stdout() io.ReadCloser { return &r.handshake }

// Stderr is empty: see [Log].
func (r *Runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Diagnose returns the last lines the child printed.
func (r *Runner) Diagnose(context.Context) string {
	lines := r.cfg.Log.Tail()
	return strings.Join(lines[max(0, len(lines)-diagnoseLines):], "\n")
}

// PluginToHost lets the host connect to a socket in the process's own folder and
// to nothing else on this machine.
func (r *Runner) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" {
		return "", "", fmt.Errorf("connector listens on %q: only unix sockets are allowed", network)
	}
	if !filepath.IsAbs(address) || filepath.Clean(address) != address || filepath.Dir(address) != filepath.Clean(r.dir) {
		return "", "", fmt.Errorf("connector names the socket %q: it must lie in its own folder", address)
	}
	info, err := os.Lstat(address)
	if err != nil {
		return "", "", fmt.Errorf("check connector's socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return "", "", fmt.Errorf("connector names %q, which is not a socket", address)
	}
	return network, address, nil
}

// HostToPlugin returns the address as it is: both ends see the same files.
func (r *Runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
