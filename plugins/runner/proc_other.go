//go:build unix && !linux

package runner

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func createMemory(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func seal(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

// attributes puts the child into its own process group. There is no parent-death
// signal: the life line alone ends a child whose host was killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit reaps the process. What is left of its group is signalled just after,
// in the moment before the number can have been given to another group.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
