package user

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/anteroom-id/anteroom/sdk"
)

// Params are the costs of argon2id (RFC 9106).
type Params struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultParams is 19 MiB and two passes: about 30 ms of one core.
func DefaultParams() Params { return Params{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1} }

const (
	saltBytes = 16
	keyBytes  = 32
	// The most a stored hash may ask for, so that an imported one cannot take the
	// server down.
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxThreads   = 16
)

// errHash means a stored hash is not one of ours.
var errHash = errors.New("password hash is not argon2id in PHC format")

// Hasher makes and checks password hashes, a bounded number at a time: each
// takes Params.MemoryKiB.
type Hasher struct {
	params Params
	slots  chan struct{}
	dummy  string
}

// NewHasher returns a hasher with as many slots as processors.
func NewHasher(params Params) *Hasher {
	h := &Hasher{params: params, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	salt := make([]byte, saltBytes)
	h.dummy = encodePHC(params, salt, make([]byte, keyBytes))
	return h
}

// Hash returns the PHC string of a password. It fails only when ctx ends while
// it waits for a slot.
func (h *Hasher) Hash(ctx context.Context, password sdk.Secret) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key, err := h.derive(ctx, h.params, password, salt, keyBytes)
	if err != nil {
		return "", err
	}
	return encodePHC(h.params, salt, key), nil
}

// Verify reports whether the password belongs to the hash. An empty hash (no
// password, or no such user) takes as long as a wrong password and never
// verifies.
func (h *Hasher) Verify(ctx context.Context, hash string, password sdk.Secret) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	params, salt, want, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	key, err := h.derive(ctx, params, password, salt, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, want) == 1 && known, nil
}

// Outdated reports whether the hash was made with other parameters.
func (h *Hasher) Outdated(hash string) bool {
	params, _, _, err := parsePHC(hash)
	return err != nil || params != h.params
}

func (h *Hasher) derive(ctx context.Context, p Params, password sdk.Secret, salt []byte, n uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(preparePassword(password)), salt, p.Passes, p.MemoryKiB, p.Threads, n), nil
}

// CheckHash reports whether a stored hash can be verified here; imports call it.
func CheckHash(hash string) error {
	_, _, _, err := parsePHC(hash)
	return err
}

func encodePHC(p Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, p.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

func parsePHC(s string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Threads); err != nil {
		return p, nil, nil, errHash
	}
	if parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Passes, p.Threads) || !p.sane() {
		return p, nil, nil, errHash
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}

func (p Params) sane() bool {
	return p.Passes >= 1 && p.Passes <= maxPasses && p.Threads >= 1 && p.Threads <= maxThreads &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB
}
