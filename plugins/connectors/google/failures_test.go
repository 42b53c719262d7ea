package google_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/plugins/connectors/google"
	"github.com/anteroom-id/anteroom/plugins/connectors/google/fake"
	"github.com/anteroom-id/anteroom/sdk"
)

// TestAnswers is the table from Google's answers to kinds, tried with an update
// of an account that is not new.
func TestAnswers(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	id := w.Add(map[string]any{"primaryEmail": "ada@example.com"})
	for _, c := range []struct {
		status          int
		reason, message string
		kind            sdk.Kind
		effect          sdk.Effect
		field           string
	}{
		{400, "invalid", "Invalid Given/Family Name: FamilyName", sdk.KindInvalid, sdk.EffectNone, "name.familyName"},
		{400, "invalid", "Invalid Input: primary_user_email", sdk.KindInvalid, sdk.EffectNone, "primaryEmail"},
		{400, "invalid", "Invalid Input: INVALID_OU_ID", sdk.KindInvalid, sdk.EffectNone, "orgUnitPath"},
		{400, "badRequest", "Bad Request", sdk.KindInvalid, sdk.EffectNone, ""},
		{403, "userRateLimitExceeded", "User Rate Limit Exceeded", sdk.KindRateLimited, sdk.EffectNone, ""},
		{403, "rateLimitExceeded", "Rate Limit Exceeded", sdk.KindRateLimited, sdk.EffectNone, ""},
		{403, "quotaExceeded", "Quota exceeded", sdk.KindRateLimited, sdk.EffectNone, ""},
		{429, "rateLimitExceeded", "Too Many Requests", sdk.KindRateLimited, sdk.EffectNone, ""},
		{429, "RESOURCE_EXHAUSTED", "Quota exceeded", sdk.KindRateLimited, sdk.EffectNone, ""},
		{403, "dailyLimitExceeded", "Daily Limit Exceeded", sdk.KindQuota, sdk.EffectNone, ""},
		{429, "dailyLimitExceeded", "Daily Limit Exceeded", sdk.KindQuota, sdk.EffectNone, ""},
		{403, "limitExceeded", "Domain user limit reached", sdk.KindQuota, sdk.EffectNone, ""},
		{412, "conditionNotMet", "Domain user limit reached.", sdk.KindQuota, sdk.EffectNone, ""},
		{403, "forbidden", "Not Authorized to access this resource/api", sdk.KindForbidden, sdk.EffectNone, ""},
		{403, "notAuthorized", "Not Authorized", sdk.KindForbidden, sdk.EffectNone, ""},
		{403, "insufficientPermissions", "Insufficient Permission", sdk.KindForbidden, sdk.EffectNone, ""},
		{403, "accessNotConfigured", "Admin SDK has not been used", sdk.KindForbidden, sdk.EffectNone, ""},
		{404, "notFound", "Resource Not Found: userKey", sdk.KindNotFound, sdk.EffectNone, ""},
		{409, "conflict", "Conflict", sdk.KindTransient, sdk.EffectNone, ""},
		{409, "aborted", "Aborted", sdk.KindTransient, sdk.EffectNone, ""},
		{412, "conditionNotMet", "User creation is not complete.", sdk.KindTransient, sdk.EffectNone, ""},
		{412, "conditionNotMet", "Precondition Failed", sdk.KindTransient, sdk.EffectNone, ""},
		{500, "backendError", "Backend Error", sdk.KindTransient, sdk.EffectUnknown, ""},
		{502, "", "Bad Gateway", sdk.KindTransient, sdk.EffectUnknown, ""},
		{503, "backendError", "Service unavailable", sdk.KindTransient, sdk.EffectNone, ""},
		{501, "notImplemented", "Not implemented", sdk.KindUnsupported, sdk.EffectNone, ""},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.reason, " ", c.message), func(t *testing.T) {
			w.Script(update, fake.Answer{Status: c.status, Reason: c.reason, Message: c.message})
			_, err := target.Update(t.Context(), sdk.UpdateRequest{ID: id, Set: sdk.Attributes{"title": t.Name()}})
			wantField(t, wantKind(t, err, c.kind, c.effect), c.field)
		})
	}
}

// TestAdvice: what is missing for a right is said.
func TestAdvice(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	for reason, want := range map[string]string{
		"accessNotConfigured": "enable the Admin SDK API", "insufficientPermissions": "lacks a scope", "forbidden": "not in a domain of this customer",
	} {
		w.Script(insert, fake.Answer{Status: 403, Reason: reason, Message: "No"})
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
		wantText(t, wantKind(t, err, sdk.KindForbidden, sdk.EffectNone), want)
	}
}

// TestErrorInfo: newer answers have their reason in the details.
func TestErrorInfo(t *testing.T) {
	w := newWorld(t, fake.Options{})
	w.Script(insert, fake.Answer{Status: 403, Body: `{"error":{"code":403,"message":"Quota exceeded for quota metric","status":"PERMISSION_DENIED",
		"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com"}]}}`})
	_, err := w.open().Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
	wantKind(t, err, sdk.KindRateLimited, sdk.EffectNone)
}

func TestRetryAfter(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	for header, want := range map[string]time.Duration{"17": 17 * time.Second, "": 0, "nonsense": 0, "999999": time.Hour} {
		w.Script(insert, fake.Answer{Status: 403, Reason: "userRateLimitExceeded", Message: "Slow down", RetryAfter: header})
		_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
		if e := wantKind(t, err, sdk.KindRateLimited, sdk.EffectNone); e.RetryAfter != want {
			t.Errorf("Retry-After %q: %s, want %s", header, e.RetryAfter, want)
		}
	}
}

