package provisioning

import "github.com/anteroom-id/anteroom/sdk"

// retryMode says when work that failed is tried again.
type retryMode string

const (
	retryNone    retryMode = "none"    // never by itself: the account is failed
	retryBackoff retryMode = "backoff" // soon, then less and less often
	retryAfter   retryMode = "after"   // when the target said, else as backoff
	retrySlow    retryMode = "slow"    // every slowRetry: an admin must act first
)

// The keys of the texts a person is shown at the gate.
const (
	TextUnavailable   = "failure.target_unavailable"
	TextBusy          = "failure.target_busy"
	TextMaintenance   = "failure.target_maintenance"
	TextMisconfigured = "failure.target_misconfigured"
	TextInvalid       = "failure.profile_invalid"
	TextTaken         = "failure.name_taken"
	TextAmbiguous     = "failure.account_ambiguous"
	TextQuota         = "failure.quota"
	TextUnsupported   = "failure.unsupported"
	TextInternal      = "failure.internal"
	TextPending       = "failure.target_pending"
	TextOutOfTime     = "failure.out_of_time"
	TextNoAccount     = "failure.no_account"
	TextRules         = "failure.rules_unavailable"
	TextRuleDenied    = "failure.rules_deny"
	TextDisabled      = "failure.user_disabled"
)

// kindPolicy is everything that follows from a kind of failure.
type kindPolicy struct {
	retry retryMode
	code  FailureCode
	text  string // shown to the user, by key
	admin string // what an admin can do
}

// policyOf is the one table from a kind of failure to what follows. A kind this
// version does not know is a defect of the connector.
func policyOf(kind sdk.Kind) kindPolicy {
	switch kind {
	case sdk.KindTransient:
		return kindPolicy{retryBackoff, FailureUnavailable, TextUnavailable, "the target could not be reached or was busy; it is tried again"}
	case sdk.KindRateLimited:
		return kindPolicy{retryAfter, FailureUnavailable, TextBusy, "the target limits the rate of calls; it is tried again when it allows"}
	case sdk.KindUnauthorized:
		return kindPolicy{retrySlow, FailureUnavailable, TextMisconfigured, "the target refuses the configured credentials; renew them"}
	case sdk.KindForbidden:
		return kindPolicy{retrySlow, FailureUnavailable, TextMisconfigured, "the configured credentials may not do this; grant them the permission"}
	case sdk.KindInvalid:
		return kindPolicy{retryNone, FailureRefused, TextInvalid, "the target refuses a value; correct the user's profile or the mapping"}
	case sdk.KindConflict:
		return kindPolicy{retryNone, FailureRefused, TextTaken, "an account with the same name or key exists and may not be adopted; resolve it in the target or change the adoption policy"}
	case sdk.KindAmbiguous:
		return kindPolicy{retryNone, FailureRefused, TextAmbiguous, "several accounts match this user; leave one in the target"}
	case sdk.KindNotFound:
		return kindPolicy{retryBackoff, FailureUnavailable, TextUnavailable, "the target does not find the account or something it refers to; it is tried again"}
	case sdk.KindQuota:
		return kindPolicy{retrySlow, FailureUnavailable, TextQuota, "the target has no licence or allowance left; add some"}
	case sdk.KindUnsupported:
		return kindPolicy{retryNone, FailureInternal, TextUnsupported, "the connector or target cannot do this; change the policy that asks for it"}
	case sdk.KindOutcomeUnknown:
		return kindPolicy{retryBackoff, FailureUnavailable, TextUnavailable, "the target's answer was lost; what happened is looked up before the next try"}
	case kindRules:
		return kindPolicy{retryBackoff, FailureRefused, TextRules, "the rules of the binding gave no decision; correct the rule set or what it asks of the user"}
	case sdk.KindPending:
		return kindPolicy{retryAfter, FailureUnavailable, TextPending, "the target has accepted the change and not done it yet; it is looked at again"}
	default:
		return kindPolicy{retryBackoff, FailureInternal, TextInternal, "the connector has a defect; see its log"}
	}
}

// FailureOf returns what a person is told of a kind of failure.
func FailureOf(kind sdk.Kind) Failure {
	p := policyOf(kind)
	return Failure{Code: p.code, Text: p.text}
}

// Advice returns what an admin can do about a kind of failure.
func Advice(kind sdk.Kind) string { return policyOf(kind).admin }
