package keys_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/anteroom-id/anteroom/authserver/keys"
)

// memory keeps keys and secrets like the database does.
type memory struct {
	mu      sync.Mutex
	keys    []keys.StoredKey
	secrets map[string][]byte
	reads   int
}

func (m *memory) InTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (m *memory) SigningKeys(context.Context) ([]keys.StoredKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return append([]keys.StoredKey(nil), m.keys...), nil
}

func (m *memory) AddSigningKey(_ context.Context, k keys.StoredKey) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, there := range m.keys {
		if there.Alg == k.Alg && there.Generation == k.Generation {
			return false, nil
		}
	}
	m.keys = append(m.keys, k)
	return true, nil
}

func (m *memory) RetireSigningKeys(_ context.Context, alg keys.Alg, before int, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, k := range m.keys {
		if k.Alg == alg && k.Generation < before && k.RetireAt.IsZero() {
			m.keys[i].RetireAt = at
		}
	}
	return nil
}

func (m *memory) Secret(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sealed, ok := m.secrets[name]; ok {
		return sealed, nil
	}
	return nil, keys.ErrNoSecret
}

func (m *memory) AddSecret(_ context.Context, name string, sealed []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.secrets[name]; !taken {
		m.secrets[name] = sealed
	}
	return nil
}

// world is one database with its clock; every ring on it is an instance.
type world struct {
	store  *memory
	sealer *keys.Sealer
	now    time.Time
}

