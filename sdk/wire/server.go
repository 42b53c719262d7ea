package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Server is a connector's end: it keeps the configured instances, guards the
// author's code against panics and calls without a deadline, and turns whatever
// it returns into an honest answer.
type Server struct {
	connectorv1.UnimplementedConnectorServer
	connector sdk.Connector
	log       *slog.Logger
	instances *instances
	calls     *gate
}

// NewServer serves c. What concerns nobody but the connector's author (panics
// with their stack, causes of defects) goes to log.
func NewServer(c sdk.Connector, log *slog.Logger) *Server {
	return &Server{connector: c, log: log, instances: newInstances(log), calls: newGate()}
}

// Drain refuses new calls, waits until the running ones have ended, and closes
// every instance. It returns the context's error if that takes too long.
func (s *Server) Drain(ctx context.Context) error {
	if err := s.calls.drain(ctx); err != nil {
		return fmt.Errorf("drain calls: %w", err)
	}
	if err := s.instances.closeAll(ctx); err != nil {
		return fmt.Errorf("close instances: %w", err)
	}
	return nil
}

// Describe implements the protocol.
func (s *Server) Describe(ctx context.Context, _ *connectorv1.DescribeRequest) (*connectorv1.DescribeResponse, error) {
	return guard(ctx, s, read, func(context.Context) (*connectorv1.DescribeResponse, error) {
		return descriptionToProto(s.connector.Describe()), nil
	})
}

// ValidateConfig implements the protocol.
func (s *Server) ValidateConfig(ctx context.Context, req *connectorv1.ValidateConfigRequest) (*connectorv1.ValidateConfigResponse, error) {
	return guard(ctx, s, read, func(context.Context) (*connectorv1.ValidateConfigResponse, error) {
		problems := s.connector.Validate(configFromProto(req.GetConfig()))
		return &connectorv1.ValidateConfigResponse{Problems: list(problems, problemToProto)}, nil
	})
}

// Configure implements the protocol.
func (s *Server) Configure(ctx context.Context, req *connectorv1.ConfigureRequest) (*connectorv1.ConfigureResponse, error) {
	return guard(ctx, s, read, func(ctx context.Context) (*connectorv1.ConfigureResponse, error) {
		err := s.instances.configure(ctx, instanceFromProto(req.GetInstance()), func() (sdk.Target, error) {
			log := sdk.Logger(ctx).With("instance", req.GetInstance().GetInstanceId())
			return s.connector.Open(sdk.WithLogger(ctx, log), configFromProto(req.GetConfig()))
		})
		return &connectorv1.ConfigureResponse{}, err
	})
}

// Release implements the protocol.
func (s *Server) Release(ctx context.Context, req *connectorv1.ReleaseRequest) (*connectorv1.ReleaseResponse, error) {
	return guard(ctx, s, read, func(context.Context) (*connectorv1.ReleaseResponse, error) {
		s.instances.release(instanceFromProto(req.GetInstance()))
		return &connectorv1.ReleaseResponse{}, nil
	})
}

func instanceFromProto(p *connectorv1.InstanceRef) Instance {
	return Instance{ID: p.GetInstanceId(), Generation: p.GetGeneration()}
}

// guard runs one call of the author's code. It is the only place that lets
// anything out of this process.
func guard[R any](ctx context.Context, s *Server, m mode, do func(context.Context) (R, error)) (resp R, err error) {
	var none R
	if _, ok := ctx.Deadline(); !ok {
		return none, encodeError(&sdk.Error{Kind: sdk.KindInvalid, Effect: sdk.EffectNone, Message: "a call needs a deadline"})
	}
	if !s.calls.enter() {
		return none, encodeError(&sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the connector process is stopping"})
	}
	defer s.calls.leave()
	ctx = s.incoming(ctx)
	defer func() {
		if p := recover(); p != nil {
			sdk.Logger(ctx).Error("connector panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			resp, err = none, encodeError(settle(broken("the connector panicked"), m))
		}
	}()
	resp, err = do(ctx)
	if err != nil {
		return none, encodeError(explain(ctx, err, m))
	}
	return resp, nil
}

// explain makes an [*sdk.Error] of whatever the author returned.
func explain(ctx context.Context, err error, m mode) *sdk.Error {
	var own *sdk.Error
	if errors.As(err, &own) {
		return settle(own, m)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return lost(bool(m), "the target did not answer in time", err)
	}
	sdk.Logger(ctx).Error("connector returned an error without a kind", "error", err)
	return settle(sdk.AsError(err), m)
}

// settle says of the effect what the author left open: a write may have had one,
// a read has none, nor an outcome that could be unknown.
func settle(e *sdk.Error, m mode) *sdk.Error {
	settled := *e
	switch {
	case m == read:
		settled.Effect = sdk.EffectNone
		if settled.Kind == sdk.KindOutcomeUnknown || settled.Kind == sdk.KindPending {
			settled.Kind = sdk.KindTransient
		}
	case settled.Effect == "":
		settled.Effect = sdk.EffectUnknown
	}
	return &settled
}

// onTarget runs one verb on a configured instance.
func onTarget[R any](ctx context.Context, s *Server, m mode, ref *connectorv1.InstanceRef, do func(context.Context, sdk.Target) (R, error)) (R, error) {
	return guard(ctx, s, m, func(ctx context.Context) (R, error) {
		in, err := s.instances.acquire(instanceFromProto(ref))
		if err != nil {
			var none R
			return none, err
		}
		defer s.instances.done(in)
		ctx = sdk.WithLogger(ctx, sdk.Logger(ctx).With("instance", ref.GetInstanceId()))
		return do(ctx, in.target)
	})
}

// able returns the target as the interface of an optional verb.
func able[A any](t sdk.Target) (A, error) {
	a, ok := t.(A)
	if !ok {
		verb := strings.TrimPrefix(fmt.Sprintf("%T", (*A)(nil)), "*sdk.")
		return a, &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: "the connector is no " + verb}
	}
	return a, nil
}
