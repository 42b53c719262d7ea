package plugins

import (
	"context"
	"errors"
	"time"

	"github.com/anteroom-id/anteroom/plugins/catalog"
	"github.com/anteroom-id/anteroom/sdk"
	"github.com/anteroom-id/anteroom/sdk/wire"
)

// The reasons for which the host itself refuses or fails; those of package
// catalog come back too. Compare with errors.Is.
var (
	// ErrNotFound means that the folder holds no such connector.
	ErrNotFound = catalog.ErrNotFound
	// ErrUnsafeFile means that the file is nothing that may be executed: not a
	// regular executable file, open to changes by others, or outside the folder.
	ErrUnsafeFile = catalog.ErrUnsafeFile
	// ErrNotPinned means that nobody has approved the connector.
	ErrNotPinned = errors.New("connector is not pinned")
	// ErrDigestMismatch means that the file is not the one that was approved.
	ErrDigestMismatch = catalog.ErrDigestMismatch
	// ErrMisdescribed means that the program does not say of itself what its
	// manifest, or the lock file, says of it.
	ErrMisdescribed = errors.New("connector is not what its manifest says")
	// ErrQuarantined means that the connector has crashed too often.
	ErrQuarantined = errors.New("connector is in quarantine")
	// ErrStart means that the process did not come up.
	ErrStart = errors.New("connector does not start")
	// ErrIsolation means that the connector cannot be confined as is required.
	ErrIsolation = errors.New("connector cannot be isolated as required")
	// ErrStopped means that the host or the connection is not open (any more).
	ErrStopped = errors.New("connector host is stopped")
)

// sentinels are the causes that survive redaction: they say nothing but
// themselves.
func sentinels() []error {
	return []error{
		ErrNotFound, ErrUnsafeFile, ErrNotPinned, ErrDigestMismatch, ErrMisdescribed, catalog.ErrPackage, catalog.ErrIncompatible,
		catalog.ErrSeveral, ErrQuarantined, ErrStart, ErrIsolation, ErrStopped,
		wire.ErrNotConfigured, wire.ErrProcessGone, context.DeadlineExceeded, context.Canceled,
	}
}

// refusal is a failure that will not pass by itself: an admin must act.
func refusal(err error) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindInternal, Effect: sdk.EffectNone, Message: err.Error(), Err: err}
}

// unavailable is a failure that may pass; nothing was sent.
func unavailable(err error, after time.Duration) *sdk.Error {
	return &sdk.Error{
		Kind: sdk.KindTransient, Effect: sdk.EffectNone, Message: err.Error(), Err: err, RetryAfter: max(0, after),
	}
}

// hostError gives an error of the host its kind. One that has a kind keeps it.
func hostError(err error) *sdk.Error {
	var own *sdk.Error
	if errors.As(err, &own) {
		return own
	}
	for _, final := range []error{
		ErrNotFound, ErrUnsafeFile, ErrNotPinned, ErrDigestMismatch, ErrMisdescribed, catalog.ErrPackage, catalog.ErrIncompatible, catalog.ErrSeveral, ErrIsolation,
	} {
		if errors.Is(err, final) {
			return refusal(err)
		}
	}
	return unavailable(err, 0)
}

// expose returns err as an [*sdk.Error] that can be stored and shown: its texts
// redacted, and of its cause no more than a known one.
func expose(err error, redact func(string) string) error {
	if err == nil {
		return nil
	}
	e := *sdk.AsError(err)
	e.Message, e.Field, e.Err = redact(e.Message), redact(e.Field), nil
	for _, s := range sentinels() {
		if errors.Is(err, s) {
			e.Err = s
			break
		}
	}
	return &e
}
