package conformance

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/anteroom-id/anteroom/sdk/wire"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// broken is a connector that speaks the protocol wrongly in one way, as one may
// that does not use the SDK.
type broken struct {
	*wire.Server
	defect defect

	mu         sync.Mutex
	described  int
	configured int
	first      *connectorv1.ConfigureRequest
	latest     *connectorv1.InstanceRef
	cut        context.CancelFunc // of the running lookup
}

func (b *broken) is(d defect) bool { return b.defect == d }

func (b *broken) Describe(ctx context.Context, req *connectorv1.DescribeRequest) (*connectorv1.DescribeResponse, error) {
	resp, err := b.Server.Describe(ctx, req)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.described++
	switch b.defect {
	case "describes differently":
		resp.DisplayName = fmt.Sprint("Rest ", b.described)
	case "describes what is configured":
		resp.DisplayName = fmt.Sprint("Rest with ", min(b.configured, 1))
	case "asks the target to describe":
		b.ask(ctx)
	case "slow to describe":
		time.Sleep(1100 * time.Millisecond)
	case "bad name":
		resp.Name, resp.Version = "The Rest", "one"
	case "secret not marked":
		resp.Config = append(resp.Config, &connectorv1.Field{Name: "api_key", Type: "string"})
	case "contradictory field":
		resp.Config = append(resp.Config, &connectorv1.Field{Name: "limit", Type: "int", Default: "many"})
	case "attribute twice":
		resp.Attributes = append(resp.Attributes, &connectorv1.Attribute{Name: "email", Type: "string"})
	case "capability twice":
		resp.Capabilities = append(resp.Capabilities, resp.Capabilities[0])
	case "no key":
		for _, a := range resp.Attributes {
			a.Correlate = 0
		}
	case "hides a capability":
		resp.Capabilities = slices.DeleteFunc(resp.Capabilities, func(c string) bool { return c == "list" })
	}
	return resp, nil
}

// ask makes a request to the target, if one is configured.
func (b *broken) ask(ctx context.Context) {
	if b.first != nil {
		_, _ = b.Server.Lookup(ctx, &connectorv1.LookupRequest{Instance: b.first.GetInstance(), Key: "name", Value: "anybody"})
	}
}

func (b *broken) ValidateConfig(ctx context.Context, req *connectorv1.ValidateConfigRequest) (*connectorv1.ValidateConfigResponse, error) {
	resp, err := b.Server.ValidateConfig(ctx, req)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.defect {
	case "validation names nothing":
		for _, p := range resp.Problems {
			p.Field = ""
		}
	case "validation stops at the first":
		resp.Problems = resp.Problems[:min(1, len(resp.Problems))]
	case "validation accepts anything":
		resp.Problems = nil
	case "validation complains of everything":
		resp.Problems = append(resp.Problems, &connectorv1.Problem{Field: "token", Message: "is too short"})
	case "validation repeats values":
		for _, p := range resp.Problems {
			p.Message += " in " + string(req.GetConfig().GetJson())
		}
	case "validation asks the target":
		b.ask(ctx)
	}
	return resp, nil
}

func (b *broken) Configure(ctx context.Context, req *connectorv1.ConfigureRequest) (*connectorv1.ConfigureResponse, error) {
	if b.is("refuses unknown fields") && len(req.ProtoReflect().GetUnknown()) > 0 {
		return nil, status.Error(codes.InvalidArgument, "unknown fields")
	}
	if b.is("takes no configuration") {
		return nil, status.Error(codes.Internal, "not yet")
	}
	resp, err := b.Server.Configure(ctx, req)
	if b.is("older generation") && err != nil && strings.Contains(err.Error(), "older") {
		return &connectorv1.ConfigureResponse{}, nil
	}
	if err != nil {
		return nil, b.failure(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.configured++
	if b.is("each generation once") && proto.Equal(b.latest, req.GetInstance()) {
		return nil, status.Error(codes.AlreadyExists, "it is configured")
	}
	b.latest = proto.CloneOf(req.GetInstance())
	if b.first == nil {
		b.first = proto.CloneOf(req)
	}
	if b.is("cuts running calls") && b.cut != nil {
		b.cut()
	}
	return resp, nil
}

func (b *broken) Release(ctx context.Context, req *connectorv1.ReleaseRequest) (*connectorv1.ReleaseResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.defect {
	case "keeps released instances":
		return &connectorv1.ReleaseResponse{}, nil
	case "one instance for all":
		if b.latest != nil {
			_, _ = b.Server.Release(ctx, &connectorv1.ReleaseRequest{Instance: b.latest})
		}
	}
	resp, err := b.Server.Release(ctx, req)
	if b.is("release fails") {
		return nil, status.Error(codes.NotFound, "no such instance")
	}
	return resp, err
}

func (b *broken) Lookup(ctx context.Context, req *connectorv1.LookupRequest) (*connectorv1.LookupResponse, error) {
	switch b.defect {
	case "no deadline is fine":
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx = limited
	case "cuts running calls":
		cuttable, cancel := context.WithCancel(ctx)
		defer cancel()
		b.mu.Lock()
		b.cut = cancel
		b.mu.Unlock()
		ctx = cuttable
	}
	resp, err := b.Server.Lookup(ctx, req)
	if status.Code(err) == codes.FailedPrecondition && b.other(req) {
		return &connectorv1.LookupResponse{}, nil
	}
	return resp, b.failure(err)
}

// other tells whether the connector takes a call for an instance it does not
// have for one of another.
func (b *broken) other(req *connectorv1.LookupRequest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.is("any instance") || b.is("any generation") && req.GetInstance().GetGeneration() == 1 && req.GetInstance().GetInstanceId() == "kit-newer"
}

func (b *broken) Update(ctx context.Context, req *connectorv1.UpdateRequest) (*connectorv1.UpdateResponse, error) {
	resp, err := b.Server.Update(ctx, req)
	return resp, b.failure(err)
}

func (b *broken) Check(ctx context.Context, req *connectorv1.CheckRequest) (*connectorv1.CheckResponse, error) {
	if b.is("claims a capability") {
		return nil, status.Error(codes.Unimplemented, "not yet")
	}
	return b.Server.Check(ctx, req)
}

// failure is how the connector tells of one.
func (b *broken) failure(err error) error {
	if err != nil && b.is("plain failures") {
		return status.Error(codes.Unknown, "it failed")
	}
	return err
}
