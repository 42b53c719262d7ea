// Package cli owns the anteroom command: its sub-commands, flags, output and
// exit codes. It does not own what they do: that is the use cases of the
// packages below, which it reaches through package daemon.
package cli

import (
	"context"
	"fmt"
	"io"
)

// Env is what a command sees of the outside.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command line and returns the exit code: 0 ok, 1 failed, 2 usage.
func Main(_ context.Context, env Env, args []string) int {
	if len(args) == 1 && args[0] == "version" {
		_, _ = fmt.Fprintln(env.Stdout, "anteroom devel")
		return exitOK
	}
	_, _ = fmt.Fprintln(env.Stderr, "usage: anteroom version")
	return exitUsage
}
