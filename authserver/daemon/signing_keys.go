package daemon

import (
	"context"
	"time"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/store"
)

// The rotation of signing keys. A key is published for keyLead before it signs:
// applications keep the key set for five minutes, and servers read it anew every
// minute. Its predecessor stays published for keyKeep after that: what it signed
// is valid for twelve hours at most.
const (
	keyLead     = time.Hour
	keyKeep     = 24 * time.Hour
	refreshKeys = time.Minute
)

// SigningKeys returns the signing keys, oldest generation first, and makes the
// first ones if there are none.
func (s *System) SigningKeys(ctx context.Context) ([]keys.StoredKey, error) {
	ring, err := s.loadRing(ctx)
	if err != nil {
		return nil, err
	}
	return ring.Keys(), nil
}

// RotateSigningKeys makes the next key of each algorithm, whose present one then
// signs for keyLead still. Servers that run learn of it within a minute.
func (s *System) RotateSigningKeys(ctx context.Context, algs []keys.Alg) error {
	ring, err := s.loadRing(ctx)
	if err != nil {
		return err
	}
	for _, alg := range algs {
		if err := ring.Rotate(ctx, alg, keyLead, keyKeep); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) loadRing(ctx context.Context) (*keys.Ring, error) {
	ring := keys.NewRing(&store.Keys{DB: s.db}, s.sealer, s.Now)
	return ring, ring.Load(ctx)
}

// startKeys reads the keys anew now and then and replaces those that are too old,
// until ctx ends; the channel closes then.
func (s *System) startKeys(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(refreshKeys)
		defer tick.Stop()
		for {
			s.tendKeys(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return done
}

func (s *System) tendKeys(ctx context.Context) {
	if err := s.ring.Refresh(ctx); err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "read signing keys anew", "error", err)
		}
		return
	}
	for _, alg := range s.ring.Older(s.Config.KeyAge) {
		if err := s.ring.Rotate(ctx, alg, keyLead, keyKeep); err != nil {
			s.log.WarnContext(ctx, "rotate signing key", "alg", alg, "error", err)
			continue
		}
		s.log.InfoContext(ctx, "made the next signing key", "alg", alg, "signs_in", keyLead)
	}
}
