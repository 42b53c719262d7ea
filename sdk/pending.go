package sdk

import "time"

// Bounds of what a pending write may say.
const (
	minPoll = time.Second
	maxPoll = maxRetryAfter
)

// Pending says that the target has accepted a write and not done it yet: a job
// must run, or somebody must approve. It is no failure and no success. The host
// looks again after the given time, between a second and an hour, and then less
// and less often, for a week. A create is done when Lookup finds the account; it
// is not repeated while it is pending, so a connector that learns that the
// request was turned down says so from Lookup, with [Forbidden] say. Another write
// is done when the account is as wanted; where it is not, it is asked for again.
//
// text is for the person who waits, one plain sentence without markup: "Your
// manager must approve the account."
func Pending(pollAfter time.Duration, text string) *Error {
	return &Error{
		Kind: KindPending, Effect: EffectUnknown, Message: text,
		RetryAfter: min(max(minPoll, pollAfter), maxPoll),
	}
}
