package plugins

import (
	"context"
	"errors"
	"fmt"

	"github.com/anteroom-id/anteroom/plugins/runner"
	"github.com/anteroom-id/anteroom/sdk"
)

// admitted is what may be executed for a connector.
type admitted struct {
	digest      string
	description sdk.Description // the pinned one; zero if there is none
	pinned      bool
	image       *runner.Image // nil for a pinned one: read at the first start
}

func (a admitted) close() {
	if a.image != nil {
		_ = a.image.Close()
	}
}

// admit decides what may be executed under the name: the pinned digest, or,
// where the caller or the host allows that, the file that is there.
func (h *Host) admit(ctx context.Context, name string, allowUnpinned bool) (admitted, error) {
	if err := h.catalog.check(name); err != nil {
		return admitted{}, err
	}
	if allowUnpinned || h.opts.Dev {
		return h.admitFile(name)
	}
	pin, err := h.pinOf(ctx, name)
	if err != nil {
		return admitted{}, err
	}
	return admitted{digest: pin.Digest, description: pin.Description, pinned: true}, nil
}

func (h *Host) pinOf(ctx context.Context, name string) (Pin, error) {
	pin, err := h.opts.Pins.Pin(ctx, name)
	switch {
	case errors.Is(err, ErrNotPinned):
		return Pin{}, fmt.Errorf("connector %s: %w: inspect it, then pin it", name, ErrNotPinned)
	case err != nil:
		return Pin{}, fmt.Errorf("read pin of connector %s: %w", name, err)
	case pin.Digest == "":
		return Pin{}, fmt.Errorf("connector %s: %w: its pin has no digest", name, ErrNotPinned)
	}
	return pin, nil
}

func (h *Host) admitFile(name string) (admitted, error) {
	img, err := h.readImage(name)
	if err != nil {
		return admitted{}, err
	}
	return admitted{digest: img.Digest(), image: img}, nil
}

func (h *Host) readImage(name string) (*runner.Image, error) {
	dir, err := h.runtimeDir()
	if err != nil {
		return nil, err
	}
	f, err := h.catalog.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := runner.ReadImage(f, dir)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w", name, err)
	}
	return img, nil
}

func (h *Host) runtimeDir() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil {
		return "", ErrStopped
	}
	return h.dir.Path(), nil
}

// verified reads the pinned program: its pin must still hold, and the file must
// be what was pinned.
func (h *Host) verified(ctx context.Context, key programKey) (*runner.Image, error) {
	if err := h.stillPinned(ctx, key); err != nil {
		return nil, err
	}
	img, err := h.readImage(key.name)
	if err != nil {
		return nil, err
	}
	if img.Digest() != key.digest {
		return nil, errors.Join(mismatch(key.name, key.digest, img.Digest()), img.Close())
	}
	return img, nil
}

// stillPinned is asked before every start: what was approved when a connection
// was opened may have been withdrawn.
func (h *Host) stillPinned(ctx context.Context, key programKey) error {
	pin, err := h.pinOf(ctx, key.name)
	if err != nil {
		return err
	}
	if pin.Digest != key.digest {
		return mismatch(key.name, pin.Digest, key.digest)
	}
	return nil
}

func mismatch(name, pinned, found string) error {
	return fmt.Errorf("connector %s: %w: pinned %s, found %s", name, ErrDigestMismatch, short(pinned), short(found))
}
