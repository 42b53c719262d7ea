package application

import (
	"context"
	"errors"

	"github.com/anteroom-id/anteroom/provisioning"
)

// The errors of a [Store].
var (
	ErrNotFound = errors.New("application not found")
	// ErrStale means the application changed since it was read, or a new one's
	// client_id is taken.
	ErrStale = errors.New("application was changed by somebody else")
	// ErrNoSecret means that the application authenticates by something else.
	ErrNoSecret = errors.New("it has no secret: its auth_method needs none")
)

// Store keeps applications.
type Store interface {
	// Get returns the application, or ErrNotFound.
	Get(ctx context.Context, id provisioning.ClientID) (Application, error)
	// Put creates the application (Revision 0) or replaces exactly that revision.
	// It returns it with the new revision, [Problems] or ErrStale.
	Put(ctx context.Context, a Application) (Application, error)
	// List returns up to limit applications ordered by client_id, starting behind
	// after.
	List(ctx context.Context, after provisioning.ClientID, limit int) ([]Application, error)
	// Delete removes exactly that revision, or returns ErrStale.
	Delete(ctx context.Context, id provisioning.ClientID, revision int64) error
}
