package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// Each method here makes the connector offer one more verb, because target then
// satisfies one more interface of package sdk. Delete those that the system
// cannot do; sdk.Lister and sdk.GroupSetter are the ones not shown.

// Get reads one account.
func (t *target) Get(ctx context.Context, req sdk.GetRequest) (sdk.Account, error) {
	var u user
	err := t.call(ctx, sdkhttp.Request{Method: http.MethodGet, URL: "users/" + url.PathEscape(req.ID)}, &u)
	return u.account(), err
}

// SetActive suspends an account or brings it back.
func (t *target) SetActive(ctx context.Context, req sdk.SetActiveRequest) (sdk.Account, error) {
	return t.patch(ctx, req.ID, sdk.Attributes{"active": req.Active})
}

// Delete removes an account. One that is gone already is what was asked for.
func (t *target) Delete(ctx context.Context, req sdk.DeleteRequest) error {
	err := t.call(ctx, sdkhttp.Request{Method: http.MethodDelete, URL: "users/" + url.PathEscape(req.ID)}, nil)
	if sdk.KindOf(err) == sdk.KindNotFound {
		return nil
	}
	return err
}

// Check tells an admin whether the configuration works. It changes nothing.
func (t *target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	step := sdk.CheckStep{Name: "credentials", Status: sdk.CheckPassed}
	if err := t.call(ctx, sdkhttp.Request{Method: http.MethodGet, URL: "users?login=anteroom-check"}, nil); err != nil {
		step.Status, step.Detail, step.Fix = sdk.CheckFailed, err.Error(), "Check base_url and token."
	}
	return []sdk.CheckStep{step}, nil
}
