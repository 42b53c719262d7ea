package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The errors of a [Ring].
var (
	// ErrInvalidToken means a token is malformed, was signed by none of our keys,
	// or with an algorithm that is not allowed.
	ErrInvalidToken = errors.New("token is not valid")
	// ErrNoKey means the ring has no active key for the algorithm.
	ErrNoKey = errors.New("no signing key")
)

// minRefresh is the least time between two reloads that a token with an unknown
// key id causes: anybody can send such tokens.
const minRefresh = 10 * time.Second

// Ring holds the signing keys in memory. Signing and verifying touch the
// database only when a token names a key the ring has not seen.
type Ring struct {
	store  KeyStore
	sealer *Sealer
	now    func() time.Time

	current atomic.Pointer[keySet]

	refreshing  sync.Mutex
	refreshedAt time.Time // under refreshing
}

// keySet is one loaded state of the keys; it never changes.
type keySet struct {
	keys  []*signingKey // oldest generation first
	byKID map[string]*signingKey
}

// NewRing returns an empty ring; call [Ring.Load] before use.
func NewRing(store KeyStore, sealer *Sealer, now func() time.Time) *Ring {
	r := &Ring{store: store, sealer: sealer, now: now}
	r.current.Store(&keySet{})
	return r
}

// Load reads the keys and makes the first one of each algorithm that has none.
// Of several instances that start at once one wins and all use its keys.
func (r *Ring) Load(ctx context.Context) error {
	if err := r.Refresh(ctx); err != nil {
		return err
	}
	var fresh []StoredKey
	for _, alg := range Algs() {
		if r.current.Load().newest(alg) != nil {
			continue
		}
		now := r.now()
		key, err := newStoredKey(r.sealer, alg, 1, now, now)
		if err != nil {
			return err
		}
		fresh = append(fresh, key)
	}
	if len(fresh) == 0 {
		return nil
	}
	return r.add(ctx, fresh)
}

