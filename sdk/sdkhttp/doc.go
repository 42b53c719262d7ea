// Package sdkhttp calls a target's HTTP API the way the host needs it: within a
// deadline, with a bounded answer, and with failures that are honest about their
// effect.
//
// What it takes off an author's hands: a request that never left is told from
// one whose answer was lost (a write is then [sdk.KindOutcomeUnknown], a read
// [sdk.KindTransient]); a refusal becomes the [sdk.Error] its status stands for,
// with Retry-After and an excerpt of what the target said; neither secrets, nor
// the user's values, nor the address are in an error; redirects to elsewhere are
// refused, because the credentials would leak; the proxy of the environment is
// used; the trace of the call is sent on.
//
// It tries nothing again: the host does, and knows when. It imports the standard
// library and package sdk only. The starting point is [New].
package sdkhttp
