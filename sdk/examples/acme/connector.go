package main

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// This file is what you change: the functions marked 1, 2 and 3. What a user
// looks like in the API is in user.go; config and attributes are in config.go;
// optional.go holds what not every system can do.

// target is one configured system. Its methods are called concurrently.
type target struct {
	config config
	http   *sdkhttp.Client
}

func open(_ context.Context, c config) (*target, error) {
	return &target{config: c, http: sdkhttp.New(sdkhttp.Options{
		Authorize: sdkhttp.Bearer(c.Token), AddressField: "base_url",
	})}, nil
}

// Close is called when the configuration is replaced.
func (t *target) Close() error {
	t.http.Close()
	return nil
}

// Lookup (1) finds the accounts whose attribute req.Key has the value. None is an
// empty answer, not an error. More than asked for does no harm, an omission does.
func (t *target) Lookup(ctx context.Context, req sdk.LookupRequest) ([]sdk.Account, error) {
	query := url.Values{req.Key: {req.Value}}
	var page struct{ Users []user }
	err := t.call(ctx, sdkhttp.Request{
		Method: http.MethodGet, URL: "users?" + query.Encode(), Values: []string{req.Value},
	}, &page)
	if err != nil {
		return nil, err
	}
	accounts := make([]sdk.Account, len(page.Users))
	for i, u := range page.Users {
		accounts[i] = u.account()
	}
	return accounts, nil
}

// Create (2) makes an account and returns it with the id the system gave it. A
// name that is taken is sdk.Conflict, which the status 409 stands for already.
func (t *target) Create(ctx context.Context, req sdk.CreateRequest) (sdk.Account, error) {
	body := maps.Clone(req.Attributes)
	body["active"] = req.Active
	var u user
	err := t.call(ctx, sdkhttp.Request{
		Method: http.MethodPost, URL: "users", Body: body, Values: texts(req.Attributes),
	}, &u)
	return u.account(), err
}

// Update (3) changes exactly these attributes and leaves the others alone. An
// account that is gone is sdk.NotFound, which the status 404 stands for already.
func (t *target) Update(ctx context.Context, req sdk.UpdateRequest) (sdk.Account, error) {
	body := sdk.Attributes{}
	maps.Copy(body, req.Set)
	for _, name := range req.Clear {
		body[name] = nil
	}
	return t.patch(ctx, req.ID, body)
}

func (t *target) patch(ctx context.Context, id string, body sdk.Attributes) (sdk.Account, error) {
	var u user
	err := t.call(ctx, sdkhttp.Request{
		Method: http.MethodPatch, URL: "users/" + url.PathEscape(id), Body: body, Values: texts(body),
	}, &u)
	return u.account(), err
}

// call makes one request; its URL is relative to the base. Errors say whether the
// system may have been changed, and repeat no Values: pass them on as they are, or
// make another *sdk.Error of what you know better.
func (t *target) call(ctx context.Context, r sdkhttp.Request, into any) error {
	r.URL = strings.TrimSuffix(t.config.BaseURL, "/") + "/" + r.URL
	answer, err := t.http.Do(ctx, r)
	if err != nil || into == nil {
		return err
	}
	return answer.Decode(into)
}

// texts are the user's values, which no message may repeat.
func texts(a sdk.Attributes) []string {
	var all []string
	for name := range a {
		all = append(all, a.Strings(name)...)
	}
	return all
}
