package ldap

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

func (s checkStep) try(ctx context.Context, skip bool, timeout time.Duration) sdk.CheckStep {
	if skip {
		return sdk.CheckStep{Name: s.name, Status: sdk.CheckSkipped, Detail: "an earlier step failed"}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	detail, err := s.run(ctx)
	if err != nil {
		return sdk.CheckStep{Name: s.name, Status: sdk.CheckFailed, Detail: messageOf(err), Fix: s.fix}
	}
	return sdk.CheckStep{Name: s.name, Status: sdk.CheckPassed, Detail: detail}
}

// messageOf is an error for an admin: the connector's own message, or what is
// known of a network failure.
func messageOf(err error) string {
	e := sdk.AsError(err)
	switch {
	case e.Kind == sdk.KindInternal:
		return explain(err)
	case e.Field != "":
		return e.Field + ": " + e.Message
	}
	return e.Message
}
