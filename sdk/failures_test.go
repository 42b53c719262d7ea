package sdk_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/sdk"
)

func TestFromHTTP(t *testing.T) {
	for status, want := range map[int]sdk.Error{
		200: {Kind: sdk.KindInternal},
		302: {Kind: sdk.KindInternal},
		400: {Kind: sdk.KindInvalid, Effect: sdk.EffectNone},
		401: {Kind: sdk.KindUnauthorized, Effect: sdk.EffectNone},
		402: {Kind: sdk.KindQuota, Effect: sdk.EffectNone},
		403: {Kind: sdk.KindForbidden, Effect: sdk.EffectNone},
		404: {Kind: sdk.KindNotFound, Effect: sdk.EffectNone},
		405: {Kind: sdk.KindUnsupported, Effect: sdk.EffectNone},
		408: {Kind: sdk.KindTransient},
		409: {Kind: sdk.KindConflict, Effect: sdk.EffectNone},
		410: {Kind: sdk.KindNotFound, Effect: sdk.EffectNone},
		412: {Kind: sdk.KindTransient, Effect: sdk.EffectNone},
		422: {Kind: sdk.KindInvalid, Effect: sdk.EffectNone},
		423: {Kind: sdk.KindTransient, Effect: sdk.EffectNone},
		429: {Kind: sdk.KindRateLimited, Effect: sdk.EffectNone, RetryAfter: 7 * time.Second},
		500: {Kind: sdk.KindTransient, RetryAfter: 7 * time.Second},
		501: {Kind: sdk.KindUnsupported, Effect: sdk.EffectNone},
		502: {Kind: sdk.KindTransient, RetryAfter: 7 * time.Second},
		503: {Kind: sdk.KindTransient, Effect: sdk.EffectNone, RetryAfter: 7 * time.Second},
		504: {Kind: sdk.KindTransient, RetryAfter: 7 * time.Second},
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			got := sdk.FromHTTP(status, http.Header{"Retry-After": {"7"}})
			if got.Message == "" {
				t.Error("no message")
			}
			got.Message = ""
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("FromHTTP(%d) (-want +got):\n%s", status, diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	for header, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"120":                            2 * time.Minute,
		"3601":                           time.Hour,
		"4294967295":                     time.Hour,
		"99999999999999999999":           0,
		"-5":                             0,
		"1.5":                            0,
		"soon":                           0,
		date:                             0,
		"Sun, 06 Nov 1994 08:50:07 GMT":  30 * time.Second,
		"Sun, 06 Nov 1994 08:49:07 GMT":  0,
		"Mon, 07 Nov 1994 08:49:37 GMT":  time.Hour,
		"Sunday, 06-Nov-94 08:50:37 GMT": time.Minute,
	} {
		h := http.Header{"Date": {date}, "Retry-After": {header}}
		for _, status := range []int{429, 500, 503} {
			if got := sdk.FromHTTP(status, h).RetryAfter; got != want {
				t.Errorf("%d with Retry-After %q = %v, want %v", status, header, got, want)
			}
		}
	}
	noDate := http.Header{"Retry-After": {"Sun, 06 Nov 1994 08:49:37 GMT"}}
	if got := sdk.FromHTTP(503, noDate).RetryAfter; got != 0 {
		t.Errorf("a date long past = %v, want 0", got)
	}
}

func TestRateLimitedIsBounded(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{-1: 0, time.Minute: time.Minute, 48 * time.Hour: time.Hour} {
		if got := sdk.RateLimited(after).RetryAfter; got != want {
			t.Errorf("RateLimited(%v).RetryAfter = %v, want %v", after, got, want)
		}
	}
}

func TestEffectIsOpenUnlessCertain(t *testing.T) {
	for want, failures := range map[sdk.Effect][]*sdk.Error{
		"":                {sdk.Transient("", io.EOF)},
		sdk.EffectUnknown: {sdk.OutcomeUnknown(io.EOF)},
		sdk.EffectNone: {
			sdk.RateLimited(0), sdk.Invalid("", ""), sdk.Conflict(""), sdk.NotFound(""), sdk.Unauthorized(""),
			sdk.Forbidden(""), sdk.Quota(""), sdk.Unsupported(""),
		},
	} {
		for _, e := range failures {
			if e.Effect != want {
				t.Errorf("%s has effect %q, want %q", e.Kind, e.Effect, want)
			}
		}
	}
	if !errors.Is(sdk.Transient("m", io.EOF), io.EOF) || !errors.Is(sdk.OutcomeUnknown(io.EOF), io.EOF) {
		t.Error("the cause is lost")
	}
}
