package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// secretBytes is the length of a named secret.
const secretBytes = 32

// The named secrets.
const (
	SecretTokens  = "oauth_tokens"        // HMAC of codes and opaque tokens
	SecretDigests = "provisioning_digest" // keyed digests of attributes sent to targets
	SecretKnown   = "known_browsers"      // marks of browsers that logins signed in from
	SecretSIDs    = "pairwise_sids"       // what applications with pairwise subjects know sessions by
)

// Secrets hands out named random secrets, each made on first use and the same
// for every instance.
type Secrets struct {
	Store  SecretStore
	Sealer *Sealer
	Now    func() time.Time
}

// Get returns the 32-byte secret of that name, making it if there is none.
func (s *Secrets) Get(ctx context.Context, name string) ([]byte, error) {
	var secret []byte
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		sealed, err := s.Store.Secret(ctx, name)
		if errors.Is(err, ErrNoSecret) {
			sealed, err = s.create(ctx, name)
		}
		if err != nil {
			return err
		}
		secret, err = s.Sealer.Open(sealed, secretAAD(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get secret %s: %w", name, err)
	}
	return secret, nil
}

// create adds a fresh secret and reads back what is there now: another instance
// may have been first.
func (s *Secrets) create(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, secretBytes)
	_, _ = rand.Read(fresh) // never fails
	sealed, err := s.Sealer.Seal(fresh, secretAAD(name))
	if err != nil {
		return nil, err
	}
	if err := s.Store.AddSecret(ctx, name, sealed, s.Now()); err != nil {
		return nil, err
	}
	return s.Store.Secret(ctx, name)
}

func secretAAD(name string) []byte { return []byte("secret/" + name) }
