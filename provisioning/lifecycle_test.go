package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// members are the users of applications, in the order of their ids.
type members map[provisioning.ClientID][]provisioning.UserID

// Members implements provisioning.Members.
func (m members) Members(_ context.Context, client provisioning.ClientID, after provisioning.UserID, limit int) ([]provisioning.UserID, error) {
	var out []provisioning.UserID
	for _, u := range m[client] {
		if u > after && len(out) < limit {
			out = append(out, u)
		}
	}
	return out, nil
}

func (l *lab) sweeper(m provisioning.Members) *provisioning.Sweeper {
	return provisioning.NewSweeper(provisioning.SweeperOptions{
		Ledger: l.Sweeps, Members: m, Tx: l.db, Nudge: l.nudge, Logger: slog.New(slog.DiscardHandler), Now: l.Now,
	})
}

// sweep carries every sweep to its end and returns how many batches that took.
func (l *lab) sweep(m provisioning.Members) int {
	l.Helper()
	s := l.sweeper(m)
	for n := 0; ; n++ {
		more, err := s.Step(l.Context())
		l.ok(err)
		if !more {
			return n
		}
	}
}

// each runs a test on a lab of each dialect.
func each(t *testing.T, f func(l *lab)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(newLab(t, db)) }, store.Migrations())
}

func (l *lab) unbind(client provisioning.ClientID) {
	l.Helper()
	l.ok(l.Bindings.Delete(l.Context(), client, "dir"))
}

// here signs the user in and waits for the account.
func (l *lab) here(user provisioning.UserID) {
	l.Helper()
	l.start(user)
	l.drain()
}

// none checks that the ledger has no account of the user.
func (l *lab) none(user provisioning.UserID) {
	l.Helper()
	if a, err := l.Accounts.Get(l.Context(), user, "dir"); !errors.Is(err, provisioning.ErrAccountNotFound) {
		l.Errorf("account of %s = %+v, %v, want none", user, a, err)
	}
}

func TestDefaultBindings(t *testing.T) {
	each(t, func(l *lab) {
		l.unbind("app")
		l.bind(func(b *provisioning.Binding) { b.Client = provisioning.DefaultClient })
		l.ok(l.lifecycle.Registered(l.Context(), "ann", ""))
		l.person("ben")
		l.ok(l.lifecycle.Registered(l.Context(), "ben", "app"))
		l.drain()
		l.mirrors("ann", true)
		l.none("ben")
		l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.drain()
		l.mirrors("ann", true)
		// No sign-in is ever asked for them, and no application is called so.
		l.decided(request("ben"), provisioning.VerdictPermit, "")
		r := request("ben")
		r.Client = provisioning.DefaultClient
		if _, _, err := l.gate.Permit(l.Context(), r); !errors.Is(err, provisioning.ErrRequest) {
			l.Errorf("a sign-in at the default bindings: %v, want it refused as malformed", err)
		}
	})
}

// crowd are many users of an application; their ids sort by number.
func crowd(n int) []provisioning.UserID {
	out := make([]provisioning.UserID, n)
	for i := range out {
		out[i] = provisioning.UserID(fmt.Sprintf("user%05d", i))
	}
	return out
}

func (l *lab) count(where string, args ...any) int {
	l.Helper()
	var n int
	l.ok(l.db.QueryRow(l.Context(), "SELECT COUNT(*) FROM account WHERE "+where, args...).Scan(&n))
	return n
}

var errCrash = errors.New("crash")

// crashing are members whose n-th batch cannot be read.
type crashing struct {
	members
	after provisioning.UserID
}

// Members implements provisioning.Members.
func (c crashing) Members(ctx context.Context, client provisioning.ClientID, after provisioning.UserID, limit int) ([]provisioning.UserID, error) {
	if after == c.after {
		return nil, errCrash
	}
	return c.members.Members(ctx, client, after, limit)
}

// Existing users get the accounts of a new binding in batches, not in the
// transaction that added it; a process that ends in between loses and doubles
// nothing.
func TestBindingAdded(t *testing.T) {
	each(t, func(l *lab) {
		users := crowd(2*provisioning.SweepBatch + 1)
		m := members{"other": users, "app": {"ann"}}
		l.sweep(members{})
		l.bind(func(b *provisioning.Binding) { b.Client = "other" })
		if n := l.count("TRUE"); n != 0 {
			l.Errorf("%d accounts in the transaction of the binding, want none", n)
		}
		broken := l.sweeper(crashing{m, users[provisioning.SweepBatch-1]})
		if more, err := broken.Step(l.Context()); err != nil || !more {
			l.Fatalf("first batch: %v, %v", more, err)
		}
		if n := l.count("desired = 'present'"); n != provisioning.SweepBatch {
			l.Errorf("%d accounts after one batch, want %d", n, provisioning.SweepBatch)
		}
		if _, err := broken.Step(l.Context()); !errors.Is(err, errCrash) {
			l.Errorf("the batch that crashed: %v", err)
		}
		if n := l.sweep(m); n != 2 {
			l.Errorf("%d more batches, want 2", n)
		}
		if n := l.count("desired_rev = 1 AND client_id = 'other' AND next_attempt_at > 0"); n != len(users) {
			l.Errorf("%d accounts asked for once, want %d", n, len(users))
		}
		l.bind(func(b *provisioning.Binding) { b.Client, b.Blocking = "other", false })
		if n := l.sweep(m); n != 0 {
			l.Errorf("%d batches after a change of an option, want none", n)
		}
	})
}

