package sandbox

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// coreSize is below what any core dump needs. Unlike 0 it also keeps the
	// kernel from starting a dump handler (core(5) on pipes).
	coreSize = 1
	maxFiles = 1024
	// maxFileSize bounds one file; what is written beyond it fails.
	maxFileSize = 256 << 20
)

// limit sets what a program cannot raise again, and the promise that no program
// it executes gets more privileges. There is no limit on address space: Go and
// Node reserve far more than they use.
func limit(processes uint64) error {
	unix.Umask(0o077)
	limits := map[int]uint64{unix.RLIMIT_CORE: coreSize, unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_FSIZE: maxFileSize}
	if processes > 0 {
		limits[unix.RLIMIT_NPROC] = processes
	}
	for resource, value := range limits {
		if err := lower(resource, value); err != nil {
			return fmt.Errorf("limit resource %d: %w", resource, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// lower never raises a limit the host has set for itself.
func lower(resource int, value uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(resource, &now); err != nil {
		return err
	}
	value = min(value, now.Max)
	return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value})
}

// dropCapabilities leaves root no more than its files: what it may do to others'
// goes. With no_new_privs no program it executes gets them back.
func dropCapabilities() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) // needs CAP_SETPCAP; what counts is the empty set below
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}
