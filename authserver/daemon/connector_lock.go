package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/plugins/catalog"
)

// lockPins takes a lock file for the approvals.
type lockPins struct {
	path string
	lock catalog.Lock
}

// Pin implements plugins.Pins.
func (l lockPins) Pin(_ context.Context, name string) (plugins.Pin, error) {
	c, ok := l.lock.Find(name)
	if !ok {
		return plugins.Pin{}, fmt.Errorf("%w: it is not in %s", plugins.ErrNotPinned, l.path)
	}
	return plugins.Pin{Name: name, Digest: c.Digest, Version: c.Version, SchemaDigest: c.SchemaDigest}, nil
}

// loadApprovals returns what decides which connectors run.
func (s *System) loadApprovals() (plugins.Pins, error) {
	path := s.Config.ConnectorsLock
	if path == "" {
		return s.Pins, nil
	}
	lock, err := readLock(path)
	if err != nil {
		return nil, fmt.Errorf("connectors.lock: %w", err)
	}
	return lockPins{path, lock}, nil
}

// maxLock is more than a lock file may have.
const maxLock = 2 << 20

func readLock(path string) (catalog.Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return catalog.Lock{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxLock))
	if err != nil {
		return catalog.Lock{}, err
	}
	lock, err := catalog.ParseLock(raw)
	if err != nil {
		return catalog.Lock{}, fmt.Errorf("%s: %w", path, err)
	}
	return lock, nil
}

// checkLock executes every connector of the lock file and reports those that are
// not what it says.
func (s *System) checkLock(ctx context.Context) []Problem {
	l, ok := s.approvals.(lockPins)
	if !ok {
		return nil
	}
	var out []Problem
	for _, c := range l.lock.Connectors {
		if _, _, err := s.plugins.Inspect(ctx, c.Name, false); err != nil {
			out = append(out, Problem{"connectors.lock", fmt.Sprintf("%s %s: %s", c.Name, c.Version, err)})
		}
	}
	return out
}

// VerifyLock returns an error unless every connector of the lock file, if there
// is one, is there and is what it says.
func (s *System) VerifyLock(ctx context.Context) error {
	var problems []error
	for _, p := range s.checkLock(ctx) {
		problems = append(problems, fmt.Errorf("%s: %s", p.Path, p.Text))
	}
	return errors.Join(problems...)
}

// LockDecides returns the lock file that decides in place of pins, "" if none does.
func (s *System) LockDecides() string { return s.Config.ConnectorsLock }

// LockConnectors returns the lock file of what is pinned.
func (s *System) LockConnectors(ctx context.Context) (catalog.Lock, error) {
	pins, err := s.Pins.List(ctx)
	if err != nil {
		return catalog.Lock{}, err
	}
	locked := make([]catalog.Locked, len(pins))
	for i, p := range pins {
		locked[i] = catalog.Locked{
			Name: p.Name, Version: p.Description.Version, Digest: p.Digest, SchemaDigest: catalog.SchemaDigest(p.Description),
		}
	}
	return catalog.NewLock(locked), nil
}
