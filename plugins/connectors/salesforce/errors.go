package salesforce

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// answerError is what the org said when it refused.
type answerError struct {
	status int
	items  []refusal
}

// refusal is one element of an error answer. A row that failed in a collection
// has its code as statusCode.
type refusal struct {
	Message    string   `json:"message"` // as received: never shown without a Redactor
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Fields     []string `json:"fields"`
}

func (r refusal) code() string { return cmp.Or(r.ErrorCode, r.StatusCode) }

// Error tells the status and codes only: the messages may quote anything.
func (a *answerError) Error() string {
	text := fmt.Sprintf("status %d", a.status)
	for _, item := range a.items {
		text += ", " + item.code()
	}
	return text
}

// answerOf returns what the org said, nil when it said nothing.
func answerOf(err error) *answerError {
	var a *answerError
	if errors.As(err, &a) {
		return a
	}
	return nil
}

func hasStatus(err error, status int) bool {
	a := answerOf(err)
	return a != nil && a.status == status
}

func hasCode(err error, code string) bool {
	a := answerOf(err)
	return a != nil && slices.ContainsFunc(a.items, func(r refusal) bool { return r.code() == code })
}

// neverRenewed are words of a 401 that a new session does not cure: the app or
// the user may not use the API, and the org says it like an ended session.
var neverRenewed = []string{"not attached to Agent", "not valid for use with the REST API"}

// sessionEnded reports whether the org refused the session itself. A 401 without
// a code counts: something before the org may have said it.
func sessionEnded(err error) bool {
	a := answerOf(err)
	if !hasStatus(err, http.StatusUnauthorized) || len(a.items) > 0 && !hasCode(err, "INVALID_SESSION_ID") {
		return false
	}
	for _, item := range a.items {
		for _, words := range neverRenewed {
			if strings.Contains(item.Message, words) {
				return false
			}
		}
	}
	return true
}

// maxCode is the longest code that is shown.
const maxCode = 80

// parseAnswer reads an error body leniently: a list of refusals, one refusal, a
// result with a list of them, or something else, such as a page.
func parseAnswer(status int, body []byte) *answerError {
	a := &answerError{status: status}
	var one struct {
		refusal
		Errors []refusal `json:"errors"`
	}
	if json.Unmarshal(body, &a.items) != nil {
		a.items = nil
		if json.Unmarshal(body, &one) == nil {
			a.items = append(one.Errors, one.refusal)
		}
	}
	a.items = slices.DeleteFunc(a.items, func(r refusal) bool { return !isCode(r.code()) })
	return a
}

