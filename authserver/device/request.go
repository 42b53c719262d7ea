package device

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/provisioning"
)

// The errors of a store.
var (
	// ErrNotFound means there is no such request.
	ErrNotFound = errors.New("device request not found")
	// ErrTaken means another request has the user code.
	ErrTaken = errors.New("user code is taken")
	// ErrSettled means the request was answered before, used before, or has expired.
	ErrSettled = errors.New("device request is settled")
	// ErrTooSoon means the device asked again before its interval was over.
	ErrTooSoon = errors.New("device asks too often")
)

// Status says where a request stands. One that expired keeps the status it had.
type Status string

// The statuses of a request.
const (
	StatusPending  Status = "pending"
	StatusApproved Status = "approved" // the next poll gets the tokens
	StatusDenied   Status = "denied"
	StatusUsed     Status = "used" // it got its tokens
)

// Request is one request of a device for a user's authorization.
type Request struct {
	Hash     []byte // SHA-256 of the device code
	UserCode []byte // keyed digest of the user code; see [Codes]
	Client   provisioning.ClientID
	Scopes   []string
	// Resources are the resource servers that the tokens may be for (RFC 8707), none for
	// our own endpoints.
	Resources []string
	// Network is where the device asked from, roughly: see [NetworkOf].
	Network   string
	Interval  time.Duration // between two polls, as the device was told so far
	CreatedAt time.Time
	ExpiresAt time.Time // when it can no longer be answered or used
	KeepUntil time.Time // when its row may be deleted
	Outcome
}

// Asks is what consent is about: the scopes, and the resource servers.
func (r Request) Asks() []string {
	return append(slices.Clone(r.Scopes), application.ResourceScopes(r.Resources)...)
}

// Outcome is what became of a request.
type Outcome struct {
	Status Status
	Error  string // the OAuth error of StatusDenied
	// Grant and Decision are what was approved, and the gate's decision that it rests
	// on; "" before.
	Grant    string
	Decision provisioning.DecisionID
}

// SlowDown is added to the interval of a device that asks too often (RFC 8628
// section 3.5).
const SlowDown = 5 * time.Second

// Store keeps requests. Every method takes part in a transaction that ctx carries.
type Store interface {
	// Add adds a pending request, or returns ErrTaken.
	Add(ctx context.Context, r Request) error
	// Request returns the request of a device code, in whatever state; ErrNotFound if
	// there is none.
	Request(ctx context.Context, hash []byte) (Request, error)
	// Poll notes that the device asked, or returns ErrTooSoon and adds SlowDown to its
	// interval. Of concurrent calls one is in time.
	Poll(ctx context.Context, hash []byte, at time.Time) error
	// Settle answers a pending request, once: ErrSettled if it is not pending or has
	// expired.
	Settle(ctx context.Context, hash []byte, o Outcome, at time.Time) error
	// Use takes an approved request, once: ErrSettled if it is not approved or has
	// expired.
	Use(ctx context.Context, hash []byte, at time.Time) error
}

// NetworkOf returns the network of an IP address that is told of a device: coarse
// enough to say nothing of a household, fine enough to tell here from elsewhere. ""
// if the address is none.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}
