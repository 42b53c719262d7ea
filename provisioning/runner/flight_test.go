package runner_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/provisioning/store"
	"github.com/anteroom-id/anteroom/provisioning/storetest"
	"github.com/anteroom-id/anteroom/sdk"
)

// instant is a target that makes accounts and remembers how many.
type instant struct {
	creates atomic.Int64
	pause   time.Duration
	// meet makes every create wait for the others it counts; nil for none.
	meet *sync.WaitGroup
}

// Connect implements provisioning.Targets.
func (c *instant) Connect(context.Context, provisioning.Target) (provisioning.Conn, error) {
	return provisioning.Conn{Target: c, Description: sdk.Description{Attributes: []sdk.Attribute{
		{Name: "owner", Type: sdk.AttributeString, Owner: true, Correlate: 1},
	}}}, nil
}

// Lookup implements sdk.Target.
func (c *instant) Lookup(context.Context, sdk.LookupRequest) ([]sdk.Account, error) { return nil, nil }

// Create implements sdk.Target.
func (c *instant) Create(ctx context.Context, r sdk.CreateRequest) (sdk.Account, error) {
	if c.meet != nil {
		c.meet.Done()
		c.meet.Wait()
	}
	select {
	case <-time.After(c.pause):
	case <-ctx.Done():
		return sdk.Account{}, ctx.Err()
	}
	return sdk.Account{ID: fmt.Sprint("x", c.creates.Add(1), r.Attributes.String("owner"))}, nil
}

// Update implements sdk.Target.
func (c *instant) Update(context.Context, sdk.UpdateRequest) (sdk.Account, error) {
	return sdk.Account{}, nil
}

// crowd is a user store where everybody is.
type crowd struct{}

// Profile implements provisioning.Users.
func (crowd) Profile(_ context.Context, id provisioning.UserID) (provisioning.Profile, error) {
	return provisioning.Profile{ID: id, Login: string(id), Active: true}, nil
}

// Active implements provisioning.UserStatus.
func (crowd) Active(context.Context, provisioning.UserID) (bool, error) { return true, nil }

// instance is one server's share: a gate and a runner on the shared database.
type instance struct {
	gate   *provisioning.Gate
	runner *runner.Runner
}

func newInstance(t testing.TB, db *sqldb.DB, targets provisioning.Targets) instance {
	t.Helper()
	stores := store.New(db, storetest.Sealer{})
	notifier := &provisioning.Notifier{}
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	engine, err := provisioning.NewEngine(provisioning.EngineOptions{
		Ledger: stores.Accounts, Reservations: stores.Accounts, Health: stores.Health, Admission: stores.Accounts, Store: stores.Targets, Targets: targets, Users: crowd{}, Notifier: notifier,
		Rules:     provisioning.NewRulebook(provisioning.RulebookOptions{Bindings: stores.Bindings}), // no binding has any
		DigestKey: make([]byte, 32), Logger: logger, Now: time.Now, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := runner.New(runner.Options{Queue: stores.Accounts, Worker: engine, Owner: rand.Text(), Logger: logger, Now: time.Now})
	ledger := struct {
		*store.Accounts
		*store.Bindings
	}{stores.Accounts, stores.Bindings}
	gate := provisioning.NewGate(provisioning.GateOptions{
		Ledger: ledger, Decisions: stores.Decisions, Users: crowd{}, Tx: db, Nudge: r.Nudge, Notifier: notifier, Now: time.Now,
	})
	return instance{gate, r}
}

func bind(t testing.TB, db *sqldb.DB) store.Stores {
	t.Helper()
	stores := store.New(db, storetest.Sealer{})
	if _, err := stores.Targets.Put(t.Context(), provisioning.Target{Name: "dir", Connector: "instant", MaxConcurrency: 32}, time.Now()); err != nil {
		t.Fatal(err)
	}
	b := provisioning.NewBinding("app", "dir")
	b.Blocking = true
	if err := stores.Bindings.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return stores
}

// Fifty sign-ins of one new user on three instances: one account is made, and
// everybody goes on.
func TestFiftySignInsMakeOneAccount(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		bind(t, db)
		target := &instant{pause: 20 * time.Millisecond}
		var instances []instance
		for range 3 {
			i := newInstance(t, db, target)
			i.runner.Start(t.Context())
			defer stop(t, i.runner)
			instances = append(instances, i)
		}
		r := provisioning.Request{Client: "app", User: "ann", Grant: provisioning.GrantAuthorize}
		var wg sync.WaitGroup
		for n := range 50 {
			gate := instances[n%len(instances)].gate
			wg.Go(func() {
				if _, err := gate.Start(t.Context(), r); err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if d, err := gate.Wait(ctx, r); err != nil || d.Verdict != provisioning.VerdictPermit {
					t.Errorf("wait = %s, %v", d.Verdict, err)
				}
				if p, _, err := gate.Permit(t.Context(), r); err != nil || !p.Allows("app", "ann") {
					t.Errorf("permit = %+v, %v", p, err)
				}
			})
		}
		wg.Wait()
		if n := target.creates.Load(); n != 1 {
			t.Errorf("%d accounts were made, want 1", n)
		}
	}, store.Migrations())
}
