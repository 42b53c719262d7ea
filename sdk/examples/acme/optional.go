package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
)

// Each method here makes the connector offer one more verb, because target then
// satisfies one more interface of package sdk. Delete those that the system
// cannot do; sdk.Lister and sdk.GroupSetter are the ones not shown.

// Get reads one account.
func (t *target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	var u user
	err := t.call(ctx, http.MethodGet, "users/"+url.PathEscape(req.ID), nil, &u)
	return u.account(), err
}

// SetActive suspends an account or brings it back.
func (t *target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return t.patch(ctx, req.ID, map[string]any{"active": req.Active})
}

// Delete removes an account. One that is gone already is what was asked for.
func (t *target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	err := t.call(ctx, http.MethodDelete, "users/"+url.PathEscape(req.ID), nil, nil)
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// Check tells an admin whether the configuration works. It changes nothing.
func (t *target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	step := sdk.CheckStep{Name: "credentials", Status: sdk.CheckPassed}
	if err := t.call(ctx, http.MethodGet, "users?login=anteroom-check", nil, nil); err != nil {
		step.Status, step.Detail, step.Fix = sdk.CheckFailed, err.Error(), "Check base_url and token."
	}
	return []sdk.CheckStep{step}, nil
}
