package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/authserver/metrics"
	"github.com/anteroom-id/anteroom/authserver/outbound"
	"github.com/anteroom-id/anteroom/authserver/passkey"
	"github.com/anteroom-id/anteroom/authserver/recovery"
	"github.com/anteroom-id/anteroom/authserver/registration"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/secondfactor"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/subject"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/faultpoint"
	"github.com/anteroom-id/anteroom/provisioning/rules/language"
	"github.com/anteroom-id/anteroom/provisioning/runner"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	pstore "github.com/anteroom-id/anteroom/provisioning/store"
)

// System is every part, joined. Commands use it without serving.
type System struct {
	Config       config.Config
	Applications store.Applications
	SignIns      store.SignIns
	Pins         store.Pins // what an admin has pinned; a lock file may decide instead
	Users        people
	SecondFactor *secondfactor.Service
	Passkeys     *passkey.Service // nil if there are none; see buildPasskeys
	Upstreams    store.Upstreams
	// ResourceServers are the APIs that access tokens may be for.
	ResourceServers store.ResourceServers
	Targets         *pstore.Targets
	Bindings        *pstore.Bindings
	Accounts        *pstore.Accounts
	Attempts        *pstore.Attempts
	Decisions       *pstore.Decisions
	RuleSets        *pstore.RuleSets
	// Reconciliations tells what comparing targets with the ledger found.
	Reconciliations *pstore.Reconciliations
	Health          *pstore.Health
	Sweeper         *provisioning.Sweeper
	// Registrations are applications that register themselves.
	Registrations *registration.Service
	Lifecycle     *provisioning.Lifecycle
	Gate          *provisioning.Gate
	// Simulator says what would be done, and does nothing.
	Simulator *provisioning.Simulator
	Rules     *provisioning.Rulebook
	// Audit records what admins do; whoever changes something does it through it.
	Audit *audit.Log
	// Admins are who may use the console.
	Admins store.Admins
	// Subjects tells what applications know users by, and who that is.
	Subjects *subject.Service
	// Sectors is asked before an application is stored.
	Sectors subject.Sectors
	// ConnectorCrashes tells how connector processes ended that should not have.
	ConnectorCrashes store.ConnectorCrashes

	log         *slog.Logger
	db          *sqldb.DB
	faults      *faultpoint.Faults // nil but in test builds
	clock       *sqldb.Clock
	skewed      bool   // an admin was told; housekeeping's alone
	owner       string // tells this process from every other that shares the database
	hints       *hints
	notifier    *provisioning.Notifier
	sealer      *keys.Sealer
	secrets     *keys.Secrets
	tokens      *store.OAuth
	sweeps      *pstore.Sweeps
	sessions    *session.Manager
	ring        *keys.Ring // nil before Handler
	logouts     *logout.Service
	logoutSoon  func() // makes the sender look; nothing while none runs
	plugins     *plugins.Host
	connections *connections
	approvals   plugins.Pins // what decides: Pins, or the lock file
	reports     store.ConnectorReports
	runner      *runner.Runner
	reconciler  *provisioning.Reconciler
	recovery    *recovery.Service // nil without a mail server; made with the handler
	metrics     *metrics.Metrics  // nil if nobody may read them
	done        chan struct{}     // closed when Serve has returned
}

// Now is the one clock of the system: the database's, which all instances share.
func (s *System) Now() time.Time { return s.clock.Now() }

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
	s := &System{Config: c, log: log, db: db, owner: ownerName(), faults: faultpoint.New(os.Getenv), sealer: sealer, done: make(chan struct{})}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) build(ctx context.Context) error {
	if err := s.db.Migrate(ctx, migrations()...); err != nil {
		return err
	}
	var err error
	if s.clock, err = sqldb.NewClock(ctx, s.db, s.faults.Clock(time.Now)); err != nil {
		return err
	}
	s.buildStores()
	if err := s.buildSubjects(ctx); err != nil {
		return err
	}
	s.buildHints()
	if err := s.buildPlugins(ctx); err != nil {
		return err
	}
	s.buildMetrics()
	return s.buildProvisioning(ctx)
}

