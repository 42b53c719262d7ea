package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Folder is a folder of connectors.
type Folder struct {
	Dir string // absolute
}

// Entry is one version of a connector in the folder.
type Entry struct {
	Name   string
	Path   string    // of the file that is executed
	Digest string    // by which it is approved; "" for a plain file: see [Folder.Open]
	Meta   *Manifest // nil for a plain file
	// Problem says why the entry cannot be read: ErrPackage, or nil.
	Problem error
}

// Program is a connector's program, open and safe to be executed once its bytes
// were compared with what is approved.
type Program struct {
	*os.File
	Meta   *Manifest // nil for a plain file
	Digest string    // of the package; "" for a plain file
}

// Entries returns everything in the folder by names and manifests alone, plain
// files first. A folder that does not exist holds nothing.
func (f Folder) Entries() ([]Entry, error) {
	plain, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list connectors: %w", err)
	}
	var out []Entry
	for _, e := range plain {
		if name, ok := strings.CutPrefix(e.Name(), Prefix); ok && ValidName(name) {
			out = append(out, Entry{Name: name, Path: f.plain(name)})
		}
	}
	installed, err := f.installed()
	return append(out, installed...), err
}

// Open opens the program of the connector's version with the digest. "" stands
// for the plain file, or, where there is none, the only version installed.
//
// What can be executed is checked on what is open, not on a name; a link is
// followed if it stays in the folder. Open does not hash the program, its reader
// does; it does hash what lies beside it. It returns [ErrNotFound],
// [ErrSeveral], [ErrUnsafeFile], [ErrPackage], [ErrIncompatible] or [ErrDigestMismatch].
func (f Folder) Open(name, digest string) (*Program, error) {
	if !ValidName(name) {
		return nil, fmt.Errorf("connector %q: %w: a name is lower-case letters, digits and -, at most 32", name, ErrNotFound)
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w: %w", name, ErrNotFound, err)
	}
	defer root.Close()
	found, err := f.choose(root, name, digest)
	if err != nil {
		return nil, err
	}
	if found == nil {
		file, err := openFile(root, name, Prefix+name)
		if err != nil {
			return nil, err
		}
		return &Program{File: file}, nil
	}
	return f.openInstalled(root, *found)
}

// choose returns the installed version that is asked for, nil for the plain file.
func (f Folder) choose(root *os.Root, name, digest string) (*Entry, error) {
	if digest != "" {
		found, err := f.version(name, digest)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // the plain file may be it
		}
		return found, err
	}
	if _, err := root.Lstat(Prefix + name); err == nil {
		return nil, nil
	}
	versions, err := f.Versions(name)
	switch {
	case err != nil:
		return nil, err
	case len(versions) == 0:
		return nil, nil
	case len(versions) > 1:
		return nil, fmt.Errorf("connector %s: %w: say which of %d by its digest", name, ErrSeveral, len(versions))
	}
	return &versions[0], nil
}

// Check reports what Open would.
func (f Folder) Check(name, digest string) error {
	p, err := f.Open(name, digest)
	if err != nil {
		return err
	}
	return p.Close()
}

func (f Folder) plain(name string) string { return filepath.Join(f.Dir, Prefix+name) }

// openFile opens a program. It does not wait: the name may be a FIFO's.
func openFile(root *os.Root, name, path string) (*os.File, error) {
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("connector %s: %w in %s", name, ErrNotFound, root.Name())
	case err != nil:
		return nil, fmt.Errorf("connector %s: %w: %w", name, ErrUnsafeFile, err)
	}
	if err := checkFile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("connector %s: %w: %w", name, ErrUnsafeFile, err), file.Close())
	}
	return file, nil
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

// Installed reports whether the version is in the store.
func (f Folder) Installed(name, digest string) bool {
	_, err := f.version(name, digest)
	return err == nil
}

// HasPlain reports whether there is a plain file of the name.
func (f Folder) HasPlain(name string) bool {
	if !ValidName(name) {
		return false
	}
	_, err := os.Lstat(f.plain(name))
	return err == nil
}
