package provisioning_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
)

// An account that rules keep as it was is not drift, whatever the target has of it,
// and is not made due by a repair.
func TestReconcileLeavesAloneWhatRulesKeep(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReconciling(t, db, "ann", "ben", "cat")
		r.rule("false", asIs)
		r.advance(2 * time.Minute)
		for _, user := range []provisioning.UserID{"ann", "ben", "dan"} {
			r.person(user)
			r.people.edit(user, func(p *provisioning.Profile) { p.Email = "new@example.com" })
		}
		r.ok(r.lifecycle.Changed(r.Context(), "ann"))
		r.ok(r.lifecycle.Changed(r.Context(), "ben"))
		r.ok(r.lifecycle.Registered(r.Context(), "dan", "app"))
		r.drain()
		for _, user := range []provisioning.UserID{"ann", "ben", "dan"} {
			if a := r.account(user); !a.Skipped() {
				t.Errorf("account = %+v, want it skipped", a)
			}
		}
		*r.in("ann").Active = false // by somebody else
		r.world.mu.Lock()
		for id, a := range r.world.accounts {
			if a.Attributes.String("owner") == "ben" {
				delete(r.world.accounts, id)
			}
		}
		r.world.mu.Unlock()
		if report := r.run(true); report.Total() != 0 || report.Due != 0 || report.InStep != 1 || report.Skipped != 2 {
			t.Errorf("report = %+v, want cat in step and nothing of the others", report)
		}
		if n := r.runDue(); n != 0 {
			t.Errorf("%d accounts are due", n)
		}
	}, store.Migrations())
}

// Whoever was skipped leaves and comes back like everybody else.
func TestSkippedAccountsLeave(t *testing.T) {
	for _, linked := range []bool{true, false} {
		t.Run(fmt.Sprintf("linked %t", linked), func(t *testing.T) {
			each(t, func(l *lab) {
				l.rule(inStaff, asIs)
				if linked {
					l.here("ann")
				}
				l.people.edit("ann", func(p *provisioning.Profile) { p.Groups = nil })
				l.ok(l.lifecycle.Registered(l.Context(), "ann", "app"))
				l.ok(l.lifecycle.Changed(l.Context(), "ann"))
				l.drain()
				if a := l.account("ann"); !a.Skipped() {
					l.Fatalf("account = %+v, want it skipped", a)
				}
				l.world.took()
				active := func(want bool) {
					l.Helper()
					l.drain()
					if found := l.world.of("ann"); linked && (len(found) != 1 || *found[0].Active != want) || !linked && len(found) != 0 {
						l.Errorf("the target has %+v, want it active: %t", found, want)
					}
				}
				l.disable("ann")
				active(false)
				l.people.edit("ann", func(p *provisioning.Profile) { p.Active = true })
				l.ok(l.lifecycle.Enabled(l.Context(), "ann"))
				active(false) // rules still deny it: nothing is given back
				l.joins("ann", "staff")
				l.drain()
				l.mirrors("ann", true)
				l.joins("ann")
				l.drain()
				l.ok(l.lifecycle.Deleted(l.Context(), "ann"))
				l.people.remove("ann")
				l.drain()
				if found := l.world.of("ann"); len(found) != 1 || *found[0].Active {
					l.Errorf("the target has %+v, want the account suspended", found)
				}
				l.state("ann", provisioning.StateSuspended, provisioning.OutcomeSuspended, "")
			})
		})
	}
}

// A rule set that suddenly denies everybody takes away no more accounts than an admin
// need not be asked about; whoever is granted the account again meanwhile keeps it.
func TestRulesThatDenyEverybodyWaitForAnAdmin(t *testing.T) {
	each(t, func(l *lab) {
		l.rule(inStaff, func(b *provisioning.Binding) { b.OnLoss = provisioning.LossDelete })
		const people = 20
		user := func(i int) provisioning.UserID { return provisioning.UserID(fmt.Sprintf("user%02d", i)) }
		for i := range people {
			l.person(user(i))
			l.start(user(i))
		}
		l.drain()
		l.advance(2 * time.Minute)
		_, err := l.RuleSets.Put(l.Context(), native("set", "'none' in user.groups"), l.Now())
		l.ok(err)
		for i := range people {
			l.decided(request(user(i)), provisioning.VerdictPermit, "") // skipped
		}
		l.drain()
		held := func() []provisioning.Account {
			l.Helper()
			out, err := l.Accounts.List(l.Context(), provisioning.AccountFilter{Target: "dir", Held: true})
			l.ok(err)
			return out
		}
		waiting := held()
		if there := len(l.world.accounts); len(waiting) != people-provisioning.MinDeprovisions || there != len(waiting) {
			l.Fatalf("%d accounts are held, and the target has %d; want %d", len(waiting), there, people-provisioning.MinDeprovisions)
		}
		_, err = l.RuleSets.Put(l.Context(), native("set", inStaff), l.Now())
		l.ok(err)
		by := waiting[0].User
		l.joins(by, "staff", "again") // a change asks anew
		l.drain()
		l.mirrors(by, true)
		if d, _ := l.signsIn(request(waiting[1].User), 5); d.Verdict != provisioning.VerdictPermit {
			l.Errorf("decision = %+v", d)
		}
		l.mirrors(waiting[1].User, true)
		if n := len(held()); n != len(waiting)-2 {
			l.Errorf("%d accounts are held, want %d", n, len(waiting)-2)
		}
		_, err = l.Accounts.Approve(l.Context(), "dir", l.Now())
		l.ok(err)
		l.drain()
		if there := len(l.world.accounts); there != len(waiting) {
			l.Errorf("the target has %d accounts, want all %d: the rules grant them again", there, len(waiting))
		}
	})
}
