package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func eachKeys(t *testing.T, f func(t *testing.T, s *store.Keys)) {
	t.Helper()
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) { f(t, &store.Keys{DB: db}) }, store.Migrations())
}

func keySealer(t *testing.T) *keys.Sealer {
	t.Helper()
	text, err := keys.GenerateKeyset()
	must(t, err)
	sealer, err := keys.NewSealer(text)
	must(t, err)
	return sealer
}

func TestKeysRowsComeBackAsTheyWere(t *testing.T) {
	eachKeys(t, func(t *testing.T, s *store.Keys) {
		first := keys.StoredKey{KID: "k1", Alg: keys.ES256, Generation: 1, Sealed: []byte{0, 1}, Public: []byte("{}"), CreatedAt: oauthNow, ActiveAt: oauthNow}
		second := first
		second.KID, second.Generation, second.ActiveAt = "k2", 2, oauthNow.Add(time.Hour)
		for _, k := range []keys.StoredKey{second, first} {
			added, err := s.AddSigningKey(t.Context(), k)
			if err != nil || !added {
				t.Fatalf("AddSigningKey = %v, %v", added, err)
			}
		}
		rival := second
		rival.KID = "k3"
		if added, err := s.AddSigningKey(t.Context(), rival); err != nil || added {
			t.Errorf("AddSigningKey of a taken generation = %v, %v; want false", added, err)
		}
		must(t, s.RetireSigningKeys(t.Context(), keys.ES256, 2, oauthNow.Add(2*time.Hour)))
		must(t, s.RetireSigningKeys(t.Context(), keys.ES256, 2, oauthNow.Add(9*time.Hour)))
		must(t, s.RetireSigningKeys(t.Context(), keys.RS256, 9, oauthNow))
		first.RetireAt = oauthNow.Add(2 * time.Hour)
		got, err := s.SigningKeys(t.Context())
		must(t, err)
		if diff := cmp.Diff([]keys.StoredKey{first, second}, got); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
}

// Instances that start at the same time on an empty database end up with the
// same keys and secrets.
func TestKeysInstancesAgree(t *testing.T) {
	eachKeys(t, func(t *testing.T, s *store.Keys) {
		sealer := keySealer(t)
		const instances = 4
		var wg sync.WaitGroup
		rings, secrets := make([]*keys.Ring, instances), make([]string, instances)
		for i := range instances {
			wg.Go(func() {
				rings[i] = keys.NewRing(s, sealer, time.Now)
				if err := rings[i].Load(t.Context()); err != nil {
					t.Error(err)
				}
				vault := keys.Secrets{Store: s, Sealer: sealer, Now: time.Now}
				secret, err := vault.Get(t.Context(), keys.SecretTokens)
				if err != nil {
					t.Error(err)
				}
				secrets[i] = string(secret)
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		for i := 1; i < instances; i++ {
			if diff := cmp.Diff(rings[0].Public(), rings[i].Public()); diff != "" || secrets[i] != secrets[0] {
				t.Errorf("instance %d has other keys or another secret:\n%s", i, diff)
			}
		}
		if n := len(rings[0].Public().Keys); n != len(keys.Algs()) {
			t.Errorf("keys = %d, want one per algorithm", n)
		}
	})
}

func TestKeysUnknownSecret(t *testing.T) {
	eachKeys(t, func(t *testing.T, s *store.Keys) {
		if _, err := s.Secret(t.Context(), "nothing"); !errors.Is(err, keys.ErrNoSecret) {
			t.Errorf("Secret = %v, want ErrNoSecret", err)
		}
		must(t, s.AddSecret(t.Context(), "x", []byte("first"), oauthNow))
		must(t, s.AddSecret(t.Context(), "x", []byte("second"), oauthNow))
		if got, err := s.Secret(t.Context(), "x"); err != nil || string(got) != "first" {
			t.Errorf("Secret = %q, %v; want the first", got, err)
		}
	})
}
