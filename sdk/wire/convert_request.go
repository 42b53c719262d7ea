package wire

import (
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func operationToProto(o sdk.Operation) *connectorv1.Operation {
	return &connectorv1.Operation{Id: o.ID, Attempt: int32(o.Attempt), Dialog: o.Dialog}
}

func operationFromProto(p *connectorv1.Operation) sdk.Operation {
	return sdk.Operation{ID: p.GetId(), Attempt: int(p.GetAttempt()), Dialog: p.GetDialog()}
}

func lookupToProto(in *connectorv1.InstanceRef, r sdk.LookupRequest) *connectorv1.LookupRequest {
	return &connectorv1.LookupRequest{Instance: in, Key: r.Key, Value: r.Value}
}

func lookupFromProto(p *connectorv1.LookupRequest) sdk.LookupRequest {
	return sdk.LookupRequest{Key: p.GetKey(), Value: p.GetValue()}
}

func getToProto(in *connectorv1.InstanceRef, r sdk.GetRequest) *connectorv1.GetRequest {
	return &connectorv1.GetRequest{Instance: in, Id: r.ID}
}

func getFromProto(p *connectorv1.GetRequest) sdk.GetRequest {
	return sdk.GetRequest{ID: p.GetId()}
}

func createToProto(in *connectorv1.InstanceRef, r sdk.CreateRequest) (*connectorv1.CreateRequest, error) {
	attributes, err := attributesToProto(r.Attributes)
	if err != nil {
		return nil, err
	}
	return &connectorv1.CreateRequest{
		Instance: in, Operation: operationToProto(r.Operation), Attributes: attributes, Active: r.Active,
	}, nil
}

func createFromProto(p *connectorv1.CreateRequest) sdk.CreateRequest {
	return sdk.CreateRequest{
		Operation: operationFromProto(p.GetOperation()), Attributes: attributesFromProto(p.GetAttributes()), Active: p.GetActive(),
	}
}

func updateToProto(in *connectorv1.InstanceRef, r sdk.UpdateRequest) (*connectorv1.UpdateRequest, error) {
	set, err := attributesToProto(r.Set)
	if err != nil {
		return nil, err
	}
	return &connectorv1.UpdateRequest{
		Instance: in, Operation: operationToProto(r.Operation), Id: r.ID, Version: r.Version, Set: set, Clear: r.Clear,
	}, nil
}

func updateFromProto(p *connectorv1.UpdateRequest) sdk.UpdateRequest {
	return sdk.UpdateRequest{
		Operation: operationFromProto(p.GetOperation()), ID: p.GetId(), Version: p.GetVersion(),
		Set: attributesFromProto(p.GetSet()), Clear: p.GetClear(),
	}
}

func setActiveToProto(in *connectorv1.InstanceRef, r sdk.SetActiveRequest) *connectorv1.SetActiveRequest {
	return &connectorv1.SetActiveRequest{Instance: in, Operation: operationToProto(r.Operation), Id: r.ID, Active: r.Active}
}

func setActiveFromProto(p *connectorv1.SetActiveRequest) sdk.SetActiveRequest {
	return sdk.SetActiveRequest{Operation: operationFromProto(p.GetOperation()), ID: p.GetId(), Active: p.GetActive()}
}

func deleteToProto(in *connectorv1.InstanceRef, r sdk.DeleteRequest) *connectorv1.DeleteRequest {
	return &connectorv1.DeleteRequest{Instance: in, Operation: operationToProto(r.Operation), Id: r.ID}
}

func deleteFromProto(p *connectorv1.DeleteRequest) sdk.DeleteRequest {
	return sdk.DeleteRequest{Operation: operationFromProto(p.GetOperation()), ID: p.GetId()}
}

func listToProto(in *connectorv1.InstanceRef, r sdk.ListRequest) *connectorv1.ListRequest {
	return &connectorv1.ListRequest{Instance: in, PageSize: int32(r.PageSize)}
}

func listFromProto(p *connectorv1.ListRequest) sdk.ListRequest {
	return sdk.ListRequest{PageSize: int(p.GetPageSize())}
}

func setGroupsToProto(in *connectorv1.InstanceRef, r sdk.SetGroupsRequest) *connectorv1.SetGroupsRequest {
	return &connectorv1.SetGroupsRequest{Instance: in, Operation: operationToProto(r.Operation), Id: r.ID, Groups: r.Groups}
}

func setGroupsFromProto(p *connectorv1.SetGroupsRequest) sdk.SetGroupsRequest {
	return sdk.SetGroupsRequest{Operation: operationFromProto(p.GetOperation()), ID: p.GetId(), Groups: p.GetGroups()}
}
