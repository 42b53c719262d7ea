package webhook

import (
	"context"

	"github.com/anteroom-id/anteroom/sdk"
)

// Lookup asks for the accounts that have the key's value.
func (t *Target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	if req.Key != keyUserID && req.Key != keyLogin {
		return nil, sdk.Invalid(req.Key, "is not a key")
	}
	resp, err := t.send(ctx, event{
		Type: typeLookup, Data: lookupData{Key: req.Key, Value: req.Value}, values: []string{req.Value},
	})
	if err != nil {
		return nil, err
	}
	return accountsIn(resp)
}

// Get reads an account by its id.
func (t *Target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	resp, err := t.send(ctx, event{Type: typeGet, Data: getData{req.ID}, named: true})
	if err != nil {
		return sdk.Account{}, err
	}
	return accountIn(resp, req.ID, false)
}

// Create asks for a new account. An answer without an id leaves the outcome
// unknown.
func (t *Target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	if err := checkNames(req.Attributes, nil); err != nil {
		return sdk.Account{}, err
	}
	resp, err := t.send(ctx, event{
		Type: typeCreate, Operation: operationOf(req.Operation),
		Data:   createData{Attributes: present(req.Attributes), Active: req.Active},
		values: valuesOf(req.Attributes),
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return accountIn(resp, "", true)
}

// Update asks to change some attributes.
func (t *Target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	if err := checkNames(req.Set, req.Clear); err != nil {
		return sdk.Account{}, err
	}
	data := updateData{ID: req.ID, Version: req.Version, Set: present(req.Set), Clear: append([]string{}, req.Clear...)}
	resp, err := t.send(ctx, event{
		Type: typeUpdate, Operation: operationOf(req.Operation), Data: data, values: valuesOf(req.Set), named: true,
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return accountIn(resp, req.ID, true)
}

// SetActive asks to suspend an account or to bring it back.
func (t *Target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	resp, err := t.send(ctx, event{
		Type: typeSetActive, Operation: operationOf(req.Operation), Data: setActiveData{ID: req.ID, Active: req.Active}, named: true,
	})
	if err != nil {
		return sdk.Account{}, err
	}
	return accountIn(resp, req.ID, true)
}

// Delete asks to remove an account; one that is not there is a success.
func (t *Target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	_, err := t.send(ctx, event{
		Type: typeDelete, Operation: operationOf(req.Operation), Data: deleteData{req.ID}, named: true,
	})
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// present leaves out what has no value, and makes an object of nothing.
func present(a sdk.Attributes) sdk.Attributes {
	out := sdk.Attributes{}
	for name, value := range a {
		if value != nil {
			out[name] = value
		}
	}
	return out
}
