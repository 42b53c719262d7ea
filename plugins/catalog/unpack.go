package catalog

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxPackage bounds what a package may hold, unpacked.
const maxPackage = 512 << 20

// unpacker writes the files of a package into a new folder and remembers their
// digests. It trusts nothing a source says of itself.
type unpacker struct {
	dst     *os.Root
	left    int64             // bytes that may still come
	entries int               // entries seen, folders included
	digests map[string]string // by path
	folded  map[string]bool
}

func newUnpacker(dst *os.Root) *unpacker {
	return &unpacker{dst: dst, left: maxPackage, digests: map[string]string{}, folded: map[string]bool{}}
}

// unpack reads the package at path: a folder, .tar.gz, .tgz or .zip.
func (u *unpacker) unpack(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read package: %w", err)
	}
	switch lower := strings.ToLower(path); {
	case info.IsDir():
		return u.folder(path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is neither a file nor a folder", ErrPackage, path)
	case strings.HasSuffix(lower, ".tar.gz"), strings.HasSuffix(lower, ".tgz"):
		return u.tarball(path)
	case strings.HasSuffix(lower, ".zip"):
		return u.zip(path)
	}
	return fmt.Errorf("%w: %s is neither a folder nor a .tar.gz, .tgz or .zip file", ErrPackage, path)
}

func (u *unpacker) folder(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("read package: %w", err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return u.entry(name, info.Mode(), info.Size(), func() (io.ReadCloser, error) {
			// What is opened may no longer be what was listed: it never leaves the
			// folder, and a FIFO does not make it wait.
			f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return nil, err
			}
			if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
				return nil, errors.Join(errors.New("no longer a regular file"), err, f.Close())
			}
			return f, nil
		})
	})
}

func (u *unpacker) tarball(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read package: %w", err)
	}
	defer f.Close()
	return u.tar(bufio.NewReader(f))
}

func (u *unpacker) tar(r io.Reader) error {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPackage, err)
	}
	// Headers count too: an archive of nothing but headers is a bomb as well.
	archive := tar.NewReader(io.LimitReader(zipped, maxPackage+maxFiles*4096))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPackage, err)
		}
		if h.Typeflag == tar.TypeLink { // its mode says regular file
			return fmt.Errorf("%w: %q is a hard link", ErrPackage, h.Name)
		}
		err = u.entry(h.Name, h.FileInfo().Mode(), h.Size, func() (io.ReadCloser, error) { return io.NopCloser(archive), nil })
		if err != nil {
			return err
		}
	}
}

func (u *unpacker) zip(path string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPackage, err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		size := int64(min(f.UncompressedSize64, maxPackage+1))
		if err := u.entry(f.Name, f.Mode(), size, f.Open); err != nil {
			return err
		}
	}
	return nil
}

// entry takes one entry of a source. open is called for a regular file only.
func (u *unpacker) entry(name string, mode fs.FileMode, size int64, open func() (io.ReadCloser, error)) error {
	if u.entries++; u.entries > 2*maxFiles {
		return fmt.Errorf("%w: more than %d files", ErrPackage, maxFiles)
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "" && mode.IsDir() {
		return nil // "./" itself
	}
	if err := checkPath(name); err != nil {
		return fmt.Errorf("%w: %w", ErrPackage, err)
	}
	switch {
	case mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 && !mode.IsDir():
		return fmt.Errorf("%w: %q has a set-user-ID, set-group-ID or sticky bit", ErrPackage, name)
	case mode.IsDir():
		return nil // made for the files in it
	case !mode.IsRegular():
		return fmt.Errorf("%w: %q is a link or a device, only files are allowed", ErrPackage, name)
	case u.folded[fold(name)]:
		return fmt.Errorf("%w: %q is there twice", ErrPackage, name)
	case size > u.left:
		return fmt.Errorf("%w: more than %d MiB unpacked", ErrPackage, maxPackage>>20)
	}
	u.folded[fold(name)] = true
	src, err := open()
	if err != nil {
		return fmt.Errorf("read %q of package: %w", name, err)
	}
	return errors.Join(u.write(name, src), src.Close())
}

// write copies one file. The bytes are counted as they come.
func (u *unpacker) write(name string, src io.Reader) error {
	if dir := filepath.Dir(name); dir != "." {
		if err := u.dst.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrPackage, name, err)
		}
	}
	dst, err := u.dst.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, h), io.LimitReader(src, u.left+1))
	if u.left -= n; err == nil && u.left < 0 {
		err = fmt.Errorf("%w: more than %d MiB unpacked", ErrPackage, maxPackage>>20)
	}
	if err = errors.Join(err, dst.Chmod(0o444), dst.Sync(), dst.Close()); err != nil {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	u.digests[name] = hex.EncodeToString(h.Sum(nil))
	return nil
}
