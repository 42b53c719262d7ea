package plugins

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/plugins/runner"
)

// State is where a connector's process stands.
type State string

// The states of a process.
const (
	StateStopped     State = "stopped" // the next call starts it
	StateStarting    State = "starting"
	StateReady       State = "ready"
	StateWaiting     State = "waiting" // it crashed, and is started again after a pause
	StateQuarantined State = "quarantined"
	StateFailed      State = "upgrade failed" // it is pinned, and another version serves
)

// Entry is one version of a connector in the folder.
type Entry struct {
	Name   string
	Path   string
	Digest string            // as it is now, "" if it cannot be read
	Meta   *catalog.Manifest // nil for a plain file
	Pinned bool              // it is the pinned version
	State  State
	// Problem says why the connector cannot be used as it is: ErrUnsafeFile,
	// ErrNotPinned, ErrDigestMismatch, or nil.
	Problem error
	Crash   *Crash // the last one of a process in use, nil if there was none
}

// List returns every connector in the folder, by name. It reads each file.
func (h *Host) List(ctx context.Context) ([]Entry, error) {
	found, err := h.folder.Entries()
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(found))
	for i, e := range found {
		entries[i] = h.entry(ctx, e)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func (h *Host) entry(ctx context.Context, found catalog.Entry) Entry {
	e := Entry{Name: found.Name, Path: found.Path, Digest: found.Digest, Meta: found.Meta, Problem: found.Problem, State: StateStopped}
	if e.Problem == nil {
		e.Digest, e.Problem = h.digest(found)
	}
	if e.Problem == nil {
		pin, err := h.pinOf(ctx, e.Name)
		switch {
		case err != nil:
			e.Problem = err
		case pin.Digest != e.Digest:
			e.Problem = mismatch(e.Name, pin.Digest, e.Digest)
		default:
			e.Pinned = true
		}
	}
	if h.opts.Dev && (errors.Is(e.Problem, ErrNotPinned) || errors.Is(e.Problem, ErrDigestMismatch)) {
		e.Problem = nil
	}
	h.fillState(&e)
	return e
}

// digest hashes the program, and what lies beside it, as they are now.
func (h *Host) digest(e catalog.Entry) (string, error) {
	f, err := h.folder.Open(e.Name, e.Digest)
	if err != nil {
		return e.Digest, err
	}
	defer f.Close()
	digest, err := runner.Digest(f)
	switch {
	case err != nil || f.Meta == nil:
		return digest, err
	case digest != f.Meta.Digest:
		return e.Digest, mismatch(e.Name, f.Meta.Digest, digest)
	}
	return e.Digest, nil
}

// fillState shows the process of the version; of a plain file that has changed,
// that of the version which it was.
func (h *Host) fillState(e *Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, p := range h.programs {
		if key.name != e.Name || e.Meta != nil && key.digest != e.Digest {
			continue
		}
		e.State, e.Crash = p.state()
		if key.digest == e.Digest {
			return
		}
	}
}

func (p *program) state() (State, *Crash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.host.opts.Now()
	plan := p.record.restarts.next(now)
	switch {
	case p.current != nil:
		return StateReady, p.crash
	case plan.refused:
		return StateQuarantined, p.crash
	case now.Before(plan.at):
		return StateWaiting, p.crash
	case p.starting != nil:
		return StateStarting, p.crash
	}
	return StateStopped, p.crash
}