// person is the least an account needs.
func person(email string) sdk.Attributes {
	return sdk.Attributes{"primaryEmail": email, "name.givenName": "Ada", "name.familyName": "Lovelace"}
}

// TestUnusableAnswers: what cannot be read is no account, and no missing one.
func TestUnusableAnswers(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	const page = "<!DOCTYPE html><title>canary</title>"
	for name, a := range map[string]fake.Answer{
		"html": {Status: 200, Body: page}, "cut off": {Status: 200, Body: `{"id":"1`}, "wrong type": {Status: 200, Body: `{"id":1}`},
		"huge": {Status: 200, Body: `{"id":"` + strings.Repeat("1", 9<<20) + `"}`}, "no id": {Status: 200, Body: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			w.Script(insert, a)
			_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: person("ada@example.com")})
			wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
			w.Script(get, a)
			_, err = target.Get(t.Context(), sdk.GetRequest{ID: "17"})
			wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
		})
	}
	w.Script(get, fake.Answer{Status: 404, Body: page})
	_, err := target.Lookup(t.Context(), sdk.LookupRequest{Key: "primaryEmail", Value: "ada@example.com"})
	e := wantKind(t, err, sdk.KindInvalid, sdk.EffectNone)
	wantField(t, e, "base_url")
	w.Script(get, fake.Answer{Status: 302, Body: page})
	_, err = target.Get(t.Context(), sdk.GetRequest{ID: "17"})
	wantField(t, wantKind(t, err, sdk.KindInvalid, sdk.EffectNone), "base_url")
	if strings.Contains(err.Error()+e.Message, "canary") {
		t.Errorf("a page is quoted: %v, %v", err, e)
	}
}

// TestReplyLost: the write was done, and nobody may claim that it was not.
func TestReplyLost(t *testing.T) {
	w := newWorld(t, fake.Options{})
	target := w.open()
	w.Script(insert, fake.Answer{Status: 200, Body: "{", After: true})
	attributes := person("ada@example.com")
	attributes["externalId"] = "user-1"
	_, err := target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
	wantKind(t, err, sdk.KindOutcomeUnknown, sdk.EffectUnknown)
	if ids := lookup(t, target, "externalId", "user-1"); len(ids) != 1 {
		t.Errorf("the account is found as %v", ids)
	}
	if n := len(w.Users()); n != 1 {
		t.Errorf("%d accounts", n)
	}
}

// TestDeadline: a call ends with its context, also while it waits for a token.
func TestDeadline(t *testing.T) {
	w := newWorld(t, fake.Options{})
	hang := make(chan struct{})
	defer close(hang) // before the server waits for its last request
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hang:
		}
	})
	for name, change := range map[string]func(*google.Config){
		"directory": func(c *google.Config) { c.BaseURL = silent },
		"tokens":    func(c *google.Config) { c.TokenURL = silent + "/token" },
	} {
		target := w.open(change)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a busy machine takes a while to sign
		start := time.Now()
		_, err := target.Create(ctx, sdk.CreateRequest{Attributes: person("ada@example.com")})
		cancel()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: the call took %s", name, took)
		}
		kind, effect := sdk.KindOutcomeUnknown, sdk.EffectUnknown
		if name == "tokens" { // the directory was not asked at all
			kind, effect = sdk.KindTransient, sdk.EffectNone
		}
		wantKind(t, err, kind, effect)
		_, err = target.Get(expired(t), sdk.GetRequest{ID: "17"})
		wantKind(t, err, sdk.KindTransient, sdk.EffectNone)
	}
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestNothingIsTold: neither secrets nor the user's values are in any error.
func TestNothingIsTold(t *testing.T) {
	w := newWorld(t, fake.Options{})
	cfg := w.config()
	target := w.open()
	attributes := person("ada.canary@example.com")
	attributes["phone"] = "canary-phone-number"
	for _, method := range []string{insert, "token"} {
		w.Revoke()
		// The token endpoint and the directory repeat what they were sent.
		echo := `{"error":{"code":400,"message":"ada.canary@example.com canary-phone-number ` + escaped(cfg.Credentials.Reveal()) + `"}}`
		w.Script(method, fake.Answer{Status: 400, Body: echo})
		fresh := w.open()
		_, err := fresh.Create(t.Context(), sdk.CreateRequest{Attributes: attributes})
		e := sdk.AsError(err)
		if e == nil {
			t.Fatalf("%s: no error", method)
		}
		told := fmt.Sprintf("%s %+v %s", e.Message, err, causes(err))
		for _, secret := range []string{"BEGIN PRIVATE KEY", keyLine(cfg.Credentials.Reveal())} {
			if strings.Contains(told, secret) {
				t.Errorf("%s: the error tells the key: %s", method, told)
			}
		}
		if method == insert && strings.Contains(told, "canary") {
			t.Errorf("the error tells the user's values: %s", told)
		}
	}
	_ = target
	for _, text := range []string{fmt.Sprintf("%v", cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg)} {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Error("the configuration tells the key")
		}
	}
}

func escaped(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// keyLine is a line from the middle of the key.
func keyLine(key string) string { return strings.Split(key, `\n`)[5] }

func causes(err error) string {
	out := ""
	for ; err != nil; err = errors.Unwrap(err) {
		out += err.Error() + "\n"
	}
	return out
}
