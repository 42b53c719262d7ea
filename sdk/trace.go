package sdk

import (
	"context"
	"regexp"
	"strings"
)

// Trace is a W3C trace context: what a call belongs to, in the terms of the
// headers of that name. It names no person and holds no secret.
type Trace struct {
	Parent string // the header traceparent
	State  string // the header tracestate, "" for none
}

// maxTraceState is the longest state that is passed on (Trace Context §3.3.1.5).
const maxTraceState = 512

// traceparent is version 00, or a later one that begins like it (Trace Context
// §3.2.2 and §3.2.4).
var traceparent = regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|(0[1-9a-f]|[1-9a-e][0-9a-f]|f[0-9a-e])-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{1,200})?)$`)

// Valid reports whether the parent is well formed and its ids are not zero.
func (t Trace) Valid() bool {
	return traceparent.MatchString(t.Parent) && strings.Trim(t.Parent[3:35], "0") != "" && strings.Trim(t.Parent[36:52], "0") != ""
}

// ID returns the trace id, 32 hexadecimal digits; "" if the trace is not valid.
func (t Trace) ID() string {
	if !t.Valid() {
		return ""
	}
	return t.Parent[3:35]
}

type traceKey struct{}

// WithTrace returns a context that belongs to t. A trace that is not valid is
// left out, and so is a state that is too long or not printable ASCII.
func WithTrace(ctx context.Context, t Trace) context.Context {
	if !t.Valid() {
		return ctx
	}
	if len(t.State) > maxTraceState || strings.ContainsFunc(t.State, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.State = ""
	}
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns what ctx belongs to, the zero Trace if that is not known.
// Package sdkhttp sends it on by itself; who calls the target otherwise may.
func TraceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}
