package scim2

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// answerError is what a server said when it refused (RFC 7644, 3.12).
type answerError struct {
	status   int
	scimType string
	detail   string // as received: never shown without a Redactor
}

// Error tells the status and scimType only: the detail may quote anything.
func (e *answerError) Error() string {
	if e.scimType == "" {
		return fmt.Sprintf("status %d", e.status)
	}
	return fmt.Sprintf("status %d, %s", e.status, e.scimType)
}

// answerOf returns what the server said, nil when it said nothing.
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

// parseAnswer reads an error body leniently, member by member: the status may be
// a number, a string or absent (the one on the wire counts), and the body may be
// HTML or nothing.
func parseAnswer(status int, body []byte) *answerError {
	a := &answerError{status: status}
	var message struct {
		ScimType any `json:"scimType"`
		Detail   any `json:"detail"`
		Errors   any `json:"Errors"` // of SCIM 1.1
	}
	if json.Unmarshal(body, &message) != nil {
		return a
	}
	a.scimType, _ = message.ScimType.(string)
	if len(a.scimType) > 40 || !printable(a.scimType) {
		a.scimType = ""
	}
	a.detail, _ = message.Detail.(string)
	a.detail = cmp.Or(a.detail, oldDetail(message.Errors))
	return a
}

// refused is the error for an answer that is not 2xx.
func (c *client) refused(cl call, resp *sdkhttp.Response) error {
	a := parseAnswer(resp.Status, resp.Body)
	e := &sdk.Error{
		Kind:   kindOf(a),
		Effect: effectOf(cl, a.status),
		// Some servers name a delay with other refusals than 429.
		RetryAfter: sdk.FromHTTP(http.StatusTooManyRequests, resp.Header).RetryAfter,
		Err:        a,
	}
	if a.status/100 == 3 {
		e.Field = "base_url"
	}
	if e.Kind == sdk.KindInvalid || e.Kind == sdk.KindConflict {
		e.Field = cmp.Or(e.Field, fieldIn(a.detail))
	}
	e.Message = fmt.Sprintf("%s answered %s", cl.method, a)
	if detail := c.http.Redactor().Excerpt(a.detail, cl.values...); detail != "" {
		e.Message += ": " + detail
	}
	return e
}

// kindOf is the one table from answers to kinds.
func kindOf(a *answerError) sdk.Kind {
	switch a.status {
	case http.StatusBadRequest:
		return kindOfBadRequest(a)
	case http.StatusUnauthorized:
		return sdk.KindUnauthorized
	case http.StatusPaymentRequired:
		return sdk.KindQuota
	case http.StatusForbidden:
		return sdk.KindForbidden
	case http.StatusNotFound, http.StatusGone:
		return sdk.KindNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return sdk.KindUnsupported
	case http.StatusConflict:
		return sdk.KindConflict
	case http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusTooEarly:
		return sdk.KindTransient
	case http.StatusTooManyRequests:
		return sdk.KindRateLimited
	}
	if a.status >= 500 {
		return sdk.KindTransient
	}
	return sdk.KindInvalid
}

// kindOfBadRequest splits 400 by scimType (RFC 7644, table 9). Some servers say
// that a name is taken in words only.
func kindOfBadRequest(a *answerError) sdk.Kind {
	detail := strings.ToLower(a.detail)
	switch a.scimType {
	case "uniqueness":
		return sdk.KindConflict
	case "tooMany":
		return sdk.KindQuota
	case "invalidFilter":
		return sdk.KindUnsupported
	case "":
		if strings.Contains(detail, "already exists") || strings.Contains(detail, "duplicate") {
			return sdk.KindConflict
		}
	}
	return sdk.KindInvalid
}

// effectOf says whether a refused call may have changed something. Gateways
// answer 5xx for requests they have passed on.
func effectOf(cl call, status int) sdk.Effect {
	switch {
	case !cl.writes() || status == http.StatusNotImplemented:
		return sdk.EffectNone
	case status >= 500 || status == http.StatusRequestTimeout:
		return sdk.EffectUnknown
	default:
		return sdk.EffectNone
	}
}