// What becomes of accounts whose binding is removed: only those we created are
// deleted.
func TestBindingRemoved(t *testing.T) {
	for _, policy := range []provisioning.LossPolicy{provisioning.LossKeep, provisioning.LossSuspend, provisioning.LossDelete} {
		t.Run(string(policy), func(t *testing.T) {
			each(t, func(l *lab) {
				l.bind(func(b *provisioning.Binding) { b.OnLoss = policy })
				l.sweep(members{})
				l.person("ben")
				l.world.plant(sdk.Attributes{"login": "ben"}, true)
				l.here("ann")
				l.here("ben")
				l.unbind("app")
				l.sweep(members{})
				l.drain()
				l.lost(policy)
				l.bind(func(b *provisioning.Binding) { b.OnLoss = policy })
				l.sweep(members{"app": {"ann"}})
				l.drain()
				l.mirrors("ann", true)
			})
		})
	}
}

// lost checks what became of ann, whose account we created, and of ben, who had
// one.
func (l *lab) lost(policy provisioning.LossPolicy) {
	l.Helper()
	switch policy {
	case provisioning.LossKeep:
		l.mirrors("ann", true)
		l.mirrors("ben", true)
	case provisioning.LossSuspend:
		l.mirrors("ann", false)
		l.mirrors("ben", false)
		l.toggled("ann", false) // signing the user in elsewhere again must not bring it back
	case provisioning.LossDelete:
		if left := l.world.of("ann"); len(left) != 0 {
			l.Errorf("left of ann: %+v, want nothing", left)
		}
		l.mirrors("ben", true)
		if a := l.account("ben"); a.ExternalID != "" || a.Outcome != provisioning.OutcomeUnlinked {
			l.Errorf("ben = %+v, want unlinked", a)
		}
	}
}

// toggled disables and enables the user and checks what the account then is.
func (l *lab) toggled(user provisioning.UserID, active bool) {
	l.Helper()
	l.ok(l.lifecycle.Disabled(l.Context(), user))
	l.drain()
	l.mirrors(user, false)
	l.ok(l.lifecycle.Enabled(l.Context(), user))
	l.drain()
	l.mirrors(user, active)
}

// An account stays as long as another binding may want it, and then goes as that
// one's policy says.
func TestBindingRemovedWhileAnotherWants(t *testing.T) {
	each(t, func(l *lab) {
		suspends := func(b *provisioning.Binding) { b.OnLoss = provisioning.LossSuspend }
		l.bind(suspends)
		l.bind(func(b *provisioning.Binding) { b.Client, b.OnLoss = "other", provisioning.LossDelete })
		l.sweep(members{})
		l.here("ann")
		l.unbind("app")
		l.sweep(members{})
		l.drain()
		l.mirrors("ann", true)
		l.unbind("other")
		l.sweep(members{})
		l.drain()
		if left := l.world.of("ann"); len(left) != 0 {
			l.Errorf("left: %+v, want it deleted as the last binding's policy says", left)
		}
	})
}

