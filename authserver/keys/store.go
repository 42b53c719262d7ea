package keys

import (
	"context"
	"errors"
	"time"
)

// ErrNoSecret means there is no secret of that name yet.
var ErrNoSecret = errors.New("no such secret")

// StoredKey is a signing key as it is kept.
type StoredKey struct {
	KID string // RFC 7638 thumbprint (SHA-256) of the public key
	Alg Alg
	// Generation counts the keys of an algorithm from 1. It is unique, so two
	// instances that both miss a key end up with the same one.
	Generation int
	Sealed     []byte // the private JWK, sealed for this kid
	Public     []byte // the public JWK
	CreatedAt  time.Time
	// ActiveAt is when the key begins to sign. It is published before, so that
	// applications which cache the set know it in time.
	ActiveAt time.Time
	// RetireAt is when nothing it signed is valid any more and it is no longer
	// published; zero while it has no successor.
	RetireAt time.Time
}

// KeyStore keeps signing keys.
type KeyStore interface {
	// SigningKeys returns all keys, oldest generation first.
	SigningKeys(ctx context.Context) ([]StoredKey, error)
	// AddSigningKey adds the key; it reports false and changes nothing when the
	// algorithm already has that generation.
	AddSigningKey(ctx context.Context, key StoredKey) (bool, error)
	// RetireSigningKeys sets RetireAt for the algorithm's keys of an older
	// generation that have none.
	RetireSigningKeys(ctx context.Context, alg Alg, before int, at time.Time) error
	// InTx runs fn in one transaction, perhaps more than once.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// SecretStore keeps named secrets, sealed.
type SecretStore interface {
	// Secret returns the sealed secret, or ErrNoSecret.
	Secret(ctx context.Context, name string) ([]byte, error)
	// AddSecret adds it, and changes nothing when the name is taken.
	AddSecret(ctx context.Context, name string, sealed []byte, at time.Time) error
	// InTx runs fn in one transaction, perhaps more than once.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}
