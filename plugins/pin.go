package plugins

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/sdk"
)

// Pin is an admin's approval of exactly one binary.
type Pin struct {
	Name        string
	Digest      string // SHA-256 of the file, in hexadecimal
	Description sdk.Description
	PinnedAt    time.Time
}

// Pins is where approvals are kept.
type Pins interface {
	// Pin returns the approval of the connector, or ErrNotPinned.
	Pin(ctx context.Context, name string) (Pin, error)
}

// short makes a digest readable in logs and messages.
func short(digest string) string { return digest[:min(12, len(digest))] }