// The binding of the application the user belongs to keeps the account, whoever
// asked for it first, and even if it makes none at sign-in.
func TestBindingRemovedWhileHomeWants(t *testing.T) {
	each(t, func(l *lab) {
		l.bind(func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
		l.sweep(members{})
		l.here("ann")
		l.bind(func(b *provisioning.Binding) { b.Client, b.JITOutbound = "home", false })
		l.sweep(members{"home": {"ann"}})
		l.unbind("app")
		l.sweep(members{})
		l.drain()
		l.mirrors("ann", true)
	})
}

// A binding that is back before the sweep came takes nothing away.
func TestBindingRemovedAndBack(t *testing.T) {
	each(t, func(l *lab) {
		l.bind(func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
		l.sweep(members{})
		l.here("ann")
		l.unbind("app")
		l.bind(func(*provisioning.Binding) {})
		l.sweep(members{})
		if l.runDue() != 0 {
			l.Error("work is due")
		}
	})
}

// A user who was lost and then deleted ends as the target says, not as the
// binding did.
func TestLostThenDeleted(t *testing.T) {
	each(t, func(l *lab) {
		l.bind(func(b *provisioning.Binding) { b.OnLoss = provisioning.LossSuspend })
		l.sweep(members{})
		l.here("ann")
		l.unbind("app")
		l.sweep(members{})
		l.ok(l.lifecycle.Deleted(l.Context(), "ann"))
		l.drain()
		l.mirrors("ann", false)
	})
}

// A change of the target reaches every account, in batches: the first at once.
func TestTargetChangedForMany(t *testing.T) {
	each(t, func(l *lab) {
		users := crowd(2*provisioning.SweepBatch + 1)
		l.sweep(members{})
		l.ok(l.db.InTx(l.Context(), func(ctx context.Context) error {
			for _, u := range users {
				if err := l.Accounts.Want(ctx, provisioning.Wish{User: u, Targets: []provisioning.TargetName{"dir"}}, l.Now()); err != nil {
					return err
				}
			}
			return nil
		}))
		l.target(func(x *provisioning.Target) { x.Config = []byte(`{"a":1}`) })
		if n := l.count("desired_rev = 2"); n != provisioning.SweepBatch {
			l.Errorf("%d accounts in the transaction of the target, want %d", n, provisioning.SweepBatch)
		}
		if n := l.sweep(members{}); n != 2 {
			l.Errorf("%d batches, want 2", n)
		}
		if n := l.count("desired_rev = 2"); n != len(users) {
			l.Errorf("%d accounts made due once, want %d", n, len(users))
		}
	})
}

// An account that was in sync before the target changed proves nothing after it,
// even where the sweep has not come yet: a sign-in waits, and brings it forward.
func TestTargetChangedBeforeTheSweep(t *testing.T) {
	each(t, func(l *lab) {
		l.sweep(members{})
		l.ok(l.db.InTx(l.Context(), func(ctx context.Context) error {
			for _, u := range crowd(provisioning.SweepBatch) {
				if err := l.Accounts.Want(ctx, provisioning.Wish{User: u, Targets: []provisioning.TargetName{"dir"}}, l.Now().Add(time.Hour)); err != nil {
					return err
				}
			}
			return nil
		}))
		l.person("zoe") // after the first batch
		l.start("zoe")
		l.runDue()
		l.decided(request("zoe"), provisioning.VerdictPermit, "")
		l.target(func(x *provisioning.Target) { x.Config = []byte(`{"a":1}`) })
		l.decided(request("zoe"), provisioning.VerdictWait, "")
		if d := l.start("zoe"); d.Verdict != provisioning.VerdictWait || l.account("zoe").Trigger != provisioning.TriggerSignIn {
			l.Errorf("start = %+v, want to wait for work that is due", d)
		}
		for l.account("zoe").State != provisioning.StateInSync {
			if l.runDue() == 0 {
				l.Fatal("the work of the sign-in is not due")
			}
		}
		l.decided(request("zoe"), provisioning.VerdictPermit, "")
	})
}

// Two sweepers at once do each account once.
func TestSweepersShareTheWork(t *testing.T) {
	each(t, func(l *lab) {
		users := crowd(3 * provisioning.SweepBatch)
		m := members{"other": users}
		l.sweep(members{})
		l.bind(func(b *provisioning.Binding) { b.Client, b.OnLoss = "other", provisioning.LossSuspend })
		l.race(2, func() error { return l.steps(m) })
		l.unbind("other")
		l.unbind("app")
		l.race(2, func() error { return l.steps(m) })
		if n := l.count("desired_rev = 2 AND lost"); n != len(users) {
			l.Errorf("%d accounts asked for once and lost once, want %d", n, len(users))
		}
	})
}

func (l *lab) steps(m provisioning.Members) error {
	for {
		if more, err := l.sweeper(m).Step(l.Context()); err != nil || !more {
			return err
		}
	}
}

// A login that changes is sent to the account that is linked: none is made.
func TestRenamedLoginKeepsItsAccount(t *testing.T) {
	each(t, func(l *lab) {
		l.here("ann")
		before := l.account("ann").ExternalID
		l.world.took()
		l.people.edit("ann", func(p *provisioning.Profile) { p.Login = "anna" })
		l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		l.drain()
		l.calls(map[string]int{"get": 1, "update": 1})
		l.mirrors("ann", true)
		if after := l.account("ann").ExternalID; after != before {
			l.Errorf("external id %s became %s", before, after)
		}
	})
}

// What we did not create is never deleted, whatever ends it.
func TestNeverDeletesWhatItDidNotCreate(t *testing.T) {
	ends := map[string]func(*lab){
		"user": func(l *lab) { l.ok(l.lifecycle.Deleted(l.Context(), "ann")) },
		"user who is gone unnoticed": func(l *lab) {
			l.people.remove("ann")
			l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		},
		"binding": func(l *lab) {
			l.unbind("app")
			l.sweep(members{})
		},
		"binding and user": func(l *lab) {
			l.unbind("app")
			l.sweep(members{})
			l.ok(l.lifecycle.Deleted(l.Context(), "ann"))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			each(t, func(l *lab) {
				l.target(func(x *provisioning.Target) { x.OnUserDelete = provisioning.DeleteDelete })
				l.bind(func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
				l.sweep(members{})
				l.world.plant(sdk.Attributes{"login": "ann"}, true)
				l.here("ann")
				if !l.account("ann").Adopted {
					l.Fatal("the account was not adopted: the test proves nothing")
				}
				l.world.took()
				end(l)
				l.drain()
				if calls := l.world.took(); calls["delete"]+calls["set_active"] != 0 || len(l.world.of("ann")) != 1 {
					l.Errorf("calls = %v, want the account left alone", calls)
				}
			})
		})
	}
}
