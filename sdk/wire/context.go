package wire

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/anteroom-id/anteroom/sdk"
)

// The metadata that carries a trace, as in W3C Trace Context.
const (
	keyTraceParent = "traceparent"
	keyTraceState  = "tracestate"
)

// outgoing adds what ctx belongs to to the metadata of a call.
func outgoing(ctx context.Context) context.Context {
	t := sdk.TraceOf(ctx)
	if t.Parent == "" {
		return ctx
	}
	pairs := []string{keyTraceParent, t.Parent}
	if t.State != "" {
		pairs = append(pairs, keyTraceState, t.State)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// incoming gives the author's code the trace of the call and a logger that names
// it.
func (s *Server) incoming(ctx context.Context) context.Context {
	ctx = sdk.WithTrace(ctx, sdk.Trace{Parent: first(ctx, keyTraceParent), State: first(ctx, keyTraceState)})
	log := s.log
	if method, ok := grpc.Method(ctx); ok {
		log = log.With("verb", method[strings.LastIndexByte(method, '/')+1:])
	}
	if id := sdk.TraceOf(ctx).ID(); id != "" {
		log = log.With("trace_id", id)
	}
	return sdk.WithLogger(ctx, log)
}

// first returns the value of a key, "" when there is none. A traceparent that is
// there twice says nothing (Trace Context §3.2.2).
func first(ctx context.Context, key string) string {
	values := metadata.ValueFromIncomingContext(ctx, key)
	if key == keyTraceState {
		return strings.Join(values, ",")
	}
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
