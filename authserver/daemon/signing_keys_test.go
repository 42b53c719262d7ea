package daemon

import (
	"testing"
	"time"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

// A command rotates, and a server that runs learns of the key and publishes it
// before it signs. Old keys are replaced once, not again and again.
func TestKeysAreRotated(t *testing.T) {
	for name, database := range map[string]string{"sqlite": "", "postgres": sqldbtest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			if database == "" {
				database = "sqlite://" + dir + "/rotate.db"
			}
			s := openSystemIn(t, dir, database)
			if _, err := s.Handler(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.RotateSigningKeys(t.Context(), []keys.Alg{keys.ES256}); err != nil {
				t.Fatal(err)
			}
			s.Config.KeyAge = time.Hour
			s.tendKeys(t.Context())
			all, err := s.SigningKeys(t.Context())
			if err != nil || len(all) != 4 || len(s.ring.Public().Keys) != 4 {
				t.Fatalf("%d keys, %d published (%v); want the new one published and no more made", len(all), len(s.ring.Public().Keys), err)
			}
			next := all[len(all)-1]
			if next.Alg != keys.ES256 || next.Generation != 2 || next.ActiveAt.Sub(next.CreatedAt) != keyLead {
				t.Errorf("the next key is %+v", next)
			}
			s.Config.KeyAge = time.Nanosecond
			s.tendKeys(t.Context())
			if all, err := s.SigningKeys(t.Context()); err != nil || len(all) != 7 {
				t.Errorf("%d keys (%v), want the next of every algorithm", len(all), err)
			}
		})
	}
}
