// Command anteroom is an OIDC server that keeps a signed-in user in the
// anteroom until the accounts they need exist downstream.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/anteroom-id/anteroom/authserver/cli"
	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

func main() {
	sandbox.Main(os.Args) // this process may be the beginning of a connector's
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	env := cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Launcher: "/proc/self/exe"}
	code := cli.Main(ctx, env, os.Args[1:])
	stop()
	os.Exit(code)
}
