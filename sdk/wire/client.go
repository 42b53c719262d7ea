package wire

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Client is the host's end of one connector process. Every error it returns is
// an [*sdk.Error]. Every context must carry a deadline: the connector refuses
// calls without one.
type Client struct {
	rpc connectorv1.ConnectorClient
}

// NewClient returns a Client over a connection to a connector process. The
// connection should have [SentTracker] installed.
func NewClient(cc grpc.ClientConnInterface) *Client {
	return &Client{rpc: connectorv1.NewConnectorClient(cc)}
}

// Describe returns what the connector says of itself.
func (c *Client) Describe(ctx context.Context) (sdk.Description, error) {
	resp, err := call(ctx, read, &connectorv1.DescribeRequest{}, c.rpc.Describe)
	if err != nil {
		return sdk.Description{}, err
	}
	return descriptionFromProto(resp), nil
}

// Validate returns every problem of a configuration, none if it is good.
func (c *Client) Validate(ctx context.Context, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	resp, err := call(ctx, read, &connectorv1.ValidateConfigRequest{Config: configToProto(cfg)}, c.rpc.ValidateConfig)
	if err != nil {
		return nil, err
	}
	return problemsFromProto(resp.GetProblems()), nil
}

// Configure opens the instance, or replaces an older generation of it. A bad
// configuration is [sdk.KindInvalid].
func (c *Client) Configure(ctx context.Context, in Instance, cfg sdk.RawConfig) error {
	req := &connectorv1.ConfigureRequest{Instance: in.toProto(), Config: configToProto(cfg)}
	_, err := call(ctx, read, req, c.rpc.Configure)
	return err
}

// Release closes the instance once its running calls have ended. An instance the
// process does not have is no error.
func (c *Client) Release(ctx context.Context, in Instance) error {
	_, err := call(ctx, read, &connectorv1.ReleaseRequest{Instance: in.toProto()}, c.rpc.Release)
	return err
}

// Remote returns the configured target's verbs. It makes no call.
func (c *Client) Remote(in Instance) *Remote {
	return &Remote{rpc: c.rpc, instance: in.toProto()}
}

func (in Instance) toProto() *connectorv1.InstanceRef {
	return &connectorv1.InstanceRef{InstanceId: in.ID, Generation: in.Generation}
}

// mode tells whether a call may change the target.
type mode bool

const (
	read  mode = false
	write mode = true
)

// call makes one unary call and translates its failure.
func call[Req, Resp any](ctx context.Context, m mode, req Req, do func(context.Context, Req, ...grpc.CallOption) (Resp, error)) (Resp, error) {
	var none Resp
	if err := ctx.Err(); err != nil { // gRPC would return before the tracker sees it
		return none, lost(false, "the call was given up before it began", err)
	}
	ctx, mark := withSentMark(outgoing(ctx))
	resp, err := do(ctx, req)
	if err != nil {
		return none, decodeError(closedUnder(ctx, err), bool(m), mark.maybe())
	}
	return resp, nil
}

// closedUnder takes a cancellation that the caller did not ask for as what it is:
// the connection was closed, because the process is gone.
func closedUnder(ctx context.Context, err error) error {
	st := status.Convert(err)
	if st.Code() == codes.Canceled && ctx.Err() == nil && len(st.Details()) == 0 {
		return status.Error(codes.Unavailable, st.Message())
	}
	return err
}