func newWorld(t testing.TB) *world {
	return &world{
		store: &memory{secrets: map[string][]byte{}}, sealer: sealer(t, keyset(t)),
		now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (w *world) ring(t testing.TB) *keys.Ring {
	t.Helper()
	r := keys.NewRing(w.store, w.sealer, func() time.Time { return w.now })
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func sign(t testing.TB, r *keys.Ring, alg keys.Alg) string {
	t.Helper()
	return signAs(t, r, keys.TypeIDToken, alg)
}

func signAs(t testing.TB, r *keys.Ring, typ keys.Type, alg keys.Alg) string {
	t.Helper()
	token, err := r.Sign(typ, alg, []byte(`{"sub":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	if typ := signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType]; typ != "JWT" {
		t.Errorf("typ = %v, want JWT", typ)
	}
	return signed.Signatures[0].Header.KeyID
}

func TestRingSignsWithEveryAlgorithm(t *testing.T) {
	w := newWorld(t)
	r := w.ring(t)
	for _, alg := range keys.Algs() {
		token := sign(t, r, alg)
		payload, err := r.VerifyHint(t.Context(), token)
		if err != nil || string(payload) != `{"sub":"u"}` {
			t.Errorf("%s: Verify = %q, %v", alg, payload, err)
		}
	}
	set := r.Public()
	if len(set.Keys) != len(keys.Algs()) {
		t.Fatalf("published keys = %d, want %d", len(set.Keys), len(keys.Algs()))
	}
	for _, k := range set.Keys {
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if !k.IsPublic() || k.Use != "sig" || k.KeyID != base64.RawURLEncoding.EncodeToString(sum) {
			t.Errorf("published key %+v: want public, use sig and the thumbprint as kid", k)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	w := newWorld(t)
	r := w.ring(t)
	es := sign(t, r, keys.ES256)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(kid string) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign([]byte(`{"sub":"u"}`))
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30."
	for name, token := range map[string]string{
		"another type":               signAs(t, r, keys.TypeLogoutToken, keys.ES256),
		"alg none":                   none,
		"our kid, another key":       forge(kidOf(t, es)),
		"another kid":                forge("other"),
		"no kid":                     forge(""),
		"not a token":                "x",
		"cut short":                  es[:len(es)-4],
		"RS256 kid with ES256 bytes": forge(kidOf(t, sign(t, r, keys.RS256))),
	} {
		if payload, err := r.VerifyHint(t.Context(), token); !errors.Is(err, keys.ErrInvalidToken) {
			t.Errorf("%s: Verify = %q, %v; want ErrInvalidToken", name, payload, err)
		}
	}
	if _, err := keys.NewRing(w.store, w.sealer, time.Now).Sign(keys.TypeIDToken, keys.ES256, nil); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("Sign before Load = %v, want ErrNoKey", err)
	}
}

func TestInstancesAgreeOnKeys(t *testing.T) {
	w := newWorld(t)
	a, b := w.ring(t), w.ring(t)
	if kidOf(t, sign(t, a, keys.ES256)) != kidOf(t, sign(t, b, keys.ES256)) {
		t.Error("two instances sign with different keys")
	}
}

// A rotated key is published before it signs, the old one is published while
// what it signed may be valid, and other instances learn of the new one from
// the first token that names it.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	a, b := w.ring(t), w.ring(t)
	old, algs := map[keys.Alg]string{}, keys.Algs()
	for _, alg := range algs {
		old[alg] = sign(t, a, alg)
		if err := a.Rotate(t.Context(), alg, time.Hour, 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		if kidOf(t, sign(t, a, alg)) != kidOf(t, old[alg]) {
			t.Errorf("%s: the next key signs before its time", alg)
		}
	}
	if got := len(a.Public().Keys); got != 2*len(algs) {
		t.Errorf("published after the rotation = %d, want %d", got, 2*len(algs))
	}
	w.now = w.now.Add(time.Hour)
	for _, alg := range algs {
		fresh := sign(t, a, alg)
		if kidOf(t, fresh) == kidOf(t, old[alg]) {
			t.Errorf("%s: the old key still signs", alg)
		}
		for _, r := range []*keys.Ring{a, b} {
			for _, token := range []string{old[alg], fresh} {
				if _, err := r.VerifyHint(t.Context(), token); err != nil {
					t.Errorf("%s: Verify during the rotation = %v", alg, err)
				}
			}
		}
	}
	w.now = w.now.Add(2 * time.Hour)
	for _, alg := range algs {
		if _, err := a.VerifyHint(t.Context(), old[alg]); err != nil {
			t.Errorf("%s: VerifyHint with a retired key = %v; want a hint to be good for ever", alg, err)
		}
	}
	if got := len(a.Public().Keys); got != len(algs) {
		t.Errorf("published after the retirement = %d, want %d", got, len(algs))
	}
}

func TestOlder(t *testing.T) {
	w := newWorld(t)
	r := w.ring(t)
	w.now = w.now.Add(time.Hour)
	if got := r.Older(time.Hour); len(got) != 0 {
		t.Errorf("Older at exactly the age = %v", got)
	}
	w.now = w.now.Add(time.Second)
	if got := r.Older(0); len(got) != 0 {
		t.Errorf("Older than 0 = %v; want none: that is no age", got)
	}
	if got := r.Older(time.Hour); len(got) != len(keys.Algs()) {
		t.Errorf("Older = %v, want every algorithm", got)
	}
	if err := r.Rotate(t.Context(), keys.ES256, time.Hour, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := r.Older(time.Hour); !slices.Equal(got, []keys.Alg{keys.RS256, keys.EdDSA}) {
		t.Errorf("Older after a rotation = %v, want the others: one is enough", got)
	}
	if all := r.Keys(); len(all) != 4 || all[3].Generation != 2 || !all[3].ActiveAt.Equal(w.now.Add(time.Hour)) {
		t.Errorf("Keys = %+v", all)
	}
}

func TestUnknownKeyIDsReloadRarely(t *testing.T) {
	w := newWorld(t)
	r := w.ring(t)
	stranger := newWorld(t)
	token := sign(t, stranger.ring(t), keys.ES256)
	before := w.store.reads
	for range 50 {
		if _, err := r.VerifyHint(t.Context(), token); !errors.Is(err, keys.ErrInvalidToken) {
			t.Fatal(err)
		}
	}
	if got := w.store.reads - before; got != 1 {
		t.Errorf("50 tokens with an unknown kid caused %d reads, want 1", got)
	}
	w.now = w.now.Add(time.Minute)
	if _, err := r.VerifyHint(t.Context(), token); !errors.Is(err, keys.ErrInvalidToken) || w.store.reads-before != 2 {
		t.Errorf("after a minute: %v with %d reads, want a second read", err, w.store.reads-before)
	}
}

// Who writes to the database cannot put another key into a row.
func TestMovedKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.ring(t)
	w.store.keys[0].Sealed, w.store.keys[1].Sealed = w.store.keys[1].Sealed, w.store.keys[0].Sealed
	r := keys.NewRing(w.store, w.sealer, func() time.Time { return w.now })
	if err := r.Load(t.Context()); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("Load with swapped keys = %v, want ErrOpen", err)
	}
}

func TestSecretIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	a := &keys.Secrets{Store: w.store, Sealer: w.sealer, Now: time.Now}
	b := &keys.Secrets{Store: w.store, Sealer: w.sealer, Now: time.Now}
	first, err := a.Get(t.Context(), keys.SecretTokens)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Get(t.Context(), keys.SecretTokens)
	if err != nil {
		t.Fatal(err)
	}
	other, err := a.Get(t.Context(), keys.SecretDigests)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 32 || string(first) != string(second) || string(first) == string(other) {
		t.Errorf("secrets: %d bytes, same name equal = %v, other name equal = %v; want 32, true, false",
			len(first), string(first) == string(second), string(first) == string(other))
	}
	w.store.secrets[keys.SecretTokens] = w.store.secrets[keys.SecretDigests]
	if _, err := a.Get(t.Context(), keys.SecretTokens); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("Get of a moved secret = %v, want ErrOpen", err)
	}
}

func BenchmarkSignES256(b *testing.B) { benchmarkSign(b, keys.ES256) }

func BenchmarkSignRS256(b *testing.B) { benchmarkSign(b, keys.RS256) }

func benchmarkSign(b *testing.B, alg keys.Alg) {
	r := newWorld(b).ring(b)
	for b.Loop() {
		sign(b, r, alg)
	}
}
