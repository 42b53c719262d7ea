package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/authserver/user"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
	"github.com/anteroom-id/anteroom/sdk/sdktest/faultproxy"
)

// The application of every stack. Nothing listens at its redirect URI: the
// browser stops there and the test plays the application.
const (
	appID       = "payroll"
	otherAppID  = "wiki"
	appSecret   = "the-payroll-applications-own-secret"
	appCallback = "http://127.0.0.1:9/callback"
	password    = "correct horse battery"
)

// stack is a running server with one SCIM target behind a fault proxy.
type stack struct {
	*daemon.System
	issuer   string
	database string // URL
	keys     string // the secrets' key file
	up       upstream
	proxy    *faultproxy.Proxy // in front of up
	stop     func()            // ends the server and waits; safe to call twice
}

// stackOptions vary a stack; the zero value is SQLite with one Blocking binding.
type stackOptions struct {
	database   string // URL; "" for a fresh SQLite file
	binding    string // YAML flow mapping without the target; "" for Blocking
	target     string // more YAML of the target: "adopt: never"
	config     string // more of the target's config: "timeout: 1s"
	more       string // more YAML of the document's applications
	targets    string // more YAML of the document's targets
	baseURL    string // of the target; "" for the fault proxy
	connectors string // folder; "" for scim2's
	metrics    string // address of the metrics; "" for none
	log        *slog.Logger
}

// upstream is a SCIM server the stack provisions into.
type upstream struct{ BaseURL, Token string }

func startStack(t *testing.T, up upstream, o stackOptions) *stack {
	t.Helper()
	s := &stack{up: up, proxy: faultproxy.Start(t, up.BaseURL)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.issuer = "http://" + listener.Addr().String()
	s.open(t, o)
	if _, _, err := s.PinConnector(t.Context(), "scim2"); err != nil {
		t.Fatal(err)
	}
	s.apply(t, o)
	s.serve(t, listener)
	return s
}

func (s *stack) open(t *testing.T, o stackOptions) {
	t.Helper()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "keys.json")
	if err := keys.CreateKeysetFile(keyFile); err != nil {
		t.Fatal(err)
	}
	if o.database == "" {
		o.database = "sqlite://" + filepath.Join(dir, "anteroom.db")
	}
	if o.connectors == "" {
		o.connectors = connectorsDir(t)
	}
	s.database, s.keys = o.database, keyFile
	cfg, err := config.Parse(nil, func(name string) string {
		return map[string]string{
			"ANTEROOM_ISSUER": s.issuer, "ANTEROOM_DATABASE": o.database,
			"ANTEROOM_CONNECTORS_DIR": o.connectors, "ANTEROOM_SECRETS_KEY_FILE": keyFile, "ANTEROOM_METRICS_LISTEN": o.metrics,
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	log := o.log
	if log == nil {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if s.System, err = daemon.Open(t.Context(), cfg, log); err != nil {
		t.Fatal(err)
	}
}

// resourcesYAML describes the stack as an admin would. The second application
// needs no account anywhere: whoever signs in there has a session.
func resourcesYAML(baseURL string, o stackOptions) string {
	binding := o.binding
	if binding == "" {
		binding = "blocking: true"
	}
	return fmt.Sprintf(`
targets:
  - name: directory
    connector: scim2
    config: {base_url: %q, auth: bearer, %s}
    secrets: {token: {env: SCIM_TOKEN}}
    %s
%sapplications:
  - client_id: %s
    redirect_uris: [%q]
    secret: {env: APP_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
    registration: true
    refresh_grace: 0s # so that reuse is seen at once
    outbound_provisioning:
      - {target: directory, %s}
  - client_id: %s
    redirect_uris: [%q]
    secret: {env: APP_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
%s
`, baseURL, o.config, o.target, o.targets, appID, appCallback, binding, otherAppID, appCallback, o.more)
}

// apply brings the resources to what the options say; it may be called again.
func (s *stack) apply(t *testing.T, o stackOptions) {
	t.Helper()
	if o.baseURL == "" {
		o.baseURL = s.proxy.URL
	}
	doc, err := resources.Parse([]byte(resourcesYAML(o.baseURL, o)))
	if err != nil {
		t.Fatal(err)
	}
	backend := s.Resources(func(name string) string {
		return map[string]string{"SCIM_TOKEN": s.up.Token, "APP_SECRET": appSecret}[name]
	})
	plan, err := backend.Plan(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Apply(asAdmin(t), plan); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) serve(t *testing.T, listener net.Listener) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Cleanup(s.stop)
}

// importUser adds a user who belongs to no application, as an admin would.
func (s *stack) importUser(t *testing.T, login string) user.User {
	t.Helper()
	u, err := s.Users.Import(t.Context(), user.User{
		Login: login, Email: login + "@example.com", GivenName: "Ada", FamilyName: "Example", PhoneNumber: "+4930123456",
	}, password)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (s *stack) user(t *testing.T, login string) user.User {
	t.Helper()
	u, err := s.Users.ByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// account waits until the ledger's row satisfies the condition.
func (s *stack) account(t *testing.T, login string, until func(provisioning.Account) bool) provisioning.Account {
	t.Helper()
	u := s.user(t, login)
	var a provisioning.Account
	var err error
	eventually(t, fmt.Sprintf("account of %s", login), func() bool {
		a, err = s.Accounts.Get(t.Context(), u.ID, "directory")
		return err == nil && until(a)
	})
	return a
}

func inSync(a provisioning.Account) bool { return a.InSync() && a.State == provisioning.StateInSync }

const patience = 20 * time.Second

// eventually polls a condition that another process brings about: there is no
// signal to wait for across it.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// db opens the stack's database beside the server, for what no API tells.
func (s *stack) db(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

// issued counts what was ever issued: grants, codes and tokens.
func (s *stack) issued(t *testing.T) int {
	t.Helper()
	var n int
	err := s.db(t).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM oauth_grant) + (SELECT count(*) FROM oauth_code) +
		(SELECT count(*) FROM oauth_access) + (SELECT count(*) FROM oauth_refresh)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// until makes requests suffer the fault until end is called, which may be done
// twice.
func (s *stack) until(method, pattern string, f faultproxy.Fault) (end func()) {
	over, once := make(chan struct{}), sync.Once{}
	fault := func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		select {
		case <-over:
			upstream.ServeHTTP(w, r)
		default:
			f(w, r, upstream)
		}
	}
	const forever = 10_000
	s.proxy.Script(method, pattern, slices.Repeat([]faultproxy.Fault{fault}, forever)...)
	return func() { once.Do(func() { close(over) }) }
}

// held is a fault that keeps requests back until release is called; then they
// pass.
func held() (f faultproxy.Fault, release func()) {
	open, once := make(chan struct{}), sync.Once{}
	f = func(w http.ResponseWriter, r *http.Request, upstream http.Handler) {
		select {
		case <-open:
			upstream.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
	return f, func() { once.Do(func() { close(open) }) }
}

// eachDatabase runs a test on SQLite and PostgreSQL.
func eachDatabase(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, "") })
	t.Run("postgres", func(t *testing.T) { f(t, sqldbtest.PostgresURL(t)) })
}

// asAdmin is the context of an admin who acts.
func asAdmin(t testing.TB) context.Context {
	return audit.WithActor(t.Context(), audit.Actor{Kind: audit.KindCommand, Name: "test"}, "test")
}
