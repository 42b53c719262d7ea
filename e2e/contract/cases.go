package contract

import "github.com/anteroom-id/anteroom/sdk"

// Case is one promise that holds for every server.
type Case struct {
	Name string
	// needs is the ability of the connector that the case is about, "" for none.
	needs sdk.Capability
	run   func(*lab)
}

// Cases returns the cases in the order of the matrix.
func Cases() []Case {
	return []Case{
		{"created", "", created},
		{"same again: nothing is written", sdk.CapabilityGet, sameAgain},
		{"attribute changed: one write", "", attributeChanged},
		{"attribute removed", "", attributeRemoved},
		{"account that is there, adopt never: conflict", "", adoptNever},
		{"account that is there, adopt if unclaimed: adopted", "", adoptUnclaimed},
		{"account of another, adopt if unclaimed: conflict, untouched", "", foreign},
		{"account of another, adopt always: adopted", "", adoptAlways},
		{"login taken by what cannot be found: conflict", "", invisible},
		{"renamed: the link stays", "", renamed},
		{"renamed to a taken login: conflict, the link stays", "", renamedToTaken},
		{"deactivated and reactivated", sdk.CapabilitySetActive, reactivated},
		{"user deleted: deleted", sdk.CapabilityDelete, deleted},
		{"deleted behind our back: made again", sdk.CapabilityGet, vanished},
		{"20 at once: one account, one id", "", twentyAtOnce},
		{"create: reply lost", "", createLost},
		{"create: reply lost, and the look after it fails", "", createLostTwice},
		{"change: reply lost", "", changeLost},
		{"429, Retry-After in seconds", "", rateLimited(RateLimited)},
		{"429, Retry-After as a date", "", rateLimited(RateLimitedDate)},
		{"503", "", unavailable},
		{"hang: the deadline is kept", "", hang},
		{"401", "", unauthorized},
		{"401 once: one new token", "", renewed},
		{"body breaks off", "", garbled(Malformed)},
		{"body is a web page", "", garbled(HTML)},
		{"body is huge", "", garbled(Huge)},
		{"connection reset", "", reset},
		{"secrets and values stay out of logs, errors and the ledger", "", secrets},
		{"groups: put in, left alone, taken out", sdk.CapabilitySetGroups, groups},
	}
}
