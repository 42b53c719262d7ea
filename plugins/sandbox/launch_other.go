//go:build !linux

package sandbox

import "errors"

// Main does nothing: this system has no means to confine a program.
func Main([]string) {}

// CanSwitchUser returns an error: there is no such thing here.
func CanSwitchUser() error { return errors.New("this system cannot run connectors as other users") }

// Probe returns the zero Level.
func Probe() Level { return Level{} }
