package plugins

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	pluginrunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/plugins/sandbox"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// process is one running connector.
type process struct {
	opts    Options
	client  *plugin.Client
	run     *runner.Runner
	log     *runner.Log
	wire    *wire.Client
	conn    *grpc.ClientConn
	health  grpc_health_v1.HealthClient
	files   sandbox.Files // that it may read while they are the same
	readyAt time.Time
	buried  chan struct{} // closed when it has exited and that was recorded

	condemned chan struct{} // closed when it must be killed at once
	condemn   func()
	answered  atomic.Int64 // when a call was last answered, in Unix nanoseconds

	mu         sync.Mutex
	configured map[wire.Instance]bool
	calls      int       // in it now
	used       time.Time // when the last call left
	retired    bool      // takes no more calls, and ends with the last one
	quiet      chan struct{}
}

// launch starts a process and waits until it answers, ctx ends, or it fails.
func (p *program) launch(ctx context.Context, img *runner.Image) (*process, error) {
	dir, err := p.host.runtimeDir()
	if err != nil {
		return nil, err
	}
	confine, err := p.host.confinement(p.key)
	if err != nil {
		return nil, err
	}
	if confine != nil {
		confine.Policy.Connect = append(confine.Policy.Connect, p.approvedPorts()...)
	}
	opts := p.host.opts
	logger := opts.Logger.With("connector", p.key.name, "digest", short(p.key.digest))
	proc := &process{
		opts: opts, log: runner.NewLog(logger, p.secrets.redact, opts.Now),
		buried: make(chan struct{}), condemned: make(chan struct{}), quiet: make(chan struct{}),
		configured: map[wire.Instance]bool{}, used: opts.Now(),
	}
	if confine != nil {
		proc.files = confine.Policy.Files()
	}
	proc.condemn = sync.OnceFunc(func() { close(proc.condemned) })
	made := make(chan *runner.Runner, 1)
	config := clientConfig(opts, proc.log, dir)
	config.RunnerFunc = func(_ hclog.Logger, spec *exec.Cmd, dir string) (pluginrunner.Runner, error) {
		r := runner.New(spec, dir, runner.Config{
			Name: catalog.Prefix + p.key.name, Image: img, Cookie: config.MagicCookieKey, Environ: opts.Environ, Log: proc.log, Confine: confine,
		})
		made <- r
		return r, nil
	}
	proc.client = plugin.NewClient(config)
	if err := proc.connect(ctx, made); err != nil {
		if proc.run != nil { // it was there, and said something, perhaps
			p.crashed(proc, "did not start: "+err.Error())
		}
		return nil, err
	}
	proc.readyAt = opts.Now()
	proc.log.Logger().Info("connector ready", "isolation", proc.run.Level())
	return proc, nil
}

func clientConfig(opts Options, log *runner.Log, dir string) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		// Without it, a certificate in the handshake panics the library.
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     opts.StartTimeout,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: dir},
		Logger:           hclog.NewNullLogger(), // its failures come back as errors
		SyncStdout:       log.Writer("stdout"),
		SyncStderr:       log.Writer("stderr"),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithStatsHandler(wire.SentTracker{}),
			// The library's own limit for answers is 2 GiB.
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
			grpc.WithDisableServiceConfig(),
		},
	}
}

// connect starts the process and makes the first call. Everything the library
// does without a deadline ends when the process does, so that ending the process
// is how ctx is obeyed.
func (p *process) connect(ctx context.Context, made <-chan *runner.Runner) error {
	done := make(chan error, 1)
	go func() { done <- p.dial(ctx) }()
	var err error
	select {
	case p.run = <-made:
		select {
		case err = <-done:
		case <-ctx.Done():
			p.kill()
			err = errors.Join(ctx.Err(), <-done)
		}
	case err = <-done: // the library failed before there was a runner
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	if err == nil {
		return nil
	}
	p.kill()
	p.cleanUp()
	return fmt.Errorf("%w: %s", ErrStart, p.startFailure(err))
}

// startFailure explains a failed start with what the process left behind. The
// error is text of the process in part.
func (p *process) startFailure(err error) string {
	text := p.log.Redact(strings.ReplaceAll(err.Error(), "\n", "; "))
	if exit := p.run.Exit(); exit != "" {
		text += " (" + exit + ")"
	}
	// The library asks for the last lines when they may not have been read yet.
	if tail := p.log.Tail(); len(tail) > 0 && !strings.Contains(text, tail[len(tail)-1]) {
		text += ": " + tail[len(tail)-1]
	}
	return text
}

func (p *process) dial(ctx context.Context) (err error) {
	defer func() { // the library panics on some handshakes
		if r := recover(); r != nil {
			err = fmt.Errorf("handshake: %v", r)
		}
	}()
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	grpcClient, ok := protocol.(*plugin.GRPCClient)
	if !ok {
		return fmt.Errorf("handshake: protocol %T", protocol)
	}
	raw, err := protocol.Dispense(wire.Name)
	if err != nil {
		return fmt.Errorf("dispense: %w", err)
	}
	if p.wire, ok = raw.(*wire.Client); !ok {
		return fmt.Errorf("dispense: got %T", raw)
	}
	p.conn, p.health = grpcClient.Conn, grpc_health_v1.NewHealthClient(grpcClient.Conn)
	return p.checkHealth(ctx)
}

func (p *process) checkHealth(ctx context.Context) error {
	resp, err := p.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if s := resp.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("check health: %s", s)
	}
	return nil
}

