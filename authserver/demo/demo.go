package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
	"github.com/anteroom-id/anteroom/authserver/demo/directory"
	"github.com/anteroom-id/anteroom/authserver/demo/rp"
	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/resources"
	"github.com/anteroom-id/anteroom/sdk"
)

// Options say where the demo runs.
type Options struct {
	Check      bool   // do the walk, print it and leave
	Connectors string // folder of connector binaries
	Launcher   string // binary that confines them
	Listen     string // of the server; the others take the next two ports
	Out, Log   io.Writer
}

// demo is the three servers.
type demo struct {
	dir       string
	listeners [3]net.Listener // server, application, directory
	system    *daemon.System
	directory *directory.Directory
	token     sdk.Secret // of the directory
	secret    sdk.Secret // of the application
}

func (d *demo) url(i int) string { return "http://" + d.listeners[i].Addr().String() }

func (d *demo) issuer() string       { return d.url(0) }
func (d *demo) application() string  { return d.url(1) }
func (d *demo) directoryURL() string { return d.url(2) }

// Run starts the demo and stays until ctx ends, or does the walk and leaves.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{token: sdk.Secret(rand.Text()), secret: sdk.Secret(rand.Text() + rand.Text())}
	if d.dir, err = os.MkdirTemp("", "anteroom-demo"); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	level := slog.LevelWarn
	log := slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: level}))
	if err := d.listen(o); err != nil {
		return err
	}
	if err := d.setUp(ctx, o, log); err != nil {
		return errors.Join(err, d.close())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, len(d.listeners))
	d.serve(ctx, log, failed)
	if o.Check {
		err = d.walk(ctx, o.Out)
		stop()
	} else {
		d.explain(o.Out)
		select {
		case <-ctx.Done():
		case err = <-failed:
			stop()
		}
	}
	<-d.system.Done()
	return errors.Join(err, d.close())
}

// listen takes the three addresses: the given port and the next two, or any
// three for a check.
func (d *demo) listen(o Options) error {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("demo: --listen: %w", err)
	}
	first, err := net.LookupPort("tcp", port)
	if err != nil {
		return fmt.Errorf("demo: --listen: %w", err)
	}
	for i := range d.listeners {
		p := first + i
		if o.Check {
			p = 0
		}
		if d.listeners[i], err = net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(p))); err != nil {
			return errors.Join(fmt.Errorf("demo: %w (choose other ports with --listen)", err), d.closeListeners())
		}
	}
	return nil
}

func (d *demo) closeListeners() error {
	var errs []error
	for _, l := range d.listeners {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (d *demo) close() error {
	err := d.closeListeners()
	if d.system != nil {
		err = errors.Join(err, d.system.Close())
	}
	return err
}

// setUp opens the system on a fresh database and applies the demo's resources,
// as an admin would.
func (d *demo) setUp(ctx context.Context, o Options, log *slog.Logger) error {
	keyFile := filepath.Join(d.dir, "keys.json")
	if err := keys.CreateKeysetFile(keyFile); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	cfg, err := config.Parse(nil, func(name string) string {
		return map[string]string{
			"ANTEROOM_ISSUER": d.issuer(), "ANTEROOM_LISTEN": d.listeners[0].Addr().String(),
			"ANTEROOM_DATABASE":         "sqlite://" + filepath.Join(d.dir, "anteroom.db"),
			"ANTEROOM_CONNECTORS_DIR":   o.Connectors,
			"ANTEROOM_SECRETS_KEY_FILE": keyFile,
		}[name]
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	cfg.Launcher = o.Launcher
	if d.system, err = daemon.Open(ctx, cfg, log); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if _, _, err := d.system.PinConnector(ctx, "scim2"); err != nil {
		return fmt.Errorf("demo: pin the SCIM connector: %w (is it built? make build)", err)
	}
	return d.apply(ctx)
}

const resourcesYAML = `
targets:
  - name: directory
    connector: scim2
    config: {base_url: "%s/scim/v2", auth: bearer}
    secrets: {token: {env: DEMO_DIRECTORY_TOKEN}}
applications:
  - client_id: payroll
    name: Payroll
    redirect_uris: ["%s/callback"]
    secret: {env: DEMO_CLIENT_SECRET}
    scopes: [openid, profile, email, offline_access, provisioning]
    registration: true
    initiate_login_uri: "%s/"
    outbound_provisioning:
      - {target: directory, blocking: true, enable_rules: false, jit_outbound: true}
`

func (d *demo) apply(ctx context.Context) error {
	doc, err := resources.Parse(fmt.Appendf(nil, resourcesYAML, d.directoryURL(), d.application(), d.application()))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	backend := d.system.Resources(func(name string) string {
		return map[string]string{"DEMO_DIRECTORY_TOKEN": d.token.Reveal(), "DEMO_CLIENT_SECRET": d.secret.Reveal()}[name]
	})
	ctx = audit.WithActor(ctx, audit.Actor{Kind: audit.KindDemo, Name: "demo"}, "demo")
	plan, err := backend.Plan(ctx, doc)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return backend.Apply(ctx, plan)
}

const headerTimeout = 10 * time.Second

// serve starts the three servers; what ends one is sent to failed.
func (d *demo) serve(ctx context.Context, log *slog.Logger, failed chan<- error) {
	d.directory = directory.New(directory.Options{Token: d.token.Reveal(), Logger: log})
	d.directory.SetMode(directory.Slow) // so that the wait page is to be seen
	app := rp.New(rp.Options{
		Issuer: d.issuer(), ClientID: "payroll", ClientSecret: d.secret.Reveal(), BaseURL: d.application(), Name: "Payroll", Logger: log,
	})
	for i, handler := range map[int]http.Handler{1: app, 2: d.directory} {
		srv := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
		context.AfterFunc(ctx, func() { _ = srv.Close() })
		go func() {
			if err := srv.Serve(d.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	go func() { failed <- d.system.Serve(ctx, d.listeners[0]) }()
}

func (d *demo) explain(w io.Writer) {
	_, _ = fmt.Fprintf(w, `
  Application   %s     Payroll, an example application
  Directory     %s     a SCIM directory: its accounts, and switches
  Anteroom      %s     the server
  Connector     confined by %s

  1. In the application choose "Create an account" and register.
  2. The wait page shows while the directory, which is switched to Slow, makes your account.
  3. You land in the application, with the claims it got.
  4. The directory has your account. Switch it to Down, and register somebody else in a private window.
  5. That person gets no code: the page says why, with a reference for support.
  6. Switch the directory to Normal and watch that page finish by itself.

  Ctrl-C ends the demo; nothing is kept.
`, d.application(), d.directoryURL(), d.issuer(), d.system.Isolation())
}
