package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/authserver/audit"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/provisioning"
	"github.com/anteroom-id/anteroom/sdk"
)

// Review is what an admin looks at before they approve a version of a connector.
type Review struct {
	sdk.Description
	Digest  string           `json:"digest"`
	Licence string           `json:"licence,omitempty"`
	Egress  []catalog.Egress `json:"egress,omitempty"`
	// Replaces is the version that is pinned now, nil if none is.
	Replaces *Replaced        `json:"replaces,omitempty"`
	Changes  []catalog.Change `json:"changes,omitempty"` // against what it replaces
	Targets  []Impact         `json:"targets,omitempty"` // every target of the connector
}

// Replaced is the version that a new one takes the place of.
type Replaced struct {
	Version  string    `json:"version"`
	Digest   string    `json:"digest"`
	PinnedAt time.Time `json:"pinned_at"`
	PinnedBy string    `json:"pinned_by,omitempty"`
}

// Impact is what a version means for a target.
type Impact struct {
	Target   provisioning.TargetName `json:"target"`
	Problems []Problem               `json:"problems,omitempty"` // none if it goes on as before
}

// Broken returns the targets that would no longer work.
func (r Review) Broken() []provisioning.TargetName {
	var out []provisioning.TargetName
	for _, t := range r.Targets {
		if len(t.Problems) > 0 {
			out = append(out, t.Target)
		}
	}
	return out
}

// InstallConnector puts a package into the connectors folder. It runs when
// somebody has pinned it.
func (s *System) InstallConnector(path string) (catalog.Entry, error) {
	return s.plugins.Folder().Install(path)
}

// ReviewConnector EXECUTES the version with the digest, asks it what it is and
// what it makes of every target's configuration, and compares it with the one
// that is pinned. An empty digest stands for the one version that nobody has
// approved yet, or else the plain file, or else the pinned version.
func (s *System) ReviewConnector(ctx context.Context, name, digest string) (Review, error) {
	digest, err := s.candidate(ctx, name, digest)
	if err != nil {
		return Review{}, err
	}
	c, err := s.plugins.Examine(ctx, name, digest)
	if err != nil {
		return Review{}, err
	}
	defer c.Close()
	r := Review{Description: c.Description, Digest: c.Digest}
	if c.Meta != nil {
		r.Licence, r.Egress = c.Meta.Licence, c.Meta.Egress
	}
	pin, err := s.Pins.Pin(ctx, name)
	switch {
	case err == nil:
		r.Replaces = &Replaced{pin.Description.Version, pin.Digest, pin.PinnedAt, pin.PinnedBy}
		r.Changes = catalog.Compare(pin.Description, c.Description)
	case !errors.Is(err, plugins.ErrNotPinned):
		return Review{}, err
	}
	r.Targets, err = s.impacts(ctx, name, c)
	return r, err
}

// candidate finds the version to look at.
func (s *System) candidate(ctx context.Context, name, digest string) (string, error) {
	if digest != "" {
		return strings.TrimPrefix(digest, "sha256:"), nil
	}
	versions, err := s.plugins.Folder().Versions(name)
	if err != nil || len(versions) == 0 {
		return "", err
	}
	past, err := s.Pins.History(ctx, name)
	if err != nil {
		return "", err
	}
	var pending []catalog.Entry
	for _, v := range versions {
		if !slices.ContainsFunc(past, func(e store.PinEvent) bool { return e.Digest == v.Digest }) {
			pending = append(pending, v)
		}
	}
	switch {
	case len(pending) == 1:
		return pending[0].Digest, nil
	case len(pending) > 1:
		return "", fmt.Errorf("connector %s: several versions wait for approval, say which with --digest: %s", name, versionList(pending))
	case s.plugins.Folder().HasPlain(name):
		return "", nil
	}
	if pin, err := s.Pins.Pin(ctx, name); err == nil {
		return pin.Digest, nil
	}
	if len(versions) > 1 {
		return "", fmt.Errorf("connector %s: several versions are installed, say which with --digest: %s", name, versionList(versions))
	}
	return versions[0].Digest, nil
}

func versionList(list []catalog.Entry) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.Meta.Version + " " + e.Digest
	}
	return strings.Join(texts, ", ")
}

func (s *System) impacts(ctx context.Context, name string, c *plugins.Candidate) ([]Impact, error) {
	targets, err := s.Targets.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []Impact
	for _, t := range targets {
		if t.Connector != name {
			continue
		}
		found, err := c.Validate(ctx, sdk.RawConfig{Values: t.Config, Secrets: t.Secrets})
		if err != nil {
			return nil, err
		}
		i := Impact{Target: t.Name}
		for _, p := range found {
			i.Problems = append(i.Problems, Problem{"config." + p.Field, p.Message})
		}
		if err := checkMapping(t, c.Description); err != nil {
			i.Problems = append(i.Problems, Problem{"mapping", err.Error()})
		}
		out = append(out, i)
	}
	return out, nil
}

// Approve pins the version that was reviewed, unless what it says of itself cannot
// be.
func (s *System) Approve(ctx context.Context, r Review, by string) error {
	if err := approvable(r.Description); err != nil {
		return err
	}
	return s.Pins.Put(ctx, s.pinOf(r, by))
}

func (s *System) pinOf(r Review, by string) plugins.Pin {
	return plugins.Pin{Name: r.Name, Digest: r.Digest, Description: r.Description, Egress: r.Egress, PinnedAt: s.Now(), PinnedBy: by}
}

// PinConnector pins what is there, as it is now, without a look at its targets.
func (s *System) PinConnector(ctx context.Context, name string) (sdk.Description, string, error) {
	r, err := s.ReviewConnector(ctx, name, "")
	if err != nil {
		return sdk.Description{}, "", err
	}
	return r.Description, r.Digest, s.Approve(ctx, r, "")
}

// ErrNoEarlierPin means that there is nothing to go back to.
var ErrNoEarlierPin = errors.New("no other version was pinned before")

// RollBackConnector pins the version that was pinned before this one, and returns
// what that means.
func (s *System) RollBackConnector(ctx context.Context, name, by string) (Review, error) {
	past, err := s.Pins.History(ctx, name)
	if err != nil {
		return Review{}, err
	}
	current, err := s.Pins.Pin(ctx, name)
	if err != nil && !errors.Is(err, plugins.ErrNotPinned) {
		return Review{}, err
	}
	i := slices.IndexFunc(past, func(e store.PinEvent) bool { return e.Action != store.PinWithdrawn && e.Digest != current.Digest })
	if i < 0 {
		return Review{}, fmt.Errorf("connector %s: %w", name, ErrNoEarlierPin)
	}
	r, err := s.ReviewConnector(ctx, name, past[i].Digest)
	if err != nil {
		return Review{}, fmt.Errorf("roll back to %s: %w", past[i].Description.Version, err)
	}
	return r, s.Audit.Do(ctx, func(ctx context.Context) (audit.Act, error) {
		act := audit.Act{Action: "connector.rollback", Object: audit.Object{Kind: "connector", ID: r.Digest, Name: name}}
		return act, s.Pins.RollBack(ctx, s.pinOf(r, by))
	})
}

// WithdrawConnector takes the approval away. Running servers stop the connector.
func (s *System) WithdrawConnector(ctx context.Context, name, by string) error {
	if err := s.Pins.Withdraw(ctx, name, by, s.Now()); err != nil {
		return fmt.Errorf("connector %s: %w", name, err)
	}
	return nil
}
