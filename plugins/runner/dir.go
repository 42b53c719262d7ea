//go:build unix

package runner

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxDirPath leaves room for the two names that the library and the child append
// to the folder: a socket's whole path has 104 bytes on some systems.
const maxDirPath = 60

// Dir is this process's private folder for its children's sockets, homes and
// temporary files. It is new for every process and removed by Close; what killed
// processes left is removed when the next one opens its own.
type Dir struct {
	path string
	lock *os.File // held while the folder is in use
}

// OpenDir makes the folder beneath base, which it creates if need be. It returns
// an error when base belongs to somebody else, may be entered by others, or is
// too long for a socket's path.
func OpenDir(base string) (*Dir, error) {
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, fmt.Errorf("find runtime folder: %w", err)
	}
	if n := len(base) + 1 + 8; n > maxDirPath {
		return nil, fmt.Errorf("runtime folder %s is too long for socket paths: %d bytes of at most %d", base, n, maxDirPath)
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, fmt.Errorf("make runtime folder: %w", err)
	}
	if err := checkPrivate(base); err != nil {
		return nil, err
	}
	// One process at a time sweeps and creates: otherwise a folder could be swept
	// between its creation and its lock.
	lock, err := lockDir(base, unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock runtime folder: %w", err)
	}
	defer lock.Close()
	sweep(base)
	return createDir(base)
}

// Path returns the folder.
func (d *Dir) Path() string { return d.path }

// Close removes the folder and everything in it.
func (d *Dir) Close() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

func createDir(base string) (*Dir, error) {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	path := filepath.Join(base, hex.EncodeToString(id[:]))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("make runtime folder: %w", err)
	}
	lock, err := lockDir(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return nil, fmt.Errorf("lock runtime folder: %w", err)
	}
	return &Dir{path: path, lock: lock}, nil
}

// checkPrivate refuses a folder that somebody else made or can reach: in a shared
// temporary folder anybody may have been there first.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("check runtime folder: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("runtime folder %s is not a folder", path)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("runtime folder %s belongs to another user", path)
	case info.Mode().Perm()&0o066 != 0: // passing through reveals nothing: see Allow
		return fmt.Errorf("runtime folder %s may be entered by others: mode %04o, want 0700 or 0711", path, info.Mode().Perm())
	}
	return nil
}

// sweep removes the folders of processes that are gone: those whose lock is free.
// What cannot be removed is left for the next time.
func sweep(base string) {
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		path := filepath.Join(base, e.Name())
		if !e.IsDir() || len(e.Name()) != 8 {
			continue
		}
		if lock, err := lockDir(path, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			_ = os.RemoveAll(path)
			_ = lock.Close()
		}
	}
}

func lockDir(path string, how int) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
