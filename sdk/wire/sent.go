package wire

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// SentTracker observes whether a call's request was handed to the connection.
// That alone tells a call that certainly changed nothing from one whose outcome
// is unknown: gRPC answers UNAVAILABLE to both. A host installs it with
// grpc.WithStatsHandler(wire.SentTracker{}); without it every call counts as
// sent.
type SentTracker struct{}

var _ stats.Handler = SentTracker{}

// sentMark belongs to one call and travels in its context.
type sentMark struct {
	tracked, payload atomic.Bool
}

type sentKey struct{}

func withSentMark(ctx context.Context) (context.Context, *sentMark) {
	m := &sentMark{}
	return context.WithValue(ctx, sentKey{}, m), m
}

// maybe reports whether the request may have reached the connector.
func (m *sentMark) maybe() bool { return !m.tracked.Load() || m.payload.Load() }

// TagRPC marks the call as tracked.
func (SentTracker) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if m, ok := ctx.Value(sentKey{}).(*sentMark); ok {
		m.tracked.Store(true)
	}
	return ctx
}

// HandleRPC notes the request's payload. gRPC repeats a call by itself only when
// the earlier try never left, so a mark once set stays.
func (SentTracker) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutPayload); !ok {
		return
	}
	if m, ok := ctx.Value(sentKey{}).(*sentMark); ok {
		m.payload.Store(true)
	}
}

// TagConn does nothing.
func (SentTracker) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (SentTracker) HandleConn(context.Context, stats.ConnStats) {}
