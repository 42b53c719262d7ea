package plugins

import (
	"context"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
)

// Candidate is a version of a connector that somebody looks at before they
// approve it. Its process lives until Close.
type Candidate struct {
	Description sdk.Description
	Digest      string
	Meta        *catalog.Manifest // nil for a plain file

	program *program
}

// Examine EXECUTES a version that nobody has approved, as the one who is about to
// asked for, and returns what it is. An empty digest stands for the plain file,
// or the only version installed.
func (h *Host) Examine(ctx context.Context, name, digest string) (*Candidate, error) {
	p, err := h.acquire(ctx, choice{name: name, digest: digest, unpinned: true})
	if err != nil {
		return nil, expose(hostError(err), p.redact)
	}
	ctx, cancel := h.withDeadline(ctx)
	defer cancel()
	d, err := p.describe(ctx)
	if err != nil {
		err = expose(err, p.redact)
		h.release(p)
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Candidate{Description: d, Digest: p.key.digest, Meta: p.meta, program: p}, nil
}

// Validate returns what this version finds wrong with a configuration.
func (c *Candidate) Validate(ctx context.Context, cfg sdk.RawConfig) ([]sdk.Problem, error) {
	return c.program.validate(ctx, cfg)
}

// Close ends the process.
func (c *Candidate) Close() { c.program.host.release(c.program) }

// Folder returns the folder of connectors.
func (h *Host) Folder() catalog.Folder { return h.folder }
