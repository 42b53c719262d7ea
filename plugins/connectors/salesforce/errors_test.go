package salesforce_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

const usersPath = "/services/data/v62.0/sobjects/User"

// refusal is an error answer as Salesforce writes it.
func refusal(t *testing.T, status int, code, message string, fields ...string) faultproxy.Fault {
	t.Helper()
	body, err := json.Marshal([]map[string]any{{"errorCode": code, "message": message, "fields": fields}})
	if err != nil {
		t.Fatal(err)
	}
	return faultproxy.Status(status, http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, string(body))
}

// TestErrorCodes is the table of what an org's refusals mean.
func TestErrorCodes(t *testing.T) {
	none, unknown := sdk.EffectNone, sdk.EffectUnknown
	for _, c := range []struct {
		status  int
		code    string
		message string
		fields  []string
		kind    sdk.Kind
		effect  sdk.Effect
		field   string
	}{
		{400, "DUPLICATE_USERNAME", "Duplicate Username.", nil, sdk.KindConflict, none, "Username"},
		{400, "DUPLICATE_COMM_NICKNAME", "Duplicate Nickname.", nil, sdk.KindConflict, none, "CommunityNickname"},
		{400, "DUPLICATE_VALUE", "duplicate value found", []string{"FederationIdentifier"}, sdk.KindConflict, none, "FederationIdentifier"},
		{400, "DUPLICATE_VALUE", "duplicate value found", nil, sdk.KindConflict, none, ""},
		{400, "LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded", nil, sdk.KindQuota, none, ""},
		{403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", nil, sdk.KindQuota, none, ""},
		{403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", nil, sdk.KindTransient, none, ""},
		{400, "STORAGE_LIMIT_EXCEEDED", "", nil, sdk.KindQuota, none, ""},
		{400, "LIMIT_EXCEEDED", "", nil, sdk.KindQuota, none, ""},
		{400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", nil, sdk.KindTransient, none, ""},
		{500, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", nil, sdk.KindTransient, none, ""},
		{400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: caused by: UNABLE_TO_LOCK_ROW", nil, sdk.KindTransient, none, ""},
		{503, "SERVER_UNAVAILABLE", "", nil, sdk.KindTransient, none, ""},
		{500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.", nil, sdk.KindTransient, unknown, ""},
		{401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", nil, sdk.KindUnauthorized, none, ""},
		{401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", nil, sdk.KindUnauthorized, none, ""},
		{401, "INVALID_AUTH_HEADER", "", nil, sdk.KindUnauthorized, none, ""},
		{403, "INSUFFICIENT_ACCESS", "", nil, sdk.KindForbidden, none, ""},
		{400, "INSUFFICIENT_ACCESS_OR_READONLY", "", nil, sdk.KindForbidden, none, ""},
		{400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", nil, sdk.KindForbidden, none, ""},
		{403, "API_DISABLED_FOR_ORG", "", nil, sdk.KindForbidden, none, ""},
		{403, "API_CURRENTLY_DISABLED", "", nil, sdk.KindForbidden, none, ""},
		{400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", []string{"LastName"}, sdk.KindInvalid, none, "LastName"},
		{400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value", []string{"TimeZoneSidKey"}, sdk.KindInvalid, none, "TimeZoneSidKey"},
		{400, "STRING_TOO_LONG", "Alias: data value too large", []string{"alias"}, sdk.KindInvalid, none, "Alias"},
		{400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []string{"UserRoleId"}, sdk.KindInvalid, none, "UserRoleId"},
		{400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []string{"ProfileId"}, sdk.KindInvalid, none, "profile"},
		{400, "FIELD_INTEGRITY_EXCEPTION", "licence and profile do not match", []string{"ProfileId"}, sdk.KindInvalid, none, "profile"},
		{400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "the title is wrong", []string{"Title"}, sdk.KindInvalid, none, "Title"},
		{400, "INVALID_EMAIL_ADDRESS", "invalid email address", nil, sdk.KindInvalid, none, "Email"},
		{400, "INVALID_EMAIL_ADDRESS", "invalid email address", []string{"Username"}, sdk.KindInvalid, none, "Username"},
		{400, "MALFORMED_ID", "", nil, sdk.KindInvalid, none, ""},
		{400, "MALFORMED_QUERY", "", nil, sdk.KindInvalid, none, ""},
		{400, "INVALID_FIELD", "No such column 'X'", nil, sdk.KindInvalid, none, ""},
		{400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", []string{"Elsewhere__c"}, sdk.KindInvalid, none, ""},
		{400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: no", nil, sdk.KindInvalid, none, ""},
		{400, "JSON_PARSER_ERROR", "", nil, sdk.KindInvalid, none, ""},
		{404, "NOT_FOUND", "The requested resource does not exist", nil, sdk.KindInvalid, none, "api_version"}, // of a create
		{405, "METHOD_NOT_ALLOWED", "", nil, sdk.KindUnsupported, none, ""},
		{400, "FUNCTIONALITY_NOT_ENABLED", "", nil, sdk.KindUnsupported, none, ""},
		{400, "NOBODY_KNOWS_THIS", "", nil, sdk.KindInvalid, none, ""},
		{502, "NOBODY_KNOWS_THIS", "", nil, sdk.KindTransient, unknown, ""},
		{420, "", "", nil, sdk.KindRateLimited, none, ""},
	} {
		t.Run(fmt.Sprint(c.status, c.code, c.message), func(t *testing.T) {
			b := start(t)
			b.proxy.Script("POST", usersPath, refusal(t, c.status, c.code, c.message, c.fields...))
			attributes := ada()
			attributes["CommunityNickname"] = "mapped" // so that a taken one is not tried with a suffix
			_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: attributes, Active: true})
			wantError(t, err, c.kind, c.effect, c.field)
			if c.field == "api_version" {
				return // said in our own words
			}
			if !strings.Contains(err.Error(), c.code) || !strings.Contains(err.Error(), c.message) {
				t.Errorf("the error %q does not say what the org said", err)
			}
			if n := b.proxy.Count("POST", usersPath); n != 1 {
				t.Errorf("%d creates were sent, want 1", n)
			}
		})
	}
}

// TestGoneAccounts are not there for any verb.
func TestGoneAccounts(t *testing.T) {
	b := start(t)
	id := b.create(t, ada())
	for _, code := range []string{"NOT_FOUND", "ENTITY_IS_DELETED"} {
		b.proxy.Script("PATCH", usersPath+"/*", refusal(t, 404, code, "entity is deleted"))
		_, err := b.target.Update(t.Context(), sdk.UpdateRequest{ID: id, Set: sdk.Attributes{"Title": "x"}})
		wantError(t, err, sdk.KindNotFound, sdk.EffectNone, "")
		b.proxy.Script("GET", usersPath+"/*", refusal(t, 404, code, "entity is deleted"))
		_, err = b.target.Get(t.Context(), sdk.GetRequest{ID: id})
		wantError(t, err, sdk.KindNotFound, sdk.EffectNone, "")
	}
}

// TestOddAnswers are read as far as they can be.
func TestOddAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault  faultproxy.Fault
		kind   sdk.Kind
		effect sdk.Effect
		says   string
	}{
		"one object":       {faultproxy.Status(400, nil, `{"errorCode":"DUPLICATE_USERNAME","message":"taken"}`), sdk.KindConflict, sdk.EffectNone, "taken"},
		"a result":         {faultproxy.Status(400, nil, `{"success":false,"errors":[{"statusCode":"DUPLICATE_USERNAME","message":"taken"}]}`), sdk.KindConflict, sdk.EffectNone, "taken"},
		"several":          {faultproxy.Status(400, nil, `[{"errorCode":"ODD"},{"errorCode":"DUPLICATE_USERNAME","message":"taken"}]`), sdk.KindConflict, sdk.EffectNone, "ODD"},
		"a code of words":  {faultproxy.Status(400, nil, `[{"errorCode":"not a code <b>"}]`), sdk.KindInvalid, sdk.EffectNone, "400"},
		"wrong types":      {faultproxy.Status(400, nil, `[{"errorCode":7,"fields":"x"}]`), sdk.KindInvalid, sdk.EffectNone, "400"},
		"a page":           {faultproxy.HTML(503), sdk.KindTransient, sdk.EffectNone, "503"},
		"a page of 500":    {faultproxy.HTML(500), sdk.KindTransient, sdk.EffectUnknown, "500"},
		"a page of 200":    {faultproxy.HTML(200), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "id"},
		"no success":       {faultproxy.Status(201, nil, `{"id":"005000000000001AAA","success":false}`), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "id"},
		"an id of another": {faultproxy.Status(201, nil, `{"id":"x","success":true}`), sdk.KindOutcomeUnknown, sdk.EffectUnknown, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			b.proxy.Script("POST", usersPath, c.fault)
			_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
			if e := sdk.AsError(err); e == nil || e.Kind != c.kind || e.Effect != c.effect || !strings.Contains(e.Message, c.says) {
				t.Errorf("%v, want %s, %s and %q", err, c.kind, c.effect, c.says)
			}
		})
	}
}

// TestPagesThatLeadNowhere end a query with a failure, never with fewer records.
func TestPagesThatLeadNowhere(t *testing.T) {
	for name, body := range map[string]string{
		"no next page":    `{"done":false,"records":[]}`,
		"elsewhere":       `{"done":false,"records":[],"nextRecordsUrl":"https://elsewhere.example/x"}`,
		"another host":    `{"done":false,"records":[],"nextRecordsUrl":"//elsewhere.example/services/data/"}`,
		"no records":      `{"done":true}`,
		"no query":        `[]`,
		"a user is no id": `{"done":true,"records":[{"Username":"x"}]}`,
	} {
		b := start(t)
		b.proxy.Script("GET", "/services/data/v62.0/query", faultproxy.Status(200, nil, body))
		_, err := b.target.Lookup(t.Context(), sdk.LookupRequest{Key: "Username", Value: "x@example.com"})
		if e := sdk.AsError(err); e == nil || e.Kind != sdk.KindTransient || e.Effect != sdk.EffectNone {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	b := start(t)
	b.proxy.Script("POST", usersPath, faultproxy.Status(420, http.Header{"Retry-After": {"30"}}, ""))
	_, err := b.target.Create(t.Context(), sdk.CreateRequest{Attributes: ada(), Active: true})
	if e := sdk.AsError(err); e == nil || e.RetryAfter != 30*time.Second {
		t.Errorf("%+v", e)
	}
}
