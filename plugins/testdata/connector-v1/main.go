// Command connector-v1 is a connector as it was built when protocol version 1 was
// first released: with that protocol's generated code and nothing of today's SDK.
// Hosts must go on working with it. It is never changed.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/anteroom-id/anteroom/plugins/testdata/connector-v1/connectorv1"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "ANTEROOM_CONNECTOR", MagicCookieValue: "d0f5b6f1-anteroom-connector",
		},
		Plugins:    plugin.PluginSet{"connector": &served{}},
		GRPCServer: plugin.DefaultGRPCServer,
	})
}

type served struct{ plugin.NetRPCUnsupportedPlugin }

func (*served) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterConnectorServer(s, &connector{accounts: map[string]*pb.Account{}})
	return nil
}

func (*served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("this is a connector")
}

// connector keeps accounts in memory, by their name.
type connector struct {
	pb.UnimplementedConnectorServer
	mu       sync.Mutex
	instance *pb.InstanceRef
	secret   string
	accounts map[string]*pb.Account
}

func (*connector) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{
		Name: "v1", Version: "1.0.0", DisplayName: "Version one", Capabilities: []string{"delete"},
		Config: []*pb.Field{{Name: "auth", Type: "string", Default: "bearer", Enum: []string{"basic", "bearer"}}, {Name: "token", Type: "string", Required: true, Secret: true}},
		Attributes: []*pb.Attribute{
			{Name: "owner", Type: "string", CaseExact: true, Correlate: 1, Owner: true, Source: "user.id"},
			{Name: "name", Type: "string", Required: true, CreateOnly: true, Correlate: 2, Source: "user.login"},
		},
	}, nil
}

func (*connector) ValidateConfig(_ context.Context, req *pb.ValidateConfigRequest) (*pb.ValidateConfigResponse, error) {
	if len(req.GetConfig().GetSecrets()["token"]) == 0 {
		return &pb.ValidateConfigResponse{Problems: []*pb.Problem{{Field: "token", Message: "is required"}}}, nil
	}
	return &pb.ValidateConfigResponse{}, nil
}

func (c *connector) Configure(_ context.Context, req *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instance, c.secret = req.GetInstance(), string(req.GetConfig().GetSecrets()["token"])
	fmt.Fprintln(os.Stderr, "configured with", c.secret)
	return &pb.ConfigureResponse{}, nil
}

func (c *connector) Release(context.Context, *pb.ReleaseRequest) (*pb.ReleaseResponse, error) {
	return &pb.ReleaseResponse{}, nil
}

// begin locks the connector, if it has the instance and the call a deadline.
func (c *connector) begin(ctx context.Context, ref *pb.InstanceRef) error {
	if _, ok := ctx.Deadline(); !ok {
		return failure(codes.InvalidArgument, "invalid", "", "a call needs a deadline")
	}
	c.mu.Lock()
	if c.instance == nil || c.instance.GetGeneration() != ref.GetGeneration() || c.instance.GetInstanceId() != ref.GetInstanceId() {
		c.mu.Unlock()
		return failure(codes.FailedPrecondition, "INSTANCE_NOT_CONFIGURED", "", "not configured")
	}
	return nil
}

func (c *connector) Lookup(ctx context.Context, req *pb.LookupRequest) (*pb.LookupResponse, error) {
	if err := c.begin(ctx, req.GetInstance()); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	resp := &pb.LookupResponse{}
	for _, a := range c.accounts {
		if a.GetAttributes().GetFields()[req.GetKey()].GetStringValue() == req.GetValue() {
			resp.Accounts = append(resp.Accounts, a)
		}
	}
	return resp, nil
}

func (c *connector) Create(ctx context.Context, req *pb.CreateRequest) (*pb.CreateResponse, error) {
	if err := c.begin(ctx, req.GetInstance()); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	name := req.GetAttributes().GetFields()["name"].GetStringValue()
	if c.accounts[name] != nil {
		return nil, failure(codes.AlreadyExists, "conflict", "name", "the name is taken, says the holder of "+c.secret)
	}
	active := req.GetActive()
	a := &pb.Account{Id: "id-" + name, Attributes: req.GetAttributes(), Active: &active, Version: "1"}
	c.accounts[name] = a
	return &pb.CreateResponse{Account: a}, nil
}

func (c *connector) Update(ctx context.Context, req *pb.UpdateRequest) (*pb.UpdateResponse, error) {
	if err := c.begin(ctx, req.GetInstance()); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	a := c.accounts[strings.TrimPrefix(req.GetId(), "id-")]
	if a == nil {
		return nil, failure(codes.NotFound, "not_found", "", "there is no such account")
	}
	for name, v := range req.GetSet().GetFields() {
		a.Attributes.Fields[name] = v
	}
	return &pb.UpdateResponse{Account: a}, nil
}

func (c *connector) Delete(ctx context.Context, req *pb.DeleteRequest) (*pb.DeleteResponse, error) {
	if err := c.begin(ctx, req.GetInstance()); err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	delete(c.accounts, strings.TrimPrefix(req.GetId(), "id-"))
	return &pb.DeleteResponse{Done: true}, nil
}

// failure is the status of a failed call.
func failure(code codes.Code, kind, field, message string) error {
	st, err := status.New(code, message).WithDetails(
		&errdetails.ErrorInfo{Domain: "anteroom.connector.v1", Reason: strings.ToUpper(kind)},
		&pb.Failure{Kind: kind, Effect: "none", Field: field, Message: message},
	)
	if err != nil {
		return err
	}
	return st.Err()
}
