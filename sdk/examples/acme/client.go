package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/anteroom-id/anteroom/sdk"
)

// call makes one request. Its errors say whether the system may have been changed:
// pass them on as they are, or make another *sdk.Error of what you know better.
func (t *target) call(ctx context.Context, method, path string, body, into any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(t.config.BaseURL, "/")+"/"+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+t.config.Token.Reveal())
	resp, err := t.http.Do(req)
	if err != nil {
		return lost(method, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return sdk.FromHTTP(resp.StatusCode, resp.Header)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into); err != nil {
		return lost(method, err)
	}
	return nil
}

// lost is a request without an answer: whether a write was done is unknown.
func lost(method string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which may hold the user's values
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "the target is not reachable", Err: err}
	case method == http.MethodGet:
		return sdk.Transient("the target did not answer", err)
	}
	return sdk.OutcomeUnknown(err)
}
