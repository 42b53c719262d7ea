package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// Lookup implements the protocol.
func (s *Server) Lookup(ctx context.Context, req *connectorv1.LookupRequest) (*connectorv1.LookupResponse, error) {
	return onTarget(ctx, s, read, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.LookupResponse, error) {
		accounts, err := t.Lookup(ctx, lookupFromProto(req))
		if err != nil {
			return nil, err
		}
		p, err := accountsToProto(accounts)
		return &connectorv1.LookupResponse{Accounts: p}, err
	})
}

// Get implements the protocol.
func (s *Server) Get(ctx context.Context, req *connectorv1.GetRequest) (*connectorv1.GetResponse, error) {
	return onTarget(ctx, s, read, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.GetResponse, error) {
		getter, err := able[sdk.Getter](t)
		if err != nil {
			return nil, err
		}
		p, err := account(getter.Get(ctx, getFromProto(req)))
		return &connectorv1.GetResponse{Account: p}, err
	})
}

// Create implements the protocol.
func (s *Server) Create(ctx context.Context, req *connectorv1.CreateRequest) (*connectorv1.CreateResponse, error) {
	return onTarget(ctx, s, write, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.CreateResponse, error) {
		a, err := t.Create(ctx, createFromProto(req))
		if pending := pendingToProto(err); pending != nil {
			return &connectorv1.CreateResponse{Pending: pending}, nil
		}
		p, err := account(a, err)
		return &connectorv1.CreateResponse{Account: p}, err
	})
}

// Update implements the protocol.
func (s *Server) Update(ctx context.Context, req *connectorv1.UpdateRequest) (*connectorv1.UpdateResponse, error) {
	return onTarget(ctx, s, write, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.UpdateResponse, error) {
		a, err := t.Update(ctx, updateFromProto(req))
		if pending := pendingToProto(err); pending != nil {
			return &connectorv1.UpdateResponse{Pending: pending}, nil
		}
		p, err := account(a, err)
		return &connectorv1.UpdateResponse{Account: p}, err
	})
}

// SetActive implements the protocol.
func (s *Server) SetActive(ctx context.Context, req *connectorv1.SetActiveRequest) (*connectorv1.SetActiveResponse, error) {
	return onTarget(ctx, s, write, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.SetActiveResponse, error) {
		setter, err := able[sdk.ActiveSetter](t)
		if err != nil {
			return nil, err
		}
		a, err := setter.SetActive(ctx, setActiveFromProto(req))
		if pending := pendingToProto(err); pending != nil {
			return &connectorv1.SetActiveResponse{Pending: pending}, nil
		}
		p, err := account(a, err)
		return &connectorv1.SetActiveResponse{Account: p}, err
	})
}

// Delete implements the protocol.
func (s *Server) Delete(ctx context.Context, req *connectorv1.DeleteRequest) (*connectorv1.DeleteResponse, error) {
	return onTarget(ctx, s, write, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.DeleteResponse, error) {
		deleter, err := able[sdk.Deleter](t)
		if err != nil {
			return nil, err
		}
		err = deleter.Delete(ctx, deleteFromProto(req))
		if pending := pendingToProto(err); pending != nil {
			return &connectorv1.DeleteResponse{Pending: pending}, nil
		}
		return &connectorv1.DeleteResponse{Done: true}, err
	})
}

// SetGroups implements the protocol.
func (s *Server) SetGroups(ctx context.Context, req *connectorv1.SetGroupsRequest) (*connectorv1.SetGroupsResponse, error) {
	return onTarget(ctx, s, write, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.SetGroupsResponse, error) {
		setter, err := able[sdk.GroupSetter](t)
		if err != nil {
			return nil, err
		}
		err = setter.SetGroups(ctx, setGroupsFromProto(req))
		if pending := pendingToProto(err); pending != nil {
			return &connectorv1.SetGroupsResponse{Pending: pending}, nil
		}
		return &connectorv1.SetGroupsResponse{Done: true}, err
	})
}

// Check implements the protocol.
func (s *Server) Check(ctx context.Context, req *connectorv1.CheckRequest) (*connectorv1.CheckResponse, error) {
	return onTarget(ctx, s, read, req.GetInstance(), func(ctx context.Context, t sdk.Target) (*connectorv1.CheckResponse, error) {
		checker, err := able[sdk.Checker](t)
		if err != nil {
			return nil, err
		}
		steps, err := checker.Check(ctx)
		return &connectorv1.CheckResponse{Steps: list(steps, stepToProto)}, err
	})
}

// List implements the protocol: one account a message, so that the host sees
// each as soon as the target gives it.
func (s *Server) List(req *connectorv1.ListRequest, stream grpc.ServerStreamingServer[connectorv1.ListResponse]) error {
	_, err := onTarget(stream.Context(), s, read, req.GetInstance(), func(ctx context.Context, t sdk.Target) (struct{}, error) {
		lister, err := able[sdk.Lister](t)
		if err != nil {
			return struct{}{}, err
		}
		for a, err := range lister.List(ctx, listFromProto(req)) {
			p, err := account(a, err)
			if err != nil {
				return struct{}{}, err
			}
			if err := stream.Send(&connectorv1.ListResponse{Accounts: []*connectorv1.Account{p}}); err != nil {
				return struct{}{}, lost(false, "the host stopped listening", err)
			}
		}
		return struct{}{}, nil
	})
	return err
}

func account(a sdk.Account, err error) (*connectorv1.Account, error) {
	if err != nil {
		return nil, err
	}
	return accountToProto(a)
}
