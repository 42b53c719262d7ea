package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/anteroom-id/anteroom/sdk/wire"
)

// startProcess runs the command as a host does: mutual TLS, a clean environment,
// a life line on standard input.
func (s *Session) startProcess(ctx context.Context) (*subject, error) {
	dir, err := os.MkdirTemp("", "kit")
	if err != nil {
		return nil, fmt.Errorf("start connector: %w", err)
	}
	c := &child{command: s.opts.Command, dir: dir, exited: make(chan struct{}), stdout: &text{}, stderr: &text{}}
	s.watch.printed(c.stdout.String)
	s.watch.printed(c.stderr.String)
	p := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     patience,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: dir},
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       c.stderr, // what comes over the protocol is no handshake
		SyncStderr:       c.stderr,
		GRPCDialOptions:  s.watch.dialOptions(grpc.WithStatsHandler(wire.SentTracker{})),
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, socketDir string) (runner.Runner, error) {
			c.env = environment(spec, wire.Handshake().MagicCookieKey, dir)
			return c, nil
		},
	})
	end := func() {
		_ = c.Kill(context.WithoutCancel(ctx)) // first: the library waits for an answer without end
		p.Kill()
		_ = os.RemoveAll(dir)
	}
	cc, err := dial(p)
	if err != nil {
		end()
		return nil, fmt.Errorf("start connector: %w%s", err, c.lastWords())
	}
	subject := newSubject(cc, end)
	subject.child = c
	return subject, nil
}

// dial starts the process and connects. The library panics on some handshakes.
func dial(p *plugin.Client) (cc *grpc.ClientConn, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("handshake: %v", r)
		}
	}()
	protocol, err := p.Client()
	if err != nil {
		return nil, err
	}
	client, ok := protocol.(*plugin.GRPCClient)
	if !ok {
		return nil, fmt.Errorf("handshake: protocol %T", protocol)
	}
	return client.Conn, nil
}
