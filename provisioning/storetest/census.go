package storetest

import (
	"testing"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// census checks that every account is counted once.
func census(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	f := setUp(t, open)
	got, err := f.Accounts.Census(t.Context())
	f.ok(err)
	f.equal("of nobody", 0, len(got))

	f.putTarget(provisioning.Target{Name: "wiki", Connector: "scim2", MaxConcurrency: provisioning.MaxConcurrency})
	f.settle("ann", "x1", Epoch())
	f.settle("bob", "x2", Epoch())
	f.want("eve", Epoch())
	f.ok(f.Accounts.Want(t.Context(), provisioning.Wish{User: "ann", Targets: []provisioning.TargetName{"wiki"}, Trigger: provisioning.TriggerBackground}, Epoch()))
	if _, err := f.db.Exec(t.Context(), "UPDATE account SET held = TRUE WHERE user_id = 'bob'"); err != nil {
		t.Fatal(err)
	}
	got, err = f.Accounts.Census(t.Context())
	f.ok(err)
	f.equal("of two targets", []provisioning.AccountCount{
		{Target: "dir", State: provisioning.StateInSync, Count: 1},
		{Target: "dir", State: provisioning.StateInSync, Held: true, Count: 1},
		{Target: "dir", State: provisioning.StatePending, Count: 1},
		{Target: "wiki", State: provisioning.StatePending, Count: 1},
	}, got)
}
