package wire

import (
	"context"
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// holding is a connector process that takes a call and never answers it.
type holding struct {
	connectorv1.UnimplementedConnectorServer
	entered chan struct{}
}

func (h holding) Create(ctx context.Context, _ *connectorv1.CreateRequest) (*connectorv1.CreateResponse, error) {
	h.entered <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (h holding) Lookup(ctx context.Context, _ *connectorv1.LookupRequest) (*connectorv1.LookupResponse, error) {
	h.entered <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// dying serves one connection to h that is cut as a killed process cuts it.
func dying(t *testing.T, options ...grpc.DialOption) (remote *Remote, h holding, kill func()) {
	t.Helper()
	h = holding{entered: make(chan struct{}, 1)}
	server, listener := grpc.NewServer(), bufconn.Listen(1<<20)
	connectorv1.RegisterConnectorServer(server, h)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conns := make(chan net.Conn, 1)
	cc := dial(t, func(ctx context.Context) (net.Conn, error) {
		conn, err := listener.DialContext(ctx)
		if err == nil {
			conns <- conn
		}
		return conn, err
	}, options...)
	return NewClient(cc).Remote(Instance{ID: "one"}), h, func() {
		_ = listener.Close()
		_ = (<-conns).Close()
	}
}

func TestProcessDiesDuringAWrite(t *testing.T) {
	remote, h, kill := dying(t, grpc.WithStatsHandler(SentTracker{}))
	go func() {
		<-h.entered
		kill()
	}()
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	checkGone(t, err)

	_, err = remote.Create(soon(t), sdk.CreateRequest{}) // the next one does not even leave
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	checkGone(t, err)
}

func TestProcessDiesDuringARead(t *testing.T) {
	remote, h, kill := dying(t, grpc.WithStatsHandler(SentTracker{}))
	go func() {
		<-h.entered
		kill()
	}()
	_, err := remote.Lookup(soon(t), sdk.LookupRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	checkGone(t, err)
}

// TestWithoutTrackerEveryWriteCountsAsSent shows that a host that forgets the
// tracker errs on the safe side.
func TestWithoutTrackerEveryWriteCountsAsSent(t *testing.T) {
	refuse := func(context.Context) (net.Conn, error) { return nil, errors.New("nobody there") }
	remote := NewClient(dial(t, refuse)).Remote(Instance{ID: "one"})
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	checkGone(t, err)
}

func TestCancelledBeforeSending(t *testing.T) {
	remote, _, _ := dying(t, grpc.WithStatsHandler(SentTracker{}))
	ctx, cancel := context.WithCancel(soon(t))
	cancel()
	_, err := remote.Create(ctx, sdk.CreateRequest{})
	checkError(t, err, sdk.KindTransient, sdk.EffectNone)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v does not say that the caller cancelled", err)
	}
}

func checkGone(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrProcessGone) || errors.Is(err, ErrNotConfigured) {
		t.Errorf("error %v, want ErrProcessGone", err)
	}
}

// A host that finds a process dead closes the connection under the calls in
// flight: that is not the caller's cancellation.
func TestConnectionClosedUnderACall(t *testing.T) {
	h := holding{entered: make(chan struct{}, 1)}
	server, listener := grpc.NewServer(), bufconn.Listen(1<<20)
	connectorv1.RegisterConnectorServer(server, h)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	cc := dial(t, listener.DialContext, grpc.WithStatsHandler(SentTracker{}))
	remote := NewClient(cc).Remote(Instance{ID: "one"})
	closed := make(chan struct{})
	go func() {
		<-h.entered
		_ = cc.Close()
		close(closed)
	}()
	_, err := remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	checkGone(t, err)
	<-closed // until then the tracker may see that the next one is not sent

	// gRPC refuses the next one before the tracker sees it, so it counts as sent:
	// the safe side.
	_, err = remote.Create(soon(t), sdk.CreateRequest{})
	checkError(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	checkGone(t, err)
}
