package provisioning_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

var errKilled = errors.New("killed")

// process is a worker's process that is killed after a number of points: from
// then on nothing it does has an effect.
type process struct {
	points int // points passed
	limit  int // killed after as many; negative is never
}

// point reports whether the process is dead at this point.
func (p *process) point() error {
	p.points++
	if p.limit >= 0 && p.points > p.limit {
		return errKilled
	}
	return nil
}

// mortal is a ledger as a process uses it: it may die before or after any write.
type mortal struct {
	provisioning.Ledger
	p *process
}

func (m mortal) around(do func() error) error {
	if err := m.p.point(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return m.p.point()
}

// Begin implements provisioning.Ledger.
func (m mortal) Begin(ctx context.Context, l provisioning.Lease, a provisioning.Attempt) error {
	return m.around(func() error { return m.Ledger.Begin(ctx, l, a) })
}

// Creating implements provisioning.Ledger.
func (m mortal) Creating(ctx context.Context, l provisioning.Lease) error {
	return m.around(func() error { return m.Ledger.Creating(ctx, l) })
}

// Finish implements provisioning.Ledger.
func (m mortal) Finish(ctx context.Context, l provisioning.Lease, r provisioning.Result) error {
	return m.around(func() error { return m.Ledger.Finish(ctx, l, r) })
}

// LinkedTo implements provisioning.Ledger.
func (m mortal) LinkedTo(ctx context.Context, target provisioning.TargetName, id string) (provisioning.UserID, error) {
	if err := m.p.point(); err != nil {
		return "", err
	}
	return m.Ledger.LinkedTo(ctx, target, id)
}

// runKilled runs what is due in a process that dies after limit points, and
// returns how many it passed.
func (l *lab) runKilled(limit int) int {
	l.Helper()
	p := &process{limit: limit}
	l.world.before = func(string) error { return p.point() }
	l.world.after = func(string) error { return p.point() }
	engine := l.engineOn(mortal{l.Accounts, p}, l.world)
	for _, lease := range l.claim("mortal") {
		if err := engine.Run(l.Context(), lease); err != nil && !errors.Is(err, errKilled) {
			l.Fatal(err)
		}
	}
	l.world.mend()
	return p.points
}

// scenario is work that a process may be killed in, and what must be at the end.
type scenario struct {
	name    string
	prepare func(*lab) // makes work due
	check   func(*lab)
}

func scenarios() []scenario {
	settled := func(l *lab) {
		l.start("ann")
		l.drain()
	}
	inSync := func(l *lab) {
		l.mirrors("ann", true)
		if a := l.account("ann"); !a.Usable() {
			l.Errorf("account = %+v, want it in sync", a)
		}
	}
	return []scenario{
		{"create", func(l *lab) { l.start("ann") }, func(l *lab) {
			inSync(l)
			if a := l.account("ann"); !a.Created {
				l.Errorf("account = %+v, want it to count as created", a)
			}
		}},
		{"create that is never adopted", func(l *lab) {
			l.target(func(x *provisioning.Target) { x.Adopt = provisioning.AdoptNever })
			l.world.hideOwner = true
			l.start("ann")
		}, inSync},
		{"adopt", func(l *lab) {
			l.world.plant(sdk.Attributes{"login": "ann"}, false)
			l.start("ann")
		}, inSync},
		{"update", func(l *lab) {
			settled(l)
			l.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
			l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		}, inSync},
		{"update without get", func(l *lab) {
			l.world.noGet = true
			settled(l)
			l.people.edit("ann", func(p *provisioning.Profile) { p.Email, p.Groups = "", nil })
			l.ok(l.lifecycle.Changed(l.Context(), "ann"))
		}, inSync},
		{"suspend", func(l *lab) {
			settled(l)
			l.people.edit("ann", func(p *provisioning.Profile) { p.Active = false })
			l.ok(l.lifecycle.Disabled(l.Context(), "ann"))
		}, func(l *lab) { l.mirrors("ann", false) }},
		{"reactivate", func(l *lab) {
			settled(l)
			l.ok(l.lifecycle.Disabled(l.Context(), "ann"))
			l.drain()
			l.ok(l.lifecycle.Enabled(l.Context(), "ann"))
		}, inSync},
		{"suspend without reading", func(l *lab) {
			l.world.noGet, l.world.hideActive = true, true
			settled(l)
			l.ok(l.lifecycle.Disabled(l.Context(), "ann"))
		}, func(l *lab) {
			l.mirrors("ann", false)
			l.ok(l.lifecycle.Enabled(l.Context(), "ann"))
			l.drain()
			inSync(l)
		}},
		{"suspend, then reactivate without reading", func(l *lab) {
			l.world.noGet, l.world.hideActive = true, true
			settled(l)
			l.ok(l.lifecycle.Disabled(l.Context(), "ann"))
			l.afterKill = func() { l.ok(l.lifecycle.Enabled(l.Context(), "ann")) }
		}, inSync},
		{"delete", func(l *lab) {
			l.target(func(x *provisioning.Target) { x.OnUserDelete = provisioning.DeleteDelete })
			settled(l)
			l.people.remove("ann")
			l.ok(l.lifecycle.Deleted(l.Context(), "ann"))
		}, func(l *lab) {
			if left := l.world.of("ann"); len(left) > 0 {
				l.Errorf("left = %+v, want none", left)
			}
		}},
	}
}

// Killed at any point, before or after any write and any call, the next process
// brings the account where it must be, and there is only one.
func TestKilledAnywhere(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				whole := newLab(t, db)
				s.prepare(whole)
				points := whole.runKilled(-1)
				if points < 4 {
					t.Fatalf("only %d points were passed", points)
				}
				for limit := range points {
					l := whole.anew()
					s.prepare(l)
					l.runKilled(limit)
					l.advance(time.Millisecond)
					l.afterKill()
					if n := l.runDue(); n != 0 && limit < points-1 {
						t.Fatalf("killed after %d points: the lease did not hold", limit)
					}
					l.drain()
					s.check(l)
					if creates := l.world.took()["create"]; creates > 2 {
						t.Errorf("killed after %d points: %d creates", limit, creates)
					}
				}
			}, store.Migrations())
		})
	}
}

// anew empties the ledger and the world.
func (l *lab) anew() *lab {
	l.Helper()
	for _, table := range []string{"attempt", "account", "decision", "binding", "target_secret", "target"} {
		_, err := l.db.Exec(l.Context(), "DELETE FROM "+table)
		l.ok(err)
	}
	return newLab(l.TB, l.db)
}

// Killed right after a change reached the target, and changed back meanwhile:
// what was sent last does not pass for what the target has.
func TestKilledThenChangedBack(t *testing.T) {
	l := liteLab(t)
	l.start("ann")
	l.drain()
	mail := func(address string) {
		l.people.edit("ann", func(p *provisioning.Profile) { p.Email = address })
		l.ok(l.lifecycle.Changed(t.Context(), "ann"))
	}
	mail("new@example.com")
	points := l.runKilled(-1)
	mail("ann@example.com")
	l.drain()
	mail("new@example.com")
	l.runKilled(points - 2) // update done, result not written
	if got := l.world.of("ann")[0].Attributes.String("email"); got != "new@example.com" {
		t.Fatalf("email = %q: the update did not reach the target, the test proves nothing", got)
	}
	mail("ann@example.com")
	l.drain()
	l.mirrors("ann", true)
}
