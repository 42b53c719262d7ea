package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	storeDir = "sha256"
	// unfinished begins the name of a package that is being unpacked.
	unfinished = "unpacking-"
	// abandoned is the age at which an unpacked package that was never completed
	// is taken for a killed install's.
	abandoned = time.Hour
)

// Install puts the package at path (a folder, .tar.gz, .tgz or .zip) into the
// store and returns its entry. Nothing of it is executed, and nothing is approved
// by it. What is there already is verified and left alone.
//
// The package is complete in the store or not there at all, whenever the machine
// stops. The error is [ErrPackage], [ErrIncompatible] or [ErrDigestMismatch], or
// one of the file system.
func (f Folder) Install(path string) (Entry, error) {
	store := filepath.Join(f.Dir, storeDir)
	if err := os.MkdirAll(store, 0o755); err != nil {
		return Entry{}, fmt.Errorf("install connector: %w", err)
	}
	sweep(store)
	temp, err := os.MkdirTemp(store, unfinished)
	if err != nil {
		return Entry{}, fmt.Errorf("install connector: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone when it was renamed; swept later otherwise
	m, err := unpackInto(temp, path)
	if err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", path, err)
	}
	if err := f.place(temp, m); err != nil {
		return Entry{}, fmt.Errorf("install %s: %w", path, err)
	}
	return f.entry(m), nil
}

func (f Folder) entry(m Manifest) Entry {
	return Entry{Name: m.Name, Digest: m.Content(), Meta: &m, Path: filepath.Join(f.at(m.Content()), m.Program())}
}

// at is where the store keeps a package.
func (f Folder) at(digest string) string { return filepath.Join(f.Dir, storeDir, digest[:2], digest) }

// unpackInto unpacks and verifies.
func unpackInto(dir, path string) (Manifest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Manifest{}, err
	}
	defer root.Close()
	u := newUnpacker(root)
	if err := u.unpack(path); err != nil {
		return Manifest{}, err
	}
	m, err := readManifest(root, ".")
	if err != nil {
		return Manifest{}, err
	}
	if err := errors.Join(m.Fits(), m.compare(u.digests)); err != nil {
		return Manifest{}, err
	}
	if err := root.Chmod(m.Program(), 0o555); err != nil {
		return Manifest{}, err
	}
	return m, syncTree(dir)
}

// readManifest reads the manifest in a folder beneath root.
func readManifest(root *os.Root, dir string) (Manifest, error) {
	file, err := root.Open(filepath.Join(dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("%w: it has no %s: %w", ErrPackage, ManifestName, err)
	} else if err != nil {
		return Manifest{}, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", ManifestName, err)
	}
	return ParseManifest(raw)
}

// compare holds the manifest against what was found.
func (m Manifest) compare(found map[string]string) error {
	want := map[string]string{m.Program(): m.Digest}
	for _, file := range m.Files {
		want[file.Path] = file.SHA256
	}
	var problems []error
	for path, digest := range want {
		switch got, ok := found[path]; {
		case !ok:
			problems = append(problems, fmt.Errorf("%w: %q is listed and not there", ErrPackage, path))
		case got != digest:
			problems = append(problems, fmt.Errorf("%w: the manifest says %s of %q, it is %s", ErrDigestMismatch, digest, path, got))
		}
	}
	for path := range found {
		if _, ok := want[path]; !ok && path != ManifestName {
			problems = append(problems, fmt.Errorf("%w: %q is not listed in %s", ErrPackage, path, ManifestName))
		}
	}
	return errors.Join(problems...)
}

// place moves an unpacked package to where its digest says.
func (f Folder) place(temp string, m Manifest) error {
	final := f.at(m.Content())
	if there, err := f.version(m.Name, m.Content()); err == nil {
		return f.same(*there, temp)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; %s is in the way", err, final)
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o755); err != nil { // it was private so far
		return err
	}
	if err := os.Rename(temp, final); errors.Is(err, fs.ErrExist) { // somebody was faster
		there, err := f.version(m.Name, m.Content())
		if err != nil {
			return err
		}
		return f.same(*there, temp)
	} else if err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(final)), syncDir(filepath.Join(f.Dir, storeDir)))
}

