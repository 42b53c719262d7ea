package provisioning_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/sdk"
)

// listing is the world with a list that ends as it is told, and may lack a Getter
// or a Lister.
type listing struct {
	*world
	fails  error  // at the end of the list
	hides  string // id of an account the list leaves out
	twice  bool   // every account is listed twice
	during func() // runs when the list has been read
	conn   func(*provisioning.Conn)
}

// Connect implements provisioning.Targets.
func (l *listing) Connect(ctx context.Context, t provisioning.Target) (provisioning.Conn, error) {
	c, err := l.world.Connect(ctx, t)
	c.Lister = l
	if l.conn != nil {
		l.conn(&c)
	}
	return c, err
}

// List implements sdk.Lister.
func (l *listing) List(context.Context, sdk.ListRequest) iter.Seq2[sdk.Account, error] {
	l.mu.Lock()
	var all []sdk.Account
	for _, a := range l.accounts {
		if l.hides == "" || a.ID != l.hides {
			all = append(all, l.shown(a))
		}
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b sdk.Account) int { return strings.Compare(a.ID, b.ID) })
	if l.twice {
		all = append(all, all...)
	}
	if l.during != nil {
		l.during()
	}
	return func(yield func(sdk.Account, error) bool) {
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
		if l.fails != nil {
			yield(sdk.Account{}, l.fails)
		}
	}
}

// reconciling is a lab with people in sync.
type reconciling struct {
	*lab
	list *listing
}

func newReconciling(t *testing.T, db *sqldb.DB, people ...provisioning.UserID) reconciling {
	t.Helper()
	l := newLab(t, db)
	for _, p := range people {
		l.person(p)
		l.start(p)
	}
	l.drain()
	l.world.took()
	l.advance(time.Second)
	return reconciling{l, &listing{world: l.world}}
}

func (r reconciling) run(repair bool) provisioning.DriftReport {
	r.Helper()
	engine := r.engineOn(r.Accounts, r.list)
	report, err := provisioning.NewReconciler(provisioning.ReconcilerOptions{
		Ledger: r.Accounts, Engine: engine, Targets: r.Targets, Now: r.Now,
	}).Run(r.Context(), "dir", repair)
	r.ok(err)
	return report
}

// told sums a report up.
func told(r provisioning.DriftReport) string {
	var out []string
	for _, d := range r.Drifts {
		out = append(out, strings.TrimSpace(fmt.Sprint(d.Kind, " ", d.User, " ", strings.Join(d.Attributes, ","))))
	}
	slices.Sort(out)
	return fmt.Sprintf("%d listed, %d in step, %d skipped, %d unknown, %d due: %s", r.Listed, r.InStep, r.Skipped, r.Unknown, r.Due, strings.Join(out, "; "))
}

func (r reconciling) tells(repair bool, want string) provisioning.DriftReport {
	r.Helper()
	report := r.run(repair)
	if got := told(report); got != want {
		r.Errorf("report:\n got %s\nwant %s", got, want)
	}
	return report
}

func (r reconciling) in(user provisioning.UserID) *sdk.Account {
	r.Helper()
	return r.world.accounts[r.account(user).ExternalID]
}

func TestReconcileReportsEveryKindAndRepairs(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReconciling(t, db, "ann", "bob", "cid", "dan", "eva", "fay", "gus")
		r.ok(r.lifecycle.Disabled(t.Context(), "eva"))
		r.people.edit("eva", func(p *provisioning.Profile) { p.Active = false })
		r.ok(r.lifecycle.Deleted(t.Context(), "fay"))
		r.people.remove("fay")
		r.drain()
		r.advance(time.Second)
		r.tells(false, "7 listed, 7 in step, 0 skipped, 0 unknown, 0 due: ")

		delete(r.world.accounts, r.account("bob").ExternalID)
		r.in("cid").Attributes["email"] = "somebody@else.example"
		r.in("cid").Attributes["groups"] = []any{"others"}
		*r.in("dan").Active = false
		*r.in("eva").Active = true
		*r.in("fay").Active = true
		r.world.plant(sdk.Attributes{"login": "foreign"}, true)
		r.world.plant(sdk.Attributes{"owner": "not-a-user-of-ours", "login": "foreign2"}, true)
		r.world.plant(sdk.Attributes{"owner": "gus", "login": "gus2"}, true)
		before := r.world.of("gus")
		r.world.took()
		drift := "active eva; changed cid email,groups; extra gus; inactive dan; missing bob; orphaned fay"
		r.tells(false, "9 listed, 2 in step, 0 skipped, 2 unknown, 0 due: "+drift)
		r.calls(map[string]int{"get": 5})
		if due, err := r.Accounts.Due(t.Context()); err != nil || len(due) != 0 {
			t.Errorf("a report made work due: %v, %v", due, err)
		}
		r.tells(true, "9 listed, 2 in step, 0 skipped, 2 unknown, 5 due: "+drift)
		r.drain()
		r.advance(time.Second)
		r.tells(false, "10 listed, 7 in step, 0 skipped, 2 unknown, 0 due: extra gus")
		r.mirrors("bob", true)
		r.mirrors("cid", true)
		r.mirrors("dan", true)
		r.mirrors("eva", false)
		if diff := cmp.Diff(len(before), len(r.world.of("gus"))); diff != "" {
			t.Errorf("an extra account was touched: %s", diff)
		}
	}, store.Migrations())
}

