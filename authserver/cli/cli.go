// Package cli owns the anteroom command: its sub-commands, flags, output and
// exit codes. It does not own what they do: that is the use cases of the
// packages below, which it reaches through package daemon.
//
// Commands work on the database directly, so they also serve when the server is
// down.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/anteroom-id/anteroom/authserver/config"
	"github.com/anteroom-id/anteroom/authserver/daemon"
)

// Env is what a command sees of the outside.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Launcher is a binary that can confine connectors, "" if there is none.
	Launcher string
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line.
type commands struct {
	Config string `short:"c" help:"Configuration file; every key is also an ANTEROOM_… environment variable." placeholder:"FILE"`
	Output string `short:"o" help:"Output format: ${enum}." enum:"text,json" default:"text"`
	Dev    bool   `help:"Accept connectors that are not pinned; for development only."`

	Serve          serveCommand           `cmd:"" help:"Run the server."`
	Demo           demoCommand            `cmd:"" help:"Run Anteroom, an example application and a directory on loopback."`
	Check          checkCommand           `cmd:"" help:"Report every configuration problem at once."`
	Migrate        migrateCommand         `cmd:"" help:"Bring the database to this version."`
	Apply          applyCommand           `cmd:"" help:"Apply a resources file and print the difference."`
	Export         exportCommand          `cmd:"" help:"Print all resources as a file that apply takes."`
	Import         importCommands         `cmd:"" help:"Make a resources file of another system's configuration."`
	User           userCommands           `cmd:"" help:"Users."`
	Admin          adminCommands          `cmd:"" help:"Administrators: who may use the console."`
	Application    applicationCommands    `cmd:"" help:"Applications (OAuth clients)."`
	Target         targetCommands         `cmd:"" help:"Targets (configured connectors)."`
	Binding        bindingCommands        `cmd:"" help:"Bindings of applications to targets."`
	Account        accountCommands        `cmd:"" help:"The ledger: accounts of users in targets."`
	Connector      connectorCommands      `cmd:"" help:"Connector binaries."`
	Ruleset        rulesetCommands        `cmd:"" help:"Rule sets, which decide who gets an account."`
	Upstream       upstreamCommands       `cmd:"" help:"Upstreams (OpenID providers that users sign in with)."`
	ResourceServer resourceServerCommands `cmd:"" help:"Resource servers (APIs that take access tokens)."`
	Signin         signinCommands         `cmd:"" help:"Sign-ins."`
	Key            keyCommands            `cmd:"" help:"Keys at rest, and keys that sign tokens."`
	Audit          auditCommands          `cmd:"" help:"What admins did."`
	Version        versionCommand         `cmd:"" help:"Print the version."`
}

// run is one invocation.
type run struct {
	ctx  context.Context
	env  Env
	root *commands
}

// exited is the panic by which the parser leaves after --help.
type exited int

// Main runs the command line and returns the exit code: 0 ok, 1 failed, 2 usage.
func Main(ctx context.Context, env Env, args []string) (code int) {
	root := &commands{}
	defer func() {
		if e, ok := recover().(exited); ok {
			code = int(e)
		}
	}()
	parser, err := kong.New(root, kong.Name("anteroom"), kong.Writers(env.Stdout, env.Stderr),
		kong.Description("An OIDC server that keeps a signed-in user in the anteroom until the accounts they need exist."),
		kong.Exit(func(code int) { panic(exited(code)) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return failed(env, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return failed(env, fmt.Errorf("%w: %w; see anteroom --help", errUsage, err))
	}
	if err := parsed.Run(&run{ctx: ctx, env: env, root: root}); err != nil {
		return failed(env, err)
	}
	return exitOK
}

func (r *run) load() (config.Config, error) {
	c, err := config.Load(r.root.Config, r.env.Getenv)
	c.Dev, c.Launcher = r.root.Dev, r.env.Launcher
	return c, err
}

func (r *run) logger(c config.Config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(r.env.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(r.env.Stderr, opts))
}

// with opens the system, runs f and closes it.
func (r *run) with(f func(ctx context.Context, s *daemon.System) error) error {
	c, err := r.load()
	if err != nil {
		return err
	}
	log := r.logger(c)
	if c.LogLevel < slog.LevelWarn {
		log = slog.New(slog.NewTextHandler(r.env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := daemon.Open(r.ctx, c, log)
	if err != nil {
		return err
	}
	return errors.Join(f(acting(r.ctx), s), s.Close())
}
