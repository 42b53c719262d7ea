package plugins

import (
	"context"
	"fmt"
	"time"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
)

// Pin is an admin's approval of exactly one version of a connector.
type Pin struct {
	Name        string
	Digest      string          // of the file, or of the package: [catalog.Manifest.Content]
	Description sdk.Description // the zero one if only the program can tell
	// Version and SchemaDigest are what the program must say of itself; "" leaves
	// that to its manifest.
	Version, SchemaDigest string
	Egress                []catalog.Egress // where it may connect to, as approved
	PinnedAt              time.Time
	PinnedBy              string // as far as the command knew
}

// agrees reports whether the program describes itself as it was approved.
func (p Pin) agrees(d sdk.Description) error {
	switch {
	case p.Version != "" && p.Version != d.Version:
		return fmt.Errorf("connector %s: %w: version %s was approved, it says %s", p.Name, ErrMisdescribed, p.Version, d.Version)
	case p.SchemaDigest != "" && p.SchemaDigest != catalog.SchemaDigest(d):
		return fmt.Errorf("connector %s: %w: another schema was approved than it has", p.Name, ErrMisdescribed)
	}
	return nil
}

// Pins is where approvals are kept.
type Pins interface {
	// Pin returns the approval of the connector, or ErrNotPinned.
	Pin(ctx context.Context, name string) (Pin, error)
}

// short makes a digest readable in logs and messages.
func short(digest string) string { return digest[:min(12, len(digest))] }
