package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Main turns this process into a confined program if it was started as
// [Command] says, and never returns then. A main function calls it before
// anything else, with os.Args.
func Main(args []string) {
	if len(args) != 2 || args[0] != marker {
		return
	}
	// Credentials and filters belong to a thread; the one that has them all is the
	// one that must become the program.
	runtime.LockOSThread()
	unix.CloseOnExec(statusFD)
	unix.CloseOnExec(ProgramFD)
	status := os.NewFile(statusFD, "status")
	err := run(args[1], status)
	write(status, failure(err))
	os.Exit(exitFailed)
}

// run returns only if it fails.
func run(raw string, status io.Writer) error {
	var l launch
	if err := json.Unmarshal([]byte(raw), &l); err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	level, err := l.confine()
	if err != nil {
		return err
	}
	write(status, report{Level: level})
	return fmt.Errorf("execute: %w", syscall.Exec(l.Path, l.Args, os.Environ()))
}

// levelError is a level that was not reached.
type levelError struct {
	want, got Level
	reason    error
}

func (e levelError) Error() string {
	text := fmt.Sprintf("want %s, got %s", e.want, e.got)
	if e.reason != nil {
		text += ": " + e.reason.Error()
	}
	return text
}

// confine takes every step the system offers. The order matters: a ruleset needs
// files to be opened, and dropping capabilities needs one; the filter comes last,
// since it forbids what the others do.
func (l launch) confine() (Level, error) {
	level := Level{UID: l.UID}
	var problems []error
	take := func(reached *bool, step func() error) {
		err := step()
		*reached = err == nil
		problems = append(problems, err)
	}
	take(&level.Limits, func() error { return limit(l.Policy.Processes) })
	if level.Limits { // a ruleset and a filter need it
		landlocked := false
		abi := landlockABI()
		take(&landlocked, func() error { return restrict(l.Policy, abi) })
		if landlocked {
			level.Landlock = abi
		}
		take(&level.Limits, dropCapabilities)
		take(&level.Seccomp, loadFilter)
	}
	if want := l.Policy.Require; !level.Covers(want) {
		return level, levelError{want, level, errors.Join(problems...)}
	}
	return level, nil
}

func failure(err error) report {
	r := report{Error: err.Error()}
	if short, ok := errors.AsType[levelError](err); ok {
		r.Level = short.want
	} else if errno, ok := errors.AsType[syscall.Errno](err); ok {
		r.Errno, r.Error = errno, "cannot start the program"
	}
	return r
}

// write reports to the host; one that is gone needs no report.
func write(w io.Writer, r report) {
	raw, err := json.Marshal(r)
	if err == nil {
		_, _ = w.Write(raw)
	}
}

// Probe returns the level that a program started now would reach, with the
// host's own user.
func Probe() Level {
	return Level{Limits: true, Seccomp: filterAvailable(), Landlock: landlockABI()}
}