func isCode(code string) bool {
	return code != "" && len(code) <= maxCode && !strings.ContainsFunc(code, func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

// meaning is what a code stands for. Its field is the one at fault where the
// org does not say.
type meaning struct {
	kind  sdk.Kind
	field string
}

// meanings is the table from errorCode to kind. Of every code in it is known
// that nothing was changed. A code that is not here counts as its HTTP status.
func meanings() map[string]meaning {
	table := map[string]meaning{
		"DUPLICATE_USERNAME":             {sdk.KindConflict, fieldUsername},
		"DUPLICATE_COMM_NICKNAME":        {sdk.KindConflict, fieldNickname},
		"LICENSE_LIMIT_EXCEEDED":         {kind: sdk.KindQuota},
		"INVALID_EMAIL_ADDRESS":          {sdk.KindInvalid, fieldEmail},
		"INVALID_TYPE_FOR_OPERATION":     {kind: sdk.KindUnsupported},
		"METHOD_NOT_ALLOWED":             {kind: sdk.KindUnsupported},
		"FUNCTIONALITY_NOT_ENABLED":      {kind: sdk.KindUnsupported},
		"UNABLE_TO_LOCK_ROW":             {kind: sdk.KindTransient},
		"SERVER_UNAVAILABLE":             {kind: sdk.KindTransient},
		"INVALID_SESSION_ID":             {kind: sdk.KindUnauthorized},
		"INVALID_AUTH_HEADER":            {kind: sdk.KindUnauthorized},
		"NOT_FOUND":                      {kind: sdk.KindNotFound},
		"ENTITY_IS_DELETED":              {kind: sdk.KindNotFound},
		"INSUFFICIENT_ACCESS":            {kind: sdk.KindForbidden},
		"CLIENT_NOT_ACCESSIBLE_FOR_USER": {kind: sdk.KindForbidden},
	}
	for kind, codes := range map[sdk.Kind][]string{
		sdk.KindConflict: {"DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID", "DUPLICATES_DETECTED", "DUPLICATE_DEVELOPER_NAME"},
		sdk.KindQuota:    {"REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "STORAGE_LIMIT_EXCEEDED", "MAX_ACTIVE_LIMIT_EXCEEDED"},
		sdk.KindForbidden: {"INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "INSUFFICIENT_RIGHTS",
			"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "ORG_LOCKED", "TXN_SECURITY_NO_ACCESS"},
		sdk.KindInvalid: {"REQUIRED_FIELD_MISSING", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "STRING_TOO_LONG", "NUMBER_OUTSIDE_VALID_RANGE",
			"INVALID_CROSS_REFERENCE_KEY", "FIELD_INTEGRITY_EXCEPTION", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "FIELD_FILTER_VALIDATION_EXCEPTION",
			"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "MALFORMED_ID", "MALFORMED_QUERY", "MALFORMED_SEARCH",
			"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE", "INVALID_TYPE_ON_FIELD_IN_RECORD", "INVALID_ID_FIELD",
			"INVALID_QUERY_FILTER_OPERATOR", "JSON_PARSER_ERROR", "INVALID_STATUS", "INACTIVE_OWNER_OR_USER", "CANNOT_DEACTIVATE_DEFAULT_USER"},
	} {
		for _, code := range codes {
			table[code] = meaning{kind: kind}
		}
	}
	return table
}

// refused is the error for an answer that is not 2xx. effect is what its status
// says of one.
func (c *client) refused(cl call, resp *sdkhttp.Response, effect sdk.Effect, redactor sdk.Redactor) error {
	a := parseAnswer(resp.Status, resp.Body)
	e := sdk.FromHTTP(resp.Status, resp.Header)
	e.Effect, e.Err = effect, a
	// Some gateways limit the rate with 420, which no RFC has.
	if resp.Status == 420 {
		e = sdk.RateLimited(sdk.FromHTTP(http.StatusTooManyRequests, resp.Header).RetryAfter)
		e.Err = a
	}
	if resp.Status == http.StatusMultipleChoices {
		e.Kind, e.Effect, e.Field = sdk.KindAmbiguous, sdk.EffectNone, "external_id_field"
	}
	item, m := a.decisive()
	if m.kind != "" {
		e.Kind, e.Effect = m.kind, sdk.EffectNone
		e.Field = c.fieldOf(item, m)
	}
	e.Message = fmt.Sprintf("%s answered %s", cmp.Or(cl.method, http.MethodGet), a)
	if text := redactor.Excerpt(item.Message, cl.values...); text != "" {
		e.Message += ": " + text
	}
	if used := c.usage.String(); e.Kind == sdk.KindQuota && used != "" {
		e.Message += " (" + used + ")"
	}
	return e
}

// decisive returns the first refusal whose code is known, with its meaning; else
// the first one.
func (a *answerError) decisive() (refusal, meaning) {
	table := meanings()
	for _, item := range a.items {
		m, known := table[item.code()]
		switch {
		case strings.Contains(item.Message, "UNABLE_TO_LOCK_ROW"): // within a trigger's failure
			return item, meaning{kind: sdk.KindTransient}
		case item.code() == "REQUEST_LIMIT_EXCEEDED" && strings.Contains(strings.ToLower(item.Message), "concurrent"):
			return item, meaning{kind: sdk.KindTransient} // as long as requests of others run
		case known:
			return item, m
		}
	}
	if len(a.items) > 0 {
		return a.items[0], meaning{}
	}
	return refusal{}, meaning{}
}

// fieldOf names what is at fault in the words of the connector.
func (c *client) fieldOf(item refusal, m meaning) string {
	if m.kind != sdk.KindInvalid && m.kind != sdk.KindConflict {
		return ""
	}
	for _, name := range item.Fields {
		if c.owner.external != "" && strings.EqualFold(name, c.owner.external) {
			return fieldFederation // whose value it holds
		}
		for _, a := range attributes() {
			if strings.EqualFold(name, a.Name) {
				return a.Name
			}
		}
	}
	return m.field
}