func (s *System) buildStores() {
	s.Admins = store.Admins{DB: s.db}
	s.Audit = &audit.Log{Store: store.AuditEvents{DB: s.db}, InTx: s.db.InTx, Now: s.Now}
	s.Applications = store.Applications{DB: s.db, Now: s.Now}
	s.SignIns, s.Pins, s.tokens = store.SignIns{DB: s.db}, store.Pins{DB: s.db}, &store.OAuth{DB: s.db}
	s.Upstreams, s.ResourceServers = store.Upstreams{DB: s.db, Sealer: s.sealer}, store.ResourceServers{DB: s.db}
	s.secrets = &keys.Secrets{Store: &store.Keys{DB: s.db}, Sealer: s.sealer, Now: s.Now}
	s.sessions = &session.Manager{
		Store: store.Sessions{DB: s.db}, Cookies: session.NewCookies(isHTTPS(s.Config.Issuer)), Now: s.Now,
		List: store.Sessions{DB: s.db}, Address: proxies(s.Config).Client,
	}
	s.logouts = &logout.Service{
		Issuer: s.Config.Issuer, Participants: store.Participants{DB: s.db}, Notices: store.LogoutNotices{DB: s.db}, Applications: s.applications(),
		Commits: s.db, Nudge: func() { s.logoutSoon() }, Now: s.Now,
	}
	s.logoutSoon, s.sessions.Ended = func() {}, s.logouts.Ended
	p := pstore.New(s.db, s.sealer)
	s.Targets, s.Bindings, s.Accounts, s.Attempts, s.Decisions = p.Targets, p.Bindings, p.Accounts, p.Attempts, p.Decisions
	s.RuleSets = p.RuleSets
	s.Reconciliations = p.Reconciliations
	s.Health, s.sweeps = p.Health, p.Sweeps
}

func (s *System) buildSubjects(ctx context.Context) error {
	key, err := s.secrets.Get(ctx, keys.SecretSIDs)
	if err != nil {
		return err
	}
	s.Subjects = &subject.Service{Store: store.Subjects{DB: s.db}, Key: key, Now: s.Now}
	s.Sectors = subject.Sectors{HTTP: outbound.NewClient(s.Config.OutboundNetworks)}
	s.buildRegistrations()
	return nil
}

func (s *System) buildHints() {
	s.hints = newHints(s.db, s.owner, s.log)
	s.notifier = &provisioning.Notifier{Tell: s.hints.changed}
	s.hints.work, s.hints.user = func() { s.runner.Nudge() }, s.notifier.Wake
	s.hints.missed = func() {
		s.runner.Nudge()
		s.notifier.WakeAll()
	}
}

