//go:build unix && !linux

package serve

import (
	"os"
	"syscall"
)

// redirectStdout points file descriptor 1 at standard error and returns what it
// was, not inherited by children.
func redirectStdout() (*os.File, error) {
	fd, err := syscall.Dup(syscall.Stdout)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	if err := syscall.Dup2(syscall.Stderr, syscall.Stdout); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "handshake"), nil
}
