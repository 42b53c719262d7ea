package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// subject is a running connector.
type subject struct {
	client *wire.Client
	raw    connectorv1.ConnectorClient
	child  *child // nil in this process
	end    func()
}

func newSubject(cc grpc.ClientConnInterface, end func()) *subject {
	return &subject{client: wire.NewClient(cc), raw: connectorv1.NewConnectorClient(cc), end: end}
}

func (s *subject) alive() bool { return s.child == nil || s.child.alive() }

func (s *subject) stop() { s.end() }

// exit says how the process ended, "" in this process.
func (s *subject) exit() string {
	if s.child == nil {
		return ""
	}
	return s.child.exit()
}

// start runs the connector.
func (s *Session) start(ctx context.Context) (*subject, error) {
	if len(s.opts.Command) > 0 {
		return s.startProcess(ctx)
	}
	server := s.opts.server
	if server == nil {
		log := &text{}
		s.watch.printed(log.String)
		server = wire.NewServer(s.opts.Connector, slog.New(slog.NewTextHandler(log, nil)))
	}
	return serveHere(server, s.watch)
}

// serveHere serves over an in-memory connection: everything is encoded and
// decoded as it would be between processes.
func serveHere(server connectorv1.ConnectorServer, w *watch) (*subject, error) {
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer()
	connectorv1.RegisterConnectorServer(g, server)
	go func() { _ = g.Serve(listener) }()
	cc, err := grpc.NewClient("passthrough:connector", w.dialOptions(
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(wire.SentTracker{}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	)...)
	if err != nil {
		g.Stop()
		return nil, fmt.Errorf("serve connector: %w", err)
	}
	return newSubject(cc, func() {
		_ = cc.Close()
		g.Stop()
	}), nil
}
