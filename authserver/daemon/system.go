package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/runner"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	pstore "github.com/anteroom-id/anteroom/provisioning/store"
)

// System is every part, joined. Commands use it without serving.
type System struct {
	Config       config.Config
	Applications store.Applications
	SignIns      store.SignIns
	Pins         store.Pins
	Users        people
	Targets      *pstore.Targets
	Bindings     *pstore.Bindings
	Accounts     *pstore.Accounts
	Attempts     *pstore.Attempts
	Decisions    *pstore.Decisions
	// Reconciliations tells what comparing targets with the ledger found.
	Reconciliations *pstore.Reconciliations
	Health          *pstore.Health
	Sweeper         *provisioning.Sweeper
	Lifecycle       *provisioning.Lifecycle
	Gate            *provisioning.Gate

	log         *slog.Logger
	db          *sqldb.DB
	sealer      *keys.Sealer
	secrets     *keys.Secrets
	tokens      *store.OAuth
	sweeps      *pstore.Sweeps
	sessions    *session.Manager
	plugins     *plugins.Host
	connections *connections
	runner      *runner.Runner
	reconciler  *provisioning.Reconciler
	done        chan struct{} // closed when Serve has returned
}

// now is the one clock of the system.
func (s *System) now() time.Time { return time.Now() }

func migrations() []sqldb.Line { return []sqldb.Line{pstore.Migrations(), store.Migrations()} }

// Open opens the database, brings it to this version and makes every part. It
// starts nothing but the plugin host, which starts no process before it is asked
// to. Close it after use.
func Open(ctx context.Context, c config.Config, log *slog.Logger) (*System, error) {
	sealer, err := keys.LoadSealer(c.SecretsKeyFile)
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(ctx, c.Database.Reveal())
	if err != nil {
		return nil, err
	}
	s := &System{Config: c, log: log, db: db, sealer: sealer, done: make(chan struct{})}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) build(ctx context.Context) error {
	if err := s.db.Migrate(ctx, migrations()...); err != nil {
		return err
	}
	s.buildStores()
	if err := s.buildPlugins(ctx); err != nil {
		return err
	}
	return s.buildProvisioning(ctx)
}

func (s *System) buildStores() {
	s.Applications = store.Applications{DB: s.db, Now: s.now}
	s.SignIns, s.Pins, s.tokens = store.SignIns{DB: s.db}, store.Pins{DB: s.db}, &store.OAuth{DB: s.db}
	s.secrets = &keys.Secrets{Store: &store.Keys{DB: s.db}, Sealer: s.sealer, Now: s.now}
	s.sessions = &session.Manager{
		Store: store.Sessions{DB: s.db}, Cookies: session.NewCookies(isHTTPS(s.Config.Issuer)), Now: s.now,
	}
	p := pstore.New(s.db, s.sealer)
	s.Targets, s.Bindings, s.Accounts, s.Attempts, s.Decisions = p.Targets, p.Bindings, p.Accounts, p.Attempts, p.Decisions
	s.Reconciliations = p.Reconciliations
	s.Health, s.sweeps = p.Health, p.Sweeps
}

func (s *System) buildPlugins(ctx context.Context) error {
	host, err := plugins.New(plugins.Options{
		Dir: s.Config.ConnectorsDir, Pins: s.Pins, Dev: s.Config.Dev, Environ: os.Environ(), Logger: s.log, Now: s.now,
	})
	if err != nil {
		return err
	}
	s.plugins, s.connections = host, newConnections(host, s.Pins)
	return host.Start(ctx)
}

// buildProvisioning makes the engine and the gate. The runner is made before the
// engine is: the gate nudges it, and the engine's users are told of by the
// lifecycle, which nudges it too.
func (s *System) buildProvisioning(ctx context.Context) error {
	digestKey, err := s.secrets.Get(ctx, keys.SecretDigests)
	if err != nil {
		return err
	}
	nudge := func() { s.runner.Nudge() }
	notifier := &provisioning.Notifier{}
	s.Lifecycle = provisioning.NewLifecycle(provisioning.LifecycleOptions{
		Ledger: s.Accounts, Bindings: s.Bindings, Tx: s.db, Nudge: nudge, Now: s.now,
	})
	people := s.buildUsers()
	s.Sweeper = provisioning.NewSweeper(provisioning.SweeperOptions{
		Ledger: s.sweeps, Members: store.Users{DB: s.db}, Tx: s.db, Nudge: nudge, Logger: s.log, Now: s.now,
	})
	engine, err := provisioning.NewEngine(provisioning.EngineOptions{
		Ledger: s.Accounts, Health: s.Health, Admission: s.Accounts, Store: s.Targets, Targets: s.connections, Users: people, Notifier: notifier,
		DigestKey: digestKey, Logger: s.log, Now: s.now, Random: rand.Float64,
	})
	if err != nil {
		return err
	}
	s.reconciler = provisioning.NewReconciler(provisioning.ReconcilerOptions{
		Ledger: s.Accounts, Engine: engine, Targets: s.Targets, Now: s.now,
	})
	s.runner = runner.New(runner.Options{
		Queue: s.Accounts, Worker: engine, Owner: ownerName(), Logger: s.log, Now: s.now,
	})
	s.Gate = provisioning.NewGate(provisioning.GateOptions{
		Ledger: gateLedger{s.Bindings, s.Accounts}, Decisions: s.Decisions, Users: people, Tx: s.db, Nudge: nudge,
		Notifier: notifier, Now: s.now,
	})
	return nil
}

func (s *System) buildUsers() people {
	users := store.Users{DB: s.db}
	s.Users = people{sessions: s.sessions, Service: &user.Service{
		Store: users, Passwords: users, Throttle: store.Throttle{DB: s.db}, Tx: s.db,
		Hasher: user.NewHasher(user.DefaultParams()), Lifecycle: s.Lifecycle, Now: s.now, Log: s.log,
	}}
	return s.Users
}

// ownerName tells this process from every other that shares the database.
func ownerName() string {
	host, _ := os.Hostname() // only for people who read the table
	return fmt.Sprintf("%s-%d-%x", host, os.Getpid(), rand.Uint32())
}

const stopTimeout = 10 * time.Second

// Close ends the connectors and closes the database.
func (s *System) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var err error
	if s.plugins != nil {
		err = s.plugins.Stop(ctx)
	}
	return errors.Join(err, s.db.Close())
}

// Resources returns the backend of apply and export. getenv resolves secrets
// given by environment variable.
func (s *System) Resources(getenv func(string) string) *resources.Backend {
	return &resources.Backend{
		Targets: targetResources{s.Targets, s.now}, Bindings: bindingResources{s.Bindings}, Applications: s.Applications,
		Users: s.Users, Connectors: s.connections, InTx: s.db.InTx, Getenv: getenv, ReadFile: os.ReadFile,
	}
}

// DeleteApplication removes an application and its bindings; accounts stay.
func (s *System) DeleteApplication(ctx context.Context, id provisioning.ClientID) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		a, err := s.Applications.Get(ctx, id)
		if err != nil {
			return err
		}
		bindings, err := s.Bindings.ByClient(ctx, id)
		if err != nil {
			return err
		}
		for _, b := range bindings {
			if err := s.Bindings.Delete(ctx, id, b.Target); err != nil {
				return err
			}
		}
		return s.Applications.Delete(ctx, id, a.Revision)
	})
}
