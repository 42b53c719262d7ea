package clientkeys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/application"
	"github.com/anteroom-id/anteroom/authserver/outbound"
)

// How long a set is kept and how often its address is asked. Requests that anybody
// can send lead here, so nothing they say makes the server ask more often.
const (
	// Fresh is how long a fetched set is used without asking again.
	Fresh = 5 * time.Minute
	// Interval is the shortest time between two fetches of one address, also when a
	// key is unknown or the fetch failed.
	Interval = 30 * time.Second
	// Stale is how long a set is still used while its address does not answer.
	Stale = 24 * time.Hour

	maxSets = 1000
)

// ErrUnavailable means that a key set could not be fetched and none is kept.
var ErrUnavailable = errors.New("the key set is not available")

// Cache fetches key sets. It is safe for concurrent use.
type Cache struct {
	HTTP *http.Client // with a timeout; decides where it may connect to
	Now  func() time.Time

	mu   sync.Mutex
	sets map[string]*set
}

// set is what is known of one address. Whoever holds busy may fetch and change it.
type set struct {
	busy    chan struct{}
	keys    []jose.JSONWebKey
	fetched time.Time // zero while there are none
	tried   time.Time
	err     error // of the last try
}

// Keys returns the keys at the address. It asks again when they are old, or when
// none has that key id, but at most once an [Interval]. Errors: ErrUnavailable,
// wrapped with the reason, or that of ctx.
func (c *Cache) Keys(ctx context.Context, uri, kid string) ([]jose.JSONWebKey, error) {
	s := c.set(uri)
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.busy }()
	now := c.Now()
	wanted := now.Sub(s.fetched) >= Fresh || kid != "" && !has(s.keys, kid)
	if wanted && now.Sub(s.tried) >= Interval {
		s.tried = now
		keys, err := c.fetch(ctx, uri)
		if s.err = err; err == nil {
			s.keys, s.fetched = keys, now
		}
	}
	if s.fetched.IsZero() || now.Sub(s.fetched) >= Stale {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.err)
	}
	return s.keys, nil
}

func has(keys []jose.JSONWebKey, kid string) bool {
	return slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}

// set returns the address's set. When there are too many, one is forgotten: the
// next who needs it asks again.
func (c *Cache) set(uri string) *set {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sets[uri]; ok {
		return s
	}
	if c.sets == nil {
		c.sets = map[string]*set{}
	}
	for other := range c.sets {
		if len(c.sets) < maxSets {
			break
		}
		delete(c.sets, other)
	}
	s := &set{busy: make(chan struct{}, 1), err: errors.New("not asked yet")}
	c.sets[uri] = s
	return s
}

// fetch outlives the request that began it: the next one needs the keys, too.
func (c *Cache) fetch(ctx context.Context, uri string) ([]jose.JSONWebKey, error) {
	raw, err := outbound.Fetch(context.WithoutCancel(ctx), c.HTTP, uri)
	if err != nil {
		return nil, fmt.Errorf("fetch key set: %w", err)
	}
	return parse(raw)
}

// parse skips keys for other purposes: a set may have some we cannot use (RFC 7517
// section 5).
func parse(raw []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("decode key set: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range doc.Keys {
		if key, err := application.ParseKey(raw); err == nil && len(keys) < application.MaxClientKeys {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that verifies RS256, PS256, ES256 or EdDSA")
	}
	return keys, nil
}
