package logout_test

import (
	"crypto"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/anteroom-id/anteroom/authserver/keys"
	"github.com/anteroom-id/anteroom/authserver/logout"
	"github.com/anteroom-id/anteroom/authserver/store"
	"github.com/anteroom-id/anteroom/provisioning/sqldb"
	"github.com/anteroom-id/anteroom/provisioning/sqldb/sqldbtest"
)

func newRing(t *testing.T, db *sqldb.DB, now func() time.Time) *keys.Ring {
	t.Helper()
	text, err := keys.GenerateKeyset()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := keys.NewSealer(text)
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.NewRing(&store.Keys{DB: db}, sealer, now)
	if err := ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ring
}

// A logout token has the algorithm its application registered, and a library
// verifies it.
func TestLogoutTokenAlgorithms(t *testing.T) {
	w := newWorld(t, sqldbtest.SQLite(t, store.Migrations()))
	now := func() time.Time { return w.now }
	ring := newRing(t, w.db, now)
	w.sender = logout.NewSender(w.service, ring, http.DefaultClient, slog.New(slog.DiscardHandler))
	for _, alg := range keys.Algs() {
		app := w.apps["back"]
		app.IDTokenAlg = string(alg)
		w.apps["back"] = app
		w.join("back")
		w.end()
		w.sender.Send(t.Context())
		_, token, _ := strings.Cut(w.tokens[len(w.tokens)-1], " ")

		var public []crypto.PublicKey
		for _, k := range ring.Public().Keys {
			if k.Algorithm == string(alg) {
				public = append(public, k.Key)
			}
		}
		rp := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: public}, &oidc.Config{
			ClientID: "back", SupportedSigningAlgs: []string{string(alg)}, Now: now,
		})
		if got, err := rp.VerifyLogout(t.Context(), token); err != nil || got.SessionID != "sid-1" {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
	}
}
