package plugins

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
)

// admitted is what may be executed for a connector.
type admitted struct {
	digest string
	pin    *Pin              // nil for one that is executed without approval
	meta   *catalog.Manifest // nil for a plain file, and while it is not known
	image  *runner.Image     // nil for a pinned one: read at the first start
}

func (a admitted) close() {
	if a.image != nil {
		_ = a.image.Close()
	}
}

// choice says which version of a connector is wanted, and on what terms.
type choice struct {
	name     string
	digest   string // "" for the approved one, or the one that is there
	unpinned bool   // execute it without approval
	// ports are what a target needs beside the usual ones. Where there is no target,
	// a process that serves one will do.
	ports     string
	forTarget bool
}

// admit decides what may be executed: the pinned digest, or, where the caller or
// the host allows that, what is there.
func (h *Host) admit(ctx context.Context, c choice) (admitted, error) {
	if c.unpinned || h.opts.Dev {
		return h.admitFile(ctx, c)
	}
	pin, err := h.pinOf(ctx, c.name)
	if errors.Is(err, ErrNotPinned) {
		// What is wrong with the file matters more than that nobody approved it.
		if bad := h.folder.Check(c.name, ""); bad != nil && !errors.Is(bad, catalog.ErrSeveral) {
			err = bad
		}
	}
	if err != nil {
		return admitted{}, err
	}
	if h.serves(c) {
		return admitted{digest: pin.Digest, pin: &pin}, nil // its file was looked at when it began to
	}
	if err := h.folder.Check(c.name, pin.Digest); err != nil {
		return admitted{}, err
	}
	return admitted{digest: pin.Digest, pin: &pin}, nil
}

func (h *Host) pinOf(ctx context.Context, name string) (Pin, error) {
	pin, err := h.opts.Pins.Pin(ctx, name)
	switch {
	case errors.Is(err, ErrNotPinned):
		if err == ErrNotPinned { // a store that knows no more than that
			err = fmt.Errorf("%w: inspect it, then pin it", err)
		}
		return Pin{}, fmt.Errorf("connector %s: %w", name, err)
	case err != nil:
		return Pin{}, fmt.Errorf("read pin of connector %s: %w", name, err)
	case pin.Digest == "":
		return Pin{}, fmt.Errorf("connector %s: %w: its pin has no digest", name, ErrNotPinned)
	}
	return pin, nil
}

// admitFile takes what is there. In development an installed version that is
// pinned goes before another that is not.
func (h *Host) admitFile(ctx context.Context, c choice) (admitted, error) {
	if c.digest == "" && h.opts.Dev {
		if pin, err := h.pinOf(ctx, c.name); err == nil && h.folder.Installed(c.name, pin.Digest) {
			c.digest = pin.Digest
		}
	}
	found, err := h.readProgram(c.name, c.digest)
	if err != nil {
		return admitted{}, err
	}
	if c.digest != "" && c.digest != found.digest {
		found.close()
		return admitted{}, fmt.Errorf("connector %s: %w: wanted %s, found %s", c.name, ErrDigestMismatch, short(c.digest), short(found.digest))
	}
	return found, nil
}

// readProgram reads the program and fixes its bytes. The digest is what they
// give, not what was asked for.
func (h *Host) readProgram(name, digest string) (admitted, error) {
	dir, err := h.runtimeDir()
	if err != nil {
		return admitted{}, err
	}
	f, err := h.folder.Open(name, digest)
	if err != nil {
		return admitted{}, err
	}
	defer f.Close()
	img, err := runner.ReadImage(f.File, dir)
	if err != nil {
		return admitted{}, fmt.Errorf("connector %s: %w", name, err)
	}
	a := admitted{digest: img.Digest(), meta: f.Meta, image: img}
	if f.Meta == nil {
		return a, nil
	}
	if f.Meta.Digest != img.Digest() {
		a.close()
		return admitted{}, fmt.Errorf("connector %s: %w: the manifest says %s, found %s", name, ErrDigestMismatch, short(f.Meta.Digest), short(img.Digest()))
	}
	a.digest = f.Digest
	return a, nil
}

func (h *Host) runtimeDir() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil {
		return "", ErrStopped
	}
	return h.dir.Path(), nil
}

// verified reads a pinned program: the file must be what was pinned.
func (h *Host) verified(key programKey) (admitted, error) {
	a, err := h.readProgram(key.name, key.digest)
	if err != nil {
		return admitted{}, err
	}
	if a.digest != key.digest {
		a.close()
		return admitted{}, mismatch(key.name, key.digest, a.digest)
	}
	return a, nil
}

// stillPinned is asked before every start: what was approved when a connection
// was opened may have been withdrawn. A pin that has moved on to another version
// is no withdrawal: the program serves until that version is ready, and goes on
// if it never is.
func (h *Host) stillPinned(ctx context.Context, key programKey) error {
	_, err := h.pinOf(ctx, key.name)
	return err
}

func mismatch(name, pinned, found string) error {
	return fmt.Errorf("connector %s: %w: pinned %s, found %s", name, ErrDigestMismatch, short(pinned), short(found))
}