// monitor returns when the process has exited. It kills one that is condemned,
// or that does not answer while it is idle, and ends one that is not needed.
func (p *process) monitor() {
	tick := time.NewTicker(p.opts.HealthEvery)
	defer tick.Stop()
	misses := 0
	for {
		select {
		case <-p.run.Exited():
			return
		case <-p.condemned:
			p.kill()
			<-p.run.Exited()
			return
		case <-p.quiet:
			p.halt()
			<-p.run.Exited()
			return
		case <-tick.C:
			p.retireIdle()
			p.retireOutdated()
			if misses = p.probe(misses); misses >= maxMisses {
				p.log.Logger().Error("connector does not answer, killing it", "checks", misses)
				p.condemn()
			}
		}
	}
}

// probe returns the number of checks missed in a row. A call that was answered
// meanwhile is as good as a check.
func (p *process) probe(misses int) int {
	if p.opts.Now().Sub(time.Unix(0, p.answered.Load())) < p.opts.HealthEvery {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.opts.HealthTimeout)
	defer cancel()
	if err := p.checkHealth(ctx); err != nil {
		return misses + 1
	}
	return 0
}

// enter begins a call, and reports whether one may go to the process; leave
// follows if it may.
func (p *process) enter() bool {
	select {
	case <-p.condemned:
		return false
	case <-p.run.Exited():
		return false
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return false
	}
	p.calls++
	return true
}

func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	p.used = p.opts.Now()
	if p.retired && p.calls == 0 {
		close(p.quiet)
	}
}

// retire lets the calls in the process end, and then the process.
func (p *process) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retireLocked()
}

func (p *process) retireLocked() {
	if p.retired {
		return
	}
	p.retired = true
	if p.calls == 0 {
		close(p.quiet)
	}
}

// retireIdle ends a process that nobody has called for long.
func (p *process) retireIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == 0 && p.opts.Now().Sub(p.used) >= p.opts.IdleAfter {
		p.log.Logger().Info("connector is idle, stopping it", "after", p.opts.IdleAfter)
		p.retireLocked()
	}
}

// retireOutdated ends a process that can no longer read a file because that was
// replaced.
func (p *process) retireOutdated() {
	if path := p.files.Replaced(); path != "" && !p.isRetired() {
		p.log.Logger().Info("connector is started again to see a replaced file", "file", path)
		p.retire()
	}
}

func (p *process) isRetired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.retired
}

// halt ends the process in an orderly way: it gets the grace time. One that no
// call is in loses its connection first: nothing is left that it could answer, and
// while the library's own streams stand it would wait for their end.
func (p *process) halt() {
	p.retire()
	select {
	case <-p.quiet:
		_ = p.conn.Close()
	default:
	}
	p.end(context.Background())
}

// kill ends the process at once.
func (p *process) kill() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	p.end(now)
}

func (p *process) end(ctx context.Context) {
	if err := p.run.Kill(ctx); err != nil {
		p.log.Logger().Error("connector process is stuck", "error", err)
	}
}

// cleanUp closes the library's connection and goroutines. The process is dead,
// so that nothing the library waits for without a deadline can keep it.
func (p *process) cleanUp() {
	p.client.Kill()
	if p.run.ID() != "" {
		<-p.run.Drained()
	}
}

// configure makes sure that the process has the instance in this generation.
func (p *process) configure(ctx context.Context, in wire.Instance, cfg sdk.RawConfig) error {
	p.mu.Lock()
	have := p.configured[in]
	p.mu.Unlock()
	if have {
		return nil
	}
	if err := p.wire.Configure(ctx, in, cfg); err != nil {
		return err
	}
	p.mu.Lock()
	p.configured[in] = true
	p.mu.Unlock()
	return nil
}

// forget drops what is known of an instance and reports whether it was
// configured.
func (p *process) forget(in wire.Instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	had := p.configured[in]
	delete(p.configured, in)
	return had
}

// saw learns from the outcome of a call. A process that is out of reach is ended:
// there is no other way to know what it is doing.
func (p *process) saw(err error) {
	switch {
	case errors.Is(err, wire.ErrProcessGone):
		p.condemn()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// It says nothing of the process.
	default:
		p.answered.Store(p.opts.Now().UnixNano())
	}
}
