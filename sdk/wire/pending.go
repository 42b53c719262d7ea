package wire

import (
	"time"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

// pendingToProto returns the outcome of a write that is accepted and not done,
// nil for any other.
func pendingToProto(err error) *connectorv1.Pending {
	if sdk.KindOf(err) != sdk.KindPending {
		return nil
	}
	e := sdk.AsError(err)
	return &connectorv1.Pending{PollAfterMs: e.RetryAfter.Milliseconds(), Text: clean(e.Message)}
}

// pendingFromProto keeps to the bounds of [sdk.Pending], whatever the connector
// asks for.
func pendingFromProto(p *connectorv1.Pending) *sdk.Error {
	const most = int64(365 * 24 * time.Hour / time.Millisecond) // beyond any bound, and no overflow
	after := time.Duration(min(max(0, p.GetPollAfterMs()), most)) * time.Millisecond
	return sdk.Pending(after, clean(p.GetText()))
}
