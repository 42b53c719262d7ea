package plugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// prefix is what the file of every connector is called, before its name.
const prefix = "anteroom-connector-"

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// catalog is a folder of connectors.
type catalog struct {
	dir string // absolute
}

// names returns the connectors in the folder by their files' names alone. A
// folder that does not exist holds none.
func (c catalog) names() ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list connectors: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), prefix); ok && validName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (c catalog) path(name string) string { return filepath.Join(c.dir, prefix+name) }

// open opens the connector's file after checking that it may be executed; the
// checks are made on what is open, not on a name. A link is followed if it stays
// in the folder. It returns ErrNotFound or ErrUnsafeFile.
func (c catalog) open(name string) (*os.File, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("connector %q: %w: a name is lower-case letters, digits and -, at most 32", name, ErrNotFound)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w: %w", name, ErrNotFound, err)
	}
	defer root.Close()
	// Without waiting: the name may be a FIFO's.
	f, err := root.OpenFile(prefix+name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("connector %s: %w in %s", name, ErrNotFound, c.dir)
	case err != nil:
		return nil, fmt.Errorf("connector %s: %w: %w", name, ErrUnsafeFile, err)
	}
	if err := checkFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("connector %s: %w: %w", name, ErrUnsafeFile, err), f.Close())
	}
	return f, nil
}

// check reports what open would.
func (c catalog) check(name string) error {
	f, err := c.open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return errors.New("not a regular file")
	case mode.Perm()&0o111 == 0:
		return fmt.Errorf("not executable: mode %04o", mode.Perm())
	case mode.Perm()&0o022 != 0:
		return fmt.Errorf("others may write to it: mode %04o", mode.Perm())
	}
	return nil
}
