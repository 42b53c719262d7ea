package scim2

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// NewTokens returns a function that gets a token and tells how many were fetched
// so far, each of them with the answer of the token endpoint.
func NewTokens(now func() time.Time, answer func(context.Context) string) func(context.Context) int {
	t := &tokens{kept: newShared[accessToken](), now: now}
	fetches := 0
	good := func(have accessToken) bool { return now().Before(have.ends) }
	return func(ctx context.Context) int {
		_, _ = t.kept.get(ctx, good, func(ctx context.Context) (accessToken, error) {
			fetches++
			return t.granted(&sdkhttp.Response{Status: 200, Body: []byte(answer(ctx))})
		})
		return fetches
	}
}