// same accepts what is installed already if it is whole and has the manifest.
func (f Folder) same(there Entry, temp string) error {
	mine, err := os.ReadFile(filepath.Join(temp, ManifestName))
	if err != nil {
		return err
	}
	theirs, err := os.ReadFile(filepath.Join(f.at(there.Digest), ManifestName))
	if err != nil {
		return err
	}
	if string(mine) != string(theirs) {
		return fmt.Errorf("%w: the same files are installed as %s %s with another %s", ErrPackage, there.Name, there.Meta.Version, ManifestName)
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return verify(root, filepath.Join(storeDir, there.Digest[:2], there.Digest), *there.Meta)
}

// verify hashes everything in an installed package.
func verify(root *os.Root, path string, m Manifest) error {
	dir, err := root.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsafeFile, err)
	}
	defer dir.Close()
	found, err := digests(dir)
	if err != nil {
		return err
	}
	return m.compare(found)
}

// installed lists the store. What is no package is shown as a problem.
func (f Folder) installed() ([]Entry, error) {
	paths, err := filepath.Glob(filepath.Join(globSafe(f.Dir), storeDir, "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return nil, fmt.Errorf("list connectors: %w", err)
	}
	var out []Entry
	for _, path := range paths {
		digest := filepath.Base(path)
		if !validDigest.MatchString(digest) {
			continue
		}
		e, err := f.version("", digest)
		if err != nil {
			e = &Entry{Name: digest[:12], Digest: digest, Path: path, Problem: err}
		}
		out = append(out, *e)
	}
	return out, nil
}

// globSafe takes the special meaning from a folder's name.
func globSafe(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Versions returns the installed versions of a connector.
func (f Folder) Versions(name string) ([]Entry, error) {
	all, err := f.installed()
	var out []Entry
	for _, e := range all {
		if e.Problem == nil && e.Name == name {
			out = append(out, e)
		}
	}
	return out, err
}

// version reads the manifest of an installed package and checks that it belongs
// there. An empty name stands for any. fs.ErrNotExist means that it is not there.
func (f Folder) version(name, digest string) (*Entry, error) {
	if !validDigest.MatchString(digest) {
		return nil, fmt.Errorf("digest %q: %w", digest, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(f.at(digest))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	m, err := readManifest(root, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s", ErrPackage, f.at(digest), ManifestName)
	} else if err != nil {
		return nil, err
	}
	if m.Content() != digest {
		return nil, fmt.Errorf("%w: %s in %s belongs to %s", ErrDigestMismatch, ManifestName, f.at(digest), m.Content())
	}
	if name != "" && name != m.Name {
		return nil, fmt.Errorf("connector %s: %w: %s is connector %s", name, ErrNotFound, digest, m.Name)
	}
	e := f.entry(m)
	return &e, nil
}

// openInstalled opens an installed version's program and verifies the files
// beside it, every time: a script loads them by name.
func (f Folder) openInstalled(root *os.Root, e Entry) (*Program, error) {
	if err := e.Meta.Fits(); err != nil {
		return nil, err
	}
	path := filepath.Join(storeDir, e.Digest[:2], e.Digest)
	if len(e.Meta.Files) > 0 {
		if err := verify(root, path, *e.Meta); err != nil {
			return nil, fmt.Errorf("connector %s: %w", e.Name, err)
		}
	}
	file, err := openFile(root, e.Name, filepath.Join(path, e.Meta.Program()))
	if err != nil {
		return nil, err
	}
	return &Program{File: file, Meta: e.Meta, Digest: e.Digest}, nil
}

// digests hashes every file beneath root. Anything but files and folders is an
// error.
func digests(root *os.Root) (map[string]string, error) {
	out := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%w: %q is no regular file", ErrUnsafeFile, name)
		}
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		h := sha256.New()
		_, err = io.Copy(h, file)
		out[name] = hex.EncodeToString(h.Sum(nil))
		return err
	})
	return out, err
}

// sweep removes what killed installs left. What cannot be removed is left.
func sweep(store string) {
	entries, _ := os.ReadDir(store)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), unfinished) && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(filepath.Join(store, e.Name()))
		}
	}
}

// syncTree makes every folder's entries durable; the files are already.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
