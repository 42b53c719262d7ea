package sdk

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a target may ask for: a wrong header must not park
// people for days.
const maxRetryAfter = time.Hour

// Transient is a failure that will probably pass. Its effect is left open: after
// a write it counts as unknown, and the host looks before it tries again. Set
// Effect to [EffectNone] when the request certainly never arrived.
func Transient(message string, cause error) *Error {
	return &Error{Kind: KindTransient, Message: message, Err: cause}
}

// RateLimited is a refusal to be repeated after the given time, 0 if the target
// did not say.
func RateLimited(after time.Duration) *Error {
	e := refusal(KindRateLimited, "the target is limiting the rate of requests")
	e.RetryAfter = min(max(0, after), maxRetryAfter)
	return e
}

// Invalid is the refusal of a value; field is "" if the target did not say which.
func Invalid(field, message string) *Error {
	e := refusal(KindInvalid, message)
	e.Field = field
	return e
}

// Conflict is a refusal because the name or key is taken.
func Conflict(message string) *Error { return refusal(KindConflict, message) }

// NotFound says that the account, or what it refers to, is not there.
func NotFound(message string) *Error { return refusal(KindNotFound, message) }

// Unauthorized is the refusal of our credentials.
func Unauthorized(message string) *Error { return refusal(KindUnauthorized, message) }

// Forbidden is the refusal of what good credentials asked for.
func Forbidden(message string) *Error { return refusal(KindForbidden, message) }

// Quota says that licences or a long-term allowance are used up.
func Quota(message string) *Error { return refusal(KindQuota, message) }

// Unsupported says that the connector or target cannot do this at all.
func Unsupported(message string) *Error { return refusal(KindUnsupported, message) }

// OutcomeUnknown says that a write was sent and its answer never came.
func OutcomeUnknown(cause error) *Error {
	return &Error{
		Kind: KindOutcomeUnknown, Effect: EffectUnknown,
		Message: "the request was sent and no answer came", Err: cause,
	}
}

// refusal is a failure where the target answered, and changed nothing.
func refusal(k Kind, message string) *Error {
	return &Error{Kind: k, Effect: EffectNone, Message: message}
}

// FromHTTP returns the failure an HTTP status other than success stands for
// (RFC 9110 §15, RFC 6585), with Retry-After in seconds or as a date, at most an
// hour. A refusal changed nothing. A server error other than 501 and 503 leaves
// the effect open, because the server may have failed after the change. Where an
// API gives a status another meaning, change the result.
func FromHTTP(status int, header http.Header) *Error {
	message := fmt.Sprintf("the target answered %d %s", status, http.StatusText(status))
	switch status {
	case http.StatusTooManyRequests:
		e := RateLimited(retryAfter(header))
		e.Message = message
		return e
	case http.StatusServiceUnavailable:
		e := refusal(KindTransient, message)
		e.RetryAfter = retryAfter(header)
		return e
	case http.StatusRequestTimeout:
		return Transient(message, nil)
	}
	switch {
	case status == http.StatusNotImplemented || status >= 400 && status < 500:
		return refusal(refusalKind(status), message)
	case status >= 500:
		e := Transient(message, nil)
		e.RetryAfter = retryAfter(header)
		return e
	}
	return &Error{Kind: KindInternal, Message: message + ", which is no failure the connector knows"}
}

func refusalKind(status int) Kind {
	switch status {
	case http.StatusUnauthorized:
		return KindUnauthorized
	case http.StatusPaymentRequired:
		return KindQuota
	case http.StatusForbidden:
		return KindForbidden
	case http.StatusNotFound, http.StatusGone:
		return KindNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return KindUnsupported
	case http.StatusConflict:
		return KindConflict
	case http.StatusPreconditionFailed, http.StatusLocked, http.StatusTooEarly:
		return KindTransient // somebody else changes the account right now
	}
	return KindInvalid
}

// retryAfter reads the header of that name (RFC 9110 §10.2.3). A date is taken
// relative to the answer's own Date, so that a wrong clock on either side does
// no harm.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
