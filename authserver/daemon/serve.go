package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/anteroom-id/anteroom/authserver"
	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/clientkeys"
	"github.com/anteroom-id/anteroom/authserver/device"
	"github.com/anteroom-id/anteroom/authserver/flow"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/op"
	"github.com/anteroom-id/anteroom/authserver/outbound"
	"github.com/anteroom-id/anteroom/authserver/recovery"
	"github.com/anteroom-id/anteroom/authserver/selfservice"
	"github.com/anteroom-id/anteroom/authserver/session"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/authserver/web"
	"github.com/anteroom-id/anteroom/provisioning/faultpoint"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
)

// The limits of a connection. A wait page's events stay open for longer: their
// handler moves the deadline.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// Serve answers on the listener and works in the background until ctx ends; then
// it lets requests finish, hands leases back and returns.
func (s *System) Serve(ctx context.Context, listener net.Listener) error {
	defer close(s.done)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	handler, err := s.Handler(ctx)
	if ctx.Err() != nil {
		return listener.Close() // stopped before it began
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Requests outlive ctx for as long as the shutdown takes.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, BaseContext: func(net.Listener) context.Context { return base },
	}
	srv.RegisterOnShutdown(cancel) // ends the wait pages' event streams
	serve, err := s.server(srv, listener)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	scraping, err := s.startMetrics(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.runner.Start(context.WithoutCancel(ctx))
	telling := s.startLogouts(ctx)
	background := []<-chan struct{}{
		scraping, telling, s.startKeys(ctx), s.startHousekeeping(ctx), s.startSweeping(ctx), s.startSchedule(ctx), s.startReports(ctx), s.startRecovery(ctx), s.hints.start(ctx),
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	s.log.InfoContext(ctx, "serving", "issuer", s.Config.Issuer, "listen", listener.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stop() // of a listener that failed, nobody else would
	for _, ended := range background {
		<-ended
	}
	return errors.Join(err, s.shutDown(srv))
}

// server returns what serves on the listener, by TLS if there is a certificate.
func (s *System) server(srv *http.Server, listener net.Listener) (func() error, error) {
	if s.Config.TLSCert == "" {
		return func() error { return srv.Serve(listener) }, nil
	}
	cert, err := loadCertificate(s.Config.TLSCert, s.Config.TLSKey, s.log, time.Now)
	if err != nil {
		return nil, err
	}
	srv.TLSConfig = cert.tlsConfig()
	srv.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug) // scanners fail handshakes all day
	return func() error { return srv.ServeTLS(listener, "", "") }, nil
}

// drainTimeout is what requests and runs under way are given. Some supervisors
// kill after ten seconds, and a killed server's work waits for its lease to end.
const drainTimeout = 5 * time.Second

// shutDown lets requests and runs end side by side: both have all the time.
func (s *System) shutDown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.runner.Stop(ctx) }()
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return errors.Join(err, s.cutOff(<-stopped))
}

// cutOff takes the end of the runner's time for what it is: the runs handed
// their leases back, so nothing is lost.
func (s *System) cutOff(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("work under way was cut off and handed back", "after", drainTimeout)
		return nil
	}
	return err
}

// Done is closed when Serve has returned.
func (s *System) Done() <-chan struct{} { return s.done }

