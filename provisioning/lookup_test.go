package provisioning_test

import (
	"context"
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// deaf is a world that cannot be asked by some keys.
func deaf(w *world, keys ...string) wrapped {
	return wrapped{world: w, lookup: func(r sdk.LookupRequest) ([]sdk.Account, error) {
		for _, key := range keys {
			if r.Key == key {
				return nil, &sdk.Error{Kind: sdk.KindUnsupported, Effect: sdk.EffectNone, Message: "no filter on " + key}
			}
		}
		return w.Lookup(context.Background(), r)
	}}
}

// A key the target cannot be asked by is passed over: the next one finds the
// account.
func TestUnsupportedKeyIsPassedOver(t *testing.T) {
	l := liteLab(t)
	id := l.world.plant(sdk.Attributes{"login": "ann"}, true)
	l.engine = l.engineOn(l.Accounts, deaf(l.world, "owner"))
	l.start("ann")
	l.drain()
	if a := l.state("ann", provisioning.StateInSync, provisioning.OutcomeAdopted, ""); a.ExternalID != id {
		t.Errorf("linked to %q, want the account found by the second key, %q", a.ExternalID, id)
	}
	l.mirrors("ann", true)
}

// One key that was answered is enough to know that there is none.
func TestOneAnsweredKeyIsEnoughToCreate(t *testing.T) {
	l := liteLab(t)
	l.engine = l.engineOn(l.Accounts, deaf(l.world, "login"))
	l.start("ann")
	l.drain()
	l.state("ann", provisioning.StateInSync, provisioning.OutcomeCreated, "")
	l.mirrors("ann", true)
}

// When no key can be asked nobody knows whether there is an account: to make one
// could make a second.
func TestNoKeyToAskByIsAFailure(t *testing.T) {
	l := liteLab(t)
	l.engine = l.engineOn(l.Accounts, deaf(l.world, "owner", "login"))
	l.start("ann")
	l.drain()
	l.state("ann", provisioning.StateFailed, "", sdk.KindUnsupported)
	l.calls(map[string]int{})
}
