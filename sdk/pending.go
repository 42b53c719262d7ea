package sdk

import "time"

// Bounds of what a pending write may say.
const (
	minPoll = time.Second
	maxPoll = 24 * time.Hour
)

// Pending says that the target has accepted a write and not done it yet: a job
// must run, or somebody must approve. It is no failure and no success. The host
// looks again after the given time, between a second and a day, with Get or
// Lookup; the account counts as done when it is found there. It does not repeat
// the create, so a connector that learns that the request was turned down says so
// from Get or Lookup, as [Forbidden] say.
//
// text is for the person who waits, one plain sentence without markup: "Your
// manager must approve the account." A Create whose target has given the account
// an id already returns it beside the error:
//
//	return sdk.Account{ID: id}, sdk.Pending(time.Minute, "…")
func Pending(pollAfter time.Duration, text string) *Error {
	return &Error{
		Kind: KindPending, Effect: EffectUnknown, Message: text,
		RetryAfter: min(max(minPoll, pollAfter), maxPoll),
	}
}
