package runner_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// A sign-in that waits for three targets waits for the slowest, not for the sum.
func TestTargetsRunInParallel(t *testing.T) {
	const pause = 300 * time.Millisecond
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		stores := bind(t, db)
		for _, name := range []provisioning.TargetName{"two", "three"} {
			if _, err := stores.Targets.Put(t.Context(), provisioning.Target{Name: name, Connector: "instant"}, time.Now()); err != nil {
				t.Fatal(err)
			}
			b := provisioning.NewBinding("app", name)
			b.Blocking = true
			if err := stores.Bindings.Put(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		target := &instant{pause: pause}
		i := newInstance(t, db, target)
		i.runner.Start(t.Context())
		defer stop(t, i.runner)

		r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
		began := time.Now()
		if _, err := i.gate.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		d, err := i.gate.Wait(t.Context(), r)
		took := time.Since(began)
		if err != nil || d.Verdict != provisioning.VerdictPermit || len(d.Findings) != 3 || target.creates.Load() != 3 {
			t.Fatalf("wait = %s of %d targets, %v, %d accounts; want permit, 3 and 3", d.Verdict, len(d.Findings), err, target.creates.Load())
		}
		if took < pause || took >= 2*pause {
			t.Errorf("three targets of %s took %s together", pause, took)
		}
	}, store.Migrations())
}

// A backlog does not keep a sign-in waiting: one slot is free for it, and it goes
// ahead.
func TestSignInPassesTheBacklog(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		stores := bind(t, db)
		if _, err := stores.Targets.Put(t.Context(), provisioning.Target{Name: "dir", Connector: "instant", MaxConcurrency: 2}, time.Now()); err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			w := provisioning.Wish{User: provisioning.UserID(fmt.Sprintf("user%03d", n)), Targets: []provisioning.TargetName{"dir"}, Trigger: provisioning.TriggerBackground}
			if err := stores.Accounts.Want(t.Context(), w, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		target := &instant{pause: 100 * time.Millisecond}
		i := newInstance(t, db, target)
		i.runner.Start(t.Context())
		defer stop(t, i.runner)

		r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
		if _, err := i.gate.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		d, err := i.gate.Wait(t.Context(), r)
		if err != nil || d.Verdict != provisioning.VerdictPermit {
			t.Fatalf("wait = %s, %v; want permit", d.Verdict, err)
		}
		if n := target.creates.Load(); n > 50 {
			t.Errorf("%d accounts of the backlog went first", n)
		}
	}, store.Migrations())
}