func (s *System) buildPlugins(ctx context.Context) error {
	approvals, err := s.loadApprovals()
	if err != nil {
		return err
	}
	s.approvals, s.reports, s.ConnectorCrashes = approvals, store.ConnectorReports{DB: s.db}, store.ConnectorCrashes{DB: s.db}
	host, err := plugins.New(plugins.Options{
		Dir: s.Config.ConnectorsDir, Pins: approvals, Dev: s.Config.Dev, Environ: os.Environ(), Logger: s.log, Now: s.Now,
		Isolation: plugins.IsolationOptions{
			Mode: plugins.IsolationMode(s.Config.Isolation), Launcher: s.Config.Launcher, Ports: s.Config.ConnectorPorts, UIDs: s.Config.ConnectorUIDs,
		},
		Crashes: s.ConnectorCrashes,
	})
	if err != nil {
		return err
	}
	s.plugins, s.connections = host, newConnections(host)
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
	nudge := func() {
		s.runner.Nudge()
		s.hints.workDue()
	}
	s.Lifecycle = provisioning.NewLifecycle(provisioning.LifecycleOptions{
		Ledger: s.Accounts, Bindings: s.Bindings, Tx: s.faults.Tx(faultpoint.CommitLifecycle, s.db), Nudge: nudge, Now: s.Now,
	})
	people, err := s.buildUsers()
	if err != nil {
		return err
	}
	s.Sweeper = provisioning.NewSweeper(provisioning.SweeperOptions{
		Ledger: s.sweeps, Members: store.Users{DB: s.db}, Tx: s.db, Nudge: nudge, Logger: s.log, Now: s.Now,
	})
	s.Rules = provisioning.NewRulebook(provisioning.RulebookOptions{
		Sets: s.RuleSets, Compile: language.Compile, Users: people, Apps: apps{s.Applications}, Bindings: s.Bindings, Decisions: s.Decisions,
	})
	engine, err := provisioning.NewEngine(provisioning.EngineOptions{
		Ledger: s.observedLedger(s.faults.Ledger(s.Accounts)), Health: s.faults.Health(s.Health), Admission: s.faults.Admission(s.Accounts),
		Reservations: s.faults.Reservations(s.Accounts),
		Store:        s.Targets, Targets: s.faults.Targets(s.connections), Users: people, Rules: s.Rules, Notifier: s.notifier, Lease: s.Config.Lease,
		DigestKey: digestKey, Logger: s.log, Now: s.Now, Random: rand.Float64,
	})
	if err != nil {
		return err
	}
	s.Simulator = provisioning.NewSimulator(provisioning.SimulatorOptions{
		Ledger: s.gateLedger(), Reservations: s.Accounts, SignIns: s.Decisions, Rules: s.Rules, Store: s.Targets,
		Targets: s.connections, DigestKey: digestKey, Now: s.Now,
	})
	s.reconciler = provisioning.NewReconciler(provisioning.ReconcilerOptions{
		Ledger: s.Accounts, Engine: engine, Targets: s.Targets, Now: s.Now,
	})
	s.runner = runner.New(runner.Options{
		Queue: s.faults.Queue(s.Accounts), Worker: engine, Owner: s.owner, Lease: s.Config.Lease, Logger: s.log, Now: s.Now,
	})
	s.Gate = provisioning.NewGate(provisioning.GateOptions{
		Ledger: s.gateLedger(), Decisions: s.Decisions, Users: people, Rules: s.Rules, Tx: s.faults.Tx(faultpoint.CommitGate, s.db), Nudge: nudge,
		Notifier: s.notifier, Now: s.Now,
	})
	return nil
}

func (s *System) gateLedger() gateLedger { return gateLedger{s.Bindings, s.Accounts, s.Applications} }

func (s *System) buildUsers() (people, error) {
	users, factors := store.Users{DB: s.db}, store.SecondFactors{DB: s.db}
	s.Users = people{admins: s.Admins, sessions: s.sessions, tokens: s.tokens, links: store.MailTokens{DB: s.db}, log: s.log, Service: &user.Service{
		Store: users, Passwords: users, Throttle: store.Throttle{DB: s.db}, Tx: s.faults.Tx(faultpoint.CommitUser, s.db),
		Hasher: user.NewHasher(user.DefaultParams()), Lifecycle: unlinking{s.Lifecycle, store.Links{DB: s.db}, store.Subjects{DB: s.db}}, Now: s.Now, Log: s.log,
	}}
	s.SecondFactor = &secondfactor.Service{
		Store: factors, Codes: factors, Limits: s.Users, Sealer: s.sealer, Tx: s.db, Issuer: hostOf(s.Config.Issuer), Now: s.Now,
	}
	s.Users.factor, s.Users.keys = s.SecondFactor, store.Passkeys{DB: s.db}
	var err error
	s.Passkeys, err = s.buildPasskeys()
	return s.Users, err
}

func hostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Host
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
	if s.hints != nil {
		s.hints.flush(ctx) // of a command, which does not serve
	}
	if s.plugins != nil {
		err = s.plugins.Stop(ctx)
	}
	return errors.Join(err, s.db.Close())
}

// Resources returns the backend of apply and export. getenv resolves secrets
// given by environment variable.
func (s *System) Resources(getenv func(string) string) *resources.Backend {
	return &resources.Backend{
		Targets: targetResources{s.Targets, s.Now}, Bindings: bindingResources{s.Bindings}, Applications: s.Applications,
		RuleSets: ruleSetResources{s.RuleSets, s.Now}, Upstreams: s.Upstreams, ResourceServers: s.ResourceServers, Users: s.Users, Connectors: s.connections, Sectors: s.Sectors, Audit: s.Audit, InTx: s.db.InTx, Getenv: getenv, ReadFile: os.ReadFile,
	}
}
