//go:build unix

package runner

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxImage bounds a connector binary, which is held in memory.
const maxImage = 512 << 20

// ErrChanged means that a script is no longer the one that was verified.
var ErrChanged = errors.New("the file has changed since it was verified")

// Image is a program whose bytes are fixed from the moment they were hashed.
// A binary is read once, into sealed memory (or, where that does not exist, into
// a private file): what is executed, however often, are the bytes that gave the
// digest, whatever becomes of the file.
//
// A script ("#!") cannot be executed that way, since its interpreter opens it by
// name and it may want its neighbours. It is hashed again before each start and
// executed in place: there remains a moment in which somebody who may write to
// the file can win, and what it imports is not covered by the digest.
type Image struct {
	digest string
	exec   string   // what to execute
	file   *os.File // sealed memory; nil otherwise
	remove string   // private copy to remove on Close, "" if none
	script bool
}

// ReadImage reads the program from f, an open regular file, to its end. dir is a
// private folder for the copy that is made where there is no sealed memory.
func ReadImage(f *os.File, dir string) (*Image, error) {
	src := bufio.NewReader(io.LimitReader(f, maxImage+1))
	if magic, _ := src.Peek(2); string(magic) == "#!" {
		digest, err := Digest(src)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", f.Name(), err)
		}
		return &Image{digest: digest, exec: f.Name(), script: true}, nil
	}
	img, err := fixBytes(filepath.Base(f.Name()), src, dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return img, nil
}

// Digest returns the SHA-256 of everything r yields, in hexadecimal.
func Digest(r io.Reader) (string, error) {
	return copyDigest(io.Discard, r)
}

// Digest returns the SHA-256 of the program, in hexadecimal.
func (i *Image) Digest() string { return i.digest }

// Close lets go of the bytes. Processes that run from them are not affected.
func (i *Image) Close() error {
	var err error
	if i.file != nil {
		err = i.file.Close()
	}
	if i.remove != "" {
		err = errors.Join(err, os.Remove(i.remove))
	}
	return err
}

// clearance is how far above the child's own descriptors the program's is.
const clearance = 64

// open returns what to execute in a child whose descriptors go up to highest, and
// a function to call once it runs. It verifies a script once more: ErrChanged.
//
// Between fork and exec the child moves descriptors to the numbers just above
// those it passes on, whatever is there. /proc/self means the child by then, so
// the program needs a number that is out of the way.
func (i *Image) open(highest uintptr) (path string, release func(), err error) {
	switch {
	case i.script:
		return i.exec, func() {}, i.verify()
	case i.file == nil:
		return i.exec, func() {}, nil
	}
	fd, err := unix.FcntlInt(i.file.Fd(), unix.F_DUPFD_CLOEXEC, int(highest)+clearance)
	if err != nil {
		return "", nil, fmt.Errorf("copy descriptor of program: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() { _ = unix.Close(fd) }, nil
}

// passOn returns what to execute in a process that is given the program's own
// descriptor under the number fd, nil if it needs none. It verifies a script once
// more: ErrChanged.
func (i *Image) passOn(fd int) (path string, file *os.File, err error) {
	switch {
	case i.script:
		return i.exec, nil, i.verify()
	case i.file == nil:
		return i.exec, nil, nil
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), i.file, nil
}

// verify hashes a script again.
func (i *Image) verify() error {
	f, err := os.Open(i.exec)
	if err != nil {
		return fmt.Errorf("open script: %w", err)
	}
	defer f.Close()
	digest, err := Digest(io.LimitReader(f, maxImage+1))
	if err != nil {
		return fmt.Errorf("read script: %w", err)
	}
	if digest != i.digest {
		return fmt.Errorf("%s: %w", i.exec, ErrChanged)
	}
	return nil
}

// fixBytes copies src into sealed memory, or into a private file where the
// system has none, and hashes what it copied.
func fixBytes(name string, src io.Reader, dir string) (*Image, error) {
	// While a writable descriptor exists no child may be forked: it would inherit
	// the descriptor for a moment, and executing the bytes then fails as busy.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	mem, err := createMemory(name)
	if errors.Is(err, errors.ErrUnsupported) {
		return copyToFile(src, dir)
	}
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	digest, err := copyDigest(mem, src)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(mem)
	if err != nil {
		return nil, err
	}
	return &Image{digest: digest, file: sealed, exec: fmt.Sprintf("/proc/self/fd/%d", sealed.Fd())}, nil
}

func copyToFile(src io.Reader, dir string) (*Image, error) {
	f, err := os.CreateTemp(dir, "image-")
	if err != nil {
		return nil, fmt.Errorf("copy program: %w", err)
	}
	digest, err := copyDigest(f, src)
	err = errors.Join(err, f.Chmod(0o500), f.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy program: %w", err), os.Remove(f.Name()))
	}
	return &Image{digest: digest, exec: f.Name(), remove: f.Name()}, nil
}

func copyDigest(dst io.Writer, src io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, h), src)
	if err != nil {
		return "", err
	}
	if n > maxImage {
		return "", fmt.Errorf("larger than %d MiB", maxImage>>20)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
