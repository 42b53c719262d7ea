package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

const (
	// drainTime is how long running calls may take to end by themselves after the
	// process was asked to stop.
	drainTime = 5 * time.Second
	// cancelTime is how long they may take once they are cancelled.
	cancelTime = time.Second
	// flushTime is how long the last answers may take to leave the process.
	flushTime = 200 * time.Millisecond
)

// Connector serves c until the host is done with it, and then ends the process.
// It is all that a connector's main function calls; nothing may be printed
// before it. Started by hand, it explains the connector instead; with the
// argument "describe" it prints the description as JSON.
//
// From here on, whatever the process prints on standard output goes to standard
// error, because the host reads the handshake from the former; and the default
// loggers of packages log and slog write records the host reads, one a line.
func Connector(c sdk.Connector) {
	os.Exit(run(c, os.Args))
}

func run(c sdk.Connector, args []string) (exitCode int) {
	switch {
	case len(args) == 2 && args[1] == "describe":
		return describe(os.Stdout, c)
	case !startedByHost(os.Getenv):
		usage(os.Stderr, c, args[0])
		return 1
	}
	p, err := newProcess(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return p.serve()
}

func startedByHost(getenv func(string) string) bool {
	h := wire.Handshake()
	return getenv(h.MagicCookieKey) == h.MagicCookieValue
}

// process is a running connector process.
type process struct {
	server  *wire.Server
	grpc    atomic.Pointer[grpc.Server] // nil until go-plugin has made it
	stderr  *os.File
	log     *slog.Logger
	restore sync.Once
	stop    sync.Once
}

func newProcess(c sdk.Connector) (*process, error) {
	p := &process{stderr: os.Stderr}
	if err := guardHandshake(); err != nil {
		return nil, fmt.Errorf("redirect standard output: %w", err)
	}
	p.log = slog.New(slog.NewJSONHandler(p.stderr, nil)) // one record a line, as the host reads it
	slog.SetDefault(p.log)
	p.server = wire.NewServer(c, p.log)
	return p, nil
}

// serve returns the exit code once the host, a signal or the life line has ended
// the process.
func (p *process) serve() int {
	p.watchSignals()
	if os.Getenv(wire.LifelineEnv) == "1" {
		go p.watchLifeline(os.Stdin)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.ServerPlugins(p.server),
		GRPCServer:       p.newGRPCServer,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: p.stderr}),
	})
	if p.grpc.Load() == nil {
		return 1 // go-plugin has said why
	}
	p.drain(cancelTime) // go-plugin's own way to stop has cancelled them
	return 0
}

func (p *process) newGRPCServer(options []grpc.ServerOption) *grpc.Server {
	options = append(options,
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			p.restoreStreams()
			return next(ctx, req)
		}))
	s := grpc.NewServer(options...)
	p.grpc.Store(s)
	return s
}

// restoreStreams gives the process its real standard error back, as both
// streams: go-plugin has pointed them at a stream of its own, which a host may
// drop and which blocks whoever prints when nobody reads it. It runs before the
// first call, when go-plugin has long set them.
func (p *process) restoreStreams() {
	p.restore.Do(func() { os.Stdout, os.Stderr = p.stderr, p.stderr })
}

// watchSignals drains on SIGTERM and SIGHUP. SIGINT is ignored: a terminal sends
// it to the host and its connectors alike, and the host decides.
func (p *process) watchSignals() {
	signal.Ignore(os.Interrupt)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		p.end()
	}()
}

// watchLifeline ends the process when the host's end of standard input is
// closed, which happens even when the host is killed.
func (p *process) watchLifeline(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	p.end()
}

// end drains and makes serve return.
func (p *process) end() {
	p.stop.Do(func() {
		p.drain(drainTime)
		s := p.grpc.Load()
		if s == nil {
			os.Exit(0) // not serving yet
		}
		flush(s)
		s.Stop()
	})
}

// flush sends what was answered and tells the host to call no more. Stop alone
// would cut the last answers off, and GracefulStop alone would wait for
// go-plugin's own streams, which end only with the host's connection.
func flush(s *grpc.Server) {
	flushed := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(flushed)
	}()
	select {
	case <-flushed:
	case <-time.After(flushTime):
	}
}

func (p *process) drain(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := p.server.Drain(ctx); err != nil {
		p.log.Warn("stop with calls running", "error", err)
	}
}
