package wire

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// fakeTarget does what a test tells it to. It has the required verbs only.
type fakeTarget struct {
	cfg    fakeConfig
	lookup func(context.Context, sdk.LookupRequest) ([]sdk.Account, error)
	create func(context.Context, sdk.CreateRequest) (sdk.Account, error)
	update func(context.Context, sdk.UpdateRequest) (sdk.Account, error)
	closed chan struct{}
}

type fakeConfig struct {
	URL   string     `config:"url,required"`
	Token sdk.Secret `config:"token"`
}

func (f *fakeTarget) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	return f.lookup(ctx, req)
}
func (f *fakeTarget) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	return f.create(ctx, req)
}
func (f *fakeTarget) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	return f.update(ctx, req)
}

func (f *fakeTarget) Close() error {
	if f.closed != nil {
		close(f.closed)
	}
	return nil
}

// fullTarget has every verb.
type fullTarget struct {
	fakeTarget
	get       func(context.Context, sdk.GetRequest) (sdk.Account, error)
	setActive func(context.Context, sdk.SetActiveRequest) (sdk.Account, error)
	delete    func(context.Context, sdk.DeleteRequest) error
	list      func(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error]
	setGroups func(context.Context, sdk.SetGroupsRequest) error
	check     func(context.Context) ([]sdk.CheckStep, error)
}

func (f *fullTarget) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	return f.get(ctx, req)
}
func (f *fullTarget) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return f.setActive(ctx, req)
}
func (f *fullTarget) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	return f.delete(ctx, req)
}
func (f *fullTarget) List(ctx context.Context, req sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	return f.list(ctx, req)
}
func (f *fullTarget) SetGroups(ctx context.Context, req sdk.SetGroupsRequest) error {
	return f.setGroups(ctx, req)
}
func (f *fullTarget) Check(ctx context.Context) ([]sdk.CheckStep, error) { return f.check(ctx) }

// connectorOf opens the given targets one after the other, the last one again
// and again.
func connectorOf[T sdk.Target](targets ...T) sdk.Connector {
	var (
		mu   sync.Mutex
		next int
	)
	return sdk.Define("fake", "1.0.0", func(context.Context, fakeConfig) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		t := targets[min(next, len(targets)-1)]
		next++
		return t, nil
	})
}

// fixture is both ends over a connection in memory.
type fixture struct {
	*Client
	server *Server
	log    *syncBuffer
}

func newFixture(t *testing.T, c sdk.Connector) *fixture {
	t.Helper()
	f := &fixture{log: &syncBuffer{}}
	f.server = NewServer(c, slog.New(slog.NewTextHandler(f.log, nil)))
	f.Client = NewClient(overMemory(t, f.server))
	return f
}

// overMemory serves s and connects to it.
func overMemory(t *testing.T, s connectorv1.ConnectorServer) *grpc.ClientConn {
	t.Helper()
	server, listener := grpc.NewServer(), bufconn.Listen(1<<20)
	connectorv1.RegisterConnectorServer(server, s)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-stopped
	})
	return dial(t, listener.DialContext, grpc.WithStatsHandler(SentTracker{}))
}

func dial(t *testing.T, dialer func(context.Context) (net.Conn, error), options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dialer(ctx) }))
	cc, err := grpc.NewClient("passthrough:connector", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

var goodConfig = sdk.RawConfig{Values: []byte(`{"url":"https://a.example"}`)}

// configured returns the verbs of a fresh instance.
func (f *fixture) configured(t *testing.T) *Remote {
	t.Helper()
	in := Instance{ID: "one", Generation: 1}
	if err := f.Configure(soon(t), in, goodConfig); err != nil {
		t.Fatalf("Configure: %v", err)
	}
	return f.Remote(in)
}

// soon is a context with a deadline that only a hanging test reaches.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// wait fails the test when the signal does not come.
func wait(t *testing.T, what string, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

// checkError compares what of an error decides the host's next step.
func checkError(t *testing.T, err error, kind sdk.Kind, effect sdk.Effect) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Effect != effect {
		t.Errorf("error %#v, want kind %s and effect %s", err, kind, effect)
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