// Handler returns the HTTP surface. Serve uses it; tests may mount it elsewhere.
func (s *System) Handler(ctx context.Context) (http.Handler, error) {
	pages, err := web.NewRenderer("Anteroom", s.log)
	if err != nil {
		return nil, err
	}
	knownKey, err := s.secrets.Get(ctx, keys.SecretKnown)
	if err != nil {
		return nil, err
	}
	s.recovery = s.buildRecovery(pages)
	s.Users.mail = s.recovery
	known := session.KnownBrowsers{Key: knownKey, Cookies: s.sessions.Cookies, Now: s.Now}
	upstreams := s.federated()
	driver := &flow.Driver{
		Known: known, SecondFactor: s.SecondFactor, Passkeys: s.passkeySignIns(),
		SignIns: s.SignIns, Tx: s.faults.Tx(faultpoint.CommitSignIn, s.db), Sessions: s.sessions, Users: s.Users, Applications: s.applications(), Gate: s.observedGate(), AdminClient: application.Console,
		Logouts: s.logouts, Subjects: s.Subjects, Consents: store.Consents{DB: s.db}, Upstreams: upstreams, Sealer: s.sealer, Pages: pages, Log: s.log, Now: s.Now, Address: proxies(s.Config).Client,
	}
	if s.ring, err = s.loadRing(ctx); err != nil {
		return nil, err
	}
	tokenKey, err := s.secrets.Get(ctx, keys.SecretTokens)
	if err != nil {
		return nil, err
	}
	codes := device.Codes{Key: tokenKey}
	provider, err := s.provider(driver, pages, tokenKey, codes)
	if err != nil {
		return nil, err
	}
	if s.recovery != nil {
		driver.Recover = recovery.PathAsk
	}
	self := s.selfService(driver, upstreams)
	contact := authserver.SecurityTxt{Issuer: s.Config.Issuer, Contact: s.Config.SecurityContact, Now: s.Now}
	families := []authserver.Mounter{pages, driver, self, provider, contact, s.devicePages(driver, codes)}
	if s.Registrations.Policy.On() {
		families = append(families, s.registrationEndpoint(driver.Address))
	}
	if s.recovery != nil {
		families = append(families, s.recoveryPages(driver))
	}
	var handler http.Handler
	admins, err := s.console(pages, func() http.Handler { return handler })
	if err != nil {
		return nil, err
	}
	o := authserver.Options{
		Log: s.log, Families: append(families, admins), Ready: s.ready, HTTPS: isHTTPS(s.Config.Issuer),
		Panicked: func(w http.ResponseWriter, r *http.Request) { driver.Error(w, r, errPanicked) },
	}
	if s.metrics != nil {
		o.Requests = s.metrics
	}
	handler = authserver.New(o)
	return handler, nil
}

func (s *System) selfService(driver *flow.Driver, links selfservice.Links) selfservice.Pages {
	o := selfservice.Options{
		Users: s.Users, Accounts: accountsOf{s.Accounts}, SecondFactor: s.SecondFactor, Passkeys: s.ownPasskeys(), Links: links, Permissions: store.Permissions{DB: s.db}, Tx: s.db, Sessions: s.sessions, Known: driver.Known, SignIns: driver, Pages: driver.Pages,
		Address: driver.Address, Now: s.Now, Log: s.log,
	}
	if s.recovery != nil {
		o.Verify = s.recovery.AskVerification
	}
	return selfservice.Pages{Options: o}
}

var errPanicked = errors.New("the handler panicked; see the log")

func (s *System) devicePages(driver *flow.Driver, codes device.Codes) device.Pages {
	return device.Pages{
		Codes: codes, Requests: store.Devices{DB: s.db}, SignIns: driver, Limits: s.Users, Users: s.Users, Applications: s.applications(),
		Sessions: s.sessions, Pages: driver.Pages, Address: driver.Address, Log: s.log, Now: s.Now,
	}
}

func (s *System) provider(driver *flow.Driver, pages *web.Renderer, tokenKey []byte, codes device.Codes) (*op.Provider, error) {
	return op.New(op.Options{
		Issuer: s.Config.Issuer, Applications: s.applications(), AdminClient: application.Console, Resources: s.ResourceServers, Store: tokens{s.tokens, s.faults.Tx(faultpoint.CommitIssue, s.db)}, Keys: s.ring, TokenKey: tokenKey,
		Assertions: s.tokens, Proofs: s.tokens, ClientKeys: &clientkeys.Cache{HTTP: outbound.NewClient(s.Config.OutboundNetworks), Now: s.Now},
		Pushed: s.tokens, PushedLifetime: s.Config.PushedLifetime, RequirePushed: s.Config.RequirePushed, Registration: s.registrationPath(),
		SignIns: driver, SignOuts: driver, Gate: s.observedGate(), Users: s.Users, Subjects: s.Subjects, Accounts: provisioned{s.gateLedger()}, Pages: protocolPages{pages},
		Devices: store.Devices{DB: s.db}, UserCodes: codes, Address: driver.Address, Unavailable: sqldb.IsUnavailable, Log: s.log, Now: s.Now,
	})
}

func (s *System) ready(ctx context.Context) error {
	var one int
	if err := s.db.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

func isHTTPS(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && u.Scheme == "https"
}
