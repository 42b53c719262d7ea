package plugins

import (
	"context"
	"errors"

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
)

// Entry is one connector in the folder.
type Entry struct {
	Name   string
	Path   string
	Digest string // of the file as it is now, "" if it cannot be read
	Pinned bool   // the file is the pinned one
	State  State
	// Problem says why the connector cannot be used as it is: ErrUnsafeFile,
	// ErrNotPinned, ErrDigestMismatch, or nil.
	Problem error
	Crash   *Crash // the last one of a process in use, nil if there was none
}

// List returns every connector in the folder, by name. It reads each file.
func (h *Host) List(ctx context.Context) ([]Entry, error) {
	names, err := h.catalog.names()
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(names))
	for i, name := range names {
		entries[i] = h.entry(ctx, name)
	}
	return entries, nil
}

func (h *Host) entry(ctx context.Context, name string) Entry {
	e := Entry{Name: name, Path: h.catalog.path(name), State: StateStopped}
	if e.Digest, e.Problem = h.digest(name); e.Problem == nil {
		pin, err := h.pinOf(ctx, name)
		switch {
		case err != nil:
			e.Problem = err
		case pin.Digest != e.Digest:
			e.Problem = mismatch(name, pin.Digest, e.Digest)
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

func (h *Host) digest(name string) (string, error) {
	f, err := h.catalog.open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return runner.Digest(f)
}

// fillState shows the process of the name's newest program: during an upgrade
// there may be two, and the file's own is preferred.
func (h *Host) fillState(e *Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, p := range h.programs {
		if key.name != e.Name {
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
	plan := p.restarts.next(now)
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
