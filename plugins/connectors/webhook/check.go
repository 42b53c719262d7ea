package webhook

import (
	"context"
	"crypto/rand"

	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/sdkhttp"
)

// try is one step of a check; a failure comes with what to do about it.
type try struct {
	name, fix string
	run       func(context.Context) (detail string, err error)
}

// Check tries, in order, to resolve and reach the endpoint, to have a signed ping
// taken, and to look somebody up who is not there. Steps after a failure are
// skipped. The error is always nil: failures are in the steps.
func (t *Target) Check(ctx context.Context) ([]sdk.CheckStep, error) {
	var ping error
	return inOrder(ctx, t.reach(ctx), []try{
		{"credentials", "Give the endpoint the same secret, and see that both clocks are right.", func(ctx context.Context) (string, error) {
			_, ping = t.send(ctx, event{Type: typePing, Data: struct{}{}})
			if k := sdk.KindOf(ping); k == sdk.KindForbidden || k == sdk.KindInvalid {
				return "the endpoint does not mind our signature", nil
			}
			return "the endpoint takes our signature", ping
		}},
		{"permission", "Let the endpoint accept events from this sender, and check the path of url.", func(context.Context) (string, error) {
			return "a ping is answered", ping
		}},
		{"schema", `Have the endpoint answer account.lookup with {"accounts": []} for nobody.`, func(ctx context.Context) (string, error) {
			_, err := t.Lookup(ctx, sdk.LookupRequest{Key: keyUserID, Value: "check-" + rand.Text()})
			return "a lookup is answered as declared", err
		}},
	}), nil
}

// inOrder appends what comes of the tries to the steps that were taken before.
func inOrder(ctx context.Context, steps []sdk.CheckStep, tries []try) []sdk.CheckStep {
	failed := false
	for _, s := range steps {
		failed = failed || s.Status == sdk.CheckFailed
	}
	for _, try := range tries {
		step := sdk.CheckStep{Name: try.name, Status: sdk.CheckSkipped, Detail: "an earlier step failed"}
		if !failed {
			detail, err := try.run(ctx)
			step.Status, step.Detail = sdk.CheckPassed, detail
			if failed = err != nil; failed {
				step.Status, step.Detail, step.Fix = sdk.CheckFailed, messageOf(err), try.fix
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// messageOf is an error for an admin: the connector's own message, or what is
// known of a network failure.
func messageOf(err error) string {
	if e := sdk.AsError(err); e.Kind != sdk.KindInternal {
		return e.Message
	}
	return sdkhttp.Explain(err)
}