// add stores the keys and reads back what is there now. A generation that
// another instance added meanwhile stands.
func (r *Ring) add(ctx context.Context, fresh []StoredKey) error {
	err := r.store.InTx(ctx, func(ctx context.Context) error {
		for _, key := range fresh {
			if _, err := r.store.AddSigningKey(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add signing key: %w", err)
	}
	return r.Refresh(ctx)
}

// Refresh reads the keys anew. Call it now and then, so that an instance learns
// of a rotation before the next key signs.
func (r *Ring) Refresh(ctx context.Context) error {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	return r.reload(ctx)
}

// reload needs refreshing held: an older state must not replace a newer one.
func (r *Ring) reload(ctx context.Context) error {
	stored, err := r.store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	set := &keySet{byKID: make(map[string]*signingKey, len(stored))}
	for _, s := range stored {
		key, err := r.reuse(s)
		if err != nil {
			return err
		}
		set.keys = append(set.keys, key)
		set.byKID[key.KID] = key
	}
	slices.SortStableFunc(set.keys, func(a, b *signingKey) int { return a.Generation - b.Generation })
	r.current.Store(set)
	return nil
}

// reuse takes an opened key from the current set if it is there.
func (r *Ring) reuse(stored StoredKey) (*signingKey, error) {
	if known, ok := r.current.Load().byKID[stored.KID]; ok {
		updated := *known
		updated.StoredKey = stored
		return &updated, nil
	}
	return openKey(r.sealer, stored)
}

// Rotate makes the algorithm's next key. It is published at once and signs after
// lead, which must be longer than applications cache the key set. The keys
// before it stay published for keep after that: the longest life of a token.
func (r *Ring) Rotate(ctx context.Context, alg Alg, lead, keep time.Duration) error {
	newest := r.current.Load().newest(alg)
	if newest == nil {
		return fmt.Errorf("rotate %s: %w", alg, ErrNoKey)
	}
	now := r.now()
	next, err := newStoredKey(r.sealer, alg, newest.Generation+1, now, now.Add(lead))
	if err != nil {
		return err
	}
	err = r.store.InTx(ctx, func(ctx context.Context) error {
		added, err := r.store.AddSigningKey(ctx, next)
		if err != nil || !added {
			return err // not added: another instance rotates just now
		}
		return r.store.RetireSigningKeys(ctx, alg, next.Generation, next.ActiveAt.Add(keep))
	})
	if err != nil {
		return fmt.Errorf("rotate %s: %w", alg, err)
	}
	return r.Refresh(ctx)
}

// Keys returns the keys as they are kept, oldest generation first.
func (r *Ring) Keys() []StoredKey {
	set := r.current.Load()
	all := make([]StoredKey, len(set.keys))
	for i, k := range set.keys {
		all[i] = k.StoredKey
	}
	return all
}

// Older returns the algorithms whose newest key was made longer than age ago; none
// when age is 0.
func (r *Ring) Older(age time.Duration) []Alg {
	var algs []Alg
	for _, alg := range Algs() {
		if newest := r.current.Load().newest(alg); age > 0 && newest != nil && r.now().Sub(newest.CreatedAt) > age {
			algs = append(algs, alg)
		}
	}
	return algs
}

// Sign returns payload as a compact JWS of that type, with the key's kid, or
// ErrNoKey.
func (r *Ring) Sign(typ Type, alg Alg, payload []byte) (string, error) {
	key := r.current.Load().active(alg, r.now())
	if key == nil {
		return "", fmt.Errorf("sign with %s: %w", alg, ErrNoKey)
	}
	signer, ok := key.signers[typ]
	if !ok {
		return "", fmt.Errorf("sign: %q is no type of token", typ)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", alg, err)
	}
	return signed.CompactSerialize()
}

// VerifyHint returns the payload of an ID token that one of our keys signed, or
// ErrInvalidToken. It does not look at the claims. A hint gives no access to
// anything, so the key may be one that is no longer published.
func (r *Ring) VerifyHint(ctx context.Context, token string) ([]byte, error) {
	return r.verify(ctx, TypeIDToken, token)
}

// VerifyAccessToken is the same for an access token. It is still its row that says
// whether it is good for anything.
func (r *Ring) VerifyAccessToken(ctx context.Context, token string) ([]byte, error) {
	return r.verify(ctx, TypeAccessToken, token)
}

func (r *Ring) verify(ctx context.Context, typ Type, token string) ([]byte, error) {
	var allowed []jose.SignatureAlgorithm
	for _, alg := range Algs() {
		allowed = append(allowed, jose.SignatureAlgorithm(alg))
	}
	signed, err := jose.ParseSignedCompact(token, allowed)
	if err != nil {
		return nil, ErrInvalidToken
	}
	header := signed.Signatures[0].Header
	key, err := r.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key == nil || header.Algorithm != string(key.Alg) || header.ExtraHeaders[jose.HeaderType] != string(typ) {
		return nil, ErrInvalidToken
	}
	payload, err := signed.Verify(key.public.Key)
	if err != nil {
		return nil, ErrInvalidToken
	}
	return payload, nil
}

// Public returns the key set to publish (RFC 7517): keys that sign, that will
// sign, and that signed what may still be valid.
func (r *Ring) Public() jose.JSONWebKeySet {
	now := r.now()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range r.current.Load().keys {
		if key.published(now) {
			set.Keys = append(set.Keys, key.public)
		}
	}
	return set
}

// find returns the key with that id, nil if there is none. An id it does not
// know makes it reload, at most once per minRefresh.
func (r *Ring) find(ctx context.Context, kid string) (*signingKey, error) {
	if key, ok := r.current.Load().byKID[kid]; ok || kid == "" {
		return key, nil
	}
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	if key, ok := r.current.Load().byKID[kid]; ok {
		return key, nil
	}
	now := r.now()
	if !r.refreshedAt.IsZero() && now.Sub(r.refreshedAt) < minRefresh {
		return nil, nil
	}
	r.refreshedAt = now
	if err := r.reload(ctx); err != nil {
		return nil, err
	}
	return r.current.Load().byKID[kid], nil
}

func (s *keySet) newest(alg Alg) *signingKey {
	for _, key := range slices.Backward(s.keys) {
		if key.Alg == alg {
			return key
		}
	}
	return nil
}

func (s *keySet) active(alg Alg, at time.Time) *signingKey {
	for _, key := range slices.Backward(s.keys) {
		if key.Alg == alg && !key.ActiveAt.After(at) {
			return key
		}
	}
	return nil
}
