package sdk

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies a failure. It decides the host's retry policy and what the
// user is told, so it matters more than the message.
type Kind string

// The kinds of failure.
const (
	// KindTransient will probably pass: network trouble, 502, 503, a lock.
	KindTransient Kind = "transient"
	// KindRateLimited asks to come back after RetryAfter.
	KindRateLimited Kind = "rate_limited"
	// KindUnauthorized means the target refuses our credentials.
	KindUnauthorized Kind = "unauthorized"
	// KindForbidden means the credentials are good but may not do this.
	KindForbidden Kind = "forbidden"
	// KindInvalid means the target refuses a value; Field names it if known.
	KindInvalid Kind = "invalid"
	// KindConflict means the name or key is taken by another account.
	KindConflict Kind = "conflict"
	// KindAmbiguous means several accounts match where one was expected.
	KindAmbiguous Kind = "ambiguous"
	// KindNotFound means the account (or what it refers to) is not there.
	KindNotFound Kind = "not_found"
	// KindQuota means licences or a long-term allowance are used up.
	KindQuota Kind = "quota"
	// KindUnsupported means the connector or target cannot do this at all.
	KindUnsupported Kind = "unsupported"
	// KindOutcomeUnknown means the request was sent and no answer came: the
	// target may or may not have been changed. It is never success.
	KindOutcomeUnknown Kind = "outcome_unknown"
	// KindInternal is a defect of the connector.
	KindInternal Kind = "internal"
	// KindPending is no failure: the target has accepted a write and not done it
	// yet. RetryAfter says when to look, and Message is for the person who waits.
	// Only a write has it; see [Pending].
	KindPending Kind = "pending"
)

// Effect says whether the failed call changed the target.
type Effect string

// The effects of a failed call.
const (
	EffectNone    Effect = "none"    // certainly nothing was changed
	EffectApplied Effect = "applied" // the change was made, something after it failed
	EffectUnknown Effect = "unknown" // sent, and then lost sight of
)

// Error is a failure of a verb as a connector reports it.
type Error struct {
	Kind       Kind
	Effect     Effect        // "" counts as unknown
	Message    string        // for an admin: no secrets, no user's values
	Field      string        // the attribute or configuration field at fault, "" if none
	RetryAfter time.Duration // 0 if the target did not say
	Err        error         // the cause; not sent to the host
}

// Error returns the message with its kind.
func (e *Error) Error() string {
	switch {
	case e.Field != "":
		return fmt.Sprintf("%s: %s: %s", e.Kind, e.Field, e.Message)
	case e.Message == "" && e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Kind, e.Err)
	default:
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an [*Error]. An error of another type is
// [KindInternal] with effect unknown; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindInternal, Effect: EffectUnknown, Message: "the connector failed", Err: err}
}

// KindOf returns the kind of err, "" for nil.
func KindOf(err error) Kind {
	if e := AsError(err); e != nil {
		return e.Kind
	}
	return ""
}