// What a list leaves out for want of an end is not missing.
func TestReconcileIncompleteListReportsNothingMissing(t *testing.T) {
	cut := &sdk.Error{Kind: sdk.KindUnsupported, Message: "the server returned fewer users than it counts"}
	tests := map[string]struct {
		arrange func(r reconciling)
		reason  string
	}{
		"cut short":   {func(r reconciling) { r.list.fails = cut }, "unsupported: " + cut.Message},
		"without ids": {func(r reconciling) { r.world.accounts["0"] = &sdk.Account{Active: new(bool)} }, "internal: the list has an account without an id"},
		"no lister":   {func(r reconciling) { r.list.conn = func(c *provisioning.Conn) { c.Lister = nil } }, "unsupported: the connector cannot list accounts"},
		"cannot be read": {func(r reconciling) {
			r.world.failing("get", &sdk.Error{Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: "down"})
		}, "transient: down"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann", "bob")
			delete(r.world.accounts, r.account("bob").ExternalID)
			tt.arrange(r)
			report := r.run(true)
			if report.Complete || report.Incomplete != tt.reason || report.Total() != 0 || report.Due != 0 {
				t.Errorf("report = %+v, want it incomplete by %q and without a drift", report, tt.reason)
			}
		})
	}
}

// A list that lacks an account which is there is not believed, nor one that is
// older than the ledger.
func TestReconcileLooksTwice(t *testing.T) {
	t.Run("left out", func(t *testing.T) {
		r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann", "bob")
		r.list.hides = r.account("bob").ExternalID
		r.tells(true, "1 listed, 2 in step, 0 skipped, 0 unknown, 0 due: ")
	})
	t.Run("changed since", func(t *testing.T) {
		r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann")
		r.list.during = func() {
			r.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
			r.ok(r.lifecycle.Changed(t.Context(), "ann"))
			r.drain()
		}
		r.tells(true, "1 listed, 1 in step, 0 skipped, 0 unknown, 0 due: ")
	})
	t.Run("made since", func(t *testing.T) {
		r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann")
		r.list.conn = func(c *provisioning.Conn) { c.Getter = nil }
		r.list.during = func() {
			r.person("bob")
			r.start("bob")
			r.drain()
		}
		r.tells(true, "1 listed, 1 in step, 1 skipped, 0 unknown, 0 due: ")
	})
	t.Run("listed twice", func(t *testing.T) {
		r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann")
		r.list.twice = true
		r.tells(true, "1 listed, 1 in step, 0 skipped, 0 unknown, 0 due: ")
	})
	t.Run("work is due", func(t *testing.T) {
		r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann")
		r.people.edit("ann", func(p *provisioning.Profile) { p.Email = "new@example.com" })
		r.ok(r.lifecycle.Changed(t.Context(), "ann"))
		r.tells(true, "1 listed, 0 in step, 1 skipped, 0 unknown, 0 due: ")
	})
}

// A target without a Getter is believed when its list is complete.
func TestReconcileWithoutGetter(t *testing.T) {
	r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann", "bob")
	r.list.conn = func(c *provisioning.Conn) { c.Getter = nil }
	delete(r.world.accounts, r.account("bob").ExternalID)
	r.tells(true, "1 listed, 1 in step, 0 skipped, 0 unknown, 1 due: missing bob")
	r.world.noGet = true
	r.drain()
	r.mirrors("bob", true)
}

// More accounts than fit a batch, and more drifts than a report lists.
func TestReconcileCountsMoreThanItLists(t *testing.T) {
	r := newReconciling(t, sqldbtest.SQLite(t, store.Migrations()), "ann")
	r.people.edit("ann", func(*provisioning.Profile) {})
	for i := range provisioning.MaxDrifts + 50 {
		r.world.plant(sdk.Attributes{"owner": "ann", "login": fmt.Sprint("ann", i)}, true)
	}
	report := r.run(true)
	if report.Counts[provisioning.DriftExtra] != provisioning.MaxDrifts+50 || len(report.Drifts) != provisioning.MaxDrifts || report.InStep != 1 {
		t.Errorf("counts %v, %d listed, %d in step", report.Counts, len(report.Drifts), report.InStep)
	}
}
